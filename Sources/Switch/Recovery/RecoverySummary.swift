import Primitives

/// What became of every leg of one address whose calls were to be revived.
package struct RecoverySummary: Hashable, Sendable, CustomStringConvertible {
    package struct Lost: Hashable, Sendable {
        package var uuid: String
        package var reason: RecoveryLoss
    }

    package var profile: String
    /// Legs whose peers answered the new switch, and those that were up again until somebody hung up; sorted.
    package var recovered: [String]
    /// Legs the switch had already; sorted.
    package var existed: [String]
    /// Sorted by uuid.
    package var lost: [Lost]
    /// Calls of which every leg is up.
    package var calls: Int
    /// From the beginning until the last leg was back; when none came, until the run was over.
    package var duration: Duration

    init(_ run: RecoveryRun, at now: Instant) {
        profile = run.profile
        recovered = []
        existed = []
        lost = []
        calls = 0
        duration = (run.lastRevival ?? now) - run.began
        let legs = run.legs.sorted { $0.uuid < $1.uuid }
        for leg in legs {
            switch run.fates[leg.uuid] {
            case .alive where !run.answered.contains(leg.uuid):
                lost.append(Lost(uuid: leg.uuid, reason: .unanswered))
            case .alive, .ended: recovered.append(leg.uuid)
            case .existed: existed.append(leg.uuid)
            case .lost(let reason): lost.append(Lost(uuid: leg.uuid, reason: reason))
            case .waiting, .staged: lost.append(Lost(uuid: leg.uuid, reason: .notRevived))
            case nil: break
            }
        }
        let back = Set(recovered)
        // The leg with the smaller uuid stands for both.
        calls = legs.count { leg in
            guard back.contains(leg.uuid) else { return false }
            guard let partner = leg.partner else { return true }
            return back.contains(partner) && leg.uuid < partner
        }
    }

    /// How often each reason is there, the most frequent first.
    package var reasons: [(reason: String, legs: Int)] {
        var counts: [String: Int] = [:]
        for one in lost { counts[one.reason.description, default: 0] += 1 }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }

    /// Whether there was anything to bring back.
    package var isOfNothing: Bool { recovered.isEmpty && lost.isEmpty }

    package var description: String {
        if isOfNothing {
            return existed.isEmpty
                ? "nothing to recover for \(profile): no call was left"
                : "nothing to recover for \(profile): \(existed.count) \(existed.count == 1 ? "leg" : "legs") stayed up"
        }
        let all = recovered.count + lost.count
        var text = "\(recovered.count) of \(all) legs of \(profile) recovered (\(calls) calls)"
        if !existed.isEmpty { text += ", \(existed.count) stayed up" }
        for (reason, legs) in reasons { text += "; lost \(legs): \(reason)" }
        return text
    }
}
