import Calendar

/// One agreed change of the control state; applying it is deterministic and refuses by doing nothing.
package enum ControlCommand: Hashable, Sendable {
    /// A new incarnation (or a new node) becomes part of the cluster, last in the slave list.
    case admit(Admission)
    /// An incarnation is out; each address it held goes to a named slave, once the fence is in effect.
    case fence(Fence)
    /// An address nobody holds goes to a node; anti-flap counts it when nobody asked for it and the seat was lost.
    case grant(address: String, to: Holder, reason: String, isAutomatic: Bool)
    /// The holder lets go, then `to` takes the address: no waiting, because the holder says so itself.
    case move(Move)
    /// The holder lets go and nobody takes the address.
    case revoke(address: String, from: Holder, reason: String)
    /// The former holder said that it holds the address no more.
    case released(ReleaseNotice)
    case drain(DrainCommand)
    /// Into maintenance (with a reason) or out of it (nil).
    case maintenance(node: String, Maintenance?)
    /// Another cluster file, on all nodes at this epoch.
    case configure(ClusterSettings)
    case playbook(PlaybookCommand)
    /// Serves another TTL for a while; nil is the cluster file's again.
    case ttl(Duration?)
    /// Every DNS server serves the other TTL.
    case ttlServed
    /// What somebody asked for, for the audit trail, with the command it comes to.
    indirect case asked(AskedCommand)
    /// A node that is gone for good is no member any more, neither here nor among the voters.
    case forget(Holder)
    /// Certificates for this name from before now count no more.
    case revokeCertificates(node: String)
    /// These are lost for good, and with them every majority; the next membership in the log is without them.
    case recoverQuorum(lost: [Holder])
    /// From now on this format may be written: every member reads it. Of format 2.
    case raiseFormat(to: Int)
    /// Of a kind that only a later release knows: kept and handed on as it came, and applied as a refusal.
    case unknown(String)
}

extension ControlCommand {
    /// Who is out by this command, whoever asked for it.
    var fences: [Fence] {
        switch self {
        case .fence(let fence): [fence]
        case .recoverQuorum(let lost): lost.map(Fence.init(givingUp:))
        case .asked(let asked): asked.command?.fences ?? []
        default: []
        }
    }
}

package struct StampedCommand: Hashable, Sendable, Codable {
    /// The proposer's cluster time; the control state's clock never runs back.
    package var time: ClusterTime
    package var command: ControlCommand
    /// The proposer's wall clock, for people; nil when it had not read one.
    package var wall: WallTime?
    /// The JSON it was read from, where that has a kind in it that is not known here: it is written as it came. Nil otherwise.
    package var written: [UInt8]?

    enum CodingKeys: String, CodingKey { case time, command, wall }

    package init(time: ClusterTime, command: ControlCommand, wall: WallTime? = nil) {
        self.time = time
        self.command = command
        self.wall = wall
    }
}

package struct Fence: Hashable, Sendable, Codable {
    package enum Basis: String, Hashable, Sendable, Codable {
        /// Nothing was heard for `dead-after`.
        case silence = "silence"
        /// Alive, but without a valid lease for `dead-after`: it cannot be told anything.
        case lapse = "lapse"
        /// A newer incarnation says that its keeper holds nothing.
        case reborn = "reborn"
        /// It stopped on purpose and holds nothing.
        case left = "left"
    }
    package var holder: Holder
    package var basis: Basis
    /// Who takes which of its addresses, sorted by address.
    package var grants: [Succession]
    /// Why, where the basis does not say all of it; nil as from an earlier release.
    package var reason: String?

    /// For people.
    package var sentence: String { reason ?? basis.sentence }

    package init(holder: Holder, basis: Basis, grants: [Succession]) {
        self.holder = holder
        self.basis = basis
        self.grants = grants
    }

    /// Its silence is waited for like anybody's.
    init(givingUp holder: Holder) {
        self.init(holder: holder, basis: .silence, grants: [])
        reason = "it was given up (recover-quorum)"
    }
}

package struct Succession: Hashable, Sendable, Codable {
    package var address: String
    package var to: Holder

    package init(address: String, to: Holder) {
        self.address = address
        self.to = to
    }
}

package struct Move: Hashable, Sendable, Codable {
    package var address: String
    package var from: Holder
    package var to: Holder
    package var reason: String
    /// Nobody asked for it: anti-flap counts it. Nil, as from an earlier release, is no.
    package var isAutomatic: Bool?

    package init(address: String, from: Holder, to: Holder, reason: String) {
        self.address = address
        self.from = from
        self.to = to
        self.reason = reason
    }
}

package enum DrainCommand: Hashable, Sendable {
    case begin(Drain)
    /// From one phase to the next; ignored when the drain is no longer in `from`. `served` is the largest TTL any server
    /// was seen to serve meanwhile.
    case advance(from: Drain.Phase, to: Drain.Phase, served: Duration? = nil)
    case abort(reason: String)
    /// The drain is over and leaves nothing to do.
    case finish
    /// Of a kind that only a later release knows.
    case unknown(String)
}

package struct Maintenance: Hashable, Sendable, Codable {
    package var reason: String
    package var who: String
    package var since: ClusterTime
    /// When the node comes back by itself; nil is never.
    package var until: ClusterTime?

    package init(reason: String, who: String, since: ClusterTime, until: ClusterTime? = nil) {
        self.reason = reason
        self.who = who
        self.since = since
        self.until = until
    }
}
