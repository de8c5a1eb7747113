import CLinux
import KeeperProtocol

/// The machine's interfaces and their addresses, kept up to date by what the kernel announces.
struct InterfaceTable: Equatable, Sendable {
    struct Interface: Equatable, Sendable {
        let index: Int32
        /// IFF_ bits.
        var flags: UInt32
        var hardwareAddress: [UInt8]
        var name = ""

        var isRunning: Bool {
            flags & UInt32(IFF_UP) != 0 && flags & UInt32(IFF_RUNNING) != 0
        }
        /// Whether neighbours are asked for by ARP or neighbour discovery at all.
        var hasNeighbours: Bool {
            flags & UInt32(IFF_NOARP) == 0 && flags & UInt32(IFF_LOOPBACK) == 0
        }
    }

    struct Placement: Equatable, Sendable {
        let address: KeeperAddress
        let interface: Int32
    }

    enum Change: Equatable, Sendable {
        case removed(Placement)
        case linkReturned(Int32)
    }

    /// Sorted by index.
    private(set) var interfaces: [Interface] = []
    private(set) var placements: [Placement] = []

    /// struct ifaddrmsg, struct ifinfomsg
    private static let addressHeaderBytes = 8
    private static let linkHeaderBytes = 16

    func interface(_ index: Int32) -> Interface? { interfaces.first { $0.index == index } }

    /// The interface whose own (not managed) address has the smallest network that contains `address`;
    /// of equals the one with the lowest index.
    func interface(for address: KeeperAddress, managed: [KeeperAddress]) -> Interface? {
        var best: Placement?
        for placement in placements where placement.address.networkContains(address) {
            if managed.contains(where: { $0.isSameHost(as: placement.address) }) { continue }
            if let best {
                let length = placement.address.prefixLength
                guard (length, -placement.interface) > (best.address.prefixLength, -best.interface) else {
                    continue
                }
            }
            best = placement
        }
        return best.flatMap { interface($0.interface) }
    }

    /// Takes in one message of a dump or of the kernel's news.
    mutating func apply(_ message: NetlinkMessage) -> Change? {
        switch message.type {
        case Int(RTM_NEWLINK), Int(RTM_DELLINK): return applyLink(message)
        case Int(RTM_NEWADDR), Int(RTM_DELADDR): return applyAddress(message)
        default: return nil
        }
    }

    private mutating func applyLink(_ message: NetlinkMessage) -> Change? {
        guard let index: Int32 = message.field(at: 4), let flags: UInt32 = message.field(at: 8) else {
            return nil
        }
        let position = interfaces.firstIndex { $0.index >= index } ?? interfaces.endIndex
        let known = interfaces[position...].first.flatMap { $0.index == index ? $0 : nil }
        if message.type == Int(RTM_DELLINK) {
            // A bridge port leaving its bridge is told with AF_BRIDGE: the interface itself stays.
            guard message.field(at: 0) == UInt8(AF_UNSPEC) else { return nil }
            if known != nil { interfaces.remove(at: position) }
            placements.removeAll { $0.interface == index }
            return nil
        }
        let hardware = message.attribute(Int(IFLA_ADDRESS), after: Self.linkHeaderBytes)
        let name = message.attribute(Int(IFLA_IFNAME), after: Self.linkHeaderBytes)
        let now = Interface(
            index: index, flags: flags, hardwareAddress: hardware ?? known?.hardwareAddress ?? [],
            name: name.map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } ?? known?.name ?? "")
        guard let known else {
            interfaces.insert(now, at: position)
            return nil
        }
        interfaces[position] = now
        return now.isRunning && !known.isRunning ? .linkReturned(index) : nil
    }

    private mutating func applyAddress(_ message: NetlinkMessage) -> Change? {
        guard let placement = Self.placement(message) else { return nil }
        if message.type == Int(RTM_NEWADDR) {
            if !placements.contains(placement) { placements.append(placement) }
            return nil
        }
        placements.removeAll { $0 == placement }
        return .removed(placement)
    }

    private static func placement(_ message: NetlinkMessage) -> Placement? {
        guard let familyNumber: UInt8 = message.field(at: 0),
            let family = KeeperAddress.Family(number: familyNumber),
            let prefixLength: UInt8 = message.field(at: 1),
            let interface: UInt32 = message.field(at: 4)
        else { return nil }
        // On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL, where it is given, is ours.
        let bytes =
            message.attribute(Int(IFA_LOCAL), after: addressHeaderBytes)
            ?? message.attribute(Int(IFA_ADDRESS), after: addressHeaderBytes)
        guard let bytes,
            let address = KeeperAddress(family: family, bytes: bytes, prefixLength: prefixLength)
        else { return nil }
        return Placement(address: address, interface: Int32(truncatingIfNeeded: interface))
    }
}
