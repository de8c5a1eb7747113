/// A channel that is up in our switch, and the keys it holds.
package struct LimitHolder: Hashable, Sendable {
    package var uuid: String
    package var keys: [LimitKey]

    package init(uuid: String, keys: [LimitKey]) {
        self.uuid = uuid
        self.keys = keys
    }
}

/// A difference between what is counted and what live channels hold, with its reason.
package struct LimitCorrection: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        /// Set what our switch counted of this mod_hiredis key.
        case count(LimitKey, from: UInt32, to: UInt32)
        /// A revived leg is no longer up: its keys are released.
        case release(leg: String, keys: [LimitKey])
        /// mod_hash itself counts otherwise: only the switch can mend that, with its next restart.
        case told(LimitKey, counted: UInt32, held: UInt32)
    }
    package var action: Action
    package var reason: String
}

extension LimitBook {
    /// Compares our own counts with the keys live channels hold, and says what it would correct; by leg, then by key.
    ///
    /// - Parameters:
    ///   - live: every channel up in our switch; a leg that was adopted counts through its adoption.
    ///   - backends: those whose keys are known of every channel. mod_hiredis leaves no trace in a channel, so after a
    ///     restart of this service its keys are not known, and judging them would take away true usage.
    package func audit(live: [LimitHolder], backends: [LimitKey.Backend]) -> [LimitCorrection] {
        var corrections: [LimitCorrection] = []
        var held: [LimitKey: UInt32] = [:]
        let alive = Set(live.map(\.uuid))
        for holder in live where adopted.place(of: holder.uuid) == nil {
            for key in Set(holder.keys) { held[key, default: 0] += 1 }
        }
        let legs = adopted.values.indices.map { (adopted.name(at: $0), adopted.values[$0]) }
        for (leg, keys) in legs.sorted(by: { $0.0 < $1.0 }) where !alive.contains(leg) {
            corrections.append(
                .init(
                    action: .release(leg: leg, keys: keys),
                    reason: "the revived call \(leg) is not up any more"))
        }
        if backends.contains(.hash) { corrections += auditFigures(held) }
        if backends.contains(.hiredis) { corrections += auditCounters(held) }
        return corrections
    }

    private func auditFigures(_ held: [LimitKey: UInt32]) -> [LimitCorrection] {
        let table = figures.usage.table
        var names = table.values.indices.filter { table.values[$0].own.total > 0 }.map { table.name(at: $0) }
        names += held.keys.filter { $0.backend == .hash && table.place(of: $0.name) == nil }.map(\.name)
        let unused = table.values.indices.filter { table.values[$0].own.total == 0 }.map {
            table.name(at: $0)
        }
        names += unused.filter { held[LimitKey(.hash, $0)] != nil }
        return names.sorted().compactMap { name in
            let key = LimitKey(.hash, name)
            let counted = table.place(of: name).map { table.values[$0].own.total } ?? 0
            let holders = held[key] ?? 0
            if counted == holders { return nil }
            return LimitCorrection(
                action: .told(key, counted: counted, held: holders),
                reason: "mod_hash counts \(counted) of \(name), live calls hold \(holders)")
        }
    }

    private func auditCounters(_ held: [LimitKey: UInt32]) -> [LimitCorrection] {
        let table = counters.usage.table
        // What ends by itself is a rate, which no call holds.
        let totals = table.values.indices.filter { table.values[$0].expiry == .max }
        var names = totals.filter { table.values[$0].own.counted > 0 }.map { table.name(at: $0) }
        names += held.keys.filter { key in
            guard key.backend == .hiredis else { return false }
            guard let place = table.place(of: key.name) else { return true }
            return table.values[place].own.counted == 0
        }.map(\.name)
        return names.sorted().compactMap { name in
            let key = LimitKey(.hiredis, name)
            let counted = table.place(of: name).map { table.values[$0].own.counted } ?? 0
            let holders = held[key] ?? 0
            if counted == holders { return nil }
            return LimitCorrection(
                action: .count(key, from: counted, to: holders),
                reason: "\(counted) calls are counted for \(name), live calls hold \(holders)")
        }
    }

    /// Does what the audit said, unless what it saw has changed since. Returns how many were done.
    @discardableResult
    package mutating func correct(_ corrections: [LimitCorrection], at now: LimitMoment) -> Int {
        var done = 0
        for correction in corrections {
            switch correction.action {
            case .told: break
            case .release(let leg, _): if releaseAdopted(leg) { done += 1 }
            case .count(let key, let from, let to):
                if counters.correct(key.name, from: from, to: to, policies, at: now) { done += 1 }
            }
        }
        return done
    }
}
