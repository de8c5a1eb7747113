import Primitives

/// Getting what this node lacks.
extension Replica {
    /// Records for which room is made on a peer's word alone.
    private static let mostReserved = 100_000

    func note(_ haves: [ReplicaMessage.Have], of peer: ReplicaPeer) {
        for have in haves {
            guard peer.haves[have.stream] != nil || peer.haves.count < settings.maxStreams else {
                report("\(peer.name) has more streams than \(settings.maxStreams): \(have.stream) is ignored")
                return
            }
            peer.haves[have.stream] = have
            if case .node(let owner) = have.stream, owner == peer.name, have.isWriter {
                let known = copy(have.stream)
                if known == nil || known?.isTold == false || have.position.epoch >= known?.epoch ?? .zero {
                    tell(have.stream, owner, have.position.epoch)
                }
            } else if let copy = copy(have.stream) {
                follow(copy)
            }
        }
    }

    func learnClock(of peer: ReplicaPeer, asked: Instant, clock: Instant) {
        guard asked == peer.asked else { return }
        let learned = PeerClock(asked: asked, clock: clock, at: now)
        if peer.clock == nil { peer.clock = learned } else { peer.clock?.improve(with: learned, at: now) }
        for copy in copies where copy.feed == nil { follow(copy) }
    }

    /// Asks for what is missing, where it is to be had.
    func follow(_ copy: StreamCopy) {
        guard copy.isTold, !copy.isOwned, copy.writer != me else { return }
        if let feed = copy.feed {
            if peer(feed.source) != nil { return }
            copy.feed = nil
        }
        if let retryAt = copy.retryAt, now < retryAt { return }
        guard let source = source(for: copy) else { return }
        let session = copy.nextSession()
        copy.feed = StreamCopy.Feed(source: source, session: session, heardAt: now)
        copy.retryAt = now + settings.retryInterval
        let base = copy.isReplacing ? nil : copy.base
        let pull = ReplicaMessage.Pull(
            stream: copy.id, session: session, position: copy.position, base: base, whole: copy.needsWhole)
        effects.append(.send(.pull(pull), to: source))
    }

    private func source(for copy: StreamCopy) -> String? {
        if let writer = copy.writer { return peer(writer)?.clock == nil ? nil : writer }
        guard copy.isWriterless else { return nil }
        var best: (name: String, have: ReplicaMessage.Have)?
        for peer in peers where peer.clock != nil {
            guard let have = peer.haves[copy.id], have.isComplete, isMore(have, than: best?.have ?? copy.have)
            else { continue }
            best = (peer.name, have)
        }
        return best?.name
    }

    private func isMore(_ a: ReplicaMessage.Have, than b: ReplicaMessage.Have) -> Bool {
        a.position == b.position ? a.isComplete && !b.isComplete : b.position < a.position
    }

    /// Whether this peer may say what is in this stream, at this epoch; what is refused is reported once.
    private func accepts(_ copy: StreamCopy, epoch: Epoch, from peer: ReplicaPeer) -> Bool {
        let current = copy.isOwned ? copy.position.epoch : copy.epoch
        var refusal: String?
        if copy.isOwned || copy.writer == me {
            refusal = "while this node is the writer at \(max(current, copy.epoch))"
        } else if copy.writer != nil, copy.writer != peer.name {
            refusal = "as \(copy.writer ?? "") is the writer at \(copy.epoch)"
        } else if copy.writer != nil, epoch < copy.epoch {
            refusal = "as the writer is at \(copy.epoch)"
        }
        guard let refusal else { return copy.writer == nil || epoch == copy.epoch }
        if copy.isNews("\(peer.name) \(epoch)") {
            report("\(copy.id): what \(peer.name) writes at \(epoch) is refused, \(refusal)")
        }
        return false
    }

    func begin(_ start: ReplicaMessage.Start, from peer: ReplicaPeer) {
        guard let copy = copy(start.stream), accepts(copy, epoch: start.epoch, from: peer),
            let feed = copy.feed, feed.source == peer.name, feed.session == start.session
        else { return }
        let isPart = start.after == copy.position.sequence || start.after == copy.base?.sequence
        guard start.whole || isPart, start.epoch >= copy.position.epoch else {
            return abandon(
                copy, "\(peer.name) goes on after \(start.epoch)/\(start.after), not \(copy.position)")
        }
        copy.feed?.isStarted = true
        copy.feed?.bytes = 0
        copy.feed?.heardAt = now
        if start.whole {
            copy.generation &+= 1
            copy.isReplacing = true
            copy.isSweeping = false
            copy.isComplete = false
            copy.base = nil
            copy.removals.clear(floor: start.sequence)
            copy.needsWhole = false
            copy.store.reserve(min(start.count, Self.mostReserved))
        } else if start.after != start.sequence || start.after != copy.position.sequence {
            copy.isComplete = false
        }
        copy.position = Position(epoch: start.epoch, sequence: start.after)
        copy.lineage = start.lineage
    }

    func apply(_ batch: ReplicaMessage.Batch, from peer: ReplicaPeer) {
        guard let copy = copy(batch.stream), accepts(copy, epoch: batch.epoch, from: peer),
            var feed = copy.feed, feed.source == peer.name, feed.session == batch.session, feed.isStarted,
            let shift = peer.clock?.shift(at: now)
        else { return }
        guard batch.epoch == copy.position.epoch, batch.through >= copy.position.sequence else {
            return abandon(copy, "\(peer.name) went from \(copy.position) to \(batch.epoch)/\(batch.through)")
        }
        do throws(RecordFailure) {
            let offsets = try items(of: batch, for: copy)
            let changed = change(copy, batch.body, offsets, shift: shift)
            if !changed.isEmpty {
                let changes = Changes(bytes: batch.body, offsets: changed, shift: shift)
                effects.append(.changed(copy.id, changes))
            }
        } catch {
            return abandon(copy, "a batch of \(peer.name) at \(batch.through) is refused: \(error)")
        }
        copy.position.sequence = batch.through
        feed.bytes += UInt64(batch.body.count)
        feed.heardAt = now
        feed.digest = batch.digest
        copy.feed = feed
        let applied = ReplicaMessage.applied(
            copy.id, session: feed.session, bytes: feed.bytes, sequence: batch.through)
        effects.append(.send(applied, to: peer.name))
        reachEnd(copy)
    }

    /// Where the items of a batch begin; throws before anything is applied.
    private func items(of batch: ReplicaMessage.Batch, for copy: StreamCopy) throws(RecordFailure) -> [UInt32]
    {
        try batch.body.withBytes { bytes throws(RecordFailure) in
            var offsets: [UInt32] = []
            offsets.reserveCapacity(bytes.count / 128 + 1)
            var at = 0
            var version = copy.position.sequence
            while at < bytes.count {
                let item = try BatchItem(bytes, at: at)
                guard item.version > version, item.version <= batch.through else {
                    throw .malformed("version")
                }
                version = item.version
                offsets.append(UInt32(at))
                at = item.end
            }
            if copy.store.count + offsets.count > 2 * settings.maxRecords {
                throw .tooLarge("stream", bytes: copy.store.count, limit: settings.maxRecords)
            }
            return offsets
        }
    }

    /// The hashes of the items' keys; the memory they lead to is on its way.
    private func hashes(_ bytes: UnsafeRawBufferPointer, _ offsets: [UInt32], in store: RecordStore)
        -> UnsafeMutableBufferPointer<UInt32>
    {
        let both = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: 2 * offsets.count)
        guard let base = bytes.baseAddress else { return both }
        for (place, offset) in offsets.enumerated() {
            guard let item = try? BatchItem(bytes, at: Int(offset)) else {
                preconditionFailure("an item that was checked cannot be read")
            }
            let hash = store.hash(item.kind, base + item.content, item.keyCount)
            both.initializeElement(at: place, to: hash)
            both.initializeElement(at: offsets.count + place, to: hash)
        }
        if offsets.count > 2 {
            store.prepare(UnsafeMutableBufferPointer(rebasing: both[offsets.count...]))
        }
        return both
    }

    /// Applies the items; what is given back are those that made a difference.
    private func change(_ copy: StreamCopy, _ body: [UInt8], _ offsets: [UInt32], shift: Int64) -> [UInt32] {
        let store = copy.store
        return body.withUnsafeBytes { bytes in
            let hashes = hashes(bytes, offsets, in: store)
            defer { hashes.deallocate() }
            var changed = offsets
            var count = 0
            for (place, offset) in offsets.enumerated() {
                guard let base = bytes.baseAddress, let item = try? BatchItem(bytes, at: Int(offset)) else {
                    preconditionFailure("an item that was checked cannot be read")
                }
                var differs = false
                switch item.operation {
                case .put, .putForever:
                    let expires = item.expires == .max ? .max : item.expires + shift
                    let view = RecordView(
                        kind: item.kind, bytes: base + item.content, keyCount: item.keyCount,
                        payloadCount: item.payloadCount, expires: expires, hash: hashes[place])
                    let put = store.put(view, version: item.version, generation: copy.generation)
                    differs = put.outcome != .unchanged && expires > now.nanoseconds
                case .remove, .expire:
                    let key = UnsafeRawBufferPointer(start: base + item.content, count: item.keyCount)
                    copy.removals.append(
                        item.operation, kind: item.kind, version: item.version, key: key)
                    if let id = store.find(item.kind, key: key) {
                        differs = !store.entry(id).pointee.isExpired
                        store.remove(id)
                    }
                }
                if differs {
                    changed[count] = offset
                    count += 1
                }
            }
            changed.removeLast(changed.count - count)
            return changed
        }
    }

    /// When the source has no more: removes what it has not, then compares digests.
    func reachEnd(_ copy: StreamCopy) {
        guard let digest = copy.feed?.digest else {
            copy.isComplete = false
            return
        }
        if copy.isReplacing, !sweep(copy) { return }
        guard digest == copy.store.digest else {
            copy.needsWhole = true
            copy.isComplete = false
            return abandon(
                copy, "the copy differs from \(copy.feed?.source ?? "its source")'s at \(copy.position)")
        }
        copy.isComplete = true
        copy.confirmedAt = now
        copy.base = copy.position
        if copy.feed?.isSynced == false {
            copy.feed?.isSynced = true
            effects.append(.synced(copy.id, copy.position))
        }
        if copy.isWriterless {
            copy.feed = nil
            copy.retryAt = nil
            announce(copy)
            follow(copy)
        }
    }

    /// Removes records the source did not send; false when there are more than one step's.
    private func sweep(_ copy: StreamCopy) -> Bool {
        let store = copy.store
        var gone = RemovalGatherer()
        var count = 0
        while store.first != RecordStore.none, count < settings.sweepCount {
            let entry = store.entry(store.first).pointee
            if entry.generation == copy.generation { break }
            if !entry.isExpired {
                let key = UnsafeRawBufferPointer(
                    start: store.content(store.first), count: Int(entry.keyCount))
                gone.add(.remove, kind: entry.kind, key: key)
            }
            store.remove(store.first)
            count += 1
        }
        if !gone.isEmpty { effects.append(.changed(copy.id, gone.changes())) }
        copy.isSweeping = count == settings.sweepCount
        if !copy.isSweeping { copy.isReplacing = false }
        return !copy.isSweeping
    }

    /// Ends a feed that cannot go on; it is asked for anew a little later.
    private func abandon(_ copy: StreamCopy, _ reason: String) {
        report("\(copy.id): \(reason)")
        copy.feed = nil
        copy.retryAt = now + settings.retryInterval
    }
}
