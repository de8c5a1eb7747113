import Primitives

/// Who writes a stream, and what this node writes itself.
extension Replica {
    func tell(_ stream: StreamID, _ writer: String?, _ epoch: Epoch) {
        guard let copy = knownCopy(stream) else { return }
        if epoch < copy.epoch {
            return report("\(stream): \(writer ?? "nobody") at \(epoch) is older than \(copy.epoch)")
        }
        let wasTold = copy.isTold
        copy.isTold = true
        if wasTold, epoch == copy.epoch, writer == copy.writer { return follow(copy) }
        copy.epoch = epoch
        copy.writer = writer
        copy.feed = nil
        copy.retryAt = nil
        copy.forgetReported()
        // Ours, but only in effect with `own`: until then an earlier right of ours is as good as it was.
        if writer == me { return }
        copy.isOwned = false
        for subscription in copy.subscriptions where subscription.isServing { end(subscription) }
        if writer == nil {
            announce(copy)
            for subscription in copy.subscriptions { begin(subscription) }
        }
        follow(copy)
    }

    func own(_ stream: StreamID, _ epoch: Epoch) {
        guard let copy = knownCopy(stream) else { return }
        let isOthers = epoch == copy.epoch && copy.writer != nil && copy.writer != me
        if epoch < copy.epoch || isOthers {
            return report(
                "\(stream): this node cannot write at \(epoch), \(copy.writer ?? "nobody") does at \(copy.epoch)"
            )
        }
        copy.isReleased = false
        if copy.isOwned, copy.position.epoch == epoch { return }
        copy.isTold = true
        copy.feed = nil
        copy.forgetReported()
        copy.isInherited = copy.isComplete && !copy.isReplacing && copy.position.sequence > 0
        if copy.isReplacing || !copy.isComplete {
            copy.settle()
        } else if copy.position.sequence > 0, copy.position.epoch != epoch {
            copy.lineage.append(copy.position)
            if copy.lineage.count > ReplicationLimits.lineage { copy.lineage.removeFirst() }
        }
        copy.position.epoch = epoch
        copy.epoch = epoch
        copy.writer = me
        copy.isOwned = true
        copy.isComplete = true
        copy.base = copy.position
        copy.needsWhole = false
        announce(copy)
        for subscription in copy.subscriptions { begin(subscription) }
    }

    func forget(_ stream: StreamID) {
        guard let copy = copy(stream) else { return }
        drop(copy)
        effects.append(.reset(stream))
    }

    func write(_ writes: [Write], to stream: StreamID) {
        guard let copy = copy(stream), copy.isOwned, !copy.isReleased else {
            return report("\(stream): \(writes.count) writes are refused, this node is not the writer")
        }
        prepare(writes, copy)
        for write in writes {
            switch write {
            case .put(let record): put(record, to: copy)
            case .remove(let kind, let key):
                let found = key.withUnsafeBytes { copy.store.find(kind.rawValue, key: $0) }
                if let found { remove(found, .remove, from: copy) }
            }
        }
        flush(copy)
    }

    private func prepare(_ writes: [Write], _ copy: StreamCopy) {
        guard writes.count > 2 else { return }
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: writes.count) { hashes in
            var count = 0
            for case .put(let record) in writes {
                let hash = record.key.withUnsafeBytes { key in
                    key.baseAddress.map { copy.store.hash(record.kind.rawValue, $0, key.count) }
                }
                guard let hash else { continue }
                hashes.initializeElement(at: count, to: hash)
                count += 1
            }
            copy.store.prepare(UnsafeMutableBufferPointer(rebasing: hashes[..<count]))
        }
    }

    private func put(_ record: Record, to copy: StreamCopy) {
        if let fault = record.fault { return report("\(copy.id): a \(record.kind) is refused: \(fault)") }
        let capacity = record.key.count + record.payload.count
        withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 8) { bytes in
            guard let base = bytes.baseAddress else { return }
            var writer = FieldWriter(base)
            writer.raw(record.key)
            if copy.store.count >= settings.maxRecords {
                let key = UnsafeRawBufferPointer(start: base, count: record.key.count)
                guard copy.store.find(record.kind.rawValue, key: key) != nil else {
                    if copy.isNews("full") {
                        report("\(copy.id): new records are refused, it has \(copy.store.count)")
                    }
                    return
                }
            }
            writer.raw(record.payload)
            // An end centuries away is none; it could not be mapped to other clocks.
            var expires = record.expires?.nanoseconds ?? .max
            if expires >= .max / 2 { expires = .max }
            let view = RecordView(
                kind: record.kind.rawValue, bytes: UnsafeRawPointer(base), keyCount: record.key.count,
                payloadCount: record.payload.count, expires: expires,
                hash: copy.store.hash(record.kind.rawValue, UnsafeRawPointer(base), record.key.count))
            _ = copy.store.put(view, version: copy.nextSequence(), generation: copy.generation)
        }
    }

    /// Removes a record of an own stream, for all.
    func remove(_ id: UInt32, _ operation: BatchItem.Operation, from copy: StreamCopy) {
        let entry = copy.store.entry(id).pointee
        let key = UnsafeRawBufferPointer(start: copy.store.content(id), count: Int(entry.keyCount))
        copy.removals.append(operation, kind: entry.kind, version: copy.nextSequence(), key: key)
        copy.store.remove(id)
    }

    /// Tells all peers what this node has of a stream.
    func announce(_ copy: StreamCopy) {
        for peer in peers { effects.append(.send(.have([copy.have]), to: peer.name)) }
    }
}
