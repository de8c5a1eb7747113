@preconcurrency import Glibc

/// An IP address with its prefix length, as the keeper adds it to an interface.
package struct KeeperAddress: Hashable, Comparable, Sendable {
    package enum Family: UInt8, Sendable, Hashable {
        case v4 = 4
        case v6 = 6

        /// Nil for any other than AF_INET and AF_INET6.
        package init?(number: UInt8) {
            switch Int32(number) {
            case AF_INET: self = .v4
            case AF_INET6: self = .v6
            default: return nil
            }
        }

        /// Address length in bytes.
        package var length: Int { self == .v4 ? 4 : 16 }
    }

    package let family: Family
    /// 0…32 for IPv4, 0…128 for IPv6.
    package let prefixLength: UInt8
    /// The address as a number, first byte on the wire uppermost; IPv4 fills the uppermost 32 bits.
    private let high: UInt64
    private let low: UInt64

    /// `bytes` is the address in network order: 4 bytes for IPv4, 16 for IPv6; anything else gives nil.
    package init?(family: Family, bytes: some Collection<UInt8>, prefixLength: UInt8) {
        guard bytes.count == family.length, Int(prefixLength) <= family.length * 8 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (position, byte) in bytes.enumerated() {
            if position < 8 {
                high |= UInt64(byte) << UInt64(56 - 8 * position)
            } else {
                low |= UInt64(byte) << UInt64(56 - 8 * (position - 8))
            }
        }
        self.family = family
        self.prefixLength = prefixLength
        self.high = high
        self.low = low
    }

    /// Reads "192.0.2.7/24" or "2001:db8::7/64"; without "/n" it is the whole address (32 or 128).
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first else { return nil }
        let family: Family = first.contains(":") ? .v6 : .v4
        var bytes = [UInt8](repeating: 0, count: family.length)
        guard inet_pton(family == .v4 ? AF_INET : AF_INET6, String(first), &bytes) == 1 else { return nil }
        var prefixLength = UInt8(family.length * 8)
        if parts.count == 2 {
            guard let given = UInt8(parts[1]) else { return nil }
            prefixLength = given
        }
        self.init(family: family, bytes: bytes, prefixLength: prefixLength)
    }

    /// The address in network order: 4 or 16 bytes.
    package var bytes: [UInt8] {
        (0..<family.length).map { position in
            let word = position < 8 ? high : low
            return UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * (position % 8)))
        }
    }

    /// Whether `other` is in this address's network: the first `prefixLength` bits agree.
    package func networkContains(_ other: KeeperAddress) -> Bool {
        guard family == other.family else { return false }
        let bits = Int(prefixLength)
        let highMask: UInt64 = bits == 0 ? 0 : ~0 << UInt64(max(0, 64 - bits))
        let lowMask: UInt64 = bits <= 64 ? 0 : ~0 << UInt64(128 - bits)
        return (high ^ other.high) & highMask == 0 && (low ^ other.low) & lowMask == 0
    }

    /// Whether both are the same IP address, whatever their prefix lengths.
    package func isSameHost(as other: KeeperAddress) -> Bool {
        family == other.family && high == other.high && low == other.low
    }

    /// The same address as a network of its own.
    package var host: KeeperAddress {
        guard
            let host = KeeperAddress(
                family: family, bytes: bytes, prefixLength: UInt8(family.length * 8))
        else { preconditionFailure("an address has its own length") }
        return host
    }

    package static func < (a: KeeperAddress, b: KeeperAddress) -> Bool {
        (a.family.rawValue, a.high, a.low, a.prefixLength) < (
            b.family.rawValue, b.high, b.low, b.prefixLength
        )
    }
}

extension KeeperAddress: CustomStringConvertible {
    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = family == .v4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(name)/\(prefixLength)"
    }
}
