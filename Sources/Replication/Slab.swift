/// Memory for many small pieces of bytes: chunks of 64 KiB cut into slots of one size each.
///
/// A slot is named by chunk and place, so that a caller who knows the names may have its pieces moved together
/// when much was freed (`chunkToEmpty`): what is free stays below an eighth of a size's slots and two chunks.
/// Every slot begins with four bytes that are the caller's name for it; `.max` there means a free one.
final class Slab {
    private struct Chunk {
        var base: UnsafeMutableRawPointer
        var slotSize: Int
        var sizeClass: Int
        var used: Int
        /// Slots below this number were given out at least once.
        var touched: Int
        /// The first freed slot, or `none`.
        var free: UInt32
        /// Neighbours among the chunks of this size that have room.
        var previous: UInt32
        var next: UInt32
    }

    private struct SizeClass {
        /// The first chunk that has room, or `none`.
        var open: UInt32 = none
        var slots = 0
        var used = 0
    }

    static let none = UInt32.max
    private static let chunkBytes = 65_536
    private static let slotBits: UInt32 = 12
    /// Slots up to this size share chunks; larger ones have memory of their own.
    private static let largestShared = 8192
    private static let step = 16
    private static let fineClasses = 64

    private let chunks = GrowingMemory<Chunk>()
    private var spareChunkNames: [UInt32] = []
    private var classes = [SizeClass](repeating: SizeClass(), count: Slab.sizes.count)
    /// Bytes taken from the system.
    private(set) var bytes = 0

    /// Every 16 bytes up to 1 KiB, then an eighth more each.
    private static let sizes: [Int] = {
        var sizes = (1...fineClasses).map { $0 * step }
        while let last = sizes.last, last < largestShared {
            sizes.append(min(largestShared, (last + last / 8 + step - 1) / step * step))
        }
        return sizes
    }()

    deinit {
        for index in 0..<chunks.count where chunks[index].slotSize > 0 { chunks[index].base.deallocate() }
    }

    /// The memory of a slot.
    @inline(__always)
    func pointer(_ slot: UInt32) -> UnsafeMutableRawPointer {
        let chunk = chunks.pointer(Int(slot >> Slab.slotBits))
        return chunk.pointee.base + Int(slot & (1 << Slab.slotBits - 1)) * chunk.pointee.slotSize
    }

    /// How many bytes the slot has; a piece that fits may be replaced in place.
    @inline(__always)
    func capacity(_ slot: UInt32) -> Int { chunks.pointer(Int(slot >> Slab.slotBits)).pointee.slotSize }

    /// The smallest slot size for this many bytes.
    @inline(__always)
    func fits(_ count: Int, in slot: UInt32) -> Bool {
        let capacity = capacity(slot)
        return count <= capacity && capacity - count < max(Slab.step, capacity / 8)
    }

    func allocate(_ count: Int) -> UInt32 {
        guard count <= Slab.largestShared else { return allocateAlone(count) }
        let sizeClass = Slab.sizeClass(count)
        if classes[sizeClass].open == Slab.none { addChunk(sizeClass) }
        let name = classes[sizeClass].open
        let chunk = chunks.pointer(Int(name))
        let place: UInt32
        if chunk.pointee.free != Slab.none {
            place = chunk.pointee.free
            let slot = chunk.pointee.base + Int(place) * chunk.pointee.slotSize
            chunk.pointee.free = slot.load(fromByteOffset: 4, as: UInt32.self)
        } else {
            place = UInt32(chunk.pointee.touched)
            chunk.pointee.touched += 1
        }
        chunk.pointee.used += 1
        classes[sizeClass].used += 1
        if chunk.pointee.used == Slab.chunkBytes / chunk.pointee.slotSize { unlink(name) }
        return name << Slab.slotBits | place
    }

    func free(_ slot: UInt32) {
        let name = slot >> Slab.slotBits
        let chunk = chunks.pointer(Int(name))
        guard chunk.pointee.sizeClass >= 0 else { return release(name) }
        let memory = pointer(slot)
        memory.storeBytes(of: Slab.none, as: UInt32.self)
        memory.storeBytes(of: chunk.pointee.free, toByteOffset: 4, as: UInt32.self)
        chunk.pointee.free = slot & (1 << Slab.slotBits - 1)
        let wasFull = chunk.pointee.used == Slab.chunkBytes / chunk.pointee.slotSize
        chunk.pointee.used -= 1
        classes[chunk.pointee.sizeClass].used -= 1
        if wasFull { link(name) }
        if chunk.pointee.used == 0 {
            unlink(name)
            release(name)
        }
    }

    /// A chunk whose pieces should move elsewhere, as too much of this slot's size is free; it takes no more.
    func chunkToEmpty(like slot: UInt32) -> UInt32? {
        let sizeClass = chunks.pointer(Int(slot >> Slab.slotBits)).pointee.sizeClass
        guard sizeClass >= 0 else { return nil }
        let perChunk = Slab.chunkBytes / Slab.sizes[sizeClass]
        let it = classes[sizeClass]
        guard it.slots - it.used > 2 * perChunk + it.slots / 8 else { return nil }
        var best = it.open
        var candidate = it.open
        for _ in 0..<16 where candidate != Slab.none {
            if chunks[Int(candidate)].used < chunks[Int(best)].used { best = candidate }
            candidate = chunks[Int(candidate)].next
        }
        unlink(best)
        return best
    }

    /// Every used slot of a chunk from `chunkToEmpty`; the caller allocates anew, moves and frees each.
    func usedSlots(of chunk: UInt32) -> [UInt32] {
        let it = chunks[Int(chunk)]
        return (0..<it.touched).compactMap { place in
            let owner = (it.base + place * it.slotSize).load(as: UInt32.self)
            return owner == Slab.none ? nil : chunk << Slab.slotBits | UInt32(place)
        }
    }

    private static func sizeClass(_ count: Int) -> Int {
        if count <= fineClasses * step { return max(0, (count + step - 1) / step - 1) }
        var index = fineClasses
        while sizes[index] < count { index += 1 }
        return index
    }

    private func allocateAlone(_ count: Int) -> UInt32 {
        let size = (count + Slab.step - 1) / Slab.step * Slab.step
        return newChunk(slotSize: size, bytes: size, sizeClass: -1) << Slab.slotBits
    }

    private func addChunk(_ sizeClass: Int) {
        let size = Slab.sizes[sizeClass]
        let name = newChunk(slotSize: size, bytes: Slab.chunkBytes, sizeClass: sizeClass)
        classes[sizeClass].slots += Slab.chunkBytes / size
        link(name)
    }

    private func newChunk(slotSize: Int, bytes count: Int, sizeClass: Int) -> UInt32 {
        let chunk = Chunk(
            base: .allocate(byteCount: count, alignment: 16), slotSize: slotSize, sizeClass: sizeClass,
            used: 0, touched: 0, free: Slab.none, previous: Slab.none, next: Slab.none)
        bytes += count
        if let name = spareChunkNames.popLast() {
            chunks[Int(name)] = chunk
            return name
        }
        precondition(chunks.count < 1 << (32 - Slab.slotBits), "more chunks than can be named")
        chunks.append(chunk)
        return UInt32(chunks.count - 1)
    }

    private func release(_ name: UInt32) {
        let chunk = chunks[Int(name)]
        chunk.base.deallocate()
        bytes -= chunk.sizeClass < 0 ? chunk.slotSize : Slab.chunkBytes
        if chunk.sizeClass >= 0 { classes[chunk.sizeClass].slots -= Slab.chunkBytes / chunk.slotSize }
        chunks[Int(name)].slotSize = 0
        spareChunkNames.append(name)
    }

    private func link(_ name: UInt32) {
        let chunk = chunks.pointer(Int(name))
        let head = classes[chunk.pointee.sizeClass].open
        chunk.pointee.previous = Slab.none
        chunk.pointee.next = head
        if head != Slab.none { chunks[Int(head)].previous = name }
        classes[chunk.pointee.sizeClass].open = name
    }

    private func unlink(_ name: UInt32) {
        let chunk = chunks.pointer(Int(name))
        let (previous, next) = (chunk.pointee.previous, chunk.pointee.next)
        if previous != Slab.none { chunks[Int(previous)].next = next }
        if next != Slab.none { chunks[Int(next)].previous = previous }
        if classes[chunk.pointee.sizeClass].open == name { classes[chunk.pointee.sizeClass].open = next }
        chunk.pointee.previous = Slab.none
        chunk.pointee.next = Slab.none
    }
}

/// A row of plain values in blocks that never move and never are copied when it grows.
final class GrowingMemory<Value: BitwiseCopyable> {
    private static var blockBits: Int { 10 }
    private var blocks: UnsafeMutablePointer<UnsafeMutablePointer<Value>>
    private var blockCapacity = 64
    private var blockCount = 0
    private(set) var count = 0

    init() { blocks = .allocate(capacity: blockCapacity) }

    deinit {
        for index in 0..<blockCount { blocks[index].deallocate() }
        blocks.deallocate()
    }

    /// Bytes taken from the system.
    var bytes: Int {
        (blockCount << GrowingMemory.blockBits) * MemoryLayout<Value>.stride + blockCapacity * 8
    }

    @inline(__always)
    func pointer(_ index: Int) -> UnsafeMutablePointer<Value> {
        blocks[index >> GrowingMemory.blockBits] + (index & (1 << GrowingMemory.blockBits - 1))
    }

    @inline(__always)
    subscript(index: Int) -> Value {
        get { pointer(index).pointee }
        set { pointer(index).pointee = newValue }
        _modify { yield &pointer(index).pointee }
    }

    func append(_ value: Value) {
        if count == blockCount << GrowingMemory.blockBits {
            if blockCount == blockCapacity { growTable() }
            blocks[blockCount] = .allocate(capacity: 1 << GrowingMemory.blockBits)
            blockCount += 1
        }
        pointer(count).initialize(to: value)
        count += 1
    }

    private func growTable() {
        let larger = UnsafeMutablePointer<UnsafeMutablePointer<Value>>.allocate(capacity: 2 * blockCapacity)
        larger.initialize(from: blocks, count: blockCount)
        blocks.deallocate()
        blocks = larger
        blockCapacity *= 2
    }
}
