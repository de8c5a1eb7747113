import Primitives

/// What a replica knows of one stream.
package struct StreamStatus: Hashable, Sendable {
    package struct Follower: Hashable, Sendable {
        package var peer: String
        /// The newest sequence the peer has said it applied.
        package var sequence: UInt64
        /// The peer was sent everything there is.
        package var isCurrent: Bool
    }

    package var stream: StreamID
    package var writer: String?
    /// The writer's, as the control state tells.
    package var epoch: Epoch
    package var position: Position
    package var isOwned: Bool
    package var isComplete: Bool
    /// When the source said last that the copy has everything; nil when it never did. A source that is heard says so every
    /// `digestInterval`, whatever it has to send.
    package var confirmedAt: Instant?
    /// What this node writes began with a whole copy of what somebody wrote.
    package var isInherited: Bool
    package var digest: UInt64
    /// Records that have not ended.
    package var count: Int
    /// Memory taken for them.
    package var bytes: Int
    /// Whom this node gets the stream from; nil when from nobody.
    package var source: String?
    /// Whom this node gives it to, in the order of their names.
    package var followers: [Follower]
}

/// Where a page of records ended.
package struct PageCursor: Hashable, Sendable {
    var id: UInt32
    var version: UInt64
}

extension Replica {
    /// All streams with a copy here, in their order.
    package var streams: [StreamID] { copies.filter(\.isTold).map(\.id) }

    /// Records of a stream that have not ended.
    package func count(_ stream: StreamID) -> Int {
        guard let copy = copy(stream) else { return 0 }
        return copy.store.count - copy.store.held
    }

    /// A record that has not ended at `now`.
    package func record(_ kind: RecordKind, key: [UInt8], in stream: StreamID, at now: Instant) -> Record? {
        guard let store = copy(stream)?.store,
            let id = key.withUnsafeBytes({ store.find(kind.rawValue, key: $0) }), isLive(id, store, now)
        else { return nil }
        return store.record(id)
    }

    /// Up to `limit` records in the order they were last written in, and where to go on; nil at the end.
    /// What is written while one pages is found later in the order.
    package func page(of stream: StreamID, after cursor: PageCursor?, limit: Int, at now: Instant)
        -> (records: [Record], next: PageCursor?)
    {
        guard let store = copy(stream)?.store else { return ([], nil) }
        var id = store.first
        if let cursor { id = store.next(after: cursor) }
        var records: [Record] = []
        var last = PageCursor(id: RecordStore.none, version: 0)
        while id != RecordStore.none, records.count < limit {
            last = PageCursor(id: id, version: store.entry(id).pointee.version)
            if isLive(id, store, now) { records.append(store.record(id)) }
            id = store.entry(id).pointee.next
        }
        return (records, id == RecordStore.none ? nil : last)
    }

    package func status(of stream: StreamID) -> StreamStatus? {
        guard let copy = copy(stream) else { return nil }
        let followers = copy.subscriptions.filter(\.isServing).map {
            StreamStatus.Follower(
                peer: $0.peer, sequence: $0.appliedSequence,
                isCurrent: $0.toldEnd && $0.appliedSequence == copy.position.sequence)
        }
        return StreamStatus(
            stream: stream, writer: copy.writer, epoch: copy.epoch, position: copy.position,
            isOwned: copy.isOwned, isComplete: copy.isComplete && !copy.isReplacing,
            confirmedAt: copy.confirmedAt,
            isInherited: copy.isOwned && copy.isInherited,
            digest: copy.store.digest, count: copy.store.count - copy.store.held,
            bytes: copy.store.bytes + copy.removals.bytes, source: copy.feed?.source, followers: followers)
    }

    private func isLive(_ id: UInt32, _ store: RecordStore, _ now: Instant) -> Bool {
        let entry = store.entry(id).pointee
        return !entry.isExpired && (entry.expires == .max || entry.expires > now.nanoseconds)
    }
}

extension RecordStore {
    /// Where a page goes on; quick as long as the record it ended with was not written again.
    fileprivate func next(after cursor: PageCursor) -> UInt32 {
        if Int(cursor.id) < entries.count, entry(cursor.id).pointee.version == cursor.version {
            return entry(cursor.id).pointee.next
        }
        return firstAfter(cursor.version)
    }
}
