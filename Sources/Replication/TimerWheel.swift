import Primitives

/// When the records of a store end: a hierarchical timing wheel (Varghese and Lauck, 1987) of five levels with
/// 256 slots each; a tick is 2^20 ns, about a millisecond. The lists are linked through the records' entries.
///
/// A record whose end moves later stays where it is and is put right when its slot comes.
struct TimerWheel {
    static let levels = 5
    /// A record is in this list when its copy has ended but its writer has not said so yet.
    static let heldSlot = UInt16(levels * 256)
    static let unlinked = UInt16.max
    private static let tickBits: Int64 = 20
    private static let horizon: UInt64 = 1 << 40

    private let entries: GrowingMemory<Entry>
    private var heads = [UInt32](repeating: Slab.none, count: levels * 256 + 1)
    private var occupied = [UInt64](repeating: 0, count: levels * 4)
    /// The first tick whose records have not all ended.
    private var current: UInt64

    init(entries: GrowingMemory<Entry>, at now: Instant) {
        self.entries = entries
        current = TimerWheel.tick(now.nanoseconds)
    }

    private static func tick(_ nanoseconds: Int64) -> UInt64 { UInt64(max(0, nanoseconds) >> tickBits) }

    /// When there is something to do; at most a tick after the first record's end.
    var deadline: Instant? {
        guard let (level, start) = earliest() else { return nil }
        return Instant(nanoseconds: Int64(level == 0 ? start + 1 : start) << TimerWheel.tickBits)
    }

    mutating func insert(_ id: UInt32) {
        let expires = entries.pointer(Int(id)).pointee.expires
        let tick = min(max(TimerWheel.tick(expires), current), current | (TimerWheel.horizon - 1))
        let difference = tick ^ current
        let level = difference == 0 ? 0 : (63 - difference.leadingZeroBitCount) / 8
        let index = Int(tick >> UInt64(8 * level)) & 255
        push(id, UInt16(level * 256 + index))
        occupied[level * 4 + index / 64] |= 1 << UInt64(index % 64)
    }

    mutating func hold(_ id: UInt32) { push(id, TimerWheel.heldSlot) }

    /// The first held record.
    var firstHeld: UInt32? {
        let id = heads[Int(TimerWheel.heldSlot)]
        return id == Slab.none ? nil : id
    }

    mutating func remove(_ id: UInt32) {
        let entry = entries.pointer(Int(id))
        let slot = entry.pointee.timerSlot
        guard slot != TimerWheel.unlinked else { return }
        let (previous, next) = (entry.pointee.timerPrevious, entry.pointee.timerNext)
        if previous == Slab.none {
            heads[Int(slot)] = next
        } else {
            entries.pointer(Int(previous)).pointee.timerNext = next
        }
        if next != Slab.none { entries.pointer(Int(next)).pointee.timerPrevious = previous }
        if heads[Int(slot)] == Slab.none, slot != TimerWheel.heldSlot { clear(Int(slot)) }
        entry.pointee.timerSlot = TimerWheel.unlinked
    }

    /// Takes one record that has ended out of the wheel; nil when there is no further one.
    mutating func next(at now: Instant) -> UInt32? {
        let target = TimerWheel.tick(now.nanoseconds)
        while let (level, start) = earliest() {
            guard level == 0 ? start < target : start <= target else { break }
            if start > current { advance(to: start) }
            guard level == 0 else { continue }
            let id = heads[Int(start & 255)]
            guard id != Slab.none else { continue }
            remove(id)
            if entries.pointer(Int(id)).pointee.expires <= now.nanoseconds { return id }
            insert(id)
        }
        if current < target { advance(to: target) }
        return nil
    }

    private mutating func push(_ id: UInt32, _ slot: UInt16) {
        let entry = entries.pointer(Int(id))
        let head = heads[Int(slot)]
        entry.pointee.timerSlot = slot
        entry.pointee.timerPrevious = Slab.none
        entry.pointee.timerNext = head
        if head != Slab.none { entries.pointer(Int(head)).pointee.timerPrevious = id }
        heads[Int(slot)] = id
    }

    private mutating func clear(_ slot: Int) {
        occupied[slot / 64] &= ~(1 << UInt64(slot % 64))
    }

    /// The first slot that is not empty: its level and the tick it begins at.
    private func earliest() -> (level: Int, start: UInt64)? {
        for level in 0..<TimerWheel.levels {
            let shift = UInt64(8 * level)
            let from = Int(current >> shift) & 255
            for word in (from / 64)..<4 {
                var bits = occupied[level * 4 + word]
                if word == from / 64 { bits &= ~0 << UInt64(from % 64) }
                if bits == 0 { continue }
                let index = UInt64(word * 64 + bits.trailingZeroBitCount)
                return (level, ((current >> (shift + 8)) << (shift + 8)) | (index << shift))
            }
        }
        return nil
    }

    /// Moves on to a tick that has no occupied slot before it, and spreads the slots that begin there.
    private mutating func advance(to tick: UInt64) {
        current = tick
        for level in (1..<TimerWheel.levels).reversed() {
            let slot = level * 256 + (Int(tick >> UInt64(8 * level)) & 255)
            var id = heads[slot]
            heads[slot] = Slab.none
            clear(slot)
            while id != Slab.none {
                let next = entries.pointer(Int(id)).pointee.timerNext
                entries.pointer(Int(id)).pointee.timerSlot = TimerWheel.unlinked
                insert(id)
                id = next
            }
        }
    }
}
