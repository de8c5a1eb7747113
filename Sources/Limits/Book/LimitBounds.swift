/// The bounds of everything the limit book keeps; what goes past them is refused with its reason.
package enum LimitBounds {
    /// Of a key, in UTF-8 bytes.
    package static let keyLength = 255
    /// Keys of one origin, of each backend.
    package static let keysPerOrigin = 65_536
    /// Keys of all origins together, of each backend.
    package static let keys = 262_144
    /// Other nodes whose usage is kept.
    package static let origins = 64
    /// Legs revived here whose usage we hold.
    package static let adoptedLegs = 65_536
    package static let keysPerLeg = 64
    /// No count of one origin grows past this.
    package static let count: UInt32 = 2_000_000_000
    /// The largest number a switch is told. It leaves room below the signed 32 bits mod_hash prints with.
    package static let answer: UInt64 = 2_000_000_000
    /// What a switch is told under `closed`: above any MAX an operator writes, so that every call is refused.
    package static let refusal: UInt64 = answer
    /// Of an expiry, in seconds: a year.
    package static let expiry: Int64 = 31_536_000
}

/// Why something was not taken into the limit book, and whose it was.
package struct LimitRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// The node or the leg it came from.
    package var subject: String
    package var reason: String

    package init(subject: String, reason: String) {
        self.subject = subject
        self.reason = reason
    }

    package var description: String { "limits of \(subject): \(reason)" }
}
