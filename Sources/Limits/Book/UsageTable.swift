/// What every origin uses of every key of one backend, and which of our own records must be written anew.
struct UsageTable<Usage: Hashable & Sendable>: Sendable {
    struct Remote: Sendable {
        /// Place of the origin in `LimitBook.origins`.
        var origin: Int
        var usage: Usage
        /// By the boot-time clock, in nanoseconds; `Int64.max` when it does not end by itself.
        var expiry: Int64
    }

    struct Entry: Sendable {
        var own: Usage
        var expiry = Int64.max
        /// In the order of their coming; at most one of an origin.
        var remotes: [Remote] = []
        /// Of the remotes that count now; kept so that a check costs the same whatever the number of nodes.
        var seen: UInt64 = 0
        /// No expiry of this key is earlier.
        var earliest = Int64.max
        var policy: LimitPolicy
        /// As it was last written to our stream.
        var published: Usage
        var publishedExpiry = Int64.max
        var isTouched = false
    }

    let backend: LimitKey.Backend
    let none: Usage
    var table: KeyTable<Entry>
    /// Places whose own usage or emptiness may have changed since the last flush.
    private var touched: [Int] = []
    /// No expiry of any key is earlier.
    var earliest = Int64.max
    private(set) var ownKeys = 0
    private(set) var remoteKeys: [Int] = []

    init(_ backend: LimitKey.Backend, none: Usage, seed: UInt64) {
        self.backend = backend
        self.none = none
        table = KeyTable(seed: seed)
    }

    // MARK: - Own usage

    var fullness: Double {
        max(
            Double(ownKeys) / Double(LimitBounds.keysPerOrigin),
            Double(table.count) / Double(LimitBounds.keys))
    }
    var hasRoom: Bool { ownKeys < LimitBounds.keysPerOrigin && table.count < LimitBounds.keys }

    /// A key not yet in the table; the caller has checked that there is room.
    mutating func add(_ key: UnsafeRawBufferPointer, _ policies: LimitPolicies) -> Int {
        let policy = policies.policy(of: Array(key))
        return table.insert(key, Entry(own: none, policy: policy, published: none))
    }

    var hasTouched: Bool { !touched.isEmpty }

    @inline(__always)
    mutating func touch(_ place: Int) {
        if table.values[place].isTouched { return }
        table.values[place].isTouched = true
        touched.append(place)
    }

    /// Sets our own usage and remembers that it must be written.
    mutating func set(_ place: Int, _ usage: Usage, expiry: Int64) {
        let had = table.values[place].own != none
        if had != (usage != none) { ownKeys += had ? -1 : 1 }
        table.values[place].own = usage
        table.values[place].expiry = usage == none ? .max : expiry
        if expiry < table.values[place].earliest { table.values[place].earliest = expiry }
        if expiry < earliest { earliest = expiry }
        touch(place)
    }

    /// What must be written to our stream since the last call, each key at most once; keys nobody uses are dropped.
    mutating func takeChanges(_ payload: (Usage) -> [UInt8]) -> [LimitChange] {
        var changes: [LimitChange] = []
        var empty: [Int] = []
        for place in touched {
            let entry = table.values[place]
            if entry.own != entry.published || entry.expiry != entry.publishedExpiry {
                changes.append(change(place, entry.own, entry.expiry, payload))
                table.values[place].published = entry.own
                table.values[place].publishedExpiry = entry.expiry
            }
            table.values[place].isTouched = false
            if entry.own == none, entry.remotes.isEmpty { empty.append(place) }
        }
        touched.removeAll(keepingCapacity: true)
        // From the last: a removal moves only keys behind it.
        for place in empty.sorted(by: >) { table.remove(at: place) }
        return changes
    }

    /// Everything of our own, as records.
    func ownRecords(_ payload: (Usage) -> [UInt8]) -> [LimitChange] {
        table.values.indices.compactMap { place in
            let entry = table.values[place]
            return entry.own == none ? nil : change(place, entry.own, entry.expiry, payload)
        }
    }

    private func change(_ place: Int, _ own: Usage, _ expiry: Int64, _ payload: (Usage) -> [UInt8])
        -> LimitChange
    {
        let key = Array(backend.rawValue.utf8) + table.keys[place]
        if own == none { return .remove(key) }
        return .put(key, payload(own), expires: expiry == .max ? nil : .init(nanoseconds: expiry))
    }

    // MARK: - Usage of others

    /// False when the origin has as many keys as it may, or the table is full.
    mutating func put(_ name: String, _ remote: Remote, _ policies: LimitPolicies) -> Int? {
        while remoteKeys.count <= remote.origin { remoteKeys.append(0) }
        if let place = table.place(of: name) {
            if let at = table.values[place].remotes.firstIndex(where: { $0.origin == remote.origin }) {
                table.values[place].remotes[at] = remote
            } else {
                guard remoteKeys[remote.origin] < LimitBounds.keysPerOrigin else { return nil }
                remoteKeys[remote.origin] += 1
                table.values[place].remotes.append(remote)
            }
            return place
        }
        guard remoteKeys[remote.origin] < LimitBounds.keysPerOrigin, table.count < LimitBounds.keys else {
            return nil
        }
        remoteKeys[remote.origin] += 1
        let policy = policies.policy(of: Array(name.utf8))
        return table.insert(name, Entry(own: none, remotes: [remote], policy: policy, published: none))
    }

    /// Where the key is, if that origin used it.
    mutating func drop(_ name: String, of origin: Int) -> Int? {
        guard let place = table.place(of: name), drop(at: place, of: origin) else { return nil }
        return place
    }

    mutating func drop(at place: Int, of origin: Int) -> Bool {
        guard let at = table.values[place].remotes.firstIndex(where: { $0.origin == origin }) else {
            return false
        }
        table.values[place].remotes.remove(at: at)
        remoteKeys[origin] -= 1
        touch(place)
        return true
    }

    /// Every key's place at which the origin's usage was dropped.
    mutating func dropAll(of origin: Int) {
        guard origin < remoteKeys.count, remoteKeys[origin] > 0 else { return }
        for place in table.values.indices { _ = drop(at: place, of: origin) }
    }

    /// Removes what ended by itself at that key.
    mutating func expireRemotes(at place: Int, now: Int64) {
        let ended = table.values[place].remotes.filter { $0.expiry <= now }
        for remote in ended { _ = drop(at: place, of: remote.origin) }
    }
}
