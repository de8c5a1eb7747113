import Replication

extension CallTracker.Entry {
    /// mod_hiredis leaves no trace of its keys on a channel, so they are seen when `limit` runs.
    mutating func noteLimit(_ event: ChannelEvent) {
        guard event.name == "CHANNEL_EXECUTE", let data = event["Application-Data"],
            event["Application"] == "limit" || event["Application"] == "limit_execute",
            let key = LimitKey.taken(byLimit: data), key.backend == .hiredis, !limits.contains(key),
            limits.count < LimitBounds.keysPerLeg
        else { return }
        limits.append(key)
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
