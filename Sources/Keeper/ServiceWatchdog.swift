import CLinux
@preconcurrency import Glibc

/// Tells systemd again and again that this process runs, where its unit has a WatchdogSec: a process that stands still is
/// then killed, and another one started (sd_watchdog_enabled(3), sd_notify(3)).
package final class ServiceWatchdog {
    /// Nanoseconds between two words: a third of what systemd waits for one.
    package let interval: Int64
    private let descriptor: Int32

    /// Nil where systemd did not ask for it.
    package convenience init?() {
        self.init { name in getenv(name).map { String(cString: $0) } }
    }

    /// - Parameter environment: the value of a variable.
    init?(environment: (String) -> String?) {
        guard let patience = environment("WATCHDOG_USEC").flatMap({ Int64($0) }), patience > 0,
            environment("WATCHDOG_PID").flatMap({ Int32($0) }) ?? getpid() == getpid(),
            let path = environment("NOTIFY_SOCKET"), let first = path.utf8.first,
            first == UInt8(ascii: "/") || first == UInt8(ascii: "@")
        else { return nil }
        interval = patience.multipliedReportingOverflow(by: 1000).partialValue / 3
        guard interval > 0 else { return nil }
        let kind = SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        descriptor = socket(AF_UNIX, Int32(kind), 0)
        guard descriptor >= 0 else { return nil }
        // `deinit` closes it.
        guard Self.connect(descriptor, to: path) else { return nil }
    }

    deinit { close(descriptor) }

    /// A word that does not go out is made good by the next one.
    package func tell() {
        let word = Array("WATCHDOG=1".utf8)
        _ = send(descriptor, word, word.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    }

    /// A name that begins with @ is one without a file (unix(7), abstract), whose length counts.
    private static func connect(_ descriptor: Int32, to path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        let isAbstract = bytes[0] == UInt8(ascii: "@")
        if isAbstract { bytes[0] = 0 }
        let isFitting = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard bytes.count < room.count else { return false }
            room.copyBytes(from: bytes)
            return true
        }
        guard isFitting else { return false }
        let head = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(head + bytes.count + (isAbstract ? 0 : 1))) == 0
            }
        }
    }
}
