@preconcurrency import Glibc
import Primitives

/// Bytes to one name server and back, by UDP or TCP, on a thread that may wait.
final class ServerConversation {
    enum Transport {
        case udp
        case tcp
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
        /// Said by the server itself, so asking again changes nothing.
        var isVerdict = false
    }

    private static let longestMessage = 65_535
    private let descriptor: Int32
    private let transport: Transport
    private var received: [UInt8] = []

    /// Connects, which for UDP only means that answers of others are not heard.
    init(to server: Endpoint, by transport: Transport, until deadline: Instant) throws(Failure) {
        self.transport = transport
        let kind = transport == .udp ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue
        let family = server.ip.family == .v4 ? AF_INET : AF_INET6
        descriptor = socket(
            family, Int32(kind | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(description: errorText(errno)) }
        let code = server.withSocketAddress { connect(descriptor, $0, $1) }
        if code != 0, errno != EINPROGRESS { throw Failure(description: errorText(errno)) }
        guard transport == .tcp else { return }
        guard wait(for: Int16(POLLOUT), until: deadline) else {
            throw Failure(description: "no TCP connection in time")
        }
        var fault: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &fault, &length)
        if fault != 0 { throw Failure(description: errorText(fault)) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func send(_ message: [UInt8], until deadline: Instant) throws(Failure) {
        var bytes = message
        if transport == .tcp {
            bytes = [UInt8(truncatingIfNeeded: message.count >> 8), UInt8(truncatingIfNeeded: message.count)]
            bytes += message
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = Array(rest)
            let count = Glibc.send(descriptor, part, part.count, Int32(MSG_NOSIGNAL))
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EAGAIN || !wait(for: Int16(POLLOUT), until: deadline) {
                throw Failure(description: errorText(errno))
            }
        }
    }

    /// The next message; nil when none came until the deadline.
    func receive(until deadline: Instant) throws(Failure) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: Self.longestMessage)
        while true {
            if let message = wholeMessage() { return message }
            guard wait(for: Int16(POLLIN), until: deadline) else { return nil }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                if transport == .udp { return Array(buffer[..<count]) }
                received += buffer[..<count]
            } else if count == 0, transport == .tcp {
                throw Failure(description: "the server closed the connection")
            } else if count < 0, errno != EAGAIN, errno != EINTR {
                throw Failure(description: errorText(errno))
            }
        }
    }

    private func wholeMessage() -> [UInt8]? {
        guard transport == .tcp, received.count >= 2 else { return nil }
        let length = Int(received[0]) << 8 | Int(received[1])
        guard received.count >= 2 + length else { return nil }
        defer { received.removeFirst(2 + length) }
        return Array(received[2..<(2 + length)])
    }

    private func wait(for events: Int16, until deadline: Instant) -> Bool {
        while true {
            let left = (deadline - Instant.now()).nanoseconds
            guard left > 0 else { return false }
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let code = poll(&entry, 1, Int32(min(left / 1_000_000 + 1, 60_000)))
            if code > 0 { return true }
        }
    }
}
