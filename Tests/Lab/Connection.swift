@preconcurrency import Glibc

/// A blocking TCP connection to a service on a machine's own loopback, made inside its network.
package final class Connection: @unchecked Sendable {
    private let descriptor: Int32
    private var received: [UInt8] = []
    private var start = 0

    /// - Parameter seconds: how long any one reading or sending may take.
    package init(to port: UInt16, on machine: Machine, seconds: Int = 20) throws {
        let network = machine.network
        descriptor = try Launch.onOwnThread {
            try network.enter()
            return try Self.connected(port)
        }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    private static func connected(_ port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw LabFailure("nobody answers at 127.0.0.1:\(port): \(reason)")
        }
        return descriptor
    }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw LabFailure("cannot send: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    /// The next line, without its end.
    package func line() throws -> String {
        while true {
            if let end = received[start...].firstIndex(of: 10) {
                defer { start = end + 1 }
                let last = end > start && received[end - 1] == 13 ? end - 1 : end
                return String(decoding: received[start..<last], as: UTF8.self)
            }
            try more()
        }
    }

    /// So many bytes.
    package func bytes(_ count: Int) throws -> [UInt8] {
        while received.count - start < count { try more() }
        defer { start += count }
        return Array(received[start..<(start + count)])
    }

    private func more() throws {
        if start > 0 {
            received.removeFirst(start)
            start = 0
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else {
            throw LabFailure(
                count == 0 ? "the service hung up" : "no answer: \(String(cString: strerror(errno)))")
        }
        received += buffer[..<count]
    }
}
