import Primitives

/// Whose usage it is: one life of one node's service beside its switch.
///
/// Records of an older life of the same node are refused, so that what was on the way when a node died changes nothing.
package struct LimitOrigin: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var node: String
    /// Grows with every start: the node's incarnation.
    package var life: UInt64

    package init(node: String, life: UInt64) {
        self.node = node
        self.life = life
    }

    package var description: String { node }

    package static func < (a: LimitOrigin, b: LimitOrigin) -> Bool {
        a.node == b.node ? a.life < b.life : a.node < b.node
    }
}

/// Now, by both clocks limits need: the boot-time clock for expiry, the wall clock because the switch names
/// its rate windows by it.
package struct LimitMoment: Hashable, Sendable {
    package var boot: Instant
    /// Seconds since 1970 UTC.
    package var wall: UInt64

    package init(boot: Instant, wall: UInt64) {
        self.boot = boot
        self.wall = wall
    }
}

/// What to write into, or what came out of, a node's replication stream: one record put or removed.
package struct LimitChange: Hashable, Sendable {
    package enum Kind: UInt8, Hashable, Sendable { case put, remove }
    package var kind: Kind
    /// `LimitKey.record`.
    package var key: [UInt8]
    /// `LimitUsage`, encoded; empty when removed.
    package var payload: [UInt8]
    /// When it ends by itself, by this machine's boot-time clock.
    package var expires: Instant?

    package static func put(_ key: [UInt8], _ payload: [UInt8], expires: Instant? = nil) -> LimitChange {
        LimitChange(kind: .put, key: key, payload: payload, expires: expires)
    }

    package static func remove(_ key: [UInt8]) -> LimitChange {
        LimitChange(kind: .remove, key: key, payload: [], expires: nil)
    }
}
