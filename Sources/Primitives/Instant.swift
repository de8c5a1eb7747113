/// A point on the boot-time clock (CLOCK_BOOTTIME), in nanoseconds; the only time the deciding half knows.
///
/// Sums and differences end at the far ends of the range: times and durations come out of files and from other nodes, and no
/// number there may end the process.
package struct Instant: Hashable, Comparable, Sendable, Codable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The moment the machine booted, and the start of every simulated world.
    package static let zero = Instant(nanoseconds: 0)

    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    package static func + (a: Instant, b: Duration) -> Instant {
        Instant(nanoseconds: a.nanoseconds.saturatingSum(b.nanoseconds))
    }
    package static func - (a: Instant, b: Duration) -> Instant {
        Instant(nanoseconds: a.nanoseconds.saturatingDifference(b.nanoseconds))
    }
    package static func - (a: Instant, b: Instant) -> Duration {
        .nanoseconds(a.nanoseconds.saturatingDifference(b.nanoseconds))
    }
    package static func += (a: inout Instant, b: Duration) { a = a + b }
}

extension Duration {
    /// The whole nanoseconds of this duration, at most 292 years either way: fsdns never measures anything longer.
    package var nanoseconds: Int64 { Int64(clamping: attoseconds / 1_000_000_000) }
    /// Towards zero; ends at the far ends of the range, where `components` would end the process.
    package var wholeSeconds: Int64 { Int64(clamping: attoseconds / 1_000_000_000_000_000_000) }
}

extension Int64 {
    /// The sum, or the end of the range that it lies beyond.
    package func saturatingSum(_ other: Int64) -> Int64 {
        let (sum, isOverflow) = addingReportingOverflow(other)
        return isOverflow ? (other > 0 ? .max : .min) : sum
    }

    /// The difference, or the end of the range that it lies beyond.
    package func saturatingDifference(_ other: Int64) -> Int64 {
        let (difference, isOverflow) = subtractingReportingOverflow(other)
        return isOverflow ? (other > 0 ? .min : .max) : difference
    }
}
