import Consensus
import Primitives

/// What a node is in the cluster.
package enum Role: String, Hashable, Sendable, Codable, CaseIterable {
    case starting, master, slave, maintenance, failed, witness
}

/// One life of one node: who it is and which start of its service this is.
///
/// The high 32 bits of an incarnation count starts, the low 32 are drawn at random, so that two processes
/// started from a copied disk still differ.
package struct Holder: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package var member: MemberID
    package var incarnation: UInt64

    package init(member: MemberID, incarnation: UInt64) {
        self.member = member
        self.incarnation = incarnation
    }

    package var name: String { member.name }
    package var description: String { "\(member.name)/\(incarnation >> 32)" }

    package static func < (a: Holder, b: Holder) -> Bool {
        a.member == b.member ? a.incarnation < b.incarnation : a.member < b.member
    }
}

/// Which machine a life runs on, and since which of its starts: what tells a node that came back from a copy of its
/// state directory that was started elsewhere. Zero is unknown.
package struct MachineID: Hashable, Sendable, Codable {
    /// The same for ever on one machine.
    package var host: UInt64
    /// The same until the machine starts anew, and only where it sees the same network interfaces.
    package var boot: UInt64

    package init(host: UInt64, boot: UInt64) {
        self.host = host
        self.boot = boot
    }

    package static let unknown = MachineID(host: 0, boot: 0)

    /// Nil when it cannot be told: one is not known, or the machine was started anew in between.
    func isSame(as other: MachineID) -> Bool? {
        if boot != 0, boot == other.boot { return true }
        return host != 0 && other.host != 0 && host != other.host ? false : nil
    }
}

/// Time as the cluster counts it: nanoseconds since it was formed, advanced only by leaders, never set back.
///
/// It runs by the leaders' boot-time clocks, so no step of a wall clock moves a deadline. Sums and differences end at the far
/// ends of the range, as those of `Instant` do.
package struct ClusterTime: Hashable, Comparable, Sendable, Codable {
    package var nanoseconds: Int64
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    package static let zero = ClusterTime(nanoseconds: 0)

    package static func < (a: ClusterTime, b: ClusterTime) -> Bool { a.nanoseconds < b.nanoseconds }
    package static func + (a: ClusterTime, b: Duration) -> ClusterTime {
        ClusterTime(nanoseconds: a.nanoseconds.saturatingSum(b.nanoseconds))
    }
    package static func - (a: ClusterTime, b: ClusterTime) -> Duration {
        .nanoseconds(a.nanoseconds.saturatingDifference(b.nanoseconds))
    }
}

/// What the switch link last said of the FreeSWITCH on this machine.
package struct SwitchReport: Hashable, Sendable {
    package enum Health: String, Hashable, Sendable, Codable, CaseIterable {
        /// Nothing was heard from it yet, or it still ends calls that are elsewhere: it takes nothing now.
        case unknown
        case healthy
        /// It does not answer, or its event thread does not.
        case unhealthy
        /// There is no FreeSWITCH on this machine by configuration.
        case none
    }
    /// What is on one address held there.
    package struct AddressLoad: Hashable, Sendable, Codable {
        package var address: String
        /// With those that are being revived.
        package var calls: UInt32
        /// Of these, how many another switch could revive now.
        package var recoverable: UInt32
        package var registrations: UInt32
        /// Whether SIP OPTIONS sent there is answered.
        package var isAnswering: Bool

        package init(
            address: String, calls: UInt32 = 0, recoverable: UInt32 = 0, registrations: UInt32 = 0,
            isAnswering: Bool = false
        ) {
            self.address = address
            self.calls = calls
            self.recoverable = recoverable
            self.registrations = registrations
            self.isAnswering = isAnswering
        }
    }
    package var health: Health
    package var calls: UInt32
    package var registrations: UInt32
    /// How many channels the switch takes at most; 0 while it is not known.
    package var capacity: UInt32 = 0
    /// Channels now: a bridged call has two.
    package var channels: UInt32 = 0
    /// Of the addresses held here that the switch was told of, sorted by name.
    package var addresses: [AddressLoad] = []
    /// Whether the switch answers new calls with 503.
    package var isRefusing = false
    /// Whether every phone a drain wants to move was told, or cannot be.
    package var arePhonesTold = false
    /// What keeps this switch from serving callers or from bringing calls back; others are told of it beside the load.
    package var blockers: [Blocker] = []
    /// What it sees of addresses that others hold.
    package var sights: [Sight] = []
    /// Addresses held here whose calls are being revived, sorted.
    package var reviving: [String] = []
    /// Addresses that go elsewhere by plan, where the calls nobody could revive have ended; told to this node only.
    package var parted: [HeldAddress] = []
    /// An order (`fsctl pause`, `fsctl shutdown elegant`) keeps it from serving new callers, and it is well otherwise: what is on
    /// it can still be ended in good order. Told to this node only.
    package var isPausedByOrder = false

    package init(health: Health, calls: UInt32 = 0, registrations: UInt32 = 0) {
        self.health = health
        self.calls = calls
        self.registrations = registrations
    }

    /// What it sees that is not served.
    var complaints: [Sight] { sights.filter { $0.verdict != .served } }

    package func load(of address: String) -> AddressLoad? { addresses.first { $0.address == address } }

    /// Whether a seat may rest on it.
    /// Why its health is bad, in words; nil when it does not say.
    package var illness: String? { blockers.first { $0.kind == .health }?.text }
    package var isFit: Bool { health == .healthy || health == .none }
}

package typealias ControlMessage = Message<StampedCommand, ControlState>
package typealias ControlEntry = Entry<StampedCommand>
package typealias ControlSnapshot = Snapshot<ControlState>
