import CLinux
@preconcurrency import Glibc

/// A descriptor that becomes readable once, after a while (timerfd_create(2)).
///
/// For a loop that polls every few microseconds: a short time limit on each poll(2) would have the kernel set its
/// hardware timer anew each time, which costs more than what the loop does in between.
package final class Alarm: Sendable {
    package let descriptor: Int32

    package init() throws(SystemFailure) {
        descriptor = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        guard descriptor >= 0 else { throw SystemFailure("timerfd_create") }
    }

    deinit { close(descriptor) }

    /// Replaces what was set before; at least a nanosecond.
    package func set(nanoseconds: Int64) {
        let time = max(1, nanoseconds)
        var setting = itimerspec()
        setting.it_value.tv_sec = time_t(time / 1_000_000_000)
        setting.it_value.tv_nsec = Int(time % 1_000_000_000)
        timerfd_settime(descriptor, 0, &setting, nil)
    }

    /// It rang, and is not readable any more.
    package func clear() {
        var expirations: UInt64 = 0
        _ = read(descriptor, &expirations, MemoryLayout<UInt64>.size)
    }
}
