import Replication

extension CallTracker {
    /// Legs of a profile that no other switch could revive, were it to take the profile's address now: what a recovery plan
    /// there would leave, and what its replica does not have. Sorted by uuid.
    ///
    /// A leg without a recovery row here is none of them: another switch does not need that row.
    ///
    /// - Parameter serviceAddress: of the profile; nil when it is not to be compared.
    package func hopeless(on profile: String, serviceAddress: String?) -> [String] {
        var known: [String: CallLeg] = [:]
        for (uuid, entry) in entries { known[uuid] = entry.leg }
        // A calling leg that was heard of before its bridge does not know its partner: the partner does.
        for (uuid, entry) in entries.sorted(by: { $0.key < $1.key }) {
            if let other = entry.leg.partner, known[other]?.partner == nil { known[other]?.partner = uuid }
        }
        return entries.filter { uuid, entry in
            guard entry.leg.profile == profile, let leg = known[uuid] else { return false }
            let partner = leg.partner.flatMap { known[$0] }
            let isWhole =
                entry.isKnown && !entry.isTooLarge
                && leg.partner.flatMap { entries[$0] }.map { $0.isKnown && !$0.isTooLarge } ?? true
            if !isWhole { return true }
            switch Recoverability(of: leg, partner: partner, serviceAddress: serviceAddress) {
            case .impossible: return true
            case .risky(.unconfirmed, _): return true
            case .risky, .recoverable:
                return SIPTag.repaired(leg) == nil || partner.map { SIPTag.repaired($0) == nil } ?? false
            }
        }.map(\.key).sorted()
    }
}
