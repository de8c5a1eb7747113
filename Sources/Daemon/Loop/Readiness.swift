@preconcurrency import Glibc
import Primitives

/// Waits until a descriptor is readable or an instant has come, whichever is first.
struct Readiness {
    private var entries: [pollfd] = []

    mutating func clear() { entries.removeAll(keepingCapacity: true) }

    mutating func add(_ descriptor: Int32) {
        entries.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
    }

    func isReady(_ descriptor: Int32) -> Bool {
        entries.contains { $0.fd == descriptor && $0.revents != 0 }
    }

    /// Wakes at the deadline or less than a millisecond after it, as poll(2) counts; deadlines that follow one
    /// another by a fixed step do not drift by that.
    mutating func wait(until deadline: Instant) {
        let rest = max((deadline - Instant.now()).nanoseconds, 0)
        let milliseconds = min((rest + 999_999) / 1_000_000, 60_000)
        if poll(&entries, UInt(entries.count), Int32(milliseconds)) < 0 {
            for place in entries.indices { entries[place].revents = 0 }
        }
    }
}
