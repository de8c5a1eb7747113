import CLinux
@preconcurrency import Glibc
import KeeperProtocol
import Kernel

/// Asks the network, again and again, who else has an address that is held here, and hears who says so unasked
/// (RFC 5227 §2.1.1 and §2.4; RFC 4862 §5.4).
///
/// What neighbours remember is not enough to know it: of two machines that answer, each neighbour keeps the one that
/// answered last or first. The sockets are read once a `pause`, a bounded number of frames each: whoever floods the network
/// with claims costs this process no more than that.
final class AddressDefence {
    /// Another machine says that it has an address.
    struct Claim: Equatable, Sendable {
        /// Of one of the addresses that were asked for.
        let address: KeeperAddress
        /// 6 bytes.
        let hardware: [UInt8]
    }

    /// Nanoseconds between two looks, and how many of them lie between two questions (2 s).
    static let pause: Int64 = 250_000_000
    static let looksPerQuestion = 8
    /// Frames read from one socket at one look.
    private static let framesAtOnce = 64

    private let arp: Int32
    /// -1 until there is an IPv6 address to defend.
    private var discovery: Int32 = -1
    private var asked: [KeeperAddress] = []
    private var looks = 0
    private var buffer = [UInt8](repeating: 0, count: 256)

    init() throws(SystemFailure) { arp = try Self.socket() }

    deinit {
        close(arp)
        if discovery >= 0 { close(discovery) }
    }

    /// One look: the claims that came in since the last one, each once.
    ///
    /// - Parameters:
    ///   - placements: what is held here, and where.
    ///   - send: sends a frame by the interface with that index.
    func look(
        at placements: [InterfaceTable.Placement], in table: InterfaceTable,
        send: (Announcement, Int32) -> Void
    ) -> [Claim] {
        let addresses = placements.map(\.address)
        if addresses != asked { listen(for: addresses) }
        defer { looks += 1 }
        if looks % Self.looksPerQuestion == 0 {
            for placement in placements {
                guard let interface = table.interface(placement.interface), interface.hasNeighbours,
                    let question = Self.question(for: placement.address, from: interface.hardwareAddress)
                else { continue }
                send(question, placement.interface)
            }
        }
        let own = Set(table.interfaces.map(\.hardwareAddress))
        var claims: [Claim] = []
        for socket in [arp, discovery] where socket >= 0 {
            for claim in read(socket) where !own.contains(claim.hardware) && !claims.contains(claim) {
                claims.append(claim)
            }
        }
        return claims
    }

    // MARK: Questions

    /// Asks who has it without saying that we do, so that no neighbour changes its mind because of it. Nil where the
    /// interface has no Ethernet address.
    static func question(for address: KeeperAddress, from hardware: [UInt8]) -> Announcement? {
        guard hardware.count == 6 else { return nil }
        switch address.family {
        case .v4:
            return Announcement(
                etherType: UInt16(ETH_P_ARP), destination: [UInt8](repeating: 0xff, count: 6),
                payload: [0, 1, 0x08, 0x00, 6, 4, 0, 1] + hardware + [0, 0, 0, 0]
                    + [UInt8](repeating: 0, count: 6) + address.bytes)
        case .v6:
            // The solicited-node group of the address (RFC 4291 §2.7.1), as Ethernet sends to groups (RFC 2464 §7).
            let group: [UInt8] =
                [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff] + address.bytes.suffix(3)
            // Type 135, code 0, checksum, reserved, target; from nobody, so without a link-layer address.
            let message: [UInt8] = [135, 0, 0, 0, 0, 0, 0, 0] + address.bytes
            return Announcement(
                etherType: UInt16(ETH_P_IPV6), destination: [0x33, 0x33] + group.suffix(4),
                payload: Announcement.icmpv6(
                    message, from: [UInt8](repeating: 0, count: 16), to: group))
        }
    }

    // MARK: Answers

    /// Lets the kernel pass on only what says something about these.
    private func listen(for addresses: [KeeperAddress]) {
        asked = addresses
        // Asked at once, and what was heard of others is forgotten.
        looks = 0
        _ = Self.filter(of: .v4, addresses).attach(to: arp)
        Self.bind(arp, to: ETH_P_ARP)
        guard addresses.contains(where: { $0.family == .v6 }) || discovery >= 0 else { return }
        if discovery < 0 {
            guard let made = try? Self.socket() else { return }
            discovery = made
        }
        _ = Self.filter(of: .v6, addresses).attach(to: discovery)
        Self.bind(discovery, to: ETH_P_IPV6)
    }

    /// ARP packets whose sender says that it has one of the addresses; neighbour advertisements of one of them.
    static func filter(of family: KeeperAddress.Family, _ addresses: [KeeperAddress]) -> SocketFilter {
        typealias Instruction = SocketFilter.Instruction
        typealias Code = SocketFilter.Code
        var program: [Instruction] = []
        func require(byte: UInt32, is value: UInt32) {
            program += [
                Instruction(code: Code.loadByte, operand: byte),
                Instruction(code: Code.jumpIfEqual, whenTrue: 1, operand: value),
                Instruction(code: Code.finish, operand: 0),
            ]
        }
        if family == .v6 {
            require(byte: Frame.nextHeader, is: Frame.icmpv6)
            require(byte: Frame.messageType, is: Frame.advertisement)
        }
        let place = family == .v4 ? Frame.senderAddress : Frame.target + 12
        program.append(Instruction(code: Code.loadWord, operand: UInt32(place)))
        for address in addresses where address.family == family {
            let word = address.bytes.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            program += [
                Instruction(code: Code.jumpIfEqual, whenFalse: 1, operand: word),
                Instruction(code: Code.finish, operand: SocketFilter.all),
            ]
        }
        program.append(Instruction(code: Code.finish, operand: 0))
        return SocketFilter(program)
    }

    /// Where fields stand, without the Ethernet header.
    private enum Frame {
        // RFC 826
        static let senderHardware = 8
        static let senderAddress = 14
        static let arpLength = 28
        // RFC 8200, RFC 4861 §4.4
        static let nextHeader: UInt32 = 6
        static let icmpv6: UInt32 = 58
        static let messageType: UInt32 = 40
        static let advertisement: UInt32 = 136
        static let target = 48
        static let advertisementLength = 64
    }

    /// What a frame claims about one of `addresses`; nil when nothing.
    ///
    /// - Parameter sender: the frame's Ethernet source, which speaks for an advertisement.
    static func claim(
        in frame: some Collection<UInt8>, of family: KeeperAddress.Family, sender: [UInt8],
        among addresses: [KeeperAddress]
    ) -> Claim? {
        let bytes = Array(frame)
        let (claimed, hardware): (ArraySlice<UInt8>, [UInt8])
        switch family {
        case .v4:
            guard bytes.count >= Frame.arpLength, bytes[0..<6] == [0, 1, 0x08, 0x00, 6, 4] else { return nil }
            claimed = bytes[Frame.senderAddress..<(Frame.senderAddress + 4)]
            hardware = Array(bytes[Frame.senderHardware..<Frame.senderAddress])
        case .v6:
            guard bytes.count >= Frame.advertisementLength, bytes[0] >> 4 == 6,
                bytes[Int(Frame.nextHeader)] == UInt8(Frame.icmpv6),
                bytes[Int(Frame.messageType)] == UInt8(Frame.advertisement)
            else { return nil }
            claimed = bytes[Frame.target..<(Frame.target + 16)]
            hardware = sender
        }
        guard hardware.count == 6,
            let host = KeeperAddress(
                family: family, bytes: claimed, prefixLength: UInt8(8 * family.length)),
            let address = addresses.first(where: { $0.isSameHost(as: host) })
        else { return nil }
        return Claim(address: address, hardware: hardware)
    }

    private func read(_ socket: Int32) -> [Claim] {
        var claims: [Claim] = []
        for _ in 0..<Self.framesAtOnce {
            var from = sockaddr_ll()
            var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
            let count = withUnsafeMutablePointer(to: &from) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT), $0, &length)
                }
            }
            guard count > 0 else { break }
            let sender = withUnsafeBytes(of: from.sll_addr) { Array($0.prefix(6)) }
            let family: KeeperAddress.Family = socket == arp ? .v4 : .v6
            if let claim = Self.claim(in: buffer[..<count], of: family, sender: sender, among: asked) {
                claims.append(claim)
            }
        }
        return claims
    }

    // MARK: Sockets

    /// Hears nothing until it is bound: what came before the filter is not ours.
    private static func socket() throws(SystemFailure) -> Int32 {
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let made = Glibc.socket(AF_PACKET, type, 0)
        guard made >= 0 else { throw SystemFailure("packet socket") }
        var room: Int32 = 65_536
        setsockopt(made, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(MemoryLayout<Int32>.size))
        return made
    }

    /// On every interface.
    private static func bind(_ socket: Int32, to etherType: Int32) {
        var own = sockaddr_ll()
        own.sll_family = UInt16(AF_PACKET)
        own.sll_protocol = UInt16(etherType).bigEndian
        _ = withUnsafePointer(to: &own) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(socket, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
            }
        }
    }
}
