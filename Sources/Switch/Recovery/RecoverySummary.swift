import Primitives

/// What became of every leg of one address whose calls were to be revived.
package struct RecoverySummary: Hashable, Sendable, CustomStringConvertible {
    package struct Lost: Hashable, Sendable {
        package var uuid: String
        package var reason: RecoveryLoss
        /// Its channel is in the switch.
        package var isThere: Bool { reason == .unanswered || reason == .unconfirmed }
    }

    package var profile: String
    /// Legs whose peers answered the new switch, and those that were up again until somebody hung up; sorted.
    package var recovered: [String]
    /// Legs the switch had already; sorted.
    package var existed: [String]
    /// Sorted by uuid.
    package var lost: [Lost]
    /// Legs that the next holder of the address is to bring back, as they were neither back nor over when it went on: how far
    /// each was; sorted by uuid.
    package var left: [Lost]
    /// Why the recovery ended although it was not over.
    package var cutShort: String?
    /// Calls of which every leg is up.
    package var calls: Int
    /// From the beginning until the last leg was back; when none came, until the run was over.
    package var duration: Duration

    init(_ run: RecoveryRun, at now: Instant) {
        profile = run.profile
        recovered = []
        existed = []
        lost = []
        left = []
        cutShort = run.cutShort
        calls = 0
        duration = (run.lastRevival ?? now) - run.began
        let legs = run.legs.sorted { $0.uuid < $1.uuid }
        for leg in legs {
            guard let fate = run.fates[leg.uuid] else { continue }
            switch fate {
            case .alive where run.answered.contains(leg.uuid), .ended: recovered.append(leg.uuid)
            case .existed: existed.append(leg.uuid)
            case .alive, .lost, .waiting, .staged:
                if cutShort != nil, let reason = Self.stage(of: fate, run) {
                    left.append(Lost(uuid: leg.uuid, reason: reason))
                } else {
                    lost.append(Lost(uuid: leg.uuid, reason: Self.loss(of: fate)))
                }
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

    private static func loss(of fate: RecoveryRun.Fate) -> RecoveryLoss {
        switch fate {
        case .lost(let reason): reason
        case .alive, .existed, .ended: .unanswered
        case .waiting, .staged: .notRevived
        }
    }

    /// How far a leg was that the next holder may bring back; nil when it is lost whoever tries.
    private static func stage(of fate: RecoveryRun.Fate, _ run: RecoveryRun) -> RecoveryLoss? {
        switch fate {
        case .lost(let reason): reason.isOfOneSwitch ? reason : nil
        case .alive, .existed, .ended: .unconfirmed
        case .staged: .underWay
        case .waiting: run.refusal.map { .refused($0) } ?? .unbegun
        }
    }

    /// How often each reason is there, the most frequent first.
    private static func reasons(_ legs: [Lost]) -> [(reason: String, legs: Int)] {
        var counts: [String: Int] = [:]
        for one in legs { counts[one.reason.description, default: 0] += 1 }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }

    /// Whether there was anything to bring back.
    package var isOfNothing: Bool { recovered.isEmpty && lost.isEmpty && left.isEmpty }

    package var description: String {
        if isOfNothing {
            return existed.isEmpty
                ? "nothing to recover for \(profile): no call was left"
                : "nothing to recover for \(profile): \(existed.count) \(existed.count == 1 ? "leg" : "legs") stayed up"
        }
        let all = recovered.count + lost.count + left.count
        var text = "\(recovered.count) of \(all) legs of \(profile) recovered (\(calls) calls)"
        if !existed.isEmpty { text += ", \(existed.count) stayed up" }
        if let cutShort, !left.isEmpty { text += " before \(cutShort)" }
        for (reason, legs) in Self.reasons(lost) { text += "; lost \(legs): \(reason)" }
        for (reason, legs) in Self.reasons(left) { text += "; left \(legs) to the next holder: \(reason)" }
        return text
    }
}
