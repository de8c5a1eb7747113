import CLinux
import KeeperProtocol

/// Routes into the networks of some addresses, kept up to date by what the kernel announces.
///
/// Only routes that lead out of an interface to one of those addresses are kept, and default routes: however many routes a
/// machine has, these are few.
struct RouteTable: Equatable, Sendable {
    struct Route: Equatable, Sendable {
        let destination: KeeperAddress
        let interface: Int32
        let table: UInt32
        let priority: UInt32
    }

    /// A way to everybody else. Routes with several next hops count as by interface 0.
    struct Gateway: Hashable, Sendable {
        let family: KeeperAddress.Family
        let interface: Int32
        let table: UInt32
        let priority: UInt32
    }

    let wanted: [KeeperAddress]
    private(set) var gateways: Set<Gateway> = []
    private(set) var routes: [Route] = []

    /// struct rtmsg
    private static let headerBytes = 12
    private static let most = 1024
    private static let mostGateways = 256

    init(wanted: [KeeperAddress]) { self.wanted = wanted }

    func hasRoute(to address: KeeperAddress, by interface: Int32) -> Bool {
        routes.contains { $0.interface == interface && $0.destination.networkContains(address) }
    }

    /// Takes in one message of a dump or of the kernel's news.
    ///
    /// - Returns: whether it was about one of the routes kept.
    mutating func apply(_ message: NetlinkMessage) -> Bool {
        guard message.type == Int(RTM_NEWROUTE) || message.type == Int(RTM_DELROUTE) else { return false }
        if let gateway = gateway(message) {
            if message.type == Int(RTM_DELROUTE) {
                gateways.remove(gateway)
            } else if gateways.count < Self.mostGateways {
                gateways.insert(gateway)
            }
            return true
        }
        guard let route = route(message) else { return false }
        routes.removeAll { $0 == route }
        if message.type == Int(RTM_NEWROUTE), routes.count < Self.most { routes.append(route) }
        return true
    }

    /// Whether a table leads to everybody else, by whatever interface.
    func hasGateway(_ family: KeeperAddress.Family, in table: UInt32) -> Bool {
        gateways.contains { $0.family == family && $0.table == table }
    }

    private func gateway(_ message: NetlinkMessage) -> Gateway? {
        guard let familyNumber: UInt8 = message.field(at: 0),
            let family = KeeperAddress.Family(number: familyNumber), let length: UInt8 = message.field(at: 1),
            let table: UInt8 = message.field(at: 4), let kind: UInt8 = message.field(at: 7), length == 0,
            kind == UInt8(RTN_UNICAST)
        else { return nil }
        return Gateway(
            family: family, interface: Int32(truncatingIfNeeded: number(message, Int(RTA_OIF.rawValue)) ?? 0),
            table: number(message, Int(RTA_TABLE.rawValue)) ?? UInt32(table),
            priority: number(message, Int(RTA_PRIORITY.rawValue)) ?? 0)
    }

    private func route(_ message: NetlinkMessage) -> Route? {
        guard let familyNumber: UInt8 = message.field(at: 0),
            let family = KeeperAddress.Family(number: familyNumber), let length: UInt8 = message.field(at: 1),
            let table: UInt8 = message.field(at: 4), let kind: UInt8 = message.field(at: 7), length > 0,
            kind == UInt8(RTN_UNICAST)
        else { return nil }
        guard
            let bytes = message.attribute(Int(RTA_DST.rawValue), after: Self.headerBytes),
            let destination = KeeperAddress(family: family, bytes: bytes, prefixLength: length),
            wanted.contains(where: { destination.networkContains($0) }),
            let interface = number(message, Int(RTA_OIF.rawValue))
        else { return nil }
        return Route(
            destination: destination, interface: Int32(truncatingIfNeeded: interface),
            table: number(message, Int(RTA_TABLE.rawValue)) ?? UInt32(table),
            priority: number(message, Int(RTA_PRIORITY.rawValue)) ?? 0)
    }

    private func number(_ message: NetlinkMessage, _ attribute: Int) -> UInt32? {
        message.attribute(attribute, after: Self.headerBytes).flatMap { bytes in
            bytes.count == 4 ? bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) } : nil
        }
    }
}
