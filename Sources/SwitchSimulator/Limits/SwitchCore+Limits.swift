extension SwitchCore {
    /// `limit_usage`, `hash_dump`, `hash`, `hash_remote`
    mutating func limitCommand(_ call: Call) -> String? {
        let words = call.words
        switch call.name {
        case "limit_usage":
            guard words.count >= 3 else { return "USAGE: <backend> <realm> <id> [rate]\n" }
            if words[0] == "hiredis" {
                emit(.limit(LimitQuery(purpose: .show(call.ticket), command: ["get", words[2]])))
                return nil
            }
            let usage = limits.usage(realm: words[1], id: words[2])
            return words.count > 3 && words[3] == "rate" ? "\(usage.total)/\(usage.rate)" : "\(usage.total)"
        case "limit_hash_usage":
            guard words.count >= 2 else { return "USAGE: <realm> <id>\n" }
            return "\(limits.usage(realm: words[0], id: words[1]).total)"
        case "hash_dump":
            switch words.first {
            case "limit": return limits.dump
            case "db": return dataDump
            case "all": return limits.dump + dataDump
            default: return "-ERR Usage: hash_dump all|limit|db [<realm>]\n"
            }
        case "hash_remote": return remote(words)
        default: return hash(call.arguments)
        }
    }

    private var dataDump: String {
        hashData.sorted { $0.key < $1.key }.map { "D/\($0.key)/\($0.value)\n" }.joined()
    }

    /// `hash insert/REALM/KEY/VALUE`, `select/REALM/KEY`, `delete/REALM/KEY`
    private mutating func hash(_ argument: String) -> String {
        let parts = argument.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
            .map(String.init)
        guard parts.count >= 3 else { return "-ERR invalid parameters\n" }
        let key = "\(parts[1])_\(parts[2])"
        switch parts[0] {
        case "insert" where parts.count == 4:
            guard hashData.count < 100_000 else { return "-ERR too many keys\n" }
            hashData[key] = parts[3]
            return "+OK\n"
        case "select": return hashData[key] ?? ""
        case "delete": return hashData.removeValue(forKey: key) == nil ? "-ERR Not found\n" : "+OK\n"
        default: return "-ERR invalid parameters\n"
        }
    }

    private mutating func remote(_ words: [String]) -> String {
        switch words.first {
        case "list":
            let lines = limits.remotes.map { "\($0.name)\t\t\t\($0.state.rawValue)\n" }.joined()
            return "Remote connections:\nName\t\t\tState\n\(lines)+OK\n"
        case "kill":
            guard words.count > 1, limits.remotes.contains(where: { $0.name == words[1] }) else {
                return "-ERR No such remote instance \(words.count > 1 ? words[1] : "")\n"
            }
            limits.remotes.removeAll { $0.name == words[1] }
            emit(.remotes(limits.remotes.map(\.name)))
            return "+OK\n"
        case "rescan":
            for name in remoteNames where !limits.remotes.contains(where: { $0.name == name }) {
                limits.remotes.append(LimitTable.Remote(name: name))
            }
            emit(.remotes(limits.remotes.map(\.name)))
            return "+OK\n"
        default: return "-ERR Usage: hash_remote list|kill [name]|rescan\n"
        }
    }

    /// mod_hash's configured remotes; the driver polls them.
    package mutating func configureRemotes(_ names: [String]) {
        remoteNames = names
        limits.remotes = names.map { LimitTable.Remote(name: $0) }
    }

    /// A remote answered `api hash_dump limit` with this body.
    package mutating func remoteAnswered(_ body: String, name: String, at now: Timestamp) {
        advance(to: now)
        limits.note(true, of: name)
        limits.take(body, from: name)
    }

    package mutating func remoteLost(_ name: String, at now: Timestamp) {
        advance(to: now)
        limits.note(false, of: name)
    }

    // MARK: mod_hiredis

    /// A call waits while the limit service is asked.
    mutating func ask(_ rule: LimitRule, for uuid: String) {
        emit(
            .limit(
                LimitQuery(purpose: .check(channel: uuid, rule: rule), command: ["incr", key(of: rule)])))
    }

    /// The key of a rate holds the number of its window.
    private func key(of rule: LimitRule) -> String {
        guard let interval = rule.interval, interval > 0 else { return rule.id }
        return "\(rule.id)_\(now.seconds / Int64(interval))"
    }

    /// The limit service's answer; nil when it cannot be reached, and calls then pass (`ignore-connect-fail`), or when it
    /// answered with an error, and calls then do not (hiredis_profile.c: hiredis_profile_execute).
    package mutating func limitAnswered(
        _ query: LimitQuery, _ value: Int?, isError: Bool = false, at now: Timestamp
    ) {
        advance(to: now)
        switch query.purpose {
        case .raw(let ticket):
            let words = query.command.joined(separator: " ")
            emit(
                .reply(
                    ticket, value == nil ? "-ERR hiredis_raw default \(words) Command not found!\n" : "PONG"))
        case .show(let ticket): emit(.reply(ticket, "\(value ?? -1)"))
        case .release, .expire: return
        case .check(let uuid, let rule):
            let key = query.command.count > 1 ? query.command[1] : rule.id
            guard let channel = channels[uuid], channel.hangupCause == nil else {
                // The caller went away meanwhile: what was counted for it is given back.
                if value != nil, rule.interval == nil {
                    emit(.limit(LimitQuery(purpose: .release, command: ["decr", key])))
                }
                return
            }
            if isError { return refuse(uuid, 603, "Decline", .rejected) }
            if let value, rule.interval != nil, value == 1 {
                emit(
                    .limit(
                        LimitQuery(purpose: .expire, command: ["expire", key, "\(rule.interval ?? 1)"])))
            }
            if let value, value > rule.max {
                if rule.interval == nil {
                    emit(.limit(LimitQuery(purpose: .release, command: ["decr", key])))
                }
                return refuse(uuid, 603, "Decline", .rejected)
            }
            if value != nil, rule.interval == nil {
                held(rule, by: uuid, usage: LimitTable.Usage(total: value ?? 0))
            }
            let step = channel.plan.firstIndex { $0.name == "limit" && $0.data == rule.data } ?? 0
            proceed(uuid, at: step + 1)
        }
    }
}
