import Cluster
import Consensus
import Primitives

/// Pretends one machine's disk: writes become durable later and in order, and a crash loses the rest.
struct PretendDisk: Sendable {
    typealias Restored = Raft<StampedCommand, ControlState>.Restored
    typealias Request = StoreRequest<StampedCommand, ControlState>

    enum Write: Sendable {
        case store(Request)
        case incarnation(UInt64)
    }

    /// Drawn when the disk was new.
    private(set) var birth: UInt64
    private(set) var incarnation: UInt64 = 0
    private(set) var restored = Restored()
    /// Where it was used last.
    private(set) var machine = MachineID.unknown
    /// Why it was made in place of another one.
    var anew: String?
    /// Not yet durable, oldest first.
    private(set) var underWay: [Write] = []
    /// How many of them are written together now; what comes meanwhile is written together afterwards.
    private(set) var flushing = 0
    /// Flushes begun in the life of the disk.
    private(set) var flushes = 0
    /// When the flush under way ends.
    var busyUntil = Moment.zero
    /// How much longer than usual each write takes, in nanoseconds.
    var slowness: Int64 = 0
    /// How much longer the next flush takes, in nanoseconds.
    var stall: Int64 = 0
    /// Writes fail from now on, until the node service that was told has ended.
    var isFailing = false

    init(birth: UInt64) { self.birth = birth }

    mutating func begin(_ write: Write) { underWay.append(write) }

    /// Whether a flush begins with this: the disk was idle and something waits.
    mutating func beginFlush() -> Bool {
        guard flushing == 0, !underWay.isEmpty else { return false }
        flushing = underWay.count
        flushes += 1
        return true
    }

    /// What was flushed is durable, or failed and left nothing behind.
    mutating func endFlush() -> [Write] {
        let writes = Array(underWay.prefix(flushing))
        underWay.removeFirst(flushing)
        flushing = 0
        if !isFailing { for write in writes { apply(write) } }
        return writes
    }

    /// What was under way may have become durable without anyone having been told: the first `count` did.
    mutating func crash(keeping count: Int) {
        for write in underWay.prefix(count) { apply(write) }
        underWay = []
        flushing = 0
        busyUntil = .zero
    }

    /// What another machine would find that was started from a copy of it.
    var copied: PretendDisk {
        var copy = PretendDisk(birth: birth)
        copy.incarnation = incarnation
        copy.restored = restored
        copy.machine = machine
        return copy
    }

    mutating func recordNow(incarnation: UInt64, on machine: MachineID) {
        self.incarnation = incarnation
        self.machine = machine
    }

    private mutating func apply(_ write: Write) {
        switch write {
        case .incarnation(let number):
            incarnation = number
        case .store(let request):
            if let snapshot = request.snapshot { restored.snapshot = snapshot }
            if let first = request.truncateFrom { restored.entries.removeAll { $0.index >= first } }
            if let first = request.firstIndexKept { restored.entries.removeAll { $0.index < first } }
            restored.entries += request.entries
            if let hardState = request.hardState { restored.hardState = hardState }
        }
    }
}
