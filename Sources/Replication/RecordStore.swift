import Primitives

/// What is known of a record beside its bytes: one cache line.
struct Entry: BitwiseCopyable {
    /// The sequence it was last put at.
    var version: UInt64
    /// Boot-time nanoseconds; `.max` for none.
    var expires: Int64
    /// Its part in the digest.
    var digest: UInt64
    /// Where its bytes are in the slab.
    var slot: UInt32
    var hash: UInt32
    /// Neighbours in the order of versions.
    var previous: UInt32
    var next: UInt32
    var timerPrevious: UInt32
    var timerNext: UInt32
    var payloadCount: UInt32
    var keyCount: UInt16
    var generation: UInt16
    var timerSlot: UInt16
    var kind: UInt8
    /// Its end has come here, and its writer has not removed it yet.
    var isExpired: Bool
    /// A subscription goes on here.
    var isCursor: Bool
}

/// A record's parts, borrowed from a message or from a write for the length of one call.
struct RecordView {
    var kind: UInt8
    /// Key and payload, one after the other.
    var bytes: UnsafeRawPointer
    var keyCount: Int
    var payloadCount: Int
    /// Boot-time nanoseconds of this machine; `.max` for none.
    var expires: Int64
    /// Of kind and key, from `RecordStore.hash`.
    var hash: UInt32
}

/// The records of one stream in memory, in the order of their versions, found by key, with their ends and a digest.
///
/// Costs about 100 bytes a record beside key and payload.
final class RecordStore {
    enum Outcome { case inserted, replaced, unchanged }

    static let none = Slab.none

    let entries = GrowingMemory<Entry>()
    private let slab = Slab()
    private let index = RecordIndex()
    private var freeEntries = Slab.none
    private let seed: UInt64
    /// Keeps what `prepare` reads from being optimised away.
    private(set) var looked: UInt64 = 0
    /// Told before a record that a subscription would go on at leaves its place in the order.
    var cursorLeaves: ((UInt32) -> Void)?
    var wheel: TimerWheel
    private(set) var first = Slab.none
    private(set) var last = Slab.none
    /// The sum of every record's hash over kind, key, payload and version: equal when two copies are.
    private(set) var digest: UInt64 = 0
    private(set) var held = 0

    init(seed: UInt64, at now: Instant) {
        self.seed = seed
        wheel = TimerWheel(entries: entries, at: now)
    }

    /// All records, those that have ended but are not removed yet among them.
    var count: Int { index.count }

    /// Bytes taken from the system.
    var bytes: Int { slab.bytes + entries.bytes + index.bytes }

    @inline(__always)
    func entry(_ id: UInt32) -> UnsafeMutablePointer<Entry> { entries.pointer(Int(id)) }

    /// The record's key, followed by its payload.
    @inline(__always)
    func content(_ id: UInt32) -> UnsafeRawPointer {
        UnsafeRawPointer(slab.pointer(entry(id).pointee.slot)) + 4
    }

    func find(_ kind: UInt8, key: UnsafeRawBufferPointer) -> UInt32? {
        guard let base = key.baseAddress else { return nil }
        return find(kind, base, key.count, hash: hash(kind, base, key.count))
    }

    /// Makes room for so many records at once.
    func reserve(_ count: Int) { index.reserve(count) }

    /// Looks at the memory that puts of these hashes will need, for all of them before any of them is put: so
    /// the waits for memory overlap. Worth it for more than a few.
    func prepare(_ hashes: UnsafeMutableBufferPointer<UInt32>) {
        var seen: UInt64 = 0
        for at in hashes.indices { hashes[at] = index.guess(hashes[at]) }
        for id in hashes where id < UInt32(entries.count) { seen &+= UInt64(entry(id).pointee.slot) }
        for id in hashes where id < UInt32(entries.count) {
            let it = entry(id)
            if it.pointee.previous != Slab.none { seen &+= entry(it.pointee.previous).pointee.version }
            if it.pointee.next != Slab.none { seen &+= entry(it.pointee.next).pointee.version }
            let content = content(id)
            let count = Int(it.pointee.keyCount) + Int(it.pointee.payloadCount)
            var offset = 0
            while offset < min(count, 512) {
                seen &+= UInt64(content.load(fromByteOffset: offset, as: UInt8.self))
                offset += 64
            }
        }
        looked &+= seen
    }

    @inline(__always)
    func hash(_ kind: UInt8, _ key: UnsafeRawPointer, _ count: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: RecordHash.hash(key, count: count, seed: seed &+ UInt64(kind)))
    }

    @inline(__always)
    private func find(_ kind: UInt8, _ key: UnsafeRawPointer, _ count: Int, hash: UInt32) -> UInt32? {
        index.find(hash) { id in
            let entry = entry(id)
            return entry.pointee.kind == kind && Int(entry.pointee.keyCount) == count
                && sameBytes(content(id), key, count: count)
        }
    }

    /// Puts a record at the end of the order. One that is there already in the same version is the same record:
    /// of two ends, both known to be not too late, the later one is kept.
    func put(_ record: RecordView, version: UInt64, generation: UInt16) -> (id: UInt32, outcome: Outcome) {
        let hash = record.hash
        let digest = RecordHash.digest(
            record.bytes, keyCount: record.keyCount, payloadCount: record.payloadCount, kind: record.kind,
            version: version)
        guard let id = find(record.kind, record.bytes, record.keyCount, hash: hash) else {
            return (insert(record, hash: hash, digest: digest, version: version, generation), .inserted)
        }
        let entry = entry(id)
        entry.pointee.generation = generation
        moveToEnd(id)
        if entry.pointee.version == version, entry.pointee.digest == digest {
            if record.expires > entry.pointee.expires, !entry.pointee.isExpired {
                setExpiry(id, record.expires)
            }
            return (id, .unchanged)
        }
        self.digest &+= digest &- entry.pointee.digest
        entry.pointee.digest = digest
        entry.pointee.version = version
        entry.pointee.payloadCount = UInt32(record.payloadCount)
        write(record, to: id)
        setExpiry(id, record.expires)
        return (id, .replaced)
    }

    func remove(_ id: UInt32) {
        let entry = entry(id)
        index.remove(entry.pointee.hash, id)
        digest &-= entry.pointee.digest
        if entry.pointee.isCursor { cursorLeaves?(id) }
        unlink(id)
        wheel.remove(id)
        if entry.pointee.isExpired { held -= 1 }
        let slot = entry.pointee.slot
        entry.pointee.next = freeEntries
        entry.pointee.version = 0
        freeEntries = id
        free(slot)
    }

    /// Ends a record here without removing it: the digest still counts it, as the writer's does.
    func hold(_ id: UInt32) {
        entry(id).pointee.isExpired = true
        held += 1
        wheel.hold(id)
    }

    /// Gives a record a new version, at the end of the order.
    func restamp(_ id: UInt32, version: UInt64, generation: UInt16) {
        let entry = entry(id)
        let new = RecordHash.digest(
            content(id), keyCount: Int(entry.pointee.keyCount), payloadCount: Int(entry.pointee.payloadCount),
            kind: entry.pointee.kind, version: version)
        digest &+= new &- entry.pointee.digest
        entry.pointee.digest = new
        entry.pointee.version = version
        entry.pointee.generation = generation
        moveToEnd(id)
    }

    func record(_ id: UInt32) -> Record {
        let entry = entry(id).pointee
        let (keyCount, payloadCount) = (Int(entry.keyCount), Int(entry.payloadCount))
        let content = content(id)
        return Record(
            kind: RecordKind(rawValue: entry.kind),
            key: Array(UnsafeRawBufferPointer(start: content, count: keyCount)),
            expires: entry.expires == .max ? nil : Instant(nanoseconds: entry.expires),
            payload: Array(UnsafeRawBufferPointer(start: content + keyCount, count: payloadCount)))
    }

    /// The first record after `version` in the order of versions; looked for from the end, where it mostly is.
    func firstAfter(_ version: UInt64) -> UInt32 {
        var found = RecordStore.none
        var id = last
        while id != RecordStore.none, entry(id).pointee.version > version {
            found = id
            id = entry(id).pointee.previous
        }
        return found
    }

    private func insert(
        _ record: RecordView, hash: UInt32, digest: UInt64, version: UInt64, _ generation: UInt16
    ) -> UInt32 {
        let new = Entry(
            version: version, expires: record.expires, digest: digest, slot: Slab.none, hash: hash,
            previous: Slab.none, next: Slab.none, timerPrevious: Slab.none, timerNext: Slab.none,
            payloadCount: UInt32(record.payloadCount), keyCount: UInt16(record.keyCount),
            generation: generation, timerSlot: TimerWheel.unlinked, kind: record.kind, isExpired: false,
            isCursor: false)
        let id: UInt32
        if freeEntries != Slab.none {
            id = freeEntries
            freeEntries = entry(id).pointee.next
            entry(id).pointee = new
        } else {
            id = UInt32(entries.count)
            entries.append(new)
        }
        index.insert(hash, id)
        self.digest &+= digest
        write(record, to: id)
        link(id)
        if record.expires != .max { wheel.insert(id) }
        return id
    }

    private func write(_ record: RecordView, to id: UInt32) {
        let count = 4 + record.keyCount + record.payloadCount
        let old = entry(id).pointee.slot
        if old == Slab.none || !slab.fits(count, in: old) {
            let new = slab.allocate(count)
            slab.pointer(new).storeBytes(of: id, as: UInt32.self)
            entry(id).pointee.slot = new
            (slab.pointer(new) + 4).copyMemory(from: record.bytes, byteCount: count - 4)
            if old != Slab.none { free(old) }
        } else {
            (slab.pointer(old) + 4).copyMemory(from: record.bytes, byteCount: count - 4)
        }
    }

    /// Frees a slot; when that leaves too much unused, moves what is in one chunk together with others.
    private func free(_ slot: UInt32) {
        slab.free(slot)
        guard let chunk = slab.chunkToEmpty(like: slot) else { return }
        for slot in slab.usedSlots(of: chunk) {
            let from = slab.pointer(slot)
            let id = from.load(as: UInt32.self)
            let entry = entry(id)
            let count = 4 + Int(entry.pointee.keyCount) + Int(entry.pointee.payloadCount)
            let new = slab.allocate(count)
            slab.pointer(new).copyMemory(from: from, byteCount: count)
            entry.pointee.slot = new
            slab.free(slot)
        }
    }

    private func setExpiry(_ id: UInt32, _ expires: Int64) {
        let entry = entry(id)
        let old = entry.pointee.expires
        entry.pointee.expires = expires
        if entry.pointee.isExpired {
            entry.pointee.isExpired = false
            held -= 1
            wheel.remove(id)
        } else if expires == .max || expires < old {
            wheel.remove(id)
        }
        if expires != .max, entry.pointee.timerSlot == TimerWheel.unlinked { wheel.insert(id) }
    }

    private func link(_ id: UInt32) {
        entry(id).pointee.previous = last
        entry(id).pointee.next = Slab.none
        if last == Slab.none { first = id } else { entry(last).pointee.next = id }
        last = id
    }

    private func unlink(_ id: UInt32) {
        let (previous, next) = (entry(id).pointee.previous, entry(id).pointee.next)
        if previous == Slab.none { first = next } else { entry(previous).pointee.next = next }
        if next == Slab.none { last = previous } else { entry(next).pointee.previous = previous }
    }

    private func moveToEnd(_ id: UInt32) {
        guard id != last else { return }
        if entry(id).pointee.isCursor { cursorLeaves?(id) }
        unlink(id)
        link(id)
    }
}
