/// Hashes of bytes: 64-bit multiply and fold, as wyhash (Wang Yi, public domain) does it.
///
/// Used for digests, where both ends must agree, with a fixed seed; and for the index, with a seed of its own.
enum RecordHash {
    private static let k0: UInt64 = 0xA076_1D64_78BD_642F
    private static let k1: UInt64 = 0xE703_7ED1_A0B4_28DB
    private static let k2: UInt64 = 0x8EBC_6AF0_9C88_C6E3

    @inline(__always)
    static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always)
    private static func load(_ p: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: p.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    static func hash(_ bytes: UnsafeRawPointer, count: Int, seed: UInt64) -> UInt64 {
        var a = mix(seed ^ k0, k1)
        var b = a
        var at = 0
        while count - at > 32 {
            a = mix(load(bytes, at) ^ k1, load(bytes, at + 8) ^ a)
            b = mix(load(bytes, at + 16) ^ k2, load(bytes, at + 24) ^ b)
            at += 32
        }
        a ^= b
        while count - at >= 8 {
            a = mix(load(bytes, at) ^ k1, a ^ k2)
            at += 8
        }
        var rest: UInt64 = 0
        while at < count {
            rest = rest << 8 | UInt64(bytes.load(fromByteOffset: at, as: UInt8.self))
            at += 1
        }
        return mix(mix(rest ^ k1, a ^ k0), UInt64(count) ^ k2)
    }

    /// A record's part in the digest of its stream; `bytes` are its key and payload.
    @inline(__always)
    static func digest(
        _ bytes: UnsafeRawPointer, keyCount: Int, payloadCount: Int, kind: UInt8, version: UInt64
    ) -> UInt64 {
        let seed = mix(version ^ k2, UInt64(kind) << 32 | UInt64(keyCount) ^ k0)
        return hash(bytes, count: keyCount + payloadCount, seed: seed)
    }
}

/// Whether two pieces of memory hold the same; the standard library has no such comparison without copying.
@inline(__always)
func sameBytes(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, count: Int) -> Bool {
    var at = 0
    while count - at >= 8 {
        if a.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            != b.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        {
            return false
        }
        at += 8
    }
    while at < count {
        if a.load(fromByteOffset: at, as: UInt8.self) != b.load(fromByteOffset: at, as: UInt8.self) {
            return false
        }
        at += 1
    }
    return true
}
