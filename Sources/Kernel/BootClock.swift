@preconcurrency import Glibc
import Primitives

extension Instant {
    /// What CLOCK_BOOTTIME says: the same on both sides of the socket pair, and of the shared memory.
    package static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
