import Primitives
import Replication

/// How many calls there are, by kind and profile.
package struct CallCounts: Hashable, Sendable {
    package struct OfProfile: Hashable, Sendable {
        /// Empty for legs that are not sofia's.
        package var profile: String
        package var legs: Int
        package var calls: Int
    }
    package var legs = 0
    /// Two bridged legs are one call, and so is a leg alone.
    package var calls = 0
    /// Legs by phase.
    package var ringing = 0
    package var answered = 0
    package var held = 0
    /// Sorted by name; a call between two profiles counts for both.
    package var profiles: [OfProfile] = []
}

/// How many calls ended in each of the last 60 seconds.
struct Departures {
    private static let span: Int64 = 60
    private var seconds: [Int64] = Array(repeating: -1, count: Int(span))
    private var counts: [Int] = Array(repeating: 0, count: Int(span))

    mutating func note(at now: Instant) {
        let second = now.nanoseconds / 1_000_000_000
        let place = Int(second % Self.span)
        if seconds[place] != second {
            seconds[place] = second
            counts[place] = 0
        }
        counts[place] += 1
    }

    func lastMinute(at now: Instant) -> Int {
        let second = now.nanoseconds / 1_000_000_000
        return zip(seconds, counts).reduce(0) { sum, next in
            next.0 >= 0 && next.0 > second - Self.span && next.0 <= second ? sum + next.1 : sum
        }
    }
}

extension CallTracker {
    package var counts: CallCounts {
        var counts = CallCounts()
        var profiles: [String: (legs: Int, calls: Int)] = [:]
        let pairs = pairs
        counts.legs = entries.count
        for entry in entries.values {
            switch entry.leg.phase {
            case .ringing: counts.ringing += 1
            case .answered: counts.answered += 1
            case .held: counts.held += 1
            }
            let profile = entry.leg.profile
            profiles[profile, default: (0, 0)].legs += 1
            if pairs.isFirst(entry.leg) { counts.calls += 1 }
            if pairs.isFirstOfProfile(entry.leg) { profiles[profile, default: (0, 0)].calls += 1 }
        }
        counts.profiles = profiles.sorted { $0.key < $1.key }.map {
            .init(profile: $0.key, legs: $0.value.legs, calls: $0.value.calls)
        }
        return counts
    }

    /// Calls that ended in the minute before `now`.
    package func endedLastMinute(at now: Instant) -> Int { departures.lastMinute(at: now) }

    /// Since when the longest of the answered legs is up; nil when there is none.
    package var oldestAnswer: Instant? { entries.values.compactMap(\.answered).min() }
    /// Since when the leg is there, and answered.
    package func times(of uuid: String) -> (started: Instant, answered: Instant?)? {
        entries[uuid].map { ($0.started, $0.answered) }
    }

    package var pairs: CallPairs {
        CallPairs(entries.values.lazy.map(\.leg)) { [entries] in entries[$0]?.leg }
    }

    /// Whether another node could revive the leg, with what only this node knows.
    ///
    /// - Parameters:
    ///   - serviceAddress: of the leg's profile; nil when it is not to be compared.
    ///   - pairs: of this tracker as it is now, where many are asked for.
    /// - Returns: nil when there is no such leg.
    package func verdict(
        on uuid: String, serviceAddress: String?, in pairs: CallPairs? = nil
    ) -> Recoverability? {
        guard let entry = entries[uuid] else { return nil }
        if !entry.isKnown { return .impossible(.notKnownYet) }
        if entry.isTooLarge { return .impossible(.tooLarge) }
        if entry.leg.phase != .ringing, !entry.hasRow, let rowsRead, let answered = entry.answered,
            rowsRead - answered > settings.lag
        {
            return .impossible(.notTracked)
        }
        let pairs = pairs ?? self.pairs
        let leg = pairs.whole(entry.leg)
        let partner = leg.partner.flatMap(pairs.leg)
        return Recoverability(of: leg, partner: partner, serviceAddress: serviceAddress)
    }
}
