/// The limit book: what every node's switch uses of every limit, and what our own switch is told when it asks.
///
/// Counters are per origin. Ours are changed by our switch's own commands and by the legs revived here; those of
/// the others by their records, which may come twice or late. No count is ever below zero or wraps. A dead node's
/// usage leaves with `forget`; what its calls held comes back with `adopt` where they are revived.
package struct LimitBook: Sendable {
    struct Origin: Sendable {
        var name: LimitOrigin
        /// Its calls are over; records of this life are refused.
        var isForgotten: Bool
        var isReachable: Bool
    }

    /// The name of the node this book is kept on.
    package let me: String
    package private(set) var policies: LimitPolicies
    package private(set) var reach = LimitReach.whole
    var counters: LimitCounters
    var figures: HashFigures
    var origins: [Origin] = []
    /// Keys held by legs that were revived here.
    var adopted: KeyTable<[LimitKey]>

    /// - Parameter seed: scatters keys in tables; draw it at random where a switch names the keys.
    package init(me: String, policies: LimitPolicies = LimitPolicies(), seed: UInt64) {
        self.me = me
        self.policies = policies
        counters = LimitCounters(seed: seed)
        figures = HashFigures(seed: seed)
        adopted = KeyTable(seed: seed)
    }

    // MARK: - mod_hiredis's commands of our own switch

    /// Counts one more. Returns the number to answer: what all living nodes use, or what the key's policy makes of
    /// it while the cluster is split. Nil when the key is unfit (`LimitKey.fault`) or there is no room for another.
    package mutating func increment(_ key: UnsafeRawBufferPointer, at now: LimitMoment) -> UInt64? {
        counters.increment(key, policies, at: now)
    }

    /// Counts one less of what our own switch counted, and returns what is in use then. What it did not count it
    /// cannot give back.
    package mutating func decrement(_ key: UnsafeRawBufferPointer, at now: LimitMoment) -> UInt64 {
        counters.decrement(key, at: now)
    }

    /// What is in use; nil when nobody uses the key.
    package mutating func value(_ key: UnsafeRawBufferPointer, at now: LimitMoment) -> UInt64? {
        counters.value(key, at: now)
    }

    /// Ends our part of the key after so many seconds, at most a year; the other nodes' parts end with it.
    /// Zero or less ends it now. Returns whether anybody uses the key.
    package mutating func expire(
        _ key: UnsafeRawBufferPointer, after seconds: Int64, at now: LimitMoment
    ) -> Bool {
        counters.expire(key, after: seconds, at: now)
    }

    // MARK: - mod_hash of our own switch

    /// Takes over the answer of our own switch to `api hash_dump limit`. Returns how many keys are in use and what
    /// could not be read and was not said before, ten at most.
    ///
    /// - Parameter allowances: what our own calls can have in use, by key. mod_hash prints names as they are, so where
    ///   a caller makes a limit's id, he also makes lines of the dump: no more is believed than calls account for.
    package mutating func observe(
        dump: [UInt8], allowances: [String: LimitAllowance], at now: LimitMoment
    ) -> (keys: Int, faults: [String]) {
        figures.observe(dump, allowances, policies, at: now)
    }

    /// The body to answer our own switch's mod_hash remote with (`api hash_dump limit`): never empty.
    /// How much of the room for this node's own limits and rates is taken, of 1: in a full table nothing new can be counted.
    package mutating func fullness(at now: LimitMoment) -> Double {
        // What ended lies there until its place is needed.
        if counters.usage.fullness > 0.9 { counters.sweep(now.boot) }
        return max(counters.usage.fullness, figures.usage.fullness)
    }

    package func hashAnswer(at now: LimitMoment) -> [UInt8] { figures.answer(at: now.wall) }

    // MARK: - Our own switch

    /// Our switch is a new process (its Core-UUID changed): it counts nothing yet. Adopted legs lived in the old
    /// process, so they are gone too; legs revived in the new one are adopted anew.
    package mutating func switchRestarted() {
        counters.forgetOwn()
        figures.forgetOwn()
        adopted.removeAll()
    }

    /// Takes back one of our own records, after this service was restarted and its switch was not: another node
    /// kept it. Adopted usage is not taken back, its legs are to be adopted anew. Does nothing for a key
    /// our switch has used since, and for mod_hash, whose next dump says the truth.
    package mutating func restore(_ record: LimitChange, at now: LimitMoment) throws(LimitRefusal) {
        guard record.kind == .put, let key = LimitKey(record: record.key),
            let usage = LimitUsage(bytes: record.payload)
        else { throw LimitRefusal(subject: me, reason: "a record to restore is malformed") }
        guard case .counter(let usage) = usage, key.backend == .hiredis, usage.counted > 0 else { return }
        if let expires = record.expires, expires <= now.boot { return }
        let expiry = record.expires?.nanoseconds ?? .max
        guard counters.restore(key.name, usage.counted, expiry: expiry, policies, at: now) else {
            throw LimitRefusal(subject: me, reason: "there is no room for key \(key.name)")
        }
    }

    // MARK: - Calls revived here

    /// A leg was revived here that held these keys: they are our usage until `releaseAdopted`. Saying it again
    /// replaces what was said before.
    ///
    /// Adopt before forgetting the dead node, so that the sum never dips; not for legs that run their extension
    /// again, whose `limit` counts them.
    package mutating func adopt(
        _ leg: String, _ keys: [LimitKey], at now: LimitMoment
    ) throws(LimitRefusal) {
        releaseAdopted(leg)
        guard !leg.isEmpty, leg.utf8.count <= LimitBounds.keyLength else {
            throw LimitRefusal(subject: "a revived leg", reason: "its uuid is empty or too long")
        }
        guard keys.count <= LimitBounds.keysPerLeg, adopted.count < LimitBounds.adoptedLegs else {
            throw LimitRefusal(subject: leg, reason: "there is no room for its \(keys.count) keys")
        }
        var held: [LimitKey] = []
        var refused: [String] = []
        for key in keys where !held.contains(key) {
            let isHeld =
                key.fault == nil
                && (key.backend == .hash
                    ? figures.adopt(key.name, policies) : counters.adopt(key.name, policies, at: now))
            if isHeld { held.append(key) } else { refused.append(key.name) }
        }
        if !held.isEmpty { _ = adopted.insert(leg, held) }
        guard refused.isEmpty else {
            throw LimitRefusal(subject: leg, reason: "no room, or unfit: \(refused.joined(separator: ", "))")
        }
    }

    /// The revived leg hung up. Returns whether it was adopted.
    @discardableResult
    package mutating func releaseAdopted(_ leg: String) -> Bool {
        guard let place = adopted.place(of: leg) else { return false }
        for key in adopted.values[place] {
            switch key.backend {
            case .hash: figures.release(key.name)
            case .hiredis: counters.release(key.name)
            }
        }
        adopted.remove(at: place)
        return true
    }

    package var adoptedLegs: Int { adopted.count }

    // MARK: - The cluster

    package mutating func setPolicies(_ policies: LimitPolicies) {
        self.policies = policies
        for place in counters.usage.table.values.indices {
            counters.usage.table.values[place].policy = policies.policy(of: counters.usage.table.keys[place])
        }
        for place in figures.usage.table.values.indices {
            figures.usage.table.values[place].policy = policies.policy(of: figures.usage.table.keys[place])
        }
    }

    package mutating func setReach(_ reach: LimitReach) {
        self.reach = reach
        for place in origins.indices {
            origins[place].isReachable = reach.reachable.contains(origins[place].name.node)
        }
        let seen = Set(reach.reachable).union([me]).count
        let scale = LimitScale(
            isSplit: reach.isSplit, seen: UInt64(seen),
            nodes: UInt64(min(max(reach.nodes, seen), LimitBounds.origins + 1)))
        counters.scale = scale
        figures.scale = scale
        weigh()
    }

    /// Which origins count, after any of them or our reach changed.
    mutating func weigh() {
        let counts = origins.map { !$0.isForgotten && ($0.isReachable || !reach.isSplit) }
        figures.counts = counts
        guard counters.counts != counts else { return }
        counters.counts = counts
        counters.recountAll()
    }

    // MARK: - Time and replication

    /// Removes what ended by itself; to be called about once a second.
    package mutating func sweep(at now: LimitMoment) { counters.sweep(now.boot) }

    /// Whether `takeChanges` may have something.
    package var hasChanges: Bool { counters.usage.hasTouched || figures.usage.hasTouched }

    /// What must be written to our own stream since the last call: each key at most once, nothing that is unchanged.
    package mutating func takeChanges() -> [LimitChange] {
        counters.usage.takeChanges { LimitUsage.counter($0).bytes }
            + figures.usage.takeChanges { LimitUsage.hash($0).bytes }
    }

    /// All of our own usage, as records.
    package func ownRecords() -> [LimitChange] {
        counters.usage.ownRecords { LimitUsage.counter($0).bytes }
            + figures.usage.ownRecords { LimitUsage.hash($0).bytes }
    }
}
