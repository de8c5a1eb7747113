import KeeperProtocol
import Testing

@testable import Keeper

/// What counts as another machine's word that it has an address.
@Suite struct AddressDefenceTests {
    private static let hardware: [UInt8] = [2, 0x4c, 0, 0, 0, 7]
    private static let sender: [UInt8] = [2, 0x4c, 0, 0, 0, 9]
    private static let addresses = ["192.0.2.7/24", "2001:db8::7/64"].compactMap { KeeperAddress($0) }

    private func claim(
        _ bytes: some Collection<UInt8>, _ family: KeeperAddress.Family
    ) -> AddressDefence.Claim? {
        AddressDefence.claim(in: bytes, of: family, sender: Self.sender, among: Self.addresses)
    }

    @Test("an announcement of another machine is a claim, also with a trailer of the Ethernet frame")
    func announcements() throws {
        for (address, hardware) in zip(Self.addresses, [Self.hardware, Self.sender]) {
            for frame in Announcement.frames(for: address, hardwareAddress: Self.hardware) {
                let wanted = AddressDefence.Claim(address: address, hardware: hardware)
                #expect(claim(frame.payload, address.family) == wanted)
                #expect(claim(frame.payload + [UInt8](repeating: 0, count: 18), address.family) == wanted)
            }
        }
    }

    @Test("the question itself is none, and says to nobody that we have the address") func questions() throws
    {
        for address in Self.addresses {
            let question = try #require(AddressDefence.question(for: address, from: Self.hardware))
            #expect(claim(question.payload, address.family) == nil)
            #expect(AddressDefence.question(for: address, from: []) == nil)
        }
        let arp = try #require(AddressDefence.question(for: Self.addresses[0], from: Self.hardware))
        #expect(arp.payload[14..<18] == [0, 0, 0, 0])
        #expect(Array(arp.payload.suffix(4)) == Self.addresses[0].bytes)
    }

    @Test("what is cut short, or of another address, is nothing") func broken() {
        for address in Self.addresses {
            for frame in Announcement.frames(for: address, hardwareAddress: Self.hardware) {
                let needed = address.family == .v4 ? 28 : 64
                for length in 0..<needed {
                    #expect(claim(frame.payload.prefix(length), address.family) == nil)
                }
            }
        }
        let others = ["192.0.2.8/24", "2001:db8::8/64"].compactMap { KeeperAddress($0) }
        for address in others {
            for frame in Announcement.frames(for: address, hardwareAddress: Self.hardware) {
                #expect(claim(frame.payload, address.family) == nil)
            }
        }
    }

    @Test("the kernel's program stays within its bound with as many addresses as there may be") func bound() {
        let many = (0..<KeeperLimits.managedAddresses).compactMap {
            KeeperAddress("2001:db8::\(String($0, radix: 16))/64")
        }
        let filter = AddressDefence.filter(of: .v6, many)
        #expect(filter.instructions.count < 4096)
        #expect(filter.instructions.last?.operand == 0)
    }
}
