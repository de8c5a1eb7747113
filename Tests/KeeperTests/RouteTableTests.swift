import CLinux
@preconcurrency import Glibc
import KeeperProtocol
import Testing

@testable import Keeper

/// Which routes lead to the addresses that matter, by what the kernel tells.
@Suite struct RouteTableTests {
    private func text(_ text: String) -> KeeperAddress { KeeperAddress(text)! }

    private func route(
        _ destination: String, by interface: UInt32, type: Int = Int(RTM_NEWROUTE),
        kind: Int = Int(RTN_UNICAST)
    ) -> NetlinkMessage {
        let to = text(destination)
        var writer = NetlinkWriter(type: type, flags: 0, sequence: 0)
        writer.append([UInt8(AF_INET), to.prefixLength, 0, 0, 254, 2, 253, UInt8(kind)])
        writer.append(UInt32(0))
        writer.append(attribute: Int(RTA_DST.rawValue), to.bytes)
        writer.append(attribute: Int(RTA_OIF.rawValue), words: [interface])
        return NetlinkMessage.messages(in: writer.finish()[...])[0]
    }

    @Test("a connected route leads to its network's addresses while it is there") func connected() {
        var table = RouteTable(wanted: [text("10.0.0.11/24")])
        #expect(!table.hasRoute(to: text("10.0.0.11/24"), by: 2))
        let isKept = table.apply(route("10.0.0.0/24", by: 2))
        #expect(isKept && table.hasRoute(to: text("10.0.0.11/24"), by: 2))
        #expect(!table.hasRoute(to: text("10.0.0.11/24"), by: 3))
        let isGone = table.apply(route("10.0.0.0/24", by: 2, type: Int(RTM_DELROUTE)))
        #expect(isGone && !table.hasRoute(to: text("10.0.0.11/24"), by: 2))
    }

    @Test("a default route is known by its table and interface, and leads to no network of its own")
    func defaultRoute() {
        var table = RouteTable(wanted: [text("10.0.0.11/24")])
        let isKept = table.apply(route("0.0.0.0/0", by: 2))
        #expect(isKept && table.routes.isEmpty && table.gateways.map(\.interface) == [2])
        #expect(
            table.hasGateway(.v4, in: 254) && !table.hasGateway(.v6, in: 254) && !table.hasGateway(.v4, in: 1)
        )
        let isGone = table.apply(route("0.0.0.0/0", by: 2, type: Int(RTM_DELROUTE)))
        #expect(isGone && table.gateways.isEmpty)
    }

    @Test("routes elsewhere and local ones are nobody's matter") func others() {
        var table = RouteTable(wanted: [text("10.0.0.11/24")])
        for message in [
            route("192.0.2.0/24", by: 2), route("10.0.0.11/32", by: 2, kind: Int(RTN_LOCAL)),
        ] {
            let isKept = table.apply(message)
            #expect(!isKept)
        }
        #expect(table.routes.isEmpty)
    }

    @Test("messages too short for their fields are left out") func short() {
        var table = RouteTable(wanted: [text("10.0.0.11/24")])
        let whole = NetlinkWriter(type: Int(RTM_NEWROUTE), flags: 0, sequence: 0).finish()
        for message in NetlinkMessage.messages(in: whole[...]) {
            let isKept = table.apply(message)
            #expect(!isKept)
        }
    }
}
