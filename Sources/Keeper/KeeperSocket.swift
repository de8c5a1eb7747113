import CLinux
@preconcurrency import Glibc

/// The way to a keeper that is a service of its own and is started by its socket.
package enum KeeperSocket {
    /// Connects to the SOCK_SEQPACKET socket at `path`, without waiting: the keeper may still be starting.
    ///
    /// - Returns: a non-blocking descriptor with CLOEXEC; the caller closes it, and the keeper then removes everything.
    package static func connect(path: String) throws(SystemFailure) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let isFitting = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard bytes.count < room.count else { return false }
            room.copyBytes(from: bytes)
            return true
        }
        guard isFitting else { throw SystemFailure("connect \(path)", errno: ENAMETOOLONG) }
        let kind = Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw SystemFailure("socket") }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, size) == 0
            }
        }
        guard isConnected else {
            let failure = SystemFailure("connect \(path)")
            close(descriptor)
            throw failure
        }
        return descriptor
    }
}
