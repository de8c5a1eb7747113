extension ServerSession {
    /// What a reply may hold of what the client sent, as mod_event_socket.c (listener_run) bounds it.
    private static let maximumReply = 511

    mutating func perform(_ command: Command, _ out: inout [Output]) {
        // FreeSWITCH cuts a line at its first CR.
        let line = Substring(command.line).prefix { $0 != "\r" }
        if isPrefix("exit", line) || isPrefix("...", line) {
            reply("+OK bye", &out)
            return sayGoodbye(.goodbye, &out)
        }
        guard phase == .authenticated else { return authenticate(line, &out) }
        if let argument = after("filter ", line) {
            filter(argument, &out)
        } else if isPrefix("myevents ", line) {
            reply("-ERR invalid uuid", &out)
        } else if isPrefix("divert_events", line) {
            reply("-ERR not controlling a session.", &out)
        } else if let argument = after("sendmsg", line) {
            let uuid = argument.drop { $0 == " " }
            reply(
                "-ERR invalid session id [\(uuid.isEmpty ? Substring(command.headers["session-id"] ?? "") : uuid)]",
                &out)
        } else if let argument = after("sendevent", line) {
            sendevent(line, argument, command, &out)
        } else if let argument = after("api ", line) {
            api(argument, command, &out)
        } else if let argument = after("bgapi ", line) {
            bgapi(argument, command, &out)
        } else if let argument = after("log", line) {
            setLog(argument, &out)
        } else if isPrefix("linger", line) || isPrefix("nolinger", line) {
            reply("-ERR not controlling a session", &out)
        } else if isPrefix("nolog", line) {
            reply(logLevel == nil ? "-ERR not loging" : "+OK no longer logging", &out)
            logLevel = nil
        } else {
            performEvents(line, &out)
        }
    }

    private mutating func performEvents(_ line: Substring, _ out: inout [Output]) {
        if let argument = after("event", line) {
            do throws(EventSelection.Refusal) {
                try selection.add(
                    words(argument), allowed: allowedEvents,
                    maximumSubclasses: configuration.maximumSubclasses)
                reply("+OK event listener enabled \(selection.format.rawValue)", &out)
            } catch {
                reply(text(error), &out)
            }
        } else if let argument = after("nixevent", line) {
            do throws(EventSelection.Refusal) {
                try selection.remove(words(argument))
                reply("+OK events nixed", &out)
            } catch {
                reply(text(error), &out)
            }
        } else if isPrefix("noevents", line) {
            let wasListening = selection.removeAll()
            reply(
                wasListening ? "+OK no longer listening for events" : "-ERR not listening for events", &out)
        } else {
            reply("-ERR command not found", &out)
        }
    }

    private func text(_ refusal: EventSelection.Refusal) -> String {
        switch refusal {
        case .noKeywords: "-ERR no keywords supplied"
        case .notAllowed: "-ERR permission denied"
        case .tooMany: "-ERR too many subclasses"
        }
    }

    // MARK: Authentication

    private mutating func authenticate(_ line: Substring, _ out: inout [Output]) {
        commandsBeforePassword += 1
        guard commandsBeforePassword <= configuration.maximumCommandsBeforePassword else {
            return sayGoodbye(.goodbye, &out)
        }
        if let password = after("auth ", line) {
            // Both are compared, whichever it is, so that time tells nothing.
            let isFull = ConstantTime.isEqual(String(password), configuration.password)
            let isLook = ConstantTime.isEqual(String(password), configuration.lookPassword)
            mayChange = isFull && !configuration.password.isEmpty
            guard mayChange || (isLook && !configuration.lookPassword.isEmpty) else { return refuse(&out) }
            accept(nil, "Content-Type: command/reply\nReply-Text: +OK accepted\n\n", &out)
        } else if let credentials = after("userauth ", line) {
            userauth(credentials, &out)
        } else {
            reply("-ERR command not found", &out)
        }
    }

    /// `USER@DOMAIN:PASSWORD` or `USER:PASSWORD`.
    private mutating func userauth(_ credentials: Substring, _ out: inout [Output]) {
        let parts = credentials.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        let password = parts.count > 1 ? String(parts[1]) : ""
        // An unknown user costs a comparison too.
        let user = configuration.users.first { $0.name == name }
        let isEqual = ConstantTime.isEqual(password, user?.password ?? configuration.password)
        guard let user, !user.password.isEmpty, isEqual else { return refuse(&out) }
        accept(
            user,
            """
            Content-Type: command/reply
            Reply-Text: +OK accepted
            Allowed-Events: \(user.allowedEvents?.joined(separator: " ") ?? "all")
            Allowed-API: \(user.allowedCommands?.joined(separator: " ") ?? "all")
            Allowed-LOG: \(user.allowsLog)


            """, &out)
    }

    private mutating func accept(_ user: User?, _ reply: String, _ out: inout [Output]) {
        phase = .authenticated
        self.user = user
        allowedEvents = user?.allowedEvents.map(AllowedEvents.init)
        decoder.limits = configuration.limits
        out.append(.authenticated(user: user?.name))
        send(reply, &out)
    }

    private mutating func refuse(_ out: inout [Output]) {
        out.append(.passwordRefused)
        let delay = configuration.backOff.delay(refusals: refusals)
        guard delay > .zero else {
            reply("-ERR invalid", &out)
            return sayGoodbye(.goodbye, &out)
        }
        let answer = "Content-Type: command/reply\nReply-Text: -ERR invalid\n\n"
        out.append(.sendAfter(delay, Array(answer.utf8) + DisconnectNotice.goodbye.frame()))
        out.append(.closeAfter(delay))
        end()
    }

    // MARK: Commands

    private mutating func api(_ argument: Substring, _ command: Command, _ out: inout [Output]) {
        guard user?.allows(command: String(argument)) ?? true else {
            return reply("-ERR permission denied", &out)
        }
        lastID += 1
        pending = lastID
        out.append(
            .run(
                Request(
                    id: lastID, line: String(argument),
                    consoleExecute: isTrue(command.headers["console_execute"]))))
    }

    private mutating func bgapi(_ argument: Substring, _ command: Command, _ out: inout [Output]) {
        guard user?.allows(command: String(argument)) ?? true else {
            return reply("-ERR permission denied", &out)
        }
        guard jobs.count < configuration.maximumJobs else { return reply("-ERR too many jobs", &out) }
        let uuid = command.headers["Job-UUID"] ?? uuids.next()
        let words = argument.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        var fields = [
            Headers.Field("Event-Name", "BACKGROUND_JOB"), Headers.Field("Job-UUID", uuid),
            Headers.Field("Job-Command", String(words.first ?? "")),
        ]
        if words.count > 1 { fields.append(Headers.Field("Job-Command-Arg", String(words[1]))) }
        lastID += 1
        jobs[lastID] = SwitchEvent(headers: Headers(fields))
        send(
            "Content-Type: command/reply\nReply-Text: +OK Job-UUID: \(uuid)\nJob-UUID: \(uuid)\n\n", &out)
        out.append(.run(Request(id: lastID, line: String(argument), jobUUID: uuid)))
    }

    /// The event is put together in FreeSWITCH's order: the subclass of a `CUSTOM` first, the command, the client's headers, a UUID.
    private mutating func sendevent(
        _ line: Substring, _ argument: Substring, _ command: Command, _ out: inout [Output]
    ) {
        // Everybody who listens would believe it.
        guard mayChange || Headers.isRequest(command.headers) else {
            return reply("-ERR permission denied", &out)
        }
        let uuid = uuids.next()
        // A word that names no event leaves the type FreeSWITCH gave the command itself.
        var name = "CLONE"
        if case .name(let place) = EventNames.word(argument.drop { $0 == " " || $0 == "\t" }) {
            name = EventNames.all[place]
        }
        var headers = Headers([Headers.Field("Command", String(line))])
        for field in command.headers.fields where !Headers.isSame(field.name, "Event-Name") {
            if headers[field.name] != nil { headers[field.name] = nil }
            headers.append(field.name, field.value)
        }
        headers["Event-UUID"] = nil
        headers.append("Event-UUID", uuid)
        if name == "CUSTOM", let subclass = headers["Event-Subclass"] {
            headers["Event-Subclass"] = nil
            headers = Headers([Headers.Field("Event-Subclass", subclass)] + headers.fields)
        }
        headers.append("Event-Name", name)
        reply("+OK \(uuid)", &out)
        out.append(.sendevent(SwitchEvent(headers: headers, body: command.body)))
    }

    private mutating func filter(_ argument: Substring, _ out: inout [Output]) {
        do throws(EventFilters.Refusal) {
            reply(try filters.handle(argument, maximum: configuration.maximumFilters), &out)
        } catch {
            switch error {
            case .syntax: reply("-ERR invalid syntax", &out)
            case .tooMany: reply("-ERR too many filters", &out)
            case .pattern(let failure): reply("-ERR invalid pattern: \(failure)", &out)
            }
        }
    }

    private static let logLevels = [
        "disable", "console", "alert", "crit", "err", "warning", "notice", "info", "debug",
    ]

    /// Numbers as they are up to 63, names by place; none is debug (switch_log.c: switch_log_str2level).
    private mutating func setLog(_ argument: Substring, _ out: inout [Output]) {
        guard user?.allowsLog ?? true else { return reply("-ERR permission denied", &out) }
        let word = argument.drop { $0 == " " }.prefix { $0 != " " }
        var level: Int?
        if word.isEmpty {
            level = 7
        } else if word.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) {
            level = min(Decimal.parse(word) ?? 63, 63)
        } else {
            level = Self.logLevels.firstIndex(of: word.lowercased()).map { $0 - 1 }
        }
        guard let level else { return reply("-ERR invalid log level", &out) }
        logLevel = level
        reply("+OK log level \(word) [\(level)]", &out)
    }

    // MARK: Words

    private mutating func reply(_ text: String, _ out: inout [Output]) {
        let text = String(decoding: text.utf8.prefix(Self.maximumReply), as: UTF8.self)
        send("Content-Type: command/reply\nReply-Text: \(text)\n\n", &out)
    }

    /// What follows a command's word, which FreeSWITCH looks for at the beginning of the line without regard to case.
    private func after(_ word: String, _ line: Substring) -> Substring? {
        guard isPrefix(word, line) else { return nil }
        return line[line.utf8.index(line.startIndex, offsetBy: word.utf8.count)...]
    }

    private func isPrefix(_ word: String, _ line: Substring) -> Bool {
        line.utf8.count >= word.utf8.count
            && zip(word.utf8, line.utf8).allSatisfy { Headers.isSame($0, $1) }
    }

    /// The words after the first space.
    private func words(_ argument: Substring) -> [Substring] {
        guard let space = argument.firstIndex(of: " ") else { return [] }
        return argument[argument.index(after: space)...].split(
            separator: " ", omittingEmptySubsequences: false)
    }

    /// switch_utils.h: switch_true.
    private func isTrue(_ value: String?) -> Bool {
        guard let value else { return false }
        if ["yes", "on", "true", "t", "enabled", "active", "allow"].contains(value.lowercased()) {
            return true
        }
        return (Decimal.parse(value) ?? 0) != 0
    }
}

extension Headers {
    /// Whether an event with these headers asks our own server something, which looks at what it may answer.
    fileprivate static func isRequest(_ headers: Headers) -> Bool {
        headers["Event-Subclass"] == "fsdns::request"
    }
}
