import CLinux
@preconcurrency import Glibc
import KeeperProtocol

/// Listens to the kernel about the networks of some addresses: carrier, the machine's own address, the route.
///
/// Needs no privilege: everybody may listen.
package final class LinkWatch {
    package enum Condition: Hashable, Sendable {
        case well
        case noInterface
        case noCarrier(interface: String)
        case noRoute(interface: String)
        /// A table that had a default route by this interface has none any more.
        case noGateway(interface: String)
    }
    package struct State: Hashable, Sendable {
        package var address: KeeperAddress
        package var condition: Condition
        /// The interface's, as a number; nil when it has none of 48 bits.
        package var hardware: UInt64?
        /// The kernel's number of the interface; nil when no interface has the network.
        package var interface: Int32?
    }

    private static let mostKnown = 1024
    private let addresses: [KeeperAddress]
    private let monitor: NetlinkSocket
    private let control: NetlinkSocket
    private var interfaces = InterfaceTable()
    private var routes: RouteTable
    /// Addresses for which a route was there: only such a one can be missed.
    private var routed: Set<KeeperAddress> = []
    /// Default routes that were there: only such a one can be missed.
    private var known: Set<RouteTable.Gateway> = []
    package private(set) var states: [State] = []

    package init(addresses: [KeeperAddress]) throws(SystemFailure) {
        self.addresses = addresses
        routes = RouteTable(wanted: addresses)
        monitor = try NetlinkSocket(
            groups: UInt32(
                RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE)
        )
        control = try NetlinkSocket()
        try refill()
        judge()
    }

    package var descriptor: Int32 { monitor.descriptor }

    /// The interface whose own network has that host in it: what comes from there came by it.
    package func interface(towards host: KeeperAddress) -> Int32? {
        interfaces.interface(for: host, managed: addresses)?.index
    }

    /// Reads what the kernel announced.
    ///
    /// - Returns: whether a state is another now.
    package func read() -> Bool {
        do {
            var isDoubtful = false
            for message in try monitor.news() {
                if routes.apply(message) { continue }
                _ = interfaces.apply(message)
                // Routes go with their interface, and not every one of them is announced.
                if message.type == Int(RTM_NEWLINK) || message.type == Int(RTM_DELLINK) { isDoubtful = true }
            }
            if isDoubtful { try refillRoutes() }
        } catch {
            // Some news was lost (ENOBUFS): everything is looked at again.
            try? refill()
        }
        let before = states
        judge()
        return states != before
    }

    private func refill() throws(SystemFailure) {
        interfaces = try InterfaceTable(dumpedBy: control)
        try refillRoutes()
    }

    private func refillRoutes() throws(SystemFailure) {
        var fresh = RouteTable(wanted: addresses)
        // struct rtmsg, all zero: every table of both families.
        let dumped = try control.dump(Int(RTM_GETROUTE)) { writer in
            writer.append(UInt64(0))
            writer.append(UInt32(0))
        }
        for message in dumped { _ = fresh.apply(message) }
        routes = fresh
    }

    /// Whether a table that led to everybody else by an interface leads nowhere now. Where the way goes by another interface,
    /// nothing is missed.
    private func misses(_ family: KeeperAddress.Family, by interface: Int32) -> Bool {
        known.contains {
            $0.family == family && $0.interface == interface && !routes.hasGateway(family, in: $0.table)
        }
    }

    private func judge() {
        // A table whose way is another now is known by that one.
        known = known.filter { old in !routes.hasGateway(old.family, in: old.table) }.union(routes.gateways)
        if known.count > Self.mostKnown { known = routes.gateways }
        states = addresses.map { address in
            guard let interface = interfaces.interface(for: address, managed: addresses) else {
                return State(address: address, condition: .noInterface)
            }
            let hardware =
                interface.hardwareAddress.count == 6
                ? interface.hardwareAddress.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } : nil
            var condition = Condition.well
            if !interface.isRunning {
                condition = .noCarrier(interface: interface.name)
            } else if routes.hasRoute(to: address, by: interface.index) {
                routed.insert(address)
                if misses(address.family, by: interface.index) {
                    condition = .noGateway(interface: interface.name)
                }
            } else if routed.contains(address) {
                condition = .noRoute(interface: interface.name)
            }
            return State(
                address: address, condition: condition, hardware: hardware, interface: interface.index)
        }
    }
}

/// Who answers for addresses in this machine's networks, as the kernel found out by ARP and neighbour discovery.
package final class NeighbourLookup {
    private let socket: NetlinkSocket
    /// struct ndmsg
    private static let headerBytes = 12

    package init() throws(SystemFailure) { socket = try NetlinkSocket() }

    package struct Station: Hashable, Sendable {
        /// 48 bits.
        package var hardware: UInt64
        /// How long ago it showed that it is there.
        package var confirmed: Duration
    }

    /// Hardware addresses, as numbers, of those that are known now.
    package func hardware(of addresses: [KeeperAddress]) -> [KeeperAddress: UInt64] {
        stations(of: addresses).mapValues(\.hardware)
    }

    /// Those that are known now. The kernel goes on believing what was confirmed up to 45 s ago, and some seconds longer
    /// while it asks (neigh_timer_handler).
    package func stations(of addresses: [KeeperAddress]) -> [KeeperAddress: Station] {
        let dumped = try? socket.dump(Int(RTM_GETNEIGH)) { writer in
            writer.append(UInt64(0))
            writer.append(UInt32(0))
        }
        var found: [KeeperAddress: Station] = [:]
        for message in dumped ?? [] where message.type == Int(RTM_NEWNEIGH) {
            guard let familyNumber: UInt8 = message.field(at: 0), let state: UInt16 = message.field(at: 8),
                // What is only remembered may be out of date.
                Int32(state) & (NUD_REACHABLE | NUD_DELAY | NUD_PROBE) != 0,
                let bytes = message.attribute(Int(NDA_DST), after: Self.headerBytes),
                let hardware = message.attribute(Int(NDA_LLADDR), after: Self.headerBytes),
                hardware.count == 6
            else { continue }
            let family: KeeperAddress.Family = Int32(familyNumber) == AF_INET ? .v4 : .v6
            guard let host = KeeperAddress(family: family, bytes: bytes, prefixLength: 0) else { continue }
            // struct nda_cacheinfo begins with the time since the confirmation, in hundredths of a second (USER_HZ).
            let age = message.attribute(Int(NDA_CACHEINFO), after: Self.headerBytes)?.prefix(4).reversed()
                .reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            for address in addresses where address.isSameHost(as: host) {
                found[address] = Station(
                    hardware: hardware.reduce(UInt64(0)) { $0 << 8 | UInt64($1) },
                    confirmed: .milliseconds(10 * Int64(age ?? 0)))
            }
        }
        return found
    }
}
