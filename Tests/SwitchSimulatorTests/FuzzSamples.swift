import Foundation

/// Damages inputs on the seed `FSDNS_SEED`, for `FSDNS_FUZZ_SECONDS` or 1500 times.
struct FuzzSamples {
    private var state: UInt64

    init() { state = ProcessInfo.processInfo.environment["FSDNS_SEED"].flatMap { UInt64($0) } ?? 20_261_121 }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func index(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    /// Some bytes changed, a piece taken out, doubled, or the end cut off; now and then as it was.
    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        guard bytes.count > 1 else { return bytes }
        switch next() % 6 {
        case 0: break
        case 1: bytes.removeLast(index(bytes.count))
        case 2:
            let start = index(bytes.count)
            bytes.removeSubrange(start..<min(bytes.count, start + 1 + index(40)))
        case 3:
            let start = index(bytes.count)
            let piece = bytes[start..<min(bytes.count, start + 1 + index(40))]
            bytes.insert(contentsOf: piece, at: index(bytes.count))
        default:
            for _ in 0...index(8) {
                let signs = Array("\r\n:;<>\"@=&% 0z\u{00}".utf8)
                bytes[index(bytes.count)] =
                    next() % 2 == 0 ? signs[index(signs.count)] : UInt8(truncatingIfNeeded: next())
            }
        }
        return bytes
    }

    /// How often it ran.
    mutating func run(_ body: (inout FuzzSamples) -> Void) -> Int {
        let seconds = ProcessInfo.processInfo.environment["FSDNS_FUZZ_SECONDS"].flatMap { Double($0) }
        let end = seconds.map { Date(timeIntervalSinceNow: $0) }
        var rounds = 0
        while end.map({ Date() < $0 }) ?? (rounds < 1500) {
            body(&self)
            rounds += 1
        }
        return rounds
    }
}
