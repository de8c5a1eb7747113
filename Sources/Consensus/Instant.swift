/// A point on the boot-time clock (CLOCK_BOOTTIME), in nanoseconds; the only time the deciding half knows.
package struct Instant: Hashable, Comparable, Sendable, Codable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The moment the machine booted, and the start of every simulated world.
    package static let zero = Instant(nanoseconds: 0)

    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    package static func + (a: Instant, b: Duration) -> Instant {
        Instant(nanoseconds: a.nanoseconds + b.nanoseconds)
    }
    package static func - (a: Instant, b: Duration) -> Instant {
        Instant(nanoseconds: a.nanoseconds - b.nanoseconds)
    }
    package static func - (a: Instant, b: Instant) -> Duration {
        .nanoseconds(a.nanoseconds - b.nanoseconds)
    }
    package static func += (a: inout Instant, b: Duration) { a = a + b }
}

extension Duration {
    /// The whole nanoseconds of this duration; fsdns never measures anything longer than 292 years.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
