import Primitives

/// Giving peers what they lack.
extension Replica {
    func serve(_ pull: ReplicaMessage.Pull, to peer: ReplicaPeer) {
        if let old = peer.subscriptions.first(where: { $0.pull.stream == pull.stream }) { end(old) }
        guard let copy = knownCopy(pull.stream) else { return }
        let subscription = Subscription(pull, of: copy, for: peer.name, at: now)
        copy.subscriptions.append(subscription)
        copy.subscriptions.sort { $0.peer < $1.peer }
        peer.subscriptions.append(subscription)
        begin(subscription)
    }

    func end(_ subscription: Subscription) {
        subscription.stream.subscriptions.removeAll { $0 === subscription }
        guard let peer = peer(subscription.peer) else { return }
        peer.underWay -= subscription.underWay
        peer.subscriptions.removeAll { $0 === subscription }
    }

    /// Begins to serve, if this node may; else the subscription waits until it may.
    func begin(_ subscription: Subscription) {
        let copy = subscription.stream
        guard copy.isOwned || (copy.isWriterless && has(copy, moreThan: subscription.pull)) else { return }
        start(subscription, after: copy.resumption(of: subscription.pull))
    }

    private func has(_ copy: StreamCopy, moreThan pull: ReplicaMessage.Pull) -> Bool {
        if copy.isReplacing || !copy.isComplete { return false }
        if copy.position == pull.position { return pull.base != pull.position }
        return pull.position < copy.position
    }

    private func start(_ subscription: Subscription, after resumed: UInt64?) {
        let copy = subscription.stream
        peer(subscription.peer)?.underWay -= subscription.underWay
        subscription.sent = 0
        subscription.applied = 0
        subscription.isServing = true
        subscription.toldEnd = false
        subscription.last = resumed ?? 0
        if let resumed {
            subscription.removal = copy.removals.cursor(after: resumed)
            subscription.cursor = RecordStore.none
        } else {
            subscription.removal = copy.removals.end
            setCursor(subscription, copy.store.first)
        }
        let start = ReplicaMessage.Start(
            stream: copy.id, session: subscription.pull.session, epoch: copy.position.epoch,
            whole: resumed == nil, after: subscription.last, sequence: copy.position.sequence,
            count: copy.store.count, lineage: copy.lineage)
        effects.append(.send(.start(start), to: subscription.peer))
        while sendBatch(subscription) {}
    }

    private func setCursor(_ subscription: Subscription, _ id: UInt32) {
        subscription.cursor = id
        if id != RecordStore.none { subscription.stream.store.entry(id).pointee.isCursor = true }
    }

    /// Sends what is new in a stream to all who follow it here, as far as their windows allow.
    func flush(_ copy: StreamCopy) {
        for subscription in copy.subscriptions { while sendBatch(subscription) {} }
    }

    /// Goes on with a peer's streams in turn, a frame each.
    private func flush(_ peer: ReplicaPeer) {
        var idle = 0
        while idle < peer.subscriptions.count {
            peer.turn = (peer.turn + 1) % peer.subscriptions.count
            idle = sendBatch(peer.subscriptions[peer.turn]) ? 0 : idle + 1
        }
    }

    /// Sends one frame, if there is something to send and room for it.
    private func sendBatch(_ subscription: Subscription) -> Bool {
        let copy = subscription.stream
        guard subscription.hasMore, let peer = peer(subscription.peer) else { return false }
        let underWay = subscription.underWay
        guard underWay < settings.streamWindow, underWay == 0 || peer.underWay < settings.peerWindow else {
            return false
        }
        guard copy.removals.holds(subscription.removal) else {
            report("\(copy.id): \(peer.name) is too far behind, everything is sent again")
            start(subscription, after: nil)
            return false
        }
        let built = body(for: subscription)
        subscription.last = built.through
        subscription.removal = built.removal
        setCursor(subscription, built.cursor)
        subscription.toldEnd = built.isEnd
        subscription.sent += UInt64(built.body.count)
        subscription.markDue = now + settings.digestInterval
        peer.underWay += built.body.count
        let batch = ReplicaMessage.Batch(
            stream: copy.id, session: subscription.pull.session, epoch: copy.position.epoch,
            through: built.through, digest: built.isEnd ? copy.store.digest : nil, body: built.body)
        effects.append(.send(.batch(batch), to: peer.name))
        if built.isEnd, !copy.isOwned { end(subscription) }
        return subscription.hasMore
    }

    /// What comes next; peers that are equally far share one body.
    private func body(for subscription: Subscription) -> BuiltBatch {
        let copy = subscription.stream
        if let built, built.copy === copy, built.after == subscription.last,
            built.from == subscription.removal,
            built.sequence == copy.position.sequence
        {
            return built
        }
        let store = copy.store
        var writer = FieldWriter(scratch)
        var cursor = subscription.cursor
        var removal = subscription.removal
        var through = subscription.last
        var isEnd = false
        if cursor == RecordStore.none { cursor = store.firstAfter(subscription.last) }
        while true {
            let put = cursor == RecordStore.none ? UInt64.max : store.entry(cursor).pointee.version
            let removed = copy.removals.version(at: &removal) ?? .max
            if put == .max, removed == .max {
                isEnd = true
                through = copy.position.sequence
                break
            }
            if put < removed {
                let entry = store.entry(cursor).pointee
                let size = BatchItem.overhead + Int(entry.keyCount) + Int(entry.payloadCount)
                if writer.count > 0, writer.count + size > settings.frameBytes { break }
                BatchItem.writePut(entry, content: store.content(cursor), to: &writer)
                through = put
                cursor = entry.next
            } else {
                if writer.count > 0, writer.count + copy.removals.size(at: removal) > settings.frameBytes {
                    break
                }
                copy.removals.write(&removal, to: &writer)
                through = removed
            }
        }
        let new = BuiltBatch(
            copy: copy, after: subscription.last, from: subscription.removal,
            sequence: copy.position.sequence,
            body: Array(UnsafeRawBufferPointer(start: scratch, count: writer.count)), through: through,
            isEnd: isEnd, cursor: cursor, removal: removal)
        built = new
        return new
    }

    func acknowledge(
        _ stream: StreamID, session: UInt32, bytes: UInt64, sequence: UInt64, by peer: ReplicaPeer
    ) {
        guard let subscription = peer.subscriptions.first(where: { $0.pull.stream == stream }),
            subscription.isServing, subscription.pull.session == session
        else { return }
        guard bytes >= subscription.applied, bytes <= subscription.sent else {
            return report("\(stream): \(peer.name) says it applied \(bytes) bytes of \(subscription.sent)")
        }
        peer.underWay -= Int(bytes - subscription.applied)
        subscription.applied = bytes
        subscription.appliedSequence = sequence
        flush(peer)
    }

    /// Says the digest again to those who have had nothing else for a while.
    func mark(_ copy: StreamCopy) {
        for subscription in copy.subscriptions where subscription.isServing && copy.isOwned {
            guard subscription.toldEnd, subscription.markDue <= now else { continue }
            subscription.toldEnd = false
            while sendBatch(subscription) {}
        }
    }
}
