import Consensus
import Primitives

/// The fences and membership changes in the log, and which of them have been waited for.
///
/// The log decides what acknowledgements are worth from the moment an entry is appended, long before it is
/// committed; what is truncated again is forgotten again.
struct FenceLog: Hashable, Sendable {
    struct Pending: Hashable, Sendable {
        var epoch: Epoch
        /// Nil for a membership or configuration change: it moves the epoch and needs no waiting.
        var fence: Fence?
        /// Voters before the command.
        var voters: [MemberID]
        /// When this node last received a heartbeat of the fenced holder before it knew of the fence.
        var lastReceived: Instant
        /// What repliers said, sorted by member (leader only).
        var ages: [Reply] = []
    }
    struct Reply: Hashable, Sendable {
        var member: MemberID
        /// The instant on our clock from which the replier's silence counts, no earlier than it truly does.
        var silentSince: Instant
    }

    private(set) var entries: [Pending] = []

    var newestEpoch: Epoch? { entries.last?.epoch }

    mutating func append(_ pending: Pending) { entries.append(pending) }

    mutating func truncate(from index: Index) { entries.removeAll { $0.epoch.index >= index } }

    /// Forgets what is both in effect and part of the applied state.
    mutating func forget(through index: Index) { entries.removeAll { $0.epoch.index <= index } }

    func fences(_ holder: Holder) -> Bool { entries.contains { $0.fence?.holder == holder } }

    /// A member tells its silence. The caller makes sure that the fence was on the member's disk when it said so: then
    /// every later life of the member knows the fence too, and the silence goes on whatever becomes of it.
    mutating func replied(_ age: SilenceAge, by member: MemberID, at now: Instant) {
        guard let at = entries.firstIndex(where: { $0.epoch == age.fence && $0.fence?.holder == age.holder }),
            age.age >= .zero
        else { return }
        let silentSince = now - age.age
        if let known = entries[at].ages.firstIndex(where: { $0.member == member }) {
            entries[at].ages[known].silentSince = min(entries[at].ages[known].silentSince, silentSince)
        } else {
            entries[at].ages.append(Reply(member: member, silentSince: silentSince))
            entries[at].ages.sort { $0.member < $1.member }
        }
    }

    /// When the wait for this fence is over on this leader's evidence; nil while too few have answered.
    ///
    /// - Parameters:
    ///   - isOnDisk: whether the fence is on this leader's own disk. Until then a crash could make it forget the fence and
    ///     acknowledge the holder again, so its own silence proves nothing.
    ///   - wait: after how much silence a lease is over.
    func waitedUntil(_ pending: Pending, me: MemberID, isOnDisk: Bool, wait: Duration) -> Instant? {
        guard let fence = pending.fence, fence.basis == .silence || fence.basis == .lapse else {
            return pending.lastReceived
        }
        var instants = pending.ages.filter { reply in
            pending.voters.contains(reply.member) && reply.member != fence.holder.member && reply.member != me
        }.map(\.silentSince)
        if isOnDisk, pending.voters.contains(me), me != fence.holder.member {
            instants.append(pending.lastReceived)
        }
        instants.sort()
        let majority = pending.voters.count / 2 + 1
        return instants.count >= majority ? instants[majority - 1] + wait : nil
    }

    /// What this node tells the leader of every fence that it holds and does not know to be in effect. Only of those on
    /// its disk: after a crash it would know nothing of the others, and feed the holder's lease again.
    func silenceAges(after effective: Index, durableThrough durable: Index, at now: Instant) -> [SilenceAge] {
        entries.compactMap { pending in
            guard let fence = pending.fence, pending.epoch.index > effective,
                pending.epoch.index <= durable
            else { return nil }
            return SilenceAge(
                fence: pending.epoch, holder: fence.holder, age: max(.zero, now - pending.lastReceived))
        }
    }
}
