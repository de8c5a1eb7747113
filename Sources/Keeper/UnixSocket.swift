import CLinux
@preconcurrency import Glibc

/// UNIX sockets by their path.
package enum UnixSocket {
    /// Hands the path to a call as an address; nil when it is too long for one.
    package static func withAddress<Result>(
        of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let isFitting = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard bytes.count < room.count else { return false }
            room.copyBytes(from: bytes)
            return true
        }
        guard isFitting else { return nil }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// Connects to the socket at `path`.
    ///
    /// - Parameters:
    ///   - kind: SOCK_STREAM or SOCK_SEQPACKET, with flags; CLOEXEC is added.
    ///   - patience: for connecting and for each send, in whole seconds; nil waits as long as it takes.
    /// - Returns: a descriptor that the caller closes.
    /// - Throws: ENAMETOOLONG for a path that is too long, EAGAIN when `patience` is over.
    package static func connect(
        path: String, kind: UInt32, patience: Duration? = nil
    ) throws(SystemFailure) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(kind | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemFailure("socket") }
        if let patience {
            var limit = timeval(tv_sec: max(1, Int(patience.components.seconds)), tv_usec: 0)
            setsockopt(
                descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let code = withAddress(of: path) { Glibc.connect(descriptor, $0, $1) == 0 ? 0 : errno }
        guard code == 0 else {
            close(descriptor)
            throw SystemFailure("connect \(path)", errno: code ?? ENAMETOOLONG)
        }
        return descriptor
    }
}
