/// mod_hash: counters per key, its own and what remotes report.
package struct LimitTable: Hashable, Sendable {
    package struct Usage: Hashable, Sendable {
        package var total: Int
        package var rate: Int
        package var interval: Int
        /// Start of the current window, seconds since 1970.
        package var lastCheck: Int64

        package init(total: Int = 0, rate: Int = 0, interval: Int = 0, lastCheck: Int64 = 0) {
            self.total = total
            self.rate = rate
            self.interval = interval
            self.lastCheck = lastCheck
        }
    }
    /// A polled event-socket server.
    struct Remote: Hashable, Sendable {
        enum State: String, Sendable { case up = "Up", down = "Down", off = "Off" }
        var name: String
        var state = State.down
        var usage: [String: Usage] = [:]
    }
    private(set) var local: [String: Usage] = [:]
    var remotes: [Remote] = []

    /// Counts an attempt; false when it exceeds the rule.
    mutating func acquire(_ rule: LimitRule, at now: Timestamp) -> Bool {
        let key = Self.key(rule.realm, rule.id)
        var usage = local[key] ?? Usage()
        if let interval = rule.interval {
            usage.interval = interval
            if usage.lastCheck <= now.seconds - Int64(interval) {
                // The first call of a window is never refused.
                usage.lastCheck = now.seconds
                usage.rate = 1
            } else {
                usage.rate += 1
                if usage.rate > rule.max {
                    local[key] = usage
                    return false
                }
            }
        } else if usage.total + 1 + remoteUsage(key).total > rule.max {
            return false
        }
        usage.total += 1
        local[key] = usage
        return true
    }

    mutating func release(_ hold: LimitHold) {
        let key = Self.key(hold.realm, hold.id)
        guard var usage = local[key], usage.total > 0 else { return }
        usage.total -= 1
        local[key] = usage.total == 0 && usage.rate == 0 ? nil : usage
    }

    func usage(realm: String, id: String) -> Usage {
        let key = Self.key(realm, id)
        var sum = local[key] ?? Usage()
        let remote = remoteUsage(key)
        sum.total += remote.total
        sum.rate += remote.rate
        return sum
    }

    func localUsage(realm: String, id: String) -> Usage { local[Self.key(realm, id)] ?? Usage() }

    private func remoteUsage(_ key: String) -> Usage {
        remotes.reduce(into: Usage()) { sum, remote in
            guard let usage = remote.usage[key] else { return }
            sum.total += usage.total
            sum.rate += usage.rate
        }
    }

    /// `api hash_dump limit`; empty when nothing is counted.
    var dump: String {
        local.sorted { $0.key < $1.key }.map { key, usage in
            "L/\(key)/\(usage.total)/\(usage.rate)/\(usage.interval)/\(usage.lastCheck)\n"
        }.joined()
    }

    /// What a remote answered. An empty body changes nothing; other lines than `L…` are ignored
    /// (mod_hash.c: limit_remote_thread).
    mutating func take(_ body: String, from name: String) {
        guard let at = remotes.firstIndex(where: { $0.name == name }), !body.isEmpty else { return }
        var usage: [String: Usage] = [:]
        for line in body.split(separator: "\n") where line.hasPrefix("L") {
            let fields = line.split(separator: "/", omittingEmptySubsequences: false)
            guard fields.count >= 5, let total = Int(fields[2]), let rate = Int(fields[3]) else { continue }
            usage[String(fields[1])] = Usage(
                total: total, rate: rate, interval: Int(fields[4]) ?? 0,
                lastCheck: fields.count > 5 ? Int64(fields[5]) ?? 0 : 0)
        }
        remotes[at].usage = usage
    }

    /// A remote that is lost counts nothing any more.
    mutating func note(_ state: Bool, of name: String) {
        guard let at = remotes.firstIndex(where: { $0.name == name }), remotes[at].state != .off else {
            return
        }
        remotes[at].state = state ? .up : .down
        if !state { remotes[at].usage = [:] }
    }

    private static func key(_ realm: String, _ id: String) -> String { "\(realm)_\(id)" }
}
