/// The only source of randomness: a seed gives the same uuids, tags, ports and delays every time.
package struct Chance: Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// Uniform but for a bias of at most 2^-32 for the small ranges used here.
    mutating func below(_ bound: UInt64) -> UInt64 { bound == 0 ? 0 : next() % bound }

    mutating func between(_ span: ClosedRange<Duration>) -> Duration {
        let low = span.lowerBound.wholeMicroseconds
        let width = span.upperBound.wholeMicroseconds - low
        return .microseconds(low + Int64(below(UInt64(max(0, width)) + 1)))
    }

    /// A random (version 4) UUID, lower case (RFC 9562 §5.4).
    package mutating func uuid() -> String { Self.uuid(next(), next(), version: 4) }

    /// Shaped like the time-based Call-IDs of sofia-sip (version 1).
    mutating func callID() -> String { Self.uuid(next(), next(), version: 1) }

    /// Thirteen letters and digits: the form of sofia-sip's tags and branches.
    mutating func tag() -> String {
        let alphabet = Array("0123456789ABCDEFGHJKMNQRSTUXZabcdefghjkmnpqrstuvwxyz".utf8)
        var text: [UInt8] = []
        for _ in 0..<13 { text.append(alphabet[Int(below(UInt64(alphabet.count)))]) }
        return String(decoding: text, as: UTF8.self)
    }

    private static func uuid(_ high: UInt64, _ low: UInt64, version: UInt64) -> String {
        let first = (high & 0xFFFF_FFFF_FFFF_0FFF) | (version << 12)
        let second = (low & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        let digits = hex(first) + hex(second)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append("-") }
            text.append(digit)
        }
        return text
    }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
