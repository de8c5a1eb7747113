import Replication

extension CallTracker {
    /// Legs of a profile that no other switch could revive, were it to take the profile's address now: what a recovery plan
    /// there would leave, and what its replica does not have. Sorted by uuid.
    ///
    /// A leg without a recovery row here is none of them: another switch does not need that row.
    ///
    /// - Parameter serviceAddress: of the profile; nil when it is not to be compared.
    package func hopeless(on profile: String, serviceAddress: String?) -> [String] {
        let pairs = pairs
        return entries.filter { _, entry in
            guard entry.leg.profile == profile else { return false }
            let leg = pairs.whole(entry.leg)
            let partner = leg.partner.flatMap(pairs.leg)
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

    /// Whom legs that ring on a profile are called for: callers on it who were answered, by an announcement or a menu, and whose
    /// calls another switch could revive. It calls anew for them.
    ///
    /// Were the legs hung up, the callers' extensions would go on, and mostly end there.
    ///
    /// - Parameter ringing: legs, of which those that do not ring, or ring for nobody, are of no account.
    /// - Returns: by the caller's uuid, what rings for him.
    package func callers(of ringing: [String], on profile: String, serviceAddress: String?) -> [String:
        [String]]
    {
        let pairs = pairs
        var callers: [String: [String]] = [:]
        for uuid in ringing {
            guard let leg = entries[uuid], leg.leg.phase == .ringing, let name = leg.caller,
                let caller = entries[name], caller.isKnown, !caller.isTooLarge, caller.leg.profile == profile,
                caller.leg.phase != .ringing, pairs.whole(caller.leg).partner == nil
            else { continue }
            if case .impossible = Recoverability(of: caller.leg, partner: nil, serviceAddress: serviceAddress)
            {
                continue
            }
            if SIPTag.repaired(caller.leg) != nil { callers[name, default: []].append(uuid) }
        }
        return callers
    }
}
