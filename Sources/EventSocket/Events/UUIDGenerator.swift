/// Version-4 UUIDs from a seed: the same seed gives the same ones, in FreeSWITCH's lower-case form.
///
/// They are names, not secrets: one generator a process, seeded at random, is what keeps them apart.
package struct UUIDGenerator: Hashable, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> String {
        let high = step() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = step() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        let hex = Array("0123456789abcdef".utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(36)
        for index in 0..<32 {
            if [8, 12, 16, 20].contains(index) { bytes.append(UInt8(ascii: "-")) }
            let half = index < 16 ? high : low
            bytes.append(hex[Int(half >> UInt64(60 - index % 16 * 4) & 15)])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// SplitMix64.
    private mutating func step() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
