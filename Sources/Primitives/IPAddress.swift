/// An IPv4 or IPv6 address, in network byte order.
package struct IPAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    package enum Family: UInt8, Hashable, Comparable, Sendable {
        case v4 = 4
        case v6 = 6

        package static func < (a: Family, b: Family) -> Bool { a.rawValue < b.rawValue }
    }

    package let family: Family
    private let high: UInt64
    private let low: UInt64

    /// Four bytes make an IPv4 address, sixteen an IPv6 address; any other count is nil.
    package init?(bytes: some Collection<UInt8>) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        switch bytes.count {
        case 4:
            family = .v4
            for byte in bytes { low = low << 8 | UInt64(byte) }
        case 16:
            family = .v6
            for byte in bytes.prefix(8) { high = high << 8 | UInt64(byte) }
            for byte in bytes.dropFirst(8) { low = low << 8 | UInt64(byte) }
        default: return nil
        }
        self.high = high
        self.low = low
    }

    /// Four or sixteen bytes, in network byte order.
    package var bytes: [UInt8] {
        let lows = (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) }
        if family == .v4 { return Array(lows.suffix(4)) }
        return (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) } + lows
    }

    package var isLoopback: Bool {
        family == .v4 ? low >> 24 == 127 : high == 0 && low == 1
    }

    package static func < (a: IPAddress, b: IPAddress) -> Bool {
        if a.family != b.family { return a.family < b.family }
        return a.high == b.high ? a.low < b.low : a.high < b.high
    }

    /// Whether this address lies in the network of `other` with the given prefix length.
    package func isInNetwork(of other: IPAddress, prefixLength: Int) -> Bool {
        guard family == other.family, prefixLength >= 0, prefixLength <= (family == .v4 ? 32 : 128)
        else { return false }
        if family == .v4 {
            return prefixLength == 0 || (low ^ other.low) >> (32 - UInt64(prefixLength)) == 0
        }
        let highBits = min(prefixLength, 64)
        let lowBits = prefixLength - highBits
        let highMatches = highBits == 0 || (high ^ other.high) >> (64 - UInt64(highBits)) == 0
        let lowMatches = lowBits == 0 || (low ^ other.low) >> (64 - UInt64(lowBits)) == 0
        return highMatches && lowMatches
    }
}

// MARK: - Text

extension IPAddress {
    /// Reads dotted IPv4 or RFC 4291 §2.2 IPv6 text; anything else is nil.
    package init?(_ text: some StringProtocol) {
        let bytes = text.contains(":") ? Self.parseV6(text) : Self.parseV4(text)
        guard let bytes, let address = IPAddress(bytes: bytes) else { return nil }
        self = address
    }

    private static func parseV4(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                part.utf8.count == 1 || part.utf8.first != 48, let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func parseV6(_ text: some StringProtocol) -> [UInt8]? {
        let halves = split(String(text), on: "::")
        guard halves.count <= 2 else { return nil }
        guard let front = groups(halves[0]) else { return nil }
        if halves.count == 1 { return front.count == 16 ? front : nil }
        guard let back = groups(halves[1]), front.count + back.count <= 14 else { return nil }
        return front + [UInt8](repeating: 0, count: 16 - front.count - back.count) + back
    }

    private static func split(_ text: String, on separator: String) -> [Substring] {
        var parts: [Substring] = []
        var rest = text[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return parts + [rest]
    }

    private static func groups(_ text: Substring) -> [UInt8]? {
        if text.isEmpty { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (position, part) in parts.enumerated() {
            if part.contains("."), position == parts.count - 1 {
                guard let v4 = parseV4(part) else { return nil }
                bytes += v4
            } else {
                guard (1...4).contains(part.utf8.count), part.allSatisfy(\.isHexDigit),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
            }
        }
        return bytes
    }

    /// Canonical text (RFC 5952: lower case, the longest run of zero groups shortened).
    package var description: String {
        let bytes = self.bytes
        if family == .v4 { return bytes.map { String($0) }.joined(separator: ".") }
        let groups = (0..<8).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
        var longest = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(longest.count, 1) { longest = start..<end }
            start = max(end, start + 1)
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if longest.isEmpty { return text(groups[...]) }
        return text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
    }
}

extension IPAddress: Codable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let address = IPAddress(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\"\(text)\" is no IP address"))
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
