import Limits
import Primitives
import Replication

extension CallTracker.Entry {
    /// mod_hiredis leaves no trace of its keys on a channel, so they are seen when `limit` runs. So are mod_hash's: the
    /// names of its variables come from the caller where the dialplan makes a limit's id of what he sent, and then may
    /// hold line ends, so that a variable may be there that the switch never set; what `limit` ran with may not.
    ///
    /// - Returns: the key of mod_hash that `limit` was run with now.
    mutating func noteLimit(_ event: ChannelEvent) -> LimitAttempts.Attempt? {
        hashKeys.formUnion(
            event.hashKeys.prefix(max(0, LimitBounds.keysPerLeg - hashKeys.count)))
        guard event.name == "CHANNEL_EXECUTE", let attempt = LimitAttempts.Attempt(event) else { return nil }
        let key = attempt.key
        switch key.backend {
        case .hash:
            if hashKeys.count < LimitBounds.keysPerLeg { hashKeys.insert(key.name) }
            return attempt
        case .hiredis:
            if !limits.contains(key), limits.count < LimitBounds.keysPerLeg { limits.append(key) }
            return nil
        }
    }

    /// What the leg's variables are to say beside what the switch says of them.
    ///
    /// `limit_backend` is there once a limit let the leg through (switch_limit.c: switch_limit_incr). A revived leg is
    /// without it, and has our variables already.
    func limitVariables(beside event: ChannelEvent) -> [CallLeg.Field] {
        guard !limits.isEmpty, event.variable("limit_backend")?.contains("hiredis") == true else { return [] }
        return limits.enumerated().map { .init("\(LimitKey.variablePrefix)\($0)", $1.name) }
    }
}

extension CallTracker {
    /// How much of each key of mod_hash the legs known here can have in use: what the switch says beyond that, no call
    /// of its own accounts for.
    package func hashAllowances(at now: Instant) -> [String: LimitAllowance] {
        var allowances = attempts.allowances(at: now)
        for entry in entries.values {
            for key in entry.hashKeys { allowances[key, default: LimitAllowance()].total += 1 }
        }
        return allowances
    }
}
