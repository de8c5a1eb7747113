import Primitives

/// One stream on one node: the records, where they come from, and who is served from them.
final class StreamCopy {
    /// Where a copy gets what it lacks.
    struct Feed {
        var source: String
        var session: UInt32
        var heardAt: Instant
        var isStarted = false
        /// Bytes of bodies applied since the start.
        var bytes: UInt64 = 0
        /// The digest at the position, when the source had nothing more.
        var digest: UInt64?
        var isSynced = false
    }

    let id: StreamID
    let store: RecordStore
    var removals: RemovalLog

    /// The control state, or the node itself, has told of this stream.
    var isTold = false
    var writer: String?
    /// Of the writer, as the control state tells it; what comes from an older one is refused.
    var epoch = Epoch.zero
    /// This node writes, at the epoch of `position`.
    var isOwned = false
    var isReleased = false
    /// What was written from here on began with a whole copy of what somebody wrote.
    var isInherited = false

    /// What the copy has, perhaps of a transfer under way.
    var position = Position.zero
    /// Nothing of the source's was missing at the position.
    var isComplete = true
    /// When that was compared with the source last.
    var confirmedAt: Instant?
    /// Where it was complete last; nil when records of different origins are mixed.
    var base: Position? = .zero
    /// The copy is being compared as a whole: records of an older generation are to go at the end.
    var isReplacing = false
    var isSweeping = false
    var generation: UInt16 = 0
    /// Where earlier writers' parts end, oldest first.
    var lineage: [Position] = []
    var needsWhole = false

    var feed: Feed? {
        didSet { if feed == nil { isSweeping = false } }
    }
    var retryAt: Instant?
    private(set) var session: UInt32 = 0
    var subscriptions: [Subscription] = []
    private var reported: [String] = []

    init(id: StreamID, settings: Replica.Settings, seed: UInt64, at now: Instant) {
        self.id = id
        store = RecordStore(seed: seed, at: now)
        removals = RemovalLog(limit: settings.removalBytes)
        store.cursorLeaves = { [unowned self] id in moveCursors(from: id) }
    }

    /// Whether anyone may be served from this copy without being its writer.
    var isWriterless: Bool {
        if case .node = id { return false }
        return isTold && !isOwned && writer == nil
    }

    var have: ReplicaMessage.Have {
        ReplicaMessage.Have(
            stream: id, position: position, isComplete: isComplete && !isReplacing, isWriter: isOwned)
    }

    func nextSession() -> UInt32 {
        session &+= 1
        return session
    }

    /// Whether this is said for the first time since the writer changed.
    func isNews(_ refusal: String) -> Bool {
        if reported.contains(refusal) || reported.count >= 32 { return false }
        reported.append(refusal)
        return true
    }

    func forgetReported() { reported = [] }

    /// Makes a copy whose transfer was cut one that can be written and served: what was there before the transfer
    /// stays, and the versions rise along the order again.
    func settle() {
        var id = store.first
        while id != RecordStore.none {
            position.sequence = max(position.sequence, store.entry(id).pointee.version)
            id = store.entry(id).pointee.next
        }
        while isReplacing, store.first != RecordStore.none,
            store.entry(store.first).pointee.generation != generation
        {
            store.restamp(store.first, version: nextSequence(), generation: generation)
        }
        var version: UInt64 = 0
        id = store.first
        while id != RecordStore.none, store.entry(id).pointee.version > version {
            version = store.entry(id).pointee.version
            id = store.entry(id).pointee.next
        }
        let end = position.sequence
        while id != RecordStore.none, store.entry(id).pointee.version <= end {
            let next = store.entry(id).pointee.next
            store.restamp(id, version: nextSequence(), generation: generation)
            id = next
        }
        isReplacing = false
        lineage = []
        removals.clear(floor: position.sequence)
    }

    /// From which sequence on a copy with this pull needs records; nil when it must be compared as a whole.
    func resumption(of pull: ReplicaMessage.Pull) -> UInt64? {
        if pull.whole || pull.position.sequence == 0 { return nil }
        if pull.position.epoch == position.epoch {
            let sequence = pull.position.sequence
            return sequence <= position.sequence && sequence >= removals.floor ? sequence : nil
        }
        guard let end = lineage.first(where: { $0.epoch == pull.position.epoch }),
            pull.position.sequence <= end.sequence, let base = pull.base, base.sequence > 0,
            base.sequence >= removals.floor
        else { return nil }
        return base.sequence
    }

    /// Takes the next number of this writer.
    func nextSequence() -> UInt64 {
        position.sequence += 1
        return position.sequence
    }

    private func moveCursors(from id: UInt32) {
        let next = store.entry(id).pointee.next
        store.entry(id).pointee.isCursor = false
        for subscription in subscriptions where subscription.cursor == id { subscription.cursor = next }
        if next != RecordStore.none { store.entry(next).pointee.isCursor = true }
    }
}

/// A body that was just built, and where the next one begins.
struct BuiltBatch {
    var copy: StreamCopy
    var after: UInt64
    var from: RemovalLog.Cursor
    var sequence: UInt64
    var body: [UInt8]
    var through: UInt64
    var isEnd: Bool
    var cursor: UInt32
    var removal: RemovalLog.Cursor
}

/// One peer that gets one stream from this node.
final class Subscription {
    unowned let stream: StreamCopy
    let peer: String
    let pull: ReplicaMessage.Pull
    /// It waits until this node may serve it.
    var isServing = false
    /// Everything up to this version was sent.
    var last: UInt64 = 0
    /// The next record to send; `none` when it has to be looked for from the end.
    var cursor = RecordStore.none
    var removal = RemovalLog.Cursor(segment: 0, offset: 0)
    /// It was told that there is no more.
    var toldEnd = false
    /// Bytes of bodies sent and applied since the start.
    var sent: UInt64 = 0
    var applied: UInt64 = 0
    var appliedSequence: UInt64 = 0
    var markDue: Instant

    init(_ pull: ReplicaMessage.Pull, of stream: StreamCopy, for peer: String, at now: Instant) {
        self.pull = pull
        self.stream = stream
        self.peer = peer
        markDue = now
    }

    var underWay: Int { Int(sent - applied) }

    var hasMore: Bool { isServing && (!toldEnd || last < stream.position.sequence) }
}

/// A connected node.
final class ReplicaPeer {
    let name: String
    var haves: [StreamID: ReplicaMessage.Have] = [:]
    var clock: PeerClock?
    /// This node's clock in the question that is not answered yet.
    var asked: Instant
    var askDue: Instant
    var subscriptions: [Subscription] = []
    /// Where the next round over the subscriptions begins.
    var turn = 0
    var underWay = 0

    init(name: String, asked: Instant, askDue: Instant) {
        self.name = name
        self.asked = asked
        self.askDue = askDue
    }
}

/// A lower bound of what this node's clock is ahead of a peer's: asked before the peer looked at its own.
///
/// With the bound, an end by the peer's clock is never mapped to a later one, and at most a round trip too early.
struct PeerClock: Hashable {
    private var ahead: Int64
    private var at: Instant

    /// Two clocks that each are wrong by at most 1 ‰ part by at most a 500th of the time that passes.
    private static let drift: Int64 = 500

    init(asked: Instant, clock: Instant, at now: Instant) {
        ahead = asked.nanoseconds - clock.nanoseconds
        at = now
    }

    /// What to add to an instant of the peer's clock.
    func shift(at now: Instant) -> Int64 {
        ahead - max(0, now.nanoseconds - at.nanoseconds) / PeerClock.drift
    }

    mutating func improve(with other: PeerClock, at now: Instant) {
        if other.shift(at: now) >= shift(at: now) { self = other }
    }
}
