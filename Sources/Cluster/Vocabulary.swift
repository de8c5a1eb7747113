import Consensus

/// What a node is in the cluster (design §2).
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

/// Time as the cluster counts it: nanoseconds since it was formed, advanced only by leaders, never set back.
///
/// It runs by the leaders' boot-time clocks, so no step of a wall clock moves a deadline.
package struct ClusterTime: Hashable, Comparable, Sendable, Codable {
    package var nanoseconds: Int64
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    package static let zero = ClusterTime(nanoseconds: 0)

    package static func < (a: ClusterTime, b: ClusterTime) -> Bool { a.nanoseconds < b.nanoseconds }
    package static func + (a: ClusterTime, b: Duration) -> ClusterTime {
        ClusterTime(nanoseconds: a.nanoseconds + b.nanoseconds)
    }
    package static func - (a: ClusterTime, b: ClusterTime) -> Duration {
        .nanoseconds(a.nanoseconds - b.nanoseconds)
    }
}

/// What the switch link last said of the FreeSWITCH on this machine.
package struct SwitchReport: Hashable, Sendable, Codable {
    package enum Health: String, Hashable, Sendable, Codable, CaseIterable {
        /// Nothing was heard from it yet, or it still ends calls that are elsewhere: it takes nothing now.
        case unknown
        case healthy
        /// It does not answer, or its event thread does not.
        case unhealthy
        /// There is no FreeSWITCH on this machine by configuration.
        case none
    }
    package var health: Health
    package var calls: UInt32
    package var registrations: UInt32

    package init(health: Health, calls: UInt32 = 0, registrations: UInt32 = 0) {
        self.health = health
        self.calls = calls
        self.registrations = registrations
    }

    /// Whether a seat may rest on it.
    package var isFit: Bool { health == .healthy || health == .none }
}

package typealias ControlMessage = Message<StampedCommand, ControlState>
package typealias ControlEntry = Entry<StampedCommand>
package typealias ControlSnapshot = Snapshot<ControlState>
