import Primitives

/// The log as one member has it: what is no longer kept ends at `base`, what is kept follows without a gap.
struct Log<Command: Hashable & Sendable>: Hashable, Sendable {
    /// The last entry not kept; `Epoch.zero` when nothing was ever dropped.
    private(set) var base: Epoch
    private var entries: [Entry<Command>] = []

    init(base: Epoch) { self.base = base }

    var firstIndex: Index { base.index + 1 }
    var lastIndex: Index { base.index + Index(entries.count) }
    var lastEpoch: Epoch { entries.last?.epoch ?? base }

    /// The epoch of the entry at `index`; nil where the log does not reach.
    func epoch(at index: Index) -> Epoch? {
        if index == base.index { return base }
        guard index > base.index, index <= lastIndex else { return nil }
        return entries[position(of: index)].epoch
    }

    func contains(_ epoch: Epoch) -> Bool { self.epoch(at: epoch.index) == epoch }

    /// The kept entries between the two indices, both included; fewer or none where the log does not reach.
    func entries(from first: Index, through last: Index) -> [Entry<Command>] {
        let first = max(first, firstIndex)
        let last = min(last, lastIndex)
        guard first <= last else { return [] }
        return Array(entries[position(of: first)...position(of: last)])
    }

    /// The last place at or before `epoch` where a log that has `epoch` may agree with this one: the terms
    /// of a log never fall, so every entry of a higher term is passed over at once. Zero when none is kept.
    func possibleAgreement(with epoch: Epoch) -> Epoch {
        var index = min(epoch.index, lastIndex)
        while let found = self.epoch(at: index) {
            if found.term <= epoch.term { return found }
            guard index > base.index else { break }
            index -= 1
        }
        return .zero
    }

    mutating func append(_ entry: Entry<Command>) {
        precondition(entry.index == lastIndex + 1, "entry \(entry.index) does not follow \(lastIndex)")
        precondition(entry.term >= lastEpoch.term, "term \(entry.term) falls below \(lastEpoch.term)")
        entries.append(entry)
    }

    /// Removes the entry at `index` and all after it.
    mutating func truncate(from index: Index) {
        precondition(index >= firstIndex, "nothing is kept at \(index) to truncate")
        guard index <= lastIndex else { return }
        entries.removeSubrange(position(of: index)...)
    }

    /// Lets go of the entries before `index`.
    mutating func drop(before index: Index) {
        guard index > firstIndex, let newBase = epoch(at: index - 1) else { return }
        entries.removeSubrange(..<(position(of: index - 1) + 1))
        base = newBase
    }

    private func position(of index: Index) -> Int { Int(index - base.index) - 1 }
}
