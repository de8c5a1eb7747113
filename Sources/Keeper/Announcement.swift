import KeeperProtocol

/// The frames that tell neighbours who has an address now; without the Ethernet header, which the kernel
/// writes.
package struct Announcement: Equatable, Sendable {
    /// ETH_P_ARP or ETH_P_IPV6.
    package let etherType: UInt16
    /// The 6-byte Ethernet destination.
    package let destination: [UInt8]
    package let payload: [UInt8]

    /// For IPv4 a gratuitous ARP in request and in reply form (RFC 5227 §3 and older habits: some
    /// neighbours heed only one), for IPv6 an unsolicited neighbour advertisement with the override flag
    /// (RFC 4861 §7.2.6).
    package static func frames(for address: KeeperAddress, hardwareAddress: [UInt8]) -> [Announcement] {
        guard hardwareAddress.count == 6 else { return [] }
        switch address.family {
        case .v4:
            return [1, 2].map { operation in
                Announcement(
                    etherType: 0x0806, destination: [UInt8](repeating: 0xff, count: 6),
                    payload: arp(operation: operation, address.bytes, hardwareAddress))
            }
        case .v6:
            let advertisement = neighbourAdvertisement(address.bytes, hardwareAddress)
            return [
                Announcement(
                    etherType: 0x86dd, destination: [0x33, 0x33, 0, 0, 0, 1], payload: advertisement)
            ]
        }
    }

    /// RFC 826; sender and target are both the announced address.
    private static func arp(operation: UInt8, _ address: [UInt8], _ hardware: [UInt8]) -> [UInt8] {
        let target = [UInt8](repeating: operation == 1 ? 0 : 0xff, count: 6)
        return [0, 1, 0x08, 0x00, 6, 4, 0, operation] + hardware + address + target + address
    }

    private static func neighbourAdvertisement(_ address: [UInt8], _ hardware: [UInt8]) -> [UInt8] {
        let allNodes: [UInt8] = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        // Type 136, code 0, checksum, the override flag; target; option 2: our link-layer address in 8 bytes.
        let message: [UInt8] = [136, 0, 0, 0, 0x20, 0, 0, 0] + address + [2, 1] + hardware
        return icmpv6(message, from: address, to: allNodes)
    }

    /// An IPv6 packet with a message of ICMPv6, whose checksum (bytes 2 and 3) is filled in.
    static func icmpv6(_ message: [UInt8], from source: [UInt8], to destination: [UInt8]) -> [UInt8] {
        let icmpv6: UInt8 = 58
        var message = message
        // RFC 8200 §8.1: the checksum covers a pseudo-header of both addresses, the length and the protocol.
        let pseudoHeader = source + destination + [0, 0, 0, UInt8(message.count), 0, 0, 0, icmpv6]
        let sum = checksum(pseudoHeader + message)
        message[2] = UInt8(sum >> 8)
        message[3] = UInt8(sum & 0xff)
        // Hop limit 255, or receivers ignore it (RFC 4861 §7.1.1, §7.1.2).
        let header: [UInt8] = [0x60, 0, 0, 0, 0, UInt8(message.count), icmpv6, 255]
        return header + source + destination + message
    }

    /// The Internet checksum (RFC 1071) of an even number of bytes.
    package static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for position in stride(from: 0, to: bytes.count - 1, by: 2) {
            sum += UInt32(bytes[position]) << 8 | UInt32(bytes[position + 1])
        }
        while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
        return ~UInt16(sum)
    }
}
