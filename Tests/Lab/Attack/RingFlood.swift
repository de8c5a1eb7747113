@preconcurrency import Glibc

/// An attacker on the ring, without the key unless it says so: sends forged datagrams as fast as told, with any source address.
///
/// With another source address for each datagram, frames are built whole and handed to a raw socket in batches. Without,
/// 64 datagrams are handed over as one, which the receiver's kernel takes apart (UDP_SEGMENT, udp(7)): so the attacker,
/// who shares the processors with those it attacks, uses little of them.
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
        /// By one who has the cluster's key: sealed, in a true session, with a signature that is well formed and not its
        /// node's; from the sender's own address.
        case signed

        /// Those that take no key.
        package static let keyless: [Kind] = [.garbage, .header, .session, .replay]
    }

    private static let batch = 64
    /// What the kernel takes apart at most (udp(7)).
    private static let mostBytes = 65_000

    package var kind: Kind
    package var perSecond: Int
    package var seconds: Double
    package var own: String
    package var group: String
    /// An address, or the group.
    package var target: String
    /// Another source address for each datagram.
    package var isSpoofing: Bool
    /// Makes a `signed` one of what was heard.
    package var forge: ([UInt8]) throws -> [UInt8] = { $0 }

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
        if !isSpoofing {
            return try sendSegments(
                kind == .signed ? forge(sample.bytes) : sample.bytes,
                from: [.session, .replay, .signed].contains(kind) ? sample.from : own)
        }
        let raw = socket(AF_INET, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), Int32(IPPROTO_RAW))
        guard raw >= 0 else { throw LabFailure("no raw socket: \(String(cString: strerror(errno)))") }
        defer { close(raw) }
        var interface = ip_mreqn()
        inet_pton(AF_INET, own, &interface.imr_address)
        setsockopt(
            raw, Int32(IPPROTO_IP), IP_MULTICAST_IF, &interface, socklen_t(MemoryLayout<ip_mreqn>.size))
        return try send(from: raw, packet(around: sample))
    }

    /// Sends datagrams like this one, from an address that need not be this machine's.
    private func sendSegments(_ body: [UInt8], from source: String) throws -> Int {
        let size = body.count
        let batch = min(Self.batch, Self.mostBytes / size)
        let udp = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(udp) }
        func set(_ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
            var value = value
            return setsockopt(udp, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
        }
        // linux/udp.h: UDP_SEGMENT.
        guard set(Int32(IPPROTO_IP), IP_TRANSPARENT, 1), set(Int32(IPPROTO_UDP), 103, Int32(size)) else {
            throw LabFailure("no segmented datagrams: \(String(cString: strerror(errno)))")
        }
        var interface = ip_mreqn()
        inet_pton(AF_INET, own, &interface.imr_address)
        setsockopt(
            udp, Int32(IPPROTO_IP), IP_MULTICAST_IF, &interface, socklen_t(MemoryLayout<ip_mreqn>.size))
        func call(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32, _ text: String, _ port: UInt16)
            -> Bool
        {
            var name = UDPSocket.address(text, port)
            return withUnsafePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
        }
        let port = UInt16(RingCapture.port)
        guard call({ bind(udp, $0, $1) }, source, 0), call({ connect(udp, $0, $1) }, target, port) else {
            throw LabFailure("cannot send as \(source): \(String(cString: strerror(errno)))")
        }
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: size * batch, alignment: 8)
        defer { room.deallocate() }
        let datagram = kind == .garbage ? [UInt8](repeating: 0xA5, count: size) : body
        for place in 0..<batch {
            for (offset, byte) in datagram.enumerated() { room[place * size + offset] = byte }
            if kind == .session { raiseCounter(room, at: place * size, by: place) }
        }
        return pace { number in
            for place in 0..<batch { vary(room, at: place * size, number + place) }
            return Glibc.send(udp, room.baseAddress, room.count, 0) == room.count ? batch : 0
        }
    }

    /// An IPv4 packet with a UDP datagram without checksum.
    private func packet(around sample: RingCapture.Datagram) throws -> [UInt8] {
        var body = sample.bytes
        if kind == .garbage { body = [UInt8](repeating: 0xA5, count: body.count) }
        let length = 28 + body.count
        var packet: [UInt8] = [0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 0, 1, 17, 0, 0]
        packet += bytes(of: own) + bytes(of: target)
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
                for place in 0..<Self.batch {
                    vary(room, at: place * size + 28, number + place)
                    spoof(room, place * size, number + place)
                }
                return Int(max(sendMany(raw, messages, UInt32(Self.batch), 0), 0))
            }
        }
    }

    /// Makes each datagram another one.
    private func vary(_ room: UnsafeMutableRawBufferPointer, at body: Int, _ number: Int) {
        switch kind {
        case .garbage, .header:
            // The session, behind version, cluster and key.
            room.storeBytes(of: Self.mixed(number), toByteOffset: body + 13, as: UInt64.self)
        case .session:
            // The counter goes up, so that it is not taken for a copy; the tag is as it was, and so is wrong.
            raiseCounter(room, at: body, by: Self.batch)
        case .replay, .signed: break
        }
    }

    private func raiseCounter(_ room: UnsafeMutableRawBufferPointer, at body: Int, by amount: Int) {
        let counter = UInt64(bigEndian: room.loadUnaligned(fromByteOffset: body + 29, as: UInt64.self))
        room.storeBytes(of: (counter + UInt64(amount)).bigEndian, toByteOffset: body + 29, as: UInt64.self)
    }

    /// Gives the packet another source address.
    private func spoof(_ room: UnsafeMutableRawBufferPointer, _ start: Int, _ number: Int) {
        let mixed = Self.mixed(number)
        room[start + 14] = UInt8(truncatingIfNeeded: mixed >> 40)
        room[start + 15] = UInt8(truncatingIfNeeded: mixed >> 48)
    }

    private static func mixed(_ number: Int) -> UInt64 {
        UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15
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
            sent += count
            if count == 0 { usleep(200) }
        }
    }
}
