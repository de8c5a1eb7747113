// What a client asks about the connection and the server, rather than about limits.
extension LimitSession {
    mutating func serveOther(
        _ name: CommandName, _ command: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment,
        _ replies: inout RESPReplies
    ) -> Next {
        let count = decoder.arguments.count
        switch name {
        case .ping:
            guard count <= 2 else { return wrongCount("ping", &replies) }
            if count == 2 { replies.bulk(argument(1, command)) } else { replies.status("PONG") }
        case .echo: if has(2, "echo", &replies) { replies.bulk(argument(1, command)) }
        case .select: select(command, &replies)
        case .command: describeCommands(command, &replies)
        case .client: client(command, &replies)
        case .info: info(shared, &replies)
        case .config: config(command, &replies)
        case .auth: return authenticate(command, &shared, now, &replies)
        case .hello: return hello(command, &shared, now, &replies)
        case .quit: return quit(&replies)
        case .refused(let name):
            replies.failure("ERR \(name.rawValue) is not served: this is the fsdns limit service")
        default: unknown(command, &replies)
        }
        return .more
    }

    private func wrongCount(_ name: StaticString, _ replies: inout RESPReplies) -> Next {
        let _: Void = wrongCount(name, &replies)
        return .more
    }

    func quit(_ replies: inout RESPReplies) -> Next {
        replies.status("OK")
        return .close
    }

    /// There is one database.
    private func select(_ command: UnsafeRawBufferPointer, _ replies: inout RESPReplies) {
        guard has(2, "select", &replies) else { return }
        switch Int64(text(1, command)) {
        case 0: replies.status("OK")
        case nil: replies.failure("ERR value is not an integer or out of range")
        default: replies.failure("ERR DB index is out of range")
        }
    }

    /// redis-cli asks COMMAND DOCS at its start, for completion: there is nothing to complete.
    private func describeCommands(_ command: UnsafeRawBufferPointer, _ replies: inout RESPReplies) {
        if decoder.arguments.count > 1, text(1, command).lowercased() == "count" {
            replies.integer(UInt64(CommandName.served))
        } else {
            replies.array(0)
        }
    }

    private func client(_ command: UnsafeRawBufferPointer, _ replies: inout RESPReplies) {
        guard decoder.arguments.count >= 2 else { return wrongCount("client", &replies) }
        switch text(1, command).lowercased() {
        case "setinfo", "setname": replies.status("OK")
        case "getname": replies.none()
        case "id": replies.integer(id)
        default: replies.failure("ERR unknown subcommand '\(text(1, command))'. Try CLIENT HELP.")
        }
    }

    private func info(_ shared: Shared, _ replies: inout RESPReplies) {
        replies.bulk(
            """
            # Server\r
            redis_version:7.0.0\r
            redis_mode:standalone\r
            server_name:fsdns\r
            # Stats\r
            total_commands_processed:\(shared.commands)\r
            rejected_keys:\(shared.refusedKeys)\r
            wrong_passwords:\(shared.passwords.refused)\r

            """)
    }

    /// redis-benchmark asks for `save` and `appendonly` to print them beside its results.
    private func config(_ command: UnsafeRawBufferPointer, _ replies: inout RESPReplies) {
        guard decoder.arguments.count >= 2 else { return wrongCount("config", &replies) }
        guard text(1, command).lowercased() == "get", decoder.arguments.count >= 3 else {
            return replies.failure("ERR only CONFIG GET is served")
        }
        let values = [("save", ""), ("appendonly", "no"), ("databases", "1")]
        let asked = (2..<decoder.arguments.count).map { text($0, command).lowercased() }
        let found = values.filter { asked.contains($0.0) }
        replies.array(2 * found.count)
        for (name, value) in found {
            replies.bulk(name)
            replies.bulk(value)
        }
    }

    private func unknown(_ command: UnsafeRawBufferPointer, _ replies: inout RESPReplies) {
        var line = "ERR unknown command '\(printable(0, command))', with args beginning with: "
        for place in 1..<max(1, min(decoder.arguments.count, 5)) { line += "'\(printable(place, command))' " }
        replies.failure(line)
    }

    private func printable(_ place: Int, _ command: UnsafeRawBufferPointer) -> String {
        String(
            text(place, command).unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : Character($0) }
        )
    }

    // MARK: - Who is there

    mutating func authenticate(
        _ command: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment,
        _ replies: inout RESPReplies
    ) -> Next {
        let count = decoder.arguments.count
        guard count == 2 || count == 3 else {
            if count < 2 { return wrongCount("auth", &replies) }
            replies.failure("ERR syntax error")
            return .more
        }
        guard shared.passwords.isNeeded else {
            replies.failure(
                "ERR AUTH <password> called without any password configured for the default user. "
                    + "Are you sure your configuration is correct?")
            return .more
        }
        let delay = check(
            user: count == 3 ? text(1, command) : "default", argument(count - 1, command), &shared, now)
        if let delay { return .wait(delay) }
        replies.status("OK")
        return .more
    }

    /// RESP3 is not spoken; clients that try it fall back to RESP2.
    mutating func hello(
        _ command: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment,
        _ replies: inout RESPReplies
    ) -> Next {
        let count = decoder.arguments.count
        if count > 1, text(1, command) != "2" {
            if Int64(text(1, command)) == nil {
                replies.failure("ERR Protocol version is not an integer or out of range")
            } else {
                replies.failure("NOPROTO unsupported protocol version")
            }
            return .more
        }
        var place = 2
        while place < count {
            switch text(place, command).lowercased() {
            case "auth" where place + 2 < count:
                let delay = check(user: text(place + 1, command), argument(place + 2, command), &shared, now)
                if let delay { return .wait(delay) }
                place += 3
            case "setname" where place + 1 < count: place += 2
            default:
                replies.failure("ERR Syntax error in HELLO option '\(printable(place, command))'")
                return .more
            }
        }
        guard isAuthenticated else {
            replies.failure(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> "
                    + "AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol "
                    + "version at the same time")
            return .more
        }
        greet(&replies)
        return .more
    }

    private func greet(_ replies: inout RESPReplies) {
        replies.array(14)
        for (name, value) in [("server", "fsdns"), ("version", "7.0.0")] {
            replies.bulk(name)
            replies.bulk(value)
        }
        for (name, value) in [("proto", 2), ("id", id)] {
            replies.bulk(name)
            replies.integer(value)
        }
        for (name, value) in [("mode", "standalone"), ("role", "master")] {
            replies.bulk(name)
            replies.bulk(value)
        }
        replies.bulk("modules")
        replies.array(0)
    }
}
