import EventSocket

extension SwitchCore {
    /// Runs an `api` or `bgapi` line; answered by `.reply` with the ticket, some of them much later.
    ///
    /// - Parameter console: typed at the console, so aliases are expanded.
    package mutating func command(_ line: String, console: Bool = false, ticket: Ticket, at now: Timestamp) {
        advance(to: now)
        var line = line
        var notice = ""
        if console {
            line = line.trimmed
            if let alias = aliases.first(where: { line == $0.name || line.hasPrefix($0.name + " ") }) {
                notice =
                    "\nExpand Alias [\(alias.name)]->[\(alias.command)\(line.dropFirst(alias.name.count))]\n\n"
                line = alias.command + line.dropFirst(alias.name.count)
            }
        }
        let name = line.prefix { $0 != " " }
        let arguments = String(line.dropFirst(name.count).drop { $0 == " " })
        fire("API", from: EventOrigin("switch_loadable_module.c", "switch_api_execute", 3140)) { headers in
            headers.append("API-Command", String(name))
            if !arguments.isEmpty { headers.append("API-Command-Argument", arguments) }
        }
        if name == "simulator" { return emit(.reply(ticket, simulate(arguments))) }
        guard !faults.commandsRefused else { return emit(.reply(ticket, "-ERR permission denied\n")) }
        let call = Call(name: String(name), arguments: arguments, ticket: ticket, notice: notice)
        if let text = answer(call) { emit(.reply(ticket, notice + text)) }
    }

    struct Call: Sendable {
        var name: String
        var arguments: String
        var ticket: Ticket
        /// What comes before the output.
        var notice: String

        var words: [String] { arguments.split(separator: " ").map(String.init) }
    }

    /// The output, or nil when it comes later.
    private mutating func answer(_ call: Call) -> String? {
        switch call.name {
        case "status": return statusText
        case "version": return "FreeSWITCH Version \(SwitchSettings.version)~64bit ( 64bit)\n"
        case "switchname": return identity.switchname
        case "hostname": return identity.hostname
        case "uptime": return uptime(call.words.first)
        case "show": return show(call.arguments)
        case "sofia": return sofia(call)
        case "sofia_contact": return sofiaContact(call.arguments)
        case "sofia_count_reg": return sofiaCount(call.arguments)
        case "fsctl": return control(call)
        case "global_getvar": return getGlobal(call.arguments)
        case "global_setvar": return setGlobal(call.arguments)
        case "uuid_dump", "uuid_getvar", "uuid_setvar", "uuid_kill", "uuid_park", "uuid_transfer",
            "uuid_exists", "hupall":
            return channelCommand(call)
        case "limit_usage", "limit_hash_usage", "hash_dump", "hash", "hash_remote": return limitCommand(call)
        case "hiredis_raw" where settings.limitService != nil && call.words.first == "default":
            emit(.limit(LimitQuery(purpose: .raw(call.ticket), command: Array(call.words.dropFirst()))))
            return nil
        case "alias", "complete", "console_complete": return consoleCommand(call)
        case "system", "bg_system":
            guard !call.arguments.isEmpty else { return "-USAGE: <command>\n" }
            emit(.run(call.ticket, command: call.arguments))
            systemNotices[call.ticket.number] = call.notice
            return nil
        case "reloadxml":
            fireReload()
            return "+OK [Success]\n"
        case "xml_locate": return locate(call.words)
        case "module_exists": return call.arguments.isEmpty ? "" : hasModule(call.arguments)
        case "domain_exists":
            return call.arguments.isEmpty ? "" : "\(!settings.unknownDomains.contains(call.arguments))"
        case "originate": return originate(call.arguments)
        case "echo": return call.arguments
        default: return "-ERR \(call.name) Command not found!\n"
        }
    }

    /// A `system` program ended with this output.
    package mutating func commandDone(_ ticket: Ticket, output: String, at now: Timestamp) {
        advance(to: now)
        emit(.reply(ticket, (systemNotices.removeValue(forKey: ticket.number) ?? "") + output))
    }

    private var statusText: String {
        let counters = counters
        return """
            UP \((now - started).spelled)
            FreeSWITCH (Version \(SwitchSettings.version)  64bit) is \(isAccepting ? "ready" : "not ready")
            \(counters.total) session(s) since startup
            \(sessionCount) session(s) - peak \(counters.peak), last 5min \(counters.peakFiveMinutes) 
            \(counters.lastSecond) session(s) per Sec out of max \(sessionRate), peak \(counters.peakRate), \
            last 5min \(counters.peakRateFiveMinutes) 
            \(sessionLimit) session(s) max
            min idle cpu 0.00/90.00
            Current Stack Size/Max 240K/240K

            """
    }

    private func uptime(_ unit: String?) -> String {
        let micros = (now - started).wholeMicroseconds
        switch unit {
        case "ms": return "\(micros / 1000)\n"
        case "us": return "\(micros)\n"
        case "m": return "\(micros / 60_000_000)\n"
        case "h": return "\(micros / 3_600_000_000)\n"
        case "d": return "\(micros / 86_400_000_000)\n"
        default: return "\(micros / 1_000_000)\n"
        }
    }

    private func getGlobal(_ name: String) -> String {
        if !name.isEmpty { return globals[name] ?? "" }
        return globals.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
    }

    private mutating func setGlobal(_ argument: String) -> String {
        guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else {
            return "-USAGE: <var>=<value> [=<value2>]\n"
        }
        let value = String(argument[argument.index(after: equals)...])
        guard globals.count < 10_000 else { return "-ERR too many variables\n" }
        globals[String(argument[..<equals])] = value.isEmpty ? nil : value
        return "+OK"
    }

    // MARK: Channels

    private mutating func channelCommand(_ call: Call) -> String {
        let uuid = call.words.first ?? ""
        switch call.name {
        case "uuid_exists": return channels[uuid] == nil ? "false" : "true"
        case "uuid_dump":
            guard !uuid.isEmpty else { return "-USAGE: <uuid> [format]\n" }
            guard let channel = channels[uuid] else { return "-ERR No such channel!\n" }
            return dump(channel, format: call.words.count > 1 ? call.words[1] : "txt")
        case "uuid_getvar":
            guard call.words.count > 1 else { return "-USAGE: <uuid> <var>\n" }
            guard let channel = channels[uuid] else { return "-ERR No such channel!\n" }
            return channel.variables[call.words[1]] ?? "_undef_"
        case "uuid_setvar":
            guard call.words.count == 2 || call.words.count == 3 else {
                return "-USAGE: <uuid> <var> [value]\n"
            }
            guard channels[uuid] != nil else { return "-ERR No such channel!\n" }
            channels[uuid]?.variables[call.words[1]] = call.words.count == 3 ? call.words[2] : nil
            return "+OK\n"
        case "uuid_kill":
            guard !uuid.isEmpty else { return "-USAGE: <uuid> [cause]\n" }
            guard channels[uuid] != nil else { return "-ERR No such channel!\n" }
            let cause = call.words.count > 1 ? HangupCause(named: call.words[1]) : nil
            hangUp(uuid, cause ?? .managed, how: .sent)
            return "+OK\n"
        case "uuid_park", "uuid_transfer":
            guard call.words.count >= (call.name == "uuid_park" ? 1 : 2) else { return "-USAGE: <uuid>\n" }
            guard channels[uuid] != nil else {
                return call.name == "uuid_park"
                    ? "-ERR No such channel!\n" : "-ERR No such channel \(uuid)!\n"
            }
            takeOut(uuid)
            if call.name == "uuid_transfer" {
                channels[uuid]?.caller.destination = call.words[1]
                dial(uuid)
            }
            return "+OK\n"
        default:
            return hangUpAll(call.words)
        }
    }

    /// A caller leaves its extension: what rings for it is cancelled (switch_ivr_originate.c), its partner ends.
    private mutating func takeOut(_ uuid: String) {
        let partner = channels[uuid]?.partner
        channels[uuid]?.partner = nil
        if let partner {
            channels[partner]?.partner = nil
            hangUp(partner, .cancelled, how: .sent)
        }
        channels[uuid]?.state = .park
    }

    /// `hupall [CAUSE [VARIABLE VALUE]]`
    private mutating func hangUpAll(_ words: [String]) -> String {
        let cause = words.first.flatMap(HangupCause.init(named:)) ?? .managed
        guard words.count >= 3 else {
            for uuid in order { hangUp(uuid, cause, how: .sent) }
            return "+OK hangup all channels with cause \(cause.name)\n"
        }
        for uuid in order where channels[uuid]?.variables[words[1]] == words[2] {
            hangUp(uuid, cause, how: .sent)
        }
        return "+OK hangup all channels matching [\(words[1])]=[\(words[2])] with cause: \(cause.name)\n"
    }

    private mutating func dump(_ channel: Leg, format: String) -> String {
        var headers = Headers()
        headers.append("Event-Name", "CHANNEL_DATA")
        appendCommon(&headers, EventOrigin("mod_commands.c", "uuid_dump_function", 6495))
        channel.describe(into: &headers)
        let event = SwitchEvent(headers: headers)
        switch format {
        case "json": return String(decoding: EventCodec.encode(event, as: .json), as: UTF8.self)
        case "xml": return String(decoding: EventCodec.encode(event, as: .xml), as: UTF8.self)
        // This form shows values as they are, in brackets.
        case "plain": return headers.fields.map { "\($0.name): [\($0.value)]\n" }.joined() + "\n"
        default: return String(decoding: EventCodec.encode(event, as: .plain), as: UTF8.self)
        }
    }

    // MARK: Console

    private mutating func consoleCommand(_ call: Call) -> String {
        let words = call.words
        switch call.name {
        case "alias":
            if words.count >= 3, words[0] == "add" || words[0] == "stickyadd", aliases.count < 1000 {
                aliases.removeAll { $0.name == words[1] }
                aliases.append((words[1], words.dropFirst(2).joined(separator: " ")))
                return "+OK\n"
            }
            if words.count >= 2, words[0] == "del" {
                aliases.removeAll { words[1] == "*" || $0.name == words[1] }
                return "+OK\n"
            }
            return "-USAGE: [add|stickyadd] <alias> <command> | del [<alias>|*]\n"
        case "complete":
            if words.count >= 2, words[0] == "add", completions.count < 10_000 {
                let phrase = Array(words.dropFirst())
                if !completions.contains(phrase) { completions.append(phrase) }
                return "+OK\n"
            }
            if words.count >= 2, words[0] == "del" {
                let phrase = Array(words.dropFirst())
                completions.removeAll { phrase == ["*"] || $0.starts(with: phrase) }
                return "+OK\n"
            }
            return "-USAGE: add <word>|del [<word>|*]\n"
        default:
            let line = Completion.typed(call.arguments)
            return Completion.answer(line: line, candidates: candidates(for: line))
        }
    }

    /// Words that may stand where the line's last word is being typed.
    private func candidates(for line: String) -> [String] {
        var words = line.split(separator: " ").map(String.init)
        let typed = line.hasSuffix(" ") || words.isEmpty ? "" : words.removeLast()
        var found: [String] = []
        var ends: [Bool] = []
        func offer(_ phrase: [String]) {
            guard phrase.count > words.count, phrase.starts(with: words) else { return }
            let word = phrase[words.count]
            // A word that ends one phrase and goes on in another is shown twice, but for the first word.
            let isEnd = phrase.count == words.count + 1 && !words.isEmpty
            guard word.hasPrefix(typed), !zip(found, ends).contains(where: { $0 == word && $1 == isEnd })
            else { return }
            found.append(word)
            ends.append(isEnd)
        }
        for phrase in Self.phrases { offer(phrase) }
        for alias in aliases { offer([alias.name]) }
        for phrase in completions { offer(phrase) }
        return words.isEmpty ? found.sorted() : found
    }

    private static let phrases: [[String]] = [
        ["alias", "add"], ["complete", "add"], ["fsctl", "pause"], ["fsctl", "recover"], ["fsctl", "resume"],
        ["fsctl", "shutdown", "asap"], ["fsctl", "shutdown", "cancel"], ["fsctl", "shutdown", "elegant"],
        ["fsctl", "shutdown", "now"], ["fsctl", "sps"], ["global_getvar"], ["global_setvar"],
        ["hash_dump", "limit"], ["hash_remote", "kill"], ["hash_remote", "list"], ["hash_remote", "rescan"],
        ["hostname"], ["hupall"], ["limit_usage"], ["reloadxml"], ["show", "aliases"], ["show", "calls"],
        ["show", "channels"], ["show", "registrations"], ["sofia", "global", "standby"],
        ["sofia", "profile"], ["sofia", "recover"], ["sofia", "status"], ["sofia", "status", "profile"],
        ["sofia", "xmlstatus"], ["status"],
        ["switchname"], ["system"], ["uptime"], ["uuid_dump"], ["uuid_exists"], ["uuid_kill"],
        ["uuid_park"], ["uuid_setvar"], ["uuid_transfer"], ["version"],
    ]
}
