import Consensus
import Primitives

/// What every node says to all others each interval: that it lives, what it holds, and whom it hears.
package struct Heartbeat: Hashable, Sendable {
    /// Zero while the sender belongs to no formed cluster.
    package var clusterID: UInt64
    package var sender: Holder
    /// Counts the heartbeats of one incarnation, from 1.
    package var sequence: UInt64
    package var kind: NodeRule.Kind
    package var role: Role
    /// Version of the cluster file the sender has read.
    package var settingsVersion: UInt64
    package var term: Term
    package var commit: Index
    package var leader: MemberID?
    /// Of the newest fence or membership change in the sender's log: what its acknowledgements are worth.
    package var fenceEpoch: Epoch
    /// Addresses the sender's keeper holds now, sorted by name.
    package var holding: [HeldAddress]
    /// Whether the sender's lease is running.
    package var leaseValid: Bool
    /// Whether the sender's keeper said that it holds nothing.
    package var keeperEmpty: Bool
    /// Whether the sender was told to stop and wants its seats taken.
    package var leaving: Bool
    package var load: SwitchReport
    /// Digest of the founding members the sender would form a cluster with; zero when formed or not ready.
    package var founding: UInt64
    /// Who the sender hears, sorted; these are the acknowledgements leases live on.
    package var acknowledgements: [Acknowledgement]
    /// Of the newest entry in the sender's log; zero when not told. See `LogView`.
    package var logTerm: Term = 0
    package var machine = MachineID.unknown
    /// Where the sender's own links are called, one for each of its rings; empty from a release that does not tell.
    /// The service fills it in when it sends.
    package var endpoints: [Endpoint] = []
    /// Why the sender could not serve, and whom it reaches; nil from an earlier release, which does not tell.
    package var service: ServiceView?
    /// Ways to others that carry nothing while others do; nil from an earlier release, which does not tell, nor
    /// answers for its ways by itself.
    package var paths: [PathTrouble]?
    /// Who is to try to write the zone, and why the sender could not; nil when there is nothing to say.
    package var zone: ZoneWord?
    /// Nil from an earlier release, which does not tell.
    package var identity: IdentityView?
    /// The sender's wall clock when it was sent, in milliseconds since 1970; nil from an earlier release, which does not
    /// tell. For people only: nothing is decided by it. The service fills it in when it sends.
    package var wallClock: Int64?
    /// The sender's program; nil from an earlier release, which reads format 1 and does not tell.
    package var release: ReleaseInfo?
    /// The format that is agreed on, as the sender knows; 1 without an agreed state.
    package var agreedFormat = FormatVersion.oldest

    package init(
        clusterID: UInt64, sender: Holder, sequence: UInt64, kind: NodeRule.Kind, role: Role,
        settingsVersion: UInt64, term: Term, commit: Index, leader: MemberID?, fenceEpoch: Epoch,
        holding: [HeldAddress], leaseValid: Bool, keeperEmpty: Bool, leaving: Bool, load: SwitchReport,
        founding: UInt64, acknowledgements: [Acknowledgement]
    ) {
        self.clusterID = clusterID
        self.sender = sender
        self.sequence = sequence
        self.kind = kind
        self.role = role
        self.settingsVersion = settingsVersion
        self.term = term
        self.commit = commit
        self.leader = leader
        self.fenceEpoch = fenceEpoch
        self.holding = holding
        self.leaseValid = leaseValid
        self.keeperEmpty = keeperEmpty
        self.leaving = leaving
        self.load = load
        self.founding = founding
        self.acknowledgements = acknowledgements
    }
}

/// One address in somebody's hands and the decision that put it there.
package struct HeldAddress: Hashable, Sendable {
    /// Name of the `ServiceAddress`.
    package var address: String
    package var epoch: Epoch

    package init(address: String, epoch: Epoch) {
        self.address = address
        self.epoch = epoch
    }
}

/// "I heard your heartbeat `sequence`, `age` ago."
///
/// With sequence zero it acknowledges nothing and only shows that the sender hears this very incarnation: said to who is
/// fenced, or does not show itself that it hears the sender. The age is then that of the newest heartbeat that may have
/// been acknowledged.
package struct Acknowledgement: Hashable, Sendable {
    package var holder: Holder
    package var sequence: UInt64
    /// Since the heartbeat arrived; whole microseconds on the wire, rounded down.
    package var age: Duration

    package init(holder: Holder, sequence: UInt64, age: Duration) {
        self.holder = holder
        self.sequence = sequence
        self.age = age
    }
}
