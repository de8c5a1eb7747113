import Primitives

/// What a leader knows of another member's log, and how it feeds it.
struct Peer: Hashable, Sendable {
    enum Mode: Hashable, Sendable {
        /// Not known where the logs agree: at most one append is under way, the rest waits for its reply.
        case probing(sent: Bool)
        /// Appends are sent one after the other without waiting for replies.
        case replicating
        /// The member needs entries that are no longer kept; a snapshot is under way.
        case snapshotting(sentAt: Instant)
    }

    let id: MemberID
    var mode = Mode.probing(sent: false)
    /// Durable there; it never falls.
    var matched: Index = 0
    /// The first entry not sent yet (replicating) or to be tried next (probing).
    var next: Index
    /// The newest commit index sent.
    var commitSent: Index = 0
    /// The last index of each append under way.
    var inflight: [Index] = []
    /// When it last replied to an append or snapshot; at first, when feeding it began.
    var heardAt: Instant
    /// When it was last known to follow by other means.
    var aliveAt: Instant?
    /// When it was last sent an append.
    var toldAt: Instant?

    /// The newest sign of life.
    var seenAt: Instant { max(heardAt, aliveAt ?? heardAt) }

    init(id: MemberID, next: Index, at now: Instant) {
        self.id = id
        self.next = next
        heardAt = now
    }

    mutating func probe(from next: Index, sent: Bool) {
        self.next = max(next, matched + 1)
        mode = .probing(sent: sent)
        inflight.removeAll(keepingCapacity: true)
        commitSent = 0
    }

    mutating func replicate(from next: Index) {
        self.next = max(next, matched + 1)
        mode = .replicating
        inflight.removeAll(keepingCapacity: true)
    }

    mutating func accepted(agreed: Index, durable: Index) {
        matched = max(matched, durable)
        let arrived = inflight.prefix { $0 <= agreed }.count
        if arrived > 0 { inflight.removeFirst(arrived) }
    }
}
