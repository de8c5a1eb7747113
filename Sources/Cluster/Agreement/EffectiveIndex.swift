import Consensus
import Primitives

/// How far the log is in effect: every decision up to there was waited for, and grants given by it may be used.
///
/// A decision is in effect when it is committed and, where it fences a node, that node's lease is certainly over. Decisions
/// take effect in the order of the log. A leader finds out how far that is; everybody else learns it from the leader.
struct EffectiveIndex: Hashable, Sendable {
    private struct Leading: Hashable, Sendable {
        /// Since when a majority is known to hold this leader's own first entry.
        var committedAt: Instant?
        /// Whether it knows itself that every older fence was waited for.
        var knowsOlder: Bool
        /// The newest index that the others were told of.
        var told: Index = 0
    }

    /// Never goes back.
    private(set) var index: Index = 0
    private var leading: Leading?

    /// Whether this node leads and a majority holds its own first entry: from then on it knows all that was agreed before.
    var isLeadershipCommitted: Bool { leading?.committedAt != nil }

    /// From a leader.
    mutating func learn(_ index: Index) { self.index = max(self.index, index) }

    /// - Parameter lastFence: index of the newest fence in log or state, committed or not.
    mutating func beginLeading(lastFence: Index) { leading = Leading(knowsOlder: index >= lastFence) }

    mutating func endLeading() { leading = nil }

    /// Leader: looks how far it is now; to be done when evidence may have come, and when time has passed.
    mutating func advance(
        _ raft: Node.ControlRaft, _ fences: FenceLog, _ neighbours: Neighbours, _ state: ControlState?,
        _ timing: Timing, at now: Instant
    ) {
        guard raft.role == .leader, var leading, let ownFirst = raft.termBeginning,
            raft.commitIndex >= ownFirst
        else { return }
        // What a predecessor waited for it cannot know. After a whole lease a majority had those fences in its log for that long.
        let committedAt = leading.committedAt ?? now
        leading.committedAt = committedAt
        if now >= committedAt + timing.leaseWait { leading.knowsOlder = true }
        self.leading = leading
        guard leading.knowsOlder else { return }
        var through = raft.commitIndex
        for pending in fences.entries where pending.epoch.index > index {
            guard let fence = pending.fence, pending.epoch.index >= ownFirst else { continue }
            var durable = pending
            durable.ages.removeAll { (raft.matchIndex(of: $0.member) ?? 0) < pending.epoch.index }
            let isOnDisk = pending.epoch.index <= raft.durableIndex
            // Who comes back with empty hands may be needed for a majority: nobody else could end the wait.
            let isOver = neighbours.isReborn(
                fence.holder, agreed: state?.machine(of: fence.holder), silence: timing.deadAfter, at: now)
            let until =
                isOver
                ? now
                : fences.waitedUntil(durable, me: raft.me, isOnDisk: isOnDisk, wait: timing.leaseWait)
            guard pending.epoch.index <= raft.commitIndex, let until, until <= now else {
                through = min(through, pending.epoch.index - 1)
                break
            }
        }
        learn(through)
    }

    // MARK: - Telling the others

    /// What a message tells that goes out now.
    mutating func tell(committed: Index) -> Index {
        let told = min(index, committed)
        leading?.told = told
        return told
    }

    /// Whether the leader knows more than it told.
    func isUntold(committed: Index) -> Bool { leading.map { $0.told < min(index, committed) } ?? false }
}
