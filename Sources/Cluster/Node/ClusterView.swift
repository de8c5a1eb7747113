import Calendar
import Consensus
import Primitives

/// Everything a plan may look at: the cluster as one node sees it at one moment.
///
/// A plan is a function of this value, so that it can be tested without a node.
package struct ClusterView: Sendable {
    let me: Holder
    let kind: NodeRule.Kind
    let machine: MachineID
    let release: ReleaseInfo
    /// The cluster file this node has read; the agreed one is `state.settings`.
    let settings: ClusterSettings
    let startedAt: Instant

    let now: Instant
    /// The cluster's time now, as this node would stamp it.
    let time: ClusterTime
    let wall: WallTime?

    let state: ControlState
    let agreement: AgreementView
    let neighbours: Neighbours
    /// What former holders said that they let go of.
    let releases: [ReleaseNotice]

    // MARK: This node's own condition

    let load: SwitchReport
    let holdings: Holdings
    let service: ServiceView
    let isLeaving: Bool
    /// Nil without a lease.
    let leaseValidSince: Instant?

    let zone: ZoneReconciler
    /// What a leader remembers of its earlier passes; nil on any other node. Only a pass changes it.
    var leadership: Leadership?

    var name: String { me.name }
    var timing: Timing { state.settings.timing }

    // MARK: Who is there

    /// Whether that very life of a node is this one, or its node was heard lately.
    func isHeard(_ holder: Holder) -> Bool {
        holder == me || neighbours.isHeard(holder.member, within: timing.deadAfter, at: now)
    }

    /// Whether a vote is here: our own, or that of a node heard lately.
    func hasVote(_ voter: MemberID) -> Bool {
        voter == me.member || neighbours.isHeard(voter, within: timing.deadAfter, at: now)
    }

    // MARK: What nodes say of themselves

    func load(of holder: Holder) -> SwitchReport? {
        holder == me ? load : neighbours[holder]?.heartbeat.load
    }

    /// Whether the holder's keeper says that it has the address.
    func holds(_ holder: Holder, _ address: String) -> Bool {
        let held = holder == me ? holdings.held : neighbours[holder]?.heartbeat.holding ?? []
        return held.contains { $0.address == address }
    }

    /// Nil for a node of an earlier release, which tells nothing of it.
    func service(of holder: Holder) -> ServiceView? {
        holder == me ? service : neighbours[holder]?.heartbeat.service
    }

    /// What is known of the program of a node in this very life; nil when that was not heard.
    func release(of holder: Holder) -> ReleaseInfo? {
        holder == me ? release : neighbours[holder].map { $0.heartbeat.release ?? .unannounced }
    }

    /// The same for whichever life of a member was heard last.
    func release(of member: MemberID) -> ReleaseInfo? {
        member == me.member ? release : neighbours.release(of: member)
    }
}

/// What a plan may know of the agreement itself: its log, who takes part, and how far each is.
struct AgreementView: Sendable {
    var isLeader = false
    var term: Term = 0
    var membership = Membership(voters: [])
    var membershipEpoch = Epoch.zero
    var lastIndex: Index = 0
    var commitIndex: Index = 0
    /// How many more commands it takes now; none unless this node leads.
    var room = 0
    /// Leader: how far each member's log is known to be durable.
    var matched: [(member: MemberID, index: Index)] = []
    /// Everything up to here is known to be in effect.
    var effectiveThrough: Index = 0
    /// Of the newest fence in log or state, committed or not.
    var lastFenceIndex: Index = 0
    /// The newest format of anything in the log or the state.
    var writtenFormat = FormatVersion.oldest

    func matchIndex(of member: MemberID) -> Index? { matched.first { $0.member == member }?.index }

    /// Whether a grant waits for it no more.
    func isMet(_ condition: Grant.Condition) -> Bool {
        switch condition {
        case .inEffect(let index): index <= effectiveThrough
        case .released: false
        }
    }
}

extension Node {
    /// Nil until the cluster is formed or joined.
    package func view(at now: Instant) -> ClusterView? {
        guard let state else { return nil }
        let agreement = AgreementView(
            isLeader: isLeader, term: raft.term, membership: raft.membership,
            membershipEpoch: raft.membershipEpoch, lastIndex: raft.lastIndex, commitIndex: raft.commitIndex,
            room: doubt == nil ? raft.room : 0, matched: raft.matchIndexes,
            effectiveThrough: effective.index, lastFenceIndex: lastFenceIndex,
            writtenFormat: writtenFormat)
        return ClusterView(
            me: me, kind: kind, machine: machine, release: release, settings: settings, startedAt: startedAt,
            now: now, time: clusterTime(at: now), wall: wallTime(at: now), state: state, agreement: agreement,
            neighbours: neighbours, releases: requests.releases, load: load, holdings: holdings,
            service: serviceView(at: now), isLeaving: leaving != nil, leaseValidSince: leaseValidSince,
            zone: zone, leadership: leadership)
    }
}
