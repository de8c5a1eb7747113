import CLinux
@preconcurrency import Glibc
import KeeperProtocol
import Testing

@testable import Keeper

/// Which interface an address goes to, by what the kernel tells.
@Suite struct InterfaceTableTests {
    private func text(_ text: String) -> KeeperAddress { KeeperAddress(text)! }

    private func link(
        _ index: UInt32, flags: Int = Int(IFF_UP | IFF_RUNNING), type: Int = Int(RTM_NEWLINK),
        family: UInt32 = 0
    ) -> NetlinkMessage {
        var writer = NetlinkWriter(type: type, flags: 0, sequence: 0)
        for word in [family, index, UInt32(flags), 0] { writer.append(word) }
        writer.append(attribute: Int(IFLA_ADDRESS), [2, 0, 0, 0, 0, UInt8(index)])
        return NetlinkMessage.messages(in: writer.finish()[...])[0]
    }

    private func address(
        _ address: String, on index: Int32, type: Int = Int(RTM_NEWADDR), local: String? = nil
    ) -> NetlinkMessage {
        var writer = NetlinkWriter(type: type, flags: 0, sequence: 0)
        writer.appendAddressHeader(text(address), interface: index)
        writer.append(attribute: Int(IFA_ADDRESS), text(address).bytes)
        if let local { writer.append(attribute: Int(IFA_LOCAL), text(local).bytes) }
        return NetlinkMessage.messages(in: writer.finish()[...])[0]
    }

    private func table(_ messages: [NetlinkMessage]) -> InterfaceTable {
        var table = InterfaceTable()
        for message in messages { _ = table.apply(message) }
        return table
    }

    @Test("the smallest network that contains the address wins, then the lowest index")
    func choice() {
        let table = table([
            link(2), link(3), link(4), address("10.0.0.1/8", on: 2), address("10.1.0.1/16", on: 4),
            address("10.1.0.2/16", on: 3),
        ])
        #expect(table.interface(for: text("10.1.0.99/16"), managed: [])?.index == 3)
        #expect(table.interface(for: text("10.2.0.99/16"), managed: [])?.index == 2)
        #expect(table.interface(for: text("192.0.2.1/24"), managed: []) == nil)
        #expect(table.interface(for: text("2001:db8::1/64"), managed: []) == nil)
    }

    @Test("an address fsdns itself put there says nothing about the network")
    func managed() {
        let table = table([link(2), address("10.0.0.11/24", on: 2)])
        #expect(table.interface(for: text("10.0.0.12/24"), managed: [text("10.0.0.11/24")]) == nil)
        #expect(table.interface(for: text("10.0.0.12/24"), managed: [])?.index == 2)
    }

    @Test("on a point-to-point link the local end counts, not the other")
    func pointToPoint() {
        let table = table([link(5), address("10.9.0.2/30", on: 5, local: "10.8.0.1/30")])
        #expect(table.interface(for: text("10.8.0.2/30"), managed: [])?.index == 5)
        #expect(table.interface(for: text("10.9.0.1/30"), managed: []) == nil)
    }

    @Test("a removed address is told, an interface that goes takes its addresses along")
    func removal() {
        var table = table([link(2), address("10.0.0.1/24", on: 2), address("10.0.0.11/24", on: 2)])
        let gone = table.apply(address("10.0.0.11/24", on: 2, type: Int(RTM_DELADDR)))
        #expect(gone == .removed(.init(address: text("10.0.0.11/24"), interface: 2)))
        _ = table.apply(link(2, type: Int(RTM_DELLINK)))
        #expect(table == InterfaceTable())
    }

    @Test("leaving a bridge does not remove the interface")
    func bridgePort() {
        var table = table([link(2), address("10.0.0.1/24", on: 2)])
        _ = table.apply(link(2, type: Int(RTM_DELLINK), family: UInt32(AF_BRIDGE)))
        #expect(table.interface(2) != nil)
    }

    @Test("a link that runs again is told once")
    func returning() {
        var table = table([link(2), link(2, flags: Int(IFF_UP))])
        #expect(table.interface(2)?.isRunning == false)
        #expect(table.apply(link(2)) == .linkReturned(2))
        #expect(table.apply(link(2)) == nil)
    }

    @Test("messages too short for their fields are left out")
    func short() {
        let whole = NetlinkWriter(type: Int(RTM_NEWADDR), flags: 0, sequence: 0).finish()
        var table = InterfaceTable()
        for message in NetlinkMessage.messages(in: whole[...]) { #expect(table.apply(message) == nil) }
        #expect(NetlinkMessage.messages(in: whole[..<15]).isEmpty)
        #expect(table == InterfaceTable())
    }
}
