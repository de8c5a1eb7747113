import Consensus
import Primitives

/// The small agreed state: members, seats, who may hold which address, maintenance, the drain in progress.
///
/// Every node computes the same value from the same log; arrays are kept sorted so that equal states are equal bytes.
package struct ControlState: Hashable, Sendable, Codable {
    /// The format that is agreed on (`FormatVersion`): nothing newer is in the log, and a reader that does not know it refuses
    /// the state by this number.
    package var format: Int
    /// Drawn from the founding members; two clusters that formed apart never share it.
    package var clusterID: UInt64
    package var time: ClusterTime
    package var settings: ClusterSettings
    /// Sorted by name.
    package var members: [Member]
    /// Names of the spares in order; the first is the primary designated slave.
    package var slaves: [String]
    /// In the order of the cluster file.
    package var seats: [Seat]
    /// At most one for each address, sorted by address.
    package var grants: [Grant]
    package var drain: Drain?
    /// Automatic takeovers within the last hour, oldest first.
    package var takeovers: [ClusterTime]
    /// Of the newest fence or configuration change applied; what acknowledgements are compared by.
    package var fenceEpoch: Epoch
    /// Another TTL than the cluster file's, for a while.
    package var ttl: TTLOverride?
    package var playbooks = PlaybookBook()
    package var audit = AuditTrail()
    /// Members that were forgotten and may still vote; nil for none, as from an earlier release.
    package var forgotten: [MemberID]?
    /// Members that an operator gave up to recover the quorum: what they know may contradict what was agreed since, so they
    /// must never come back as what they were. Nil for none.
    package var givenUp: [MemberID]?
    /// Names that were forgotten, the newest last: their certificates of before count no more. Nil for none.
    package var revoked: [Revocation]?

    /// - Parameter format: one that every founder reads.
    package init(clusterID: UInt64, settings: ClusterSettings, format: Int = FormatVersion.oldest) {
        self.format = format
        self.clusterID = clusterID
        time = .zero
        self.settings = settings
        members = []
        slaves = []
        seats = settings.seats.map { Seat(name: $0.name, address: $0.address) }
        grants = []
        drain = nil
        takeovers = []
        fenceEpoch = .zero
    }
}

package struct Member: Hashable, Sendable, Codable {
    package enum Standing: Hashable, Sendable, Codable {
        case active
        case fenced(Fence.Basis, Epoch)
    }
    package var holder: Holder
    package var kind: NodeRule.Kind
    package var standing: Standing
    package var maintenance: Maintenance?
    /// Where this life runs; nil when it did not say.
    package var machine: MachineID?
    /// When it was fenced; nil while it is active, and where an older release fenced it.
    package var outSince: ClusterTime?
    /// Why it was fenced, where the basis does not say all of it.
    package var outBecause: String?
    /// Why this life came without its former state; nil when it did not.
    package var anew: String?

    package init(
        holder: Holder, kind: NodeRule.Kind, standing: Standing, maintenance: Maintenance? = nil,
        machine: MachineID? = nil
    ) {
        self.machine = machine
        self.holder = holder
        self.kind = kind
        self.standing = standing
        self.maintenance = maintenance
    }

    package var name: String { holder.member.name }
    package var isActive: Bool { standing == .active }
}

package struct Seat: Hashable, Sendable, Codable {
    package var name: String
    /// The address published for it now.
    package var address: String
    /// Its holder was fenced without being asked and nobody took over; covering it counts as a takeover.
    package var isLost = false

    package init(name: String, address: String) {
        self.name = name
        self.address = address
    }
}

/// The right to hold one address, and what must be true before it may be used.
package struct Grant: Hashable, Sendable, Codable {
    package enum Condition: Hashable, Sendable, Codable {
        /// The log up to this index is in effect: every fence in it has been waited for.
        case inEffect(Index)
        /// The former holder said that it let go of its grant of this epoch.
        case released(by: Holder, epoch: Epoch)
    }
    package var address: String
    package var holder: Holder
    /// The decision that gave it.
    package var epoch: Epoch
    /// All must hold before the address may be used; cleared ones are removed.
    package var conditions: [Condition]
    /// The holder must let go and nobody is to take the address.
    package var revoked: Bool
    package var reason: String
    /// Nobody asked for it: the former holder serves nobody there, and lets go without more ado. Nil, as from an earlier
    /// release, is no.
    package var isAutomatic: Bool?

    package init(
        address: String, holder: Holder, epoch: Epoch, conditions: [Condition], revoked: Bool = false,
        reason: String
    ) {
        self.address = address
        self.holder = holder
        self.epoch = epoch
        self.conditions = conditions
        self.revoked = revoked
        self.reason = reason
    }
}

// MARK: - Looking things up

extension ControlState {
    package func member(_ name: String) -> Member? { members.first { $0.name == name } }
    package func grant(of address: String) -> Grant? { grants.first { $0.address == address } }
    package func seat(_ name: String) -> Seat? { seats.first { $0.name == name } }
    package func seat(at address: String) -> Seat? { seats.first { $0.address == address } }
    /// The seat a word of an operator means: its name, that of its address, the address itself, or who holds it.
    package func seat(meant word: String) -> Seat? {
        if let seat = seat(word) ?? seat(at: word) { return seat }
        if let ip = IPAddress(word), let seat = seats.first(where: { address($0.address)?.ip == ip }) {
            return seat
        }
        return seats.first { grant(of: $0.address)?.holder.name == word }
    }

    /// For a word that means none of them.
    func unknown(_ word: String) -> String {
        let names = seats.map(\.name).joined(separator: ", ")
        if let member = member(word) {
            return "\(word) is a node without a seat (\(role(of: member).rawValue)); the seats are \(names)"
        }
        if address(word) != nil { return "\(word) is the address of no seat now; the seats are \(names)" }
        return "“\(word)” is no seat, service address or node; the seats are \(names), "
            + "the nodes are \(members.map(\.name).joined(separator: ", "))"
    }

    package func address(_ name: String) -> ServiceAddress? {
        settings.addresses.first { $0.name == name }
    }

    package func isActive(_ holder: Holder) -> Bool {
        member(holder.name).map { $0.holder == holder && $0.isActive } ?? false
    }

    /// Where a life runs, as was agreed when it was taken in.
    func machine(of holder: Holder) -> MachineID? {
        member(holder.name).flatMap { $0.holder == holder ? $0.machine : nil }
    }

    /// Addresses no seat uses, in the order of the file.
    package var maintenanceAddresses: [ServiceAddress] {
        settings.addresses.filter { address in !seats.contains { $0.address == address.name } }
    }

    /// What this node is, by what was agreed.
    package func role(of member: Member) -> Role {
        guard member.isActive else { return .failed }
        if member.kind == .witness { return .witness }
        if member.maintenance != nil { return .maintenance }
        let holdsSeat = grants.contains { grant in
            grant.holder == member.holder && !grant.revoked && seats.contains { $0.address == grant.address }
        }
        return holdsSeat ? .master : .slave
    }
}
