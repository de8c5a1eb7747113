import Primitives

/// What time brings: ends of records, digests, retries.
extension Replica {
    func tick() {
        for copy in copies {
            expire(copy)
            if copy.isSweeping, copy.feed != nil { reachEnd(copy) }
        }
        if roundDue <= now {
            roundDue = now + min(settings.retryInterval, settings.clockInterval, settings.digestInterval) / 2
            goRound()
        }
    }

    private func goRound() {
        for peer in peers where peer.askDue <= now {
            peer.asked = now
            peer.askDue = now + settings.clockInterval
            effects.append(.send(.ask(asked: now), to: peer.name))
        }
        for copy in copies {
            mark(copy)
            if let feed = copy.feed {
                let patience = feed.isStarted ? settings.digestInterval * 6 : settings.retryInterval
                if feed.heardAt + patience <= now { copy.feed = nil }
            }
            follow(copy)
        }
    }

    /// Takes out what has ended: for all when this node is the writer, else for itself only.
    private func expire(_ copy: StreamCopy) {
        let store = copy.store
        var ended = RemovalGatherer()
        var count = 0
        while count < settings.sweepCount, let id = store.wheel.next(at: now) {
            let entry = store.entry(id).pointee
            let key = UnsafeRawBufferPointer(start: store.content(id), count: Int(entry.keyCount))
            ended.add(.expire, kind: entry.kind, key: key)
            // Also where nobody writes now: the next writer takes them out for all. Were each node to do it by itself, copies of one
            // position would differ by who knew of that writer earlier.
            if copy.isOwned { remove(id, .expire, from: copy) } else { store.hold(id) }
            count += 1
        }
        // Told before as ended; now nobody else will remove them.
        while copy.isOwned, count < settings.sweepCount, let id = store.wheel.firstHeld {
            remove(id, .expire, from: copy)
            count += 1
        }
        if !ended.isEmpty { effects.append(.changed(copy.id, ended.changes())) }
        if copy.isOwned, count > 0 { flush(copy) }
    }
}
