import Consensus
import Primitives

/// Who waits for what: operators for the leader's answer, seats for a release.
struct PendingRequests: Hashable, Sendable {
    enum Asker: Hashable, Sendable {
        case terminal(UInt64)
        case peer(MemberID, UInt64)
    }
    struct Pending: Hashable, Sendable {
        var asker: Asker
        var since: Instant
        var epoch: Epoch?
        /// Our number for a request carried to the leader, and who that was.
        var forwardedAs: UInt64?
        var forwardedTo: MemberID?
        /// It only wants to look: what this node sees itself is better than no answer.
        var isLook = false
        /// What will be said when it is agreed.
        var lines: [String] = []
    }

    private var waiting: [Pending] = []
    private var nextNumber: UInt64 = 1
    /// What former holders said; the newest last.
    private(set) var releases: [ReleaseNotice] = []
    private var told: [ReleaseNotice] = []

    var isFull: Bool { waiting.count >= ClusterLimits.pendingRequests }

    mutating func forward(_ asker: Asker, to leader: MemberID, isLook: Bool, at now: Instant) -> UInt64 {
        let number = nextNumber
        nextNumber += 1
        waiting.append(
            Pending(asker: asker, since: now, forwardedAs: number, forwardedTo: leader, isLook: isLook))
        return number
    }

    /// Those whose leader leads no more: its answer may never come.
    mutating func stranded(under leader: MemberID?) -> [Pending] {
        take { $0.forwardedTo != nil && $0.forwardedTo != leader }
    }

    mutating func forwarded(_ number: UInt64) -> Pending? {
        guard let at = waiting.firstIndex(where: { $0.forwardedAs == number }) else { return nil }
        return waiting.remove(at: at)
    }

    mutating func await(_ epoch: Epoch, for asker: Asker, lines: [String], at now: Instant) {
        waiting.append(Pending(asker: asker, since: now, epoch: epoch, lines: lines))
    }

    mutating func outdated(before instant: Instant) -> [Pending] { take { $0.since < instant } }

    /// Those that only want to look and have waited since before then.
    mutating func unanswered(before instant: Instant) -> [Pending] {
        take { $0.isLook && $0.since < instant }
    }

    mutating func applied(_ epoch: Epoch) -> [Pending] { take { $0.epoch == epoch } }

    mutating func truncated(from index: Index) -> [Pending] {
        take { $0.epoch.map { $0.index >= index } ?? false }
    }

    /// Everything that waited for our own leadership.
    mutating func abandoned() -> [Pending] { take { $0.epoch != nil } }

    private mutating func take(_ matches: (Pending) -> Bool) -> [Pending] {
        let found = waiting.filter(matches)
        waiting.removeAll(where: matches)
        return found
    }

    mutating func noteRelease(_ notice: ReleaseNotice) {
        guard !releases.contains(notice) else { return }
        if releases.count >= ClusterLimits.addresses { releases.removeFirst() }
        releases.append(notice)
    }

    func hasToldRelease(_ notice: ReleaseNotice) -> Bool { told.contains(notice) }

    mutating func toldRelease(_ notice: ReleaseNotice) {
        guard !told.contains(notice) else { return }
        if told.count >= ClusterLimits.addresses { told.removeFirst() }
        told.append(notice)
    }
}
