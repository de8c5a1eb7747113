@preconcurrency import Glibc

/// What a host on the ring without the key has: it joins the group and keeps the bytes that pass.
struct RingCapture {
    struct Datagram {
        var bytes: [UInt8]
        /// Of the node that sent it, as text.
        var from: String
    }

    static let port: UInt16 = 5405
    private let socket: UDPSocket

    /// - Parameters:
    ///   - group: the ring's multicast group.
    ///   - own: this host's address on the ring.
    init(group: String, own: String) throws {
        socket = try UDPSocket(port: Self.port)
        var request = ip_mreq()
        inet_pton(AF_INET, group, &request.imr_multiaddr)
        inet_pton(AF_INET, own, &request.imr_interface)
        let length = socklen_t(MemoryLayout<ip_mreq>.size)
        guard setsockopt(socket.descriptor, Int32(IPPROTO_IP), IP_ADD_MEMBERSHIP, &request, length) == 0
        else {
            throw LabFailure("cannot join \(group): \(String(cString: strerror(errno)))")
        }
    }

    var descriptor: Int32 { socket.descriptor }

    /// The next datagram within the time; nil when none comes.
    func next(milliseconds: Int32) -> Datagram? {
        var ready = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, milliseconds) == 1 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 2048)
        var name = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let size = buffer.count
        let count = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(socket.descriptor, &buffer, size, 0, $0, &length)
            }
        }
        guard count > 0 else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
        inet_ntop(AF_INET, &name.sin_addr, &text, socklen_t(INET_ADDRSTRLEN))
        let from = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return Datagram(bytes: Array(buffer[..<count]), from: from)
    }
}
