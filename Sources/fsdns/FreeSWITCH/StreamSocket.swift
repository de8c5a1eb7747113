@preconcurrency import Glibc
import Primitives

/// One TCP connection of a command; connecting, sending and receiving all end by themselves.
final class StreamSocket {
    enum Failure: Error, Hashable, CustomStringConvertible {
        case system(Int32)
        case timeout

        var description: String {
            switch self {
            case .system(let code): String(cString: strerror(code))
            case .timeout: "time is over"
            }
        }
    }

    private let descriptor: Int32
    private let patience: Duration

    init(connectedTo endpoint: Endpoint, patience: Duration) throws(Failure) {
        let family = endpoint.ip.family == .v4 ? AF_INET : AF_INET6
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        descriptor = socket(family, kind, 0)
        self.patience = patience
        guard descriptor >= 0 else { throw .system(errno) }
        let code = DatagramProbe.withAddress(endpoint) { connect(descriptor, $0, $1) == 0 ? 0 : errno }
        guard code != 0 else { return }
        guard code == EINPROGRESS else { throw .system(code) }
        guard try wait(for: POLLOUT, patience) else { throw .timeout }
        var fault: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &fault, &size)
        if fault != 0 { throw .system(fault) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func send(_ bytes: [UInt8]) throws(Failure) {
        let watch = Stopwatch()
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                guard try wait(for: POLLOUT, patience - watch.elapsed) else { throw .timeout }
            } else if errno != EINTR {
                throw .system(errno)
            }
        }
    }

    /// What came; empty at the end of the stream, nil when nothing came in time.
    func receive(within limit: Duration) throws(Failure) -> [UInt8]? {
        let watch = Stopwatch()
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &bytes, bytes.count, 0)
            if count >= 0 { return Array(bytes[..<count]) }
            if errno == EAGAIN {
                guard try wait(for: POLLIN, limit - watch.elapsed) else { return nil }
            } else if errno != EINTR {
                throw .system(errno)
            }
        }
    }

    /// - Returns: false when time is over.
    private func wait(for what: Int32, _ limit: Duration) throws(Failure) -> Bool {
        let (seconds, attoseconds) = limit.components
        let milliseconds = Int32(clamping: seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
        guard milliseconds > 0 else { return false }
        var entry = pollfd(fd: descriptor, events: Int16(what), revents: 0)
        let count = poll(&entry, 1, milliseconds)
        if count < 0, errno != EINTR { throw .system(errno) }
        return count != 0
    }
}
