/// Values by byte strings: found from bytes in a receive buffer, without making a `String` or an array of them.
///
/// Open addressing over a dense array. Keys stand in the order of their coming, until a removal moves the last one
/// into the gap: the same operations give the same order in any process.
struct KeyTable<Value: Sendable>: Sendable {
    private(set) var keys: [[UInt8]] = []
    var values: [Value] = []
    private var hashes: [UInt64] = []
    /// Places in the dense arrays, -1 where there is none; a power of two, at most half full.
    private var slots: [Int32]
    private var mask: Int
    private let seed: UInt64

    /// - Parameter seed: drawn at random where keys come from outside, so that nobody can make them collide.
    init(seed: UInt64) {
        self.seed = seed
        slots = [Int32](repeating: -1, count: 16)
        mask = 15
    }

    var count: Int { values.count }

    func place(of key: UnsafeRawBufferPointer) -> Int? { find(key, Self.hash(key, seed)) }

    func place(of key: String) -> Int? {
        var key = key
        return key.withUTF8 { place(of: UnsafeRawBufferPointer($0)) }
    }

    /// The key must not be there yet.
    mutating func insert(_ key: UnsafeRawBufferPointer, _ value: Value) -> Int {
        if (values.count + 1) * 2 > slots.count { grow() }
        let hash = Self.hash(key, seed)
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] >= 0 { slot = (slot + 1) & mask }
        slots[slot] = Int32(values.count)
        keys.append(Array(key))
        values.append(value)
        hashes.append(hash)
        return values.count - 1
    }

    mutating func insert(_ key: String, _ value: Value) -> Int {
        var key = key
        return key.withUTF8 { insert(UnsafeRawBufferPointer($0), value) }
    }

    /// The last key takes the place of the removed one.
    mutating func remove(at place: Int) {
        vacate(slot(of: place))
        let last = values.count - 1
        if place != last {
            slots[slot(of: last)] = Int32(place)
            keys.swapAt(place, last)
            values.swapAt(place, last)
            hashes.swapAt(place, last)
        }
        keys.removeLast()
        values.removeLast()
        hashes.removeLast()
    }

    mutating func removeAll() { self = KeyTable(seed: seed) }

    func name(at place: Int) -> String { String(decoding: keys[place], as: UTF8.self) }

    @inline(__always)
    private func find(_ key: UnsafeRawBufferPointer, _ hash: UInt64) -> Int? {
        var slot = Int(truncatingIfNeeded: hash) & mask
        while true {
            let place = Int(slots[slot])
            if place < 0 { return nil }
            if hashes[place] == hash, keys[place].withUnsafeBytes({ Self.isSame($0, key) }) { return place }
            slot = (slot + 1) & mask
        }
    }

    private static func isSame(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count else { return false }
        var at = 0
        while at + 8 <= a.count {
            if a.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                != b.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            {
                return false
            }
            at += 8
        }
        while at < a.count {
            if a[at] != b[at] { return false }
            at += 1
        }
        return true
    }

    private func slot(of place: Int) -> Int {
        var slot = Int(truncatingIfNeeded: hashes[place]) & mask
        while Int(slots[slot]) != place { slot = (slot + 1) & mask }
        return slot
    }

    /// Moves later keys of the same run back, so that no search ends early.
    private mutating func vacate(_ slot: Int) {
        var gap = slot
        var next = (gap + 1) & mask
        while slots[next] >= 0 {
            let home = Int(truncatingIfNeeded: hashes[Int(slots[next])]) & mask
            if (next - home) & mask >= (next - gap) & mask {
                slots[gap] = slots[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        slots[gap] = -1
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        mask = slots.count - 1
        for place in values.indices {
            var slot = Int(truncatingIfNeeded: hashes[place]) & mask
            while slots[slot] >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(place)
        }
    }

    /// Multiplies and folds 128-bit products, eight bytes at a time.
    private static func hash(_ key: UnsafeRawBufferPointer, _ seed: UInt64) -> UInt64 {
        var state = seed ^ 0x9E37_79B9_7F4A_7C15 ^ UInt64(key.count)
        var at = 0
        while at + 8 <= key.count {
            let word = UInt64(littleEndian: key.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            state = fold(state ^ word, seed | 0xA076_1D64_78BD_642F)
            at += 8
        }
        var rest: UInt64 = 0
        while at < key.count {
            rest = rest << 8 | UInt64(key[at])
            at += 1
        }
        return fold(fold(state ^ rest, 0xE703_7ED1_A0B4_28DB), seed ^ 0x8EBC_6AF0_9C88_C6E3)
    }

    @inline(__always)
    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (high, low) = a.multipliedFullWidth(by: b)
        return high ^ low
    }
}
