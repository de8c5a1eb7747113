import Consensus
@preconcurrency import Glibc

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

    /// poll(2) counts in milliseconds; the rest of the last one is slept away, so that a heartbeat of 10 ms
    /// is not one of 11.
    mutating func wait(until deadline: Instant) {
        let milliseconds = max((deadline - BootClock.now()).nanoseconds, 0) / 1_000_000
        let count = poll(&entries, UInt(entries.count), Int32(min(milliseconds, 60_000)))
        if count < 0 {
            for place in entries.indices { entries[place].revents = 0 }
        }
        let rest = (deadline - BootClock.now()).nanoseconds
        guard count == 0, (1..<1_000_000).contains(rest) else { return }
        var time = timespec(tv_sec: 0, tv_nsec: Int(rest))
        nanosleep(&time, nil)
        poll(&entries, UInt(entries.count), 0)
    }
}
