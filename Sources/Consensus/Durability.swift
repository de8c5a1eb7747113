import Primitives

/// One write, to be made durable as a whole; writes are made in the order of their sequences.
///
/// In this order: replace the snapshot; delete entries from `truncateFrom` on and before `firstIndexKept`;
/// add `entries`; replace the hard state.
package struct StoreRequest<Command: Hashable & Sendable, State: Hashable & Sendable>: Hashable, Sendable {
    package var sequence: UInt64
    package var hardState: HardState?
    package var truncateFrom: Index?
    package var entries: [Entry<Command>] = []
    package var snapshot: Snapshot<State>?
    package var firstIndexKept: Index?

    package init(
        sequence: UInt64, hardState: HardState? = nil, truncateFrom: Index? = nil,
        entries: [Entry<Command>] = [], snapshot: Snapshot<State>? = nil, firstIndexKept: Index? = nil
    ) {
        self.sequence = sequence
        self.hardState = hardState
        self.truncateFrom = truncateFrom
        self.entries = entries
        self.snapshot = snapshot
        self.firstIndexKept = firstIndexKept
    }

    var isEmpty: Bool {
        hardState == nil && truncateFrom == nil && entries.isEmpty && snapshot == nil && firstIndexKept == nil
    }
}

/// Which writes are under way, and through which index the log is durable.
struct Durability: Hashable, Sendable {
    private struct Write: Hashable, Sendable {
        var sequence: UInt64
        /// The log is durable through here once the write is; less when truncated meanwhile.
        var through: Index
    }

    private(set) var durableIndex: Index
    private(set) var lastSequence: UInt64 = 0
    private var underWay: [Write] = []

    init(durableIndex: Index) { self.durableIndex = durableIndex }

    var isSettled: Bool { underWay.isEmpty }

    /// Whether the write of this sequence is durable; so is every write when there is none under way.
    func isDone(_ sequence: UInt64) -> Bool { underWay.first.map { $0.sequence > sequence } ?? true }

    /// A write that makes the log durable through `lastIndex` begins; returns its sequence.
    mutating func begin(through lastIndex: Index) -> UInt64 {
        lastSequence += 1
        underWay.append(Write(sequence: lastSequence, through: lastIndex))
        return lastSequence
    }

    /// Entries after `index` are gone or replaced: no write begun before makes anything there durable.
    mutating func forget(after index: Index) {
        durableIndex = min(durableIndex, index)
        for i in underWay.indices { underWay[i].through = min(underWay[i].through, index) }
    }

    mutating func finish(_ sequence: UInt64) {
        precondition(sequence <= lastSequence, "write \(sequence) was never begun")
        let done = underWay.prefix { $0.sequence <= sequence }
        for write in done { durableIndex = max(durableIndex, write.through) }
        underWay.removeFirst(done.count)
    }
}
