import Foundation

/// Plain blocking sockets on 127.0.0.1 for talking to a real server.
package enum LoopbackSocket {
    package enum Transport: Sendable { case udp, tcp }
    package struct Failure: Error { var reason: String }

    private static func open(_ transport: Transport) throws -> Int32 {
        let type = transport == .udp ? SOCK_DGRAM : SOCK_STREAM
        let descriptor = socket(AF_INET, Int32(type.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(reason: "socket: errno \(errno)") }
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        return descriptor
    }

    private static func withAddress<R>(
        _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
    ) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// A port that is free for both UDP and TCP now.
    package static func freePort() throws -> UInt16 {
        for _ in 0..<50 {
            let (tcp, udp) = (try open(.tcp), try open(.udp))
            defer {
                close(tcp)
                close(udp)
            }
            guard withAddress(0, { bind(tcp, $0, $1) }) == 0 else { continue }
            var address = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(tcp, $0, &size) }
            }
            let port = UInt16(bigEndian: address.sin_port)
            if status == 0, withAddress(port, { bind(udp, $0, $1) }) == 0 { return port }
        }
        throw Failure(reason: "no free port")
    }

    /// Sends one message and returns the one reply.
    package static func exchange(_ wire: [UInt8], port: UInt16, over transport: Transport) throws -> [UInt8] {
        let descriptor = try open(transport)
        defer { close(descriptor) }
        guard withAddress(port, { connect(descriptor, $0, $1) }) == 0 else {
            throw Failure(reason: "connect: errno \(errno)")
        }
        let prefix = [UInt8(wire.count >> 8), UInt8(wire.count & 0xFF)]
        let bytes = transport == .udp ? wire : prefix + wire
        guard Glibc.send(descriptor, bytes, bytes.count, 0) == bytes.count else {
            throw Failure(reason: "send: errno \(errno)")
        }
        if transport == .udp {
            var buffer = [UInt8](repeating: 0, count: 65_535)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw Failure(reason: "no reply: errno \(errno)") }
            return Array(buffer[..<count])
        }
        let length = try receive(2, from: descriptor)
        return try receive(Int(length[0]) << 8 | Int(length[1]), from: descriptor)
    }

    private static func receive(_ count: Int, from descriptor: Int32) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var buffer = [UInt8](repeating: 0, count: count - bytes.count)
            let got = recv(descriptor, &buffer, buffer.count, 0)
            guard got > 0 else { throw Failure(reason: "closed after \(bytes.count) bytes: errno \(errno)") }
            bytes += buffer[..<got]
        }
        return bytes
    }
}
