/// One limit in use, for people: who uses how much of it.
package struct LimitLine: Hashable, Sendable {
    package struct Share: Hashable, Sendable {
        package var node: String
        /// Calls that hold it, those revived there included.
        package var total: UInt64
        /// Of a rate of mod_hash, in its current window.
        package var rate: UInt64
        /// Whether it counts: false while the node is out of reach in a split.
        package var counts: Bool
    }
    package var key: LimitKey
    /// What is in use, as far as it counts.
    package var total: UInt64
    package var policy: LimitPolicy
    /// How long until the window of a mod_hiredis rate ends here; nil for totals.
    package var endsIn: Duration?
    /// By the name of the node.
    package var shares: [Share]
}

extension LimitBook {
    /// Every limit in use, by key; at most `limit` of each backend.
    package func report(at now: LimitMoment, limit: Int = LimitBounds.keys) -> [LimitLine] {
        let hash = figures.usage.table
        let counter = counters.usage.table
        var lines: [LimitLine] = []
        for place in hash.values.indices {
            let entry = hash.values[place]
            let shares = shares(entry.own, entry.remotes, isOwn: entry.own != HashUsage()) { usage in
                (
                    UInt64(usage.total) + UInt64(usage.adopted),
                    usage.isRateCurrent(at: now.wall) ? UInt64(usage.rate) : 0
                )
            }
            lines.append(line(LimitKey(.hash, hash.name(at: place)), entry.policy, shares))
        }
        for place in counter.values.indices {
            let entry = counter.values[place]
            let remotes = entry.remotes.filter { $0.expiry > now.boot.nanoseconds }
            let isOwn = entry.own != CounterUsage() && entry.expiry > now.boot.nanoseconds
            let shares = shares(entry.own, remotes, isOwn: isOwn) { ($0.total, 0) }
            var line = line(LimitKey(.hiredis, counter.name(at: place)), entry.policy, shares)
            let end = max(
                isOwn ? entry.expiry : 0, remotes.map(\.expiry).max() ?? 0)
            if end != .max { line.endsIn = .nanoseconds(end - now.boot.nanoseconds) }
            lines.append(line)
        }
        let sorted = lines.filter { !$0.shares.isEmpty }.sorted { $0.key < $1.key }
        return Array(sorted.filter { $0.key.backend == .hash }.prefix(limit))
            + sorted.filter { $0.key.backend == .hiredis }.prefix(limit)
    }

    private func shares<Usage>(
        _ own: Usage, _ remotes: [UsageTable<Usage>.Remote], isOwn: Bool,
        _ read: (Usage) -> (total: UInt64, rate: UInt64)
    ) -> [LimitLine.Share] {
        var shares: [LimitLine.Share] = []
        if isOwn {
            let own = read(own)
            shares.append(.init(node: me, total: own.total, rate: own.rate, counts: true))
        }
        for remote in remotes {
            let usage = read(remote.usage)
            shares.append(
                .init(
                    node: origins[remote.origin].name.node, total: usage.total, rate: usage.rate,
                    counts: counters.counts[remote.origin]))
        }
        return shares.sorted { $0.node < $1.node }
    }

    private func line(_ key: LimitKey, _ policy: LimitPolicy, _ shares: [LimitLine.Share]) -> LimitLine {
        let total = shares.filter(\.counts).reduce(0) { $0 + $1.total }
        return LimitLine(key: key, total: total, policy: policy, endsIn: nil, shares: shares)
    }
}
