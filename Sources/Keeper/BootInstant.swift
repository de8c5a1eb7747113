import CLinux
@preconcurrency import Glibc

/// A point on the boot-time clock (CLOCK_BOOTTIME) in nanoseconds, the same on both sides of the socket pair.
package struct BootInstant: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static func now() -> BootInstant {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return BootInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    package static func < (a: BootInstant, b: BootInstant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// The instant that many nanoseconds later; far ends saturate, as instants come from outside bytes.
    package func advanced(by nanoseconds: Int64) -> BootInstant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        guard overflow else { return BootInstant(nanoseconds: sum) }
        return BootInstant(nanoseconds: nanoseconds > 0 ? .max : .min)
    }
}
