import CLinux
@preconcurrency import Glibc

/// What the kernel knows of the wall clock.
package enum KernelClock {
    /// Whether something (chrony, ntpd, systemd-timesyncd) keeps it right; nil when the kernel does not tell.
    package static var isKept: Bool? {
        let answer = clinux_is_clock_kept()
        return answer < 0 ? nil : answer == 1
    }
}
