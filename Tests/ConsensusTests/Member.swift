import Consensus
import Primitives

/// Everything committed, in short: two members with equal tallies applied the same commands in the same order.
struct Tally: Hashable, Sendable {
    var index: Index = 0
    var digest: UInt64 = 0

    mutating func apply(_ entry: Entry<String>) {
        index = entry.index
        guard case .command(let command) = entry.payload else { return }
        for byte in command.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
}

typealias Machine = Raft<String, Tally>
typealias Letter = Message<String, Tally>

/// What survives a crash; does exactly what `StoreRequest` says.
struct Disk: Hashable {
    private(set) var hardState = HardState(term: 0, vote: nil)
    private(set) var snapshot: Snapshot<Tally>?
    private(set) var entries: [Entry<String>] = []

    init() {}

    init(founding membership: Membership) {
        let restored = Machine.Restored.founding(membership, state: Tally(index: 1))
        hardState = restored.hardState
        snapshot = restored.snapshot
    }

    var restored: Machine.Restored {
        Machine.Restored(hardState: hardState, snapshot: snapshot, entries: entries)
    }

    mutating func apply(_ request: StoreRequest<String, Tally>) {
        if let snapshot = request.snapshot { self.snapshot = snapshot }
        if let index = request.truncateFrom { entries.removeAll { $0.index >= index } }
        if let index = request.firstIndexKept { entries.removeAll { $0.index < index } }
        entries += request.entries
        if let hardState = request.hardState { self.hardState = hardState }
    }

    /// Whether the entry at `epoch`, or a snapshot that includes it, is on the disk.
    func holds(_ epoch: Epoch) -> Bool {
        epoch.index <= snapshot?.epoch.index ?? 0 || entries.contains { $0.epoch == epoch }
    }
}

/// One pretend machine: a Raft value, a disk that writes when told, and a state machine.
struct Member {
    let id: MemberID
    private(set) var disk: Disk
    /// Nil while crashed.
    private(set) var raft: Machine?
    private(set) var writes: [StoreRequest<String, Tally>] = []
    private(set) var applied = Tally()

    init(id: MemberID, disk: Disk) {
        self.id = id
        self.disk = disk
    }

    mutating func start(settings: Machine.Settings, seed: UInt64, at now: Instant) {
        raft = Machine(me: id, settings: settings, restored: disk.restored, seed: seed, at: now)
        applied = disk.snapshot?.state ?? Tally()
    }

    /// Hears of another member by other means than messages.
    mutating func hears(_ other: MemberID, at now: Instant) { raft?.noteAlive(other, at: now) }

    /// Writes under way reach the disk or not, the oldest first.
    mutating func crash(writesSurviving: Int = 0) {
        for request in writes.prefix(writesSurviving) { disk.apply(request) }
        writes = []
        raft = nil
    }

    mutating func handle(_ input: Machine.Input, at now: Instant) -> [Machine.Output] {
        guard let outputs = raft?.handle(input, at: now) else { return [] }
        for output in outputs {
            switch output {
            case .store(let request):
                writes.append(request)
            case .committed(let entries):
                for entry in entries {
                    precondition(entry.index == applied.index + 1, "committed out of order")
                    applied.apply(entry)
                }
            case .restored(let snapshot):
                applied = snapshot.state
            case .send, .appended, .truncated, .proposed, .refused, .leaderChanged, .transferFailed,
                .recovered, .recoveryFailed:
                break
            }
        }
        return outputs
    }

    /// The oldest write under way becomes durable; returns its sequence.
    mutating func finishWrite() -> UInt64? {
        guard !writes.isEmpty else { return nil }
        let request = writes.removeFirst()
        disk.apply(request)
        return request.sequence
    }

    /// No write under way reaches the disk; returns the sequence of the oldest.
    mutating func loseWrites() -> UInt64? {
        defer { writes = [] }
        return writes.first?.sequence
    }

    mutating func compact(at now: Instant) -> [Machine.Output] {
        handle(.compact(through: applied.index, state: applied), at: now)
    }
}
