import Replication

/// One limit that a leg counts for, by the variables mod_hash and its like leave on the channel
/// (switch_limit.c: `limit_usage_<REALM>_<ID>`, `limit_rate_<REALM>_<ID>`).
package struct LimitHolding: Hashable, Comparable, Sendable {
    /// `REALM_ID`, the key of `hash_dump limit`.
    package var key: String
    /// A rate counts attempts, which end by themselves; only a total is given back when the leg ends.
    package var isRate: Bool
    /// The count when the leg took its place; nil when the variable says none.
    package var usage: Int?

    package init(key: String, isRate: Bool, usage: Int?) {
        self.key = key
        self.isRate = isRate
        self.usage = usage
    }

    package static func < (a: LimitHolding, b: LimitHolding) -> Bool {
        (a.key, a.isRate ? 1 : 0) < (b.key, b.isRate ? 1 : 0)
    }
}

extension CallLeg {
    /// The limits this leg counts for, sorted; what a node that revives it must count as its own until it ends.
    /// A key with a rate counts for the rate only, even if the switch also set its usage.
    package var limits: [LimitHolding] {
        var usages: [String: Int?] = [:]
        var rates: [String: Int?] = [:]
        for field in variables {
            if let key = Self.key(field.name, after: "limit_rate_") {
                rates.updateValue(Int(field.value), forKey: key)
            } else if let key = Self.key(field.name, after: "limit_usage_") {
                usages.updateValue(Int(field.value), forKey: key)
            }
        }
        let totals = usages.filter { rates[$0.key] == nil }.map {
            LimitHolding(key: $0.key, isRate: false, usage: $0.value)
        }
        return (totals + rates.map { LimitHolding(key: $0.key, isRate: true, usage: $0.value) }).sorted()
    }

    private static func key(_ name: String, after prefix: String) -> String? {
        guard name.hasPrefix(prefix), name.utf8.count > prefix.utf8.count else { return nil }
        return String(name.dropFirst(prefix.count))
    }
}
