import Primitives

/// The keys of mod_hiredis: what each origin counted by INCR and DECR, and the sum every check is answered with.
///
/// A check costs one look-up, whatever the number of nodes: the sum of the others is kept with the key.
struct LimitCounters: Sendable {
    var usage: UsageTable<CounterUsage>
    var scale = LimitScale()
    /// Whether the origin in that place counts now.
    var counts: [Bool] = []

    init(seed: UInt64) { usage = UsageTable(.hiredis, none: CounterUsage(), seed: seed) }

    // MARK: - Commands of our own switch

    /// The new sum; nil when the key is unfit or there is no room for another.
    mutating func increment(
        _ key: UnsafeRawBufferPointer, _ policies: LimitPolicies, at now: LimitMoment
    ) -> UInt64? {
        guard let place = usage.table.place(of: key) else { return incrementNew(key, policies, at: now) }
        refresh(place, now.boot.nanoseconds)
        if usage.table.values[place].own == usage.none {
            guard usage.ownKeys < LimitBounds.keysPerOrigin else { return nil }
            usage.set(place, CounterUsage(counted: 1), expiry: inherited(place, now))
            return answer(place)
        }
        if usage.table.values[place].own.counted < LimitBounds.count {
            usage.table.values[place].own.counted += 1
            usage.touch(place)
        }
        return answer(place)
    }

    private mutating func incrementNew(
        _ key: UnsafeRawBufferPointer, _ policies: LimitPolicies, at now: LimitMoment
    ) -> UInt64? {
        if LimitKey.fault(in: key) != nil { return nil }
        if !usage.hasRoom { sweep(now.boot) }
        guard usage.hasRoom else { return nil }
        let place = usage.add(key, policies)
        usage.set(place, CounterUsage(counted: 1), expiry: inherited(place, now))
        return answer(place)
    }

    /// When our part of a key ends: with the others' part of it, or with the window it names.
    private func inherited(_ place: Int, _ now: LimitMoment) -> Int64 {
        let others = usage.table.values[place].remotes.filter { $0.expiry != .max }.map(\.expiry).max()
        if let others { return others }
        let interval = usage.table.keys[place].withUnsafeBytes { RateWindow.interval(of: $0, at: now.wall) }
        return interval.map { now.boot.nanoseconds + Int64($0) * 1_000_000_000 } ?? .max
    }

    /// The new sum. What our switch has not counted it cannot give back: then nothing changes.
    mutating func decrement(_ key: UnsafeRawBufferPointer, at now: LimitMoment) -> UInt64 {
        guard let place = usage.table.place(of: key) else { return 0 }
        refresh(place, now.boot.nanoseconds)
        var own = usage.table.values[place].own
        if own.counted > 0 {
            own.counted -= 1
            usage.set(place, own, expiry: usage.table.values[place].expiry)
        }
        return sum(place)
    }

    /// The sum; nil when nobody uses the key.
    mutating func value(_ key: UnsafeRawBufferPointer, at now: LimitMoment) -> UInt64? {
        guard let place = usage.table.place(of: key) else { return nil }
        refresh(place, now.boot.nanoseconds)
        let isUnused =
            usage.table.values[place].own == usage.none && usage.table.values[place].remotes.isEmpty
        return isUnused ? nil : sum(place)
    }

    /// Whether somebody uses the key. Zero or less ends our part of it at once.
    mutating func expire(_ key: UnsafeRawBufferPointer, after seconds: Int64, at now: LimitMoment) -> Bool {
        guard let place = usage.table.place(of: key) else { return false }
        refresh(place, now.boot.nanoseconds)
        let entry = usage.table.values[place]
        guard entry.own != usage.none else { return !entry.remotes.isEmpty }
        if seconds <= 0 {
            usage.set(place, CounterUsage(adopted: entry.own.adopted), expiry: .max)
        } else {
            let left = min(seconds, LimitBounds.expiry) * 1_000_000_000
            usage.set(place, entry.own, expiry: now.boot.nanoseconds + left)
        }
        return true
    }

    /// What a check is told: the sum, made by the key's policy while the cluster is split.
    @inline(__always)
    private func answer(_ place: Int) -> UInt64 {
        scale.answer(
            usage.table.values[place].own.total + usage.table.values[place].seen,
            usage.table.values[place].policy)
    }

    /// What is in use, as far as it can be seen.
    @inline(__always)
    private func sum(_ place: Int) -> UInt64 {
        min(usage.table.values[place].own.total + usage.table.values[place].seen, LimitBounds.answer)
    }

    // MARK: - Legs revived here

    /// False when there is no room for another key.
    mutating func adopt(_ name: String, _ policies: LimitPolicies, at now: LimitMoment) -> Bool {
        guard let place = place(of: name, policies, at: now) else { return false }
        var own = usage.table.values[place].own
        if own.adopted < LimitBounds.count { own.adopted += 1 }
        usage.set(place, own, expiry: usage.table.values[place].expiry)
        return true
    }

    private mutating func place(of name: String, _ policies: LimitPolicies, at now: LimitMoment) -> Int? {
        if let place = usage.table.place(of: name) {
            let isOurs = usage.table.values[place].own != usage.none
            return isOurs || usage.ownKeys < LimitBounds.keysPerOrigin ? place : nil
        }
        if !usage.hasRoom { sweep(now.boot) }
        guard usage.hasRoom else { return nil }
        var name = name
        return name.withUTF8 { usage.add(UnsafeRawBufferPointer($0), policies) }
    }

    mutating func release(_ name: String) {
        guard let place = usage.table.place(of: name), usage.table.values[place].own.adopted > 0 else {
            return
        }
        var own = usage.table.values[place].own
        own.adopted -= 1
        usage.set(place, own, expiry: usage.table.values[place].expiry)
    }

    /// Sets what our switch counted, unless it is no longer what it was; adopted usage stays.
    mutating func correct(
        _ name: String, from: UInt32, to: UInt32, _ policies: LimitPolicies, at now: LimitMoment
    ) -> Bool {
        let counted = usage.table.place(of: name).map { usage.table.values[$0].own.counted } ?? 0
        guard counted == from, let place = place(of: name, policies, at: now) else { return false }
        var own = usage.table.values[place].own
        own.counted = min(to, LimitBounds.count)
        usage.set(place, own, expiry: usage.table.values[place].expiry)
        return true
    }

    /// Takes back what our switch had counted, unless it has counted since. False when there is no room.
    mutating func restore(
        _ name: String, _ counted: UInt32, expiry: Int64, _ policies: LimitPolicies, at now: LimitMoment
    ) -> Bool {
        guard let place = place(of: name, policies, at: now) else { return false }
        var own = usage.table.values[place].own
        guard own.counted == 0 else { return true }
        own.counted = counted
        usage.set(place, own, expiry: expiry)
        return true
    }

    /// Our switch is a new process: it counts nothing yet, and the legs revived in the old one are gone.
    mutating func forgetOwn() {
        for place in usage.table.values.indices where usage.table.values[place].own != usage.none {
            usage.set(place, usage.none, expiry: .max)
        }
    }

    // MARK: - Others

    /// Our part of a key that has no end yet ends with the part of the origin that knew it.
    mutating func put(_ name: String, _ remote: UsageTable<CounterUsage>.Remote, _ policies: LimitPolicies)
        -> Bool
    {
        guard let place = usage.put(name, remote, policies) else { return false }
        let entry = usage.table.values[place]
        if remote.expiry != .max, entry.own.counted > 0, entry.own.adopted == 0, entry.expiry == .max {
            usage.set(place, entry.own, expiry: remote.expiry)
        }
        recount(place)
        return true
    }

    mutating func drop(_ name: String, of origin: Int) {
        if let place = usage.drop(name, of: origin) { recount(place) }
    }

    mutating func dropAll(of origin: Int) {
        usage.dropAll(of: origin)
        recountAll()
    }

    mutating func recountAll() { for place in usage.table.values.indices { recount(place) } }

    private mutating func recount(_ place: Int) {
        var seen: UInt64 = 0
        var earliest = usage.table.values[place].expiry
        for remote in usage.table.values[place].remotes {
            if counts[remote.origin] { seen += remote.usage.total }
            earliest = min(earliest, remote.expiry)
        }
        usage.table.values[place].seen = seen
        usage.table.values[place].earliest = earliest
        usage.earliest = min(usage.earliest, earliest)
    }

    // MARK: - Time

    /// Removes what ended by itself.
    mutating func sweep(_ now: Instant) {
        guard now.nanoseconds >= usage.earliest else { return }
        usage.earliest = .max
        for place in usage.table.values.indices {
            refresh(place, now.nanoseconds)
            usage.earliest = min(usage.earliest, usage.table.values[place].earliest)
        }
    }

    @inline(__always)
    private mutating func refresh(_ place: Int, _ now: Int64) {
        if now >= usage.table.values[place].earliest { expire(place, now) }
    }

    private mutating func expire(_ place: Int, _ now: Int64) {
        if usage.table.values[place].expiry <= now {
            usage.set(place, CounterUsage(adopted: usage.table.values[place].own.adopted), expiry: .max)
        }
        usage.expireRemotes(at: place, now: now)
        recount(place)
    }
}
