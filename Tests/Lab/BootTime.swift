@preconcurrency import Glibc

/// An instant of the boot-time clock; every namespace of one kernel reads the same one.
package struct BootTime: Comparable, Hashable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static var now: BootTime { BootTime(nanoseconds: read(CLOCK_BOOTTIME)) }

    /// The same instant from wall time in nanoseconds since 1970, as the clocks stand to each other now.
    package init(wallNanoseconds: Int64) {
        nanoseconds = wallNanoseconds - (Self.read(CLOCK_REALTIME) - Self.read(CLOCK_BOOTTIME))
    }

    package static func < (a: BootTime, b: BootTime) -> Bool { a.nanoseconds < b.nanoseconds }

    package func milliseconds(since earlier: BootTime) -> Double {
        Double(nanoseconds - earlier.nanoseconds) / 1_000_000
    }

    package func adding(milliseconds: Double) -> BootTime {
        BootTime(nanoseconds: nanoseconds + Int64(milliseconds * 1_000_000))
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// What went wrong while building or using the lab, in a sentence.
package struct LabFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Waits until the condition holds, looking every few milliseconds; throws with `what` when it does not in
/// time.
package func wait(
    for what: String, atMost seconds: Double, every milliseconds: UInt32 = 20, _ condition: () throws -> Bool
) throws {
    let end = BootTime.now.adding(milliseconds: seconds * 1000)
    while try !condition() {
        if BootTime.now > end { throw LabFailure("waited \(seconds) s in vain for: \(what)") }
        usleep(milliseconds * 1000)
    }
}

/// Sleeps, whatever signals arrive.
package func pause(milliseconds: Double) {
    let end = BootTime.now.adding(milliseconds: milliseconds)
    while BootTime.now < end {
        usleep(UInt32(max(1, min(100_000, (end.nanoseconds - BootTime.now.nanoseconds) / 1000))))
    }
}
