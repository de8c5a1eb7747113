import CLinux
@preconcurrency import Glibc

/// The way to a keeper that is a service of its own and is started by its socket.
package enum KeeperSocket {
    /// Connects to the SOCK_SEQPACKET socket at `path`, without waiting: the keeper may still be starting.
    ///
    /// - Returns: a non-blocking descriptor with CLOEXEC; the caller closes it, and the keeper then removes everything.
    package static func connect(path: String) throws(SystemFailure) -> Int32 {
        try UnixSocket.connect(path: path, kind: SOCK_SEQPACKET.rawValue | SOCK_NONBLOCK.rawValue)
    }
}
