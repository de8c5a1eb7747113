/// Finds a record's place by the hash of its key: open addressing with linear probing, eight bytes an entry.
final class RecordIndex {
    /// The hash above, the place plus one below; 0 is empty.
    private var table: UnsafeMutablePointer<UInt64>
    private var mask: Int
    private(set) var count = 0

    init() {
        table = .allocate(capacity: 16)
        table.initialize(repeating: 0, count: 16)
        mask = 15
    }

    deinit { table.deallocate() }

    /// Bytes taken from the system.
    var bytes: Int { (mask + 1) * 8 }

    /// What most likely is the place of this hash; asked early, so that memory has time to answer.
    @inline(__always)
    func guess(_ hash: UInt32) -> UInt32 { UInt32(truncatingIfNeeded: table[Int(hash) & mask]) &- 1 }

    /// Makes room for so many at once.
    func reserve(_ count: Int) {
        var capacity = mask + 1
        while count * 8 > capacity * 7 { capacity *= 2 }
        if capacity > mask + 1 { resize(to: capacity) }
    }

    /// The first place with this hash for which `matches` says yes.
    @inline(__always)
    func find(_ hash: UInt32, _ matches: (UInt32) -> Bool) -> UInt32? {
        var at = Int(hash) & mask
        while true {
            let entry = table[at]
            if entry == 0 { return nil }
            if UInt32(truncatingIfNeeded: entry >> 32) == hash {
                let place = UInt32(truncatingIfNeeded: entry) &- 1
                if matches(place) { return place }
            }
            at = (at + 1) & mask
        }
    }

    func insert(_ hash: UInt32, _ place: UInt32) {
        if (count + 1) * 8 > (mask + 1) * 7 { resize(to: (mask + 1) * 2) }
        store(UInt64(hash) << 32 | UInt64(place) + 1)
        count += 1
    }

    func remove(_ hash: UInt32, _ place: UInt32) {
        let entry = UInt64(hash) << 32 | UInt64(place) + 1
        var hole = Int(hash) & mask
        while table[hole] != entry {
            precondition(table[hole] != 0, "a record is not in its index")
            hole = (hole + 1) & mask
        }
        // What was pushed past the hole moves back into it, so that no search ends too early.
        var at = hole
        while true {
            at = (at + 1) & mask
            let other = table[at]
            if other == 0 { break }
            let home = Int(UInt32(truncatingIfNeeded: other >> 32)) & mask
            if (at - home) & mask >= (at - hole) & mask {
                table[hole] = other
                hole = at
            }
        }
        table[hole] = 0
        count -= 1
        if mask > 15, count * 8 < mask + 1 { resize(to: (mask + 1) / 2) }
    }

    private func store(_ entry: UInt64) {
        var at = Int(UInt32(truncatingIfNeeded: entry >> 32)) & mask
        while table[at] != 0 { at = (at + 1) & mask }
        table[at] = entry
    }

    private func resize(to capacity: Int) {
        let old = table
        let oldCapacity = mask + 1
        table = .allocate(capacity: capacity)
        table.initialize(repeating: 0, count: capacity)
        mask = capacity - 1
        for at in 0..<oldCapacity where old[at] != 0 { store(old[at]) }
        old.deallocate()
    }
}
