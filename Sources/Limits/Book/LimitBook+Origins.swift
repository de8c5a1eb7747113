// What other nodes say of their usage.
extension LimitBook {
    /// Takes over one record of another node. The same one twice changes nothing; one of an older life, or of a life
    /// that was forgotten, changes nothing; the first of a newer life ends all of the older one.
    ///
    /// - Throws: `LimitRefusal` naming the node when the record is malformed or there is no room for it.
    package mutating func apply(
        _ change: LimitChange, of origin: LimitOrigin, at now: LimitMoment
    ) throws(LimitRefusal) {
        guard let key = LimitKey(record: change.key) else {
            throw LimitRefusal(subject: origin.node, reason: "a record's key is malformed")
        }
        switch change.kind {
        case .put: try put(key, change, of: origin, at: now)
        case .remove:
            guard let place = try place(of: origin) else { return }
            remove(key, of: place)
        }
    }

    private mutating func put(
        _ key: LimitKey, _ change: LimitChange, of origin: LimitOrigin, at now: LimitMoment
    ) throws(LimitRefusal) {
        guard let usage = LimitUsage(bytes: change.payload) else {
            throw LimitRefusal(subject: origin.node, reason: "the usage of \(key) is malformed")
        }
        guard let place = try place(of: origin) else { return }
        if let expires = change.expires, expires <= now.boot {
            remove(key, of: place)
            return
        }
        let expiry = change.expires?.nanoseconds ?? .max
        let hasRoom: Bool
        switch (key.backend, usage) {
        case (.hiredis, .counter(let usage)):
            hasRoom = counters.put(key.name, .init(origin: place, usage: usage, expiry: expiry), policies)
        case (.hash, .hash(let usage)):
            hasRoom =
                figures.usage.put(key.name, .init(origin: place, usage: usage, expiry: .max), policies) != nil
        default: throw LimitRefusal(subject: origin.node, reason: "the usage of \(key) is of another backend")
        }
        guard hasRoom else {
            throw LimitRefusal(subject: origin.node, reason: "there is no room for key \(key)")
        }
    }

    private mutating func remove(_ key: LimitKey, of place: Int) {
        switch key.backend {
        case .hiredis: counters.drop(key.name, of: place)
        case .hash: _ = figures.usage.drop(key.name, of: place)
        }
    }

    /// All records of that life are gone; others may follow (a new copy of its stream begins).
    package mutating func reset(_ origin: LimitOrigin) throws(LimitRefusal) {
        if let place = try place(of: origin) { clear(place) }
    }

    /// The node is out, and its calls with it: its usage leaves, and what else comes of that life or an older one is
    /// refused. The life must be the newest known of it.
    package mutating func forget(_ origin: LimitOrigin) {
        guard let place = origins.firstIndex(where: { $0.name.node == origin.node }) else {
            // Nothing was heard of it yet; what may still come is refused all the same.
            if origin.node != me, origins.count < LimitBounds.origins {
                origins.append(Origin(name: origin, isForgotten: true, isReachable: false))
                weigh()
            }
            return
        }
        guard origins[place].name.life <= origin.life else { return }
        clear(place)
        origins[place].name = origin
        origins[place].isForgotten = true
        weigh()
    }

    private mutating func clear(_ place: Int) {
        counters.dropAll(of: place)
        figures.usage.dropAll(of: place)
    }

    /// Nil when that life is over.
    private mutating func place(of origin: LimitOrigin) throws(LimitRefusal) -> Int? {
        if let place = origins.firstIndex(where: { $0.name.node == origin.node }) {
            let known = origins[place]
            if origin.life == known.name.life { return known.isForgotten ? nil : place }
            if origin.life < known.name.life { return nil }
            clear(place)
            origins[place].name = origin
            origins[place].isForgotten = false
            weigh()
            return place
        }
        guard origin.node != me else {
            throw LimitRefusal(subject: origin.node, reason: "only this node writes its own usage")
        }
        let fresh = Origin(
            name: origin, isForgotten: false, isReachable: reach.reachable.contains(origin.node))
        if origins.count < LimitBounds.origins {
            origins.append(fresh)
            weigh()
            return origins.count - 1
        }
        guard let free = origins.firstIndex(where: { $0.isForgotten }) else {
            throw LimitRefusal(
                subject: origin.node, reason: "usage of \(LimitBounds.origins) nodes is kept already")
        }
        origins[free] = fresh
        weigh()
        return free
    }
}
