/// One connection of the limit service: RESP2 commands in, replies out, counts changed in the limit book.
///
/// It speaks the few commands mod_hiredis sends, and what redis-cli, redis-benchmark and hiredis ask at their start.
package struct LimitSession: Sendable {
    /// What the driver has to do after the replies were sent.
    package enum Next: Hashable, Sendable {
        /// Read on.
        case more
        /// Wait so long, reading nothing; then call `resume`.
        case wait(Duration)
        case close
    }

    /// What the session works on, shared by all connections of the service.
    package struct Shared: Sendable {
        package var book: LimitBook
        package var passwords: PasswordGuard
        /// Commands served, pings and the like included.
        package var commands: UInt64 = 0
        /// Checks refused because the key was unfit, or there was no room for it.
        package var refusedKeys: UInt64 = 0

        package init(book: LimitBook, passwords: PasswordGuard) {
            self.book = book
            self.passwords = passwords
        }
    }

    let id: UInt64
    private(set) var decoder: RESPDecoder
    private var wrongPasswords = 0
    /// Commands before the password was given.
    private var strangersCommands = 0
    /// No client needs as many; each costs the time of those who gave the password.
    package static let strangersCommandLimit = 16

    /// - Parameters:
    ///   - id: what `CLIENT ID` answers.
    ///   - needsPassword: `PasswordGuard.isNeeded`.
    package init(id: UInt64, needsPassword: Bool) {
        self.id = id
        decoder = RESPDecoder(isTrusted: !needsPassword)
    }

    /// Whether the password was given, or none is needed.
    package var isAuthenticated: Bool { decoder.isTrusted }
    /// Whether half a command waits for its rest.
    package var isUnderWay: Bool { decoder.isUnderWay }

    /// Serves every whole command at the beginning of the bytes.
    ///
    /// - Parameter bytes: what was not used in the call before, and what came since.
    /// - Returns: how many bytes were used, and what is next.
    package mutating func receive(
        _ bytes: UnsafeRawBufferPointer, _ shared: inout Shared, at now: LimitMoment,
        into replies: inout RESPReplies
    ) -> (used: Int, next: Next) {
        var used = 0
        do throws(RESPFailure) {
            while let count = try decoder.next(UnsafeRawBufferPointer(rebasing: bytes[used...])) {
                let command = UnsafeRawBufferPointer(rebasing: bytes[used..<(used + count)])
                used += count
                guard !decoder.arguments.isEmpty else { continue }
                shared.commands &+= 1
                let next = serve(command, &shared, now, &replies)
                if next != .more { return (used, next) }
            }
            return (used, .more)
        } catch {
            replies.failure("ERR Protocol error: \(error)")
            return (used, .close)
        }
    }

    /// After the wait for a wrong password: says that it was wrong.
    package mutating func resume(into replies: inout RESPReplies) -> Next {
        replies.failure("WRONGPASS invalid username-password pair or user is disabled.")
        return wrongPasswords >= PasswordGuard.attempts ? .close : .more
    }

    // MARK: - Commands

    func argument(_ place: Int, _ command: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let argument = decoder.arguments[place]
        return UnsafeRawBufferPointer(rebasing: command[argument.start..<(argument.start + argument.count)])
    }

    func text(_ place: Int, _ command: UnsafeRawBufferPointer) -> String {
        String(decoding: argument(place, command).prefix(128), as: UTF8.self)
    }

    @inline(__always)
    private mutating func serve(
        _ command: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment,
        _ replies: inout RESPReplies
    ) -> Next {
        let name = CommandName(argument(0, command))
        guard decoder.isTrusted else { return serveStranger(name, command, &shared, now, &replies) }
        switch name {
        case .incr: increment(command, &shared, now, &replies)
        case .decr: decrement(command, &shared, now, &replies)
        case .get: get(command, &shared, now, &replies)
        case .expire: expire(command, &shared, now, &replies)
        case .eval: evaluate(command, &shared, now, &replies)
        default: return serveOther(name, command, &shared, now, &replies)
        }
        return .more
    }

    private mutating func serveStranger(
        _ name: CommandName, _ command: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment,
        _ replies: inout RESPReplies
    ) -> Next {
        strangersCommands += 1
        guard strangersCommands <= Self.strangersCommandLimit else {
            replies.failure("NOAUTH Authentication required.")
            return .close
        }
        switch name {
        case .auth: return authenticate(command, &shared, now, &replies)
        case .hello: return hello(command, &shared, now, &replies)
        case .quit: return quit(&replies)
        default:
            replies.failure("NOAUTH Authentication required.")
            return .more
        }
    }

    private func increment(
        _ command: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment,
        _ replies: inout RESPReplies
    ) {
        guard has(2, "incr", &replies) else { return }
        let key = argument(1, command)
        if let sum = shared.book.increment(key, at: now) {
            replies.integer(sum)
        } else {
            shared.refusedKeys &+= 1
            let fault = LimitKey.fault(in: key).map { "the key \($0)" }
            replies.failure("ERR \(fault ?? "there is no room for another key")")
        }
    }

    private func decrement(
        _ command: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment,
        _ replies: inout RESPReplies
    ) {
        guard has(2, "decr", &replies) else { return }
        replies.integer(shared.book.decrement(argument(1, command), at: now))
    }

    private func get(
        _ command: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment,
        _ replies: inout RESPReplies
    ) {
        guard has(2, "get", &replies) else { return }
        if let sum = shared.book.value(argument(1, command), at: now) {
            replies.bulk(sum)
        } else {
            replies.none()
        }
    }

    private func expire(
        _ command: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment,
        _ replies: inout RESPReplies
    ) {
        guard decoder.arguments.count <= 3 else {
            return replies.failure("ERR Unsupported option \(text(3, command))")
        }
        guard has(3, "expire", &replies) else { return }
        guard let seconds = Int64(text(2, command)) else {
            return replies.failure("ERR value is not an integer or out of range")
        }
        guard seconds.magnitude <= LimitBounds.expiry.magnitude else {
            return replies.failure("ERR invalid expire time in 'expire' command")
        }
        replies.integer(shared.book.expire(argument(1, command), after: seconds, at: now) ? 1 : 0)
    }

    private func evaluate(
        _ command: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment,
        _ replies: inout RESPReplies
    ) {
        guard decoder.arguments.count >= 3 else { return wrongCount("eval", &replies) }
        guard decoder.arguments.count == 4, text(2, command) == "1",
            ReleaseScript.isKnown(argument(1, command))
        else {
            return replies.failure(
                "ERR only mod_hiredis's script that decrements one key and deletes it at zero is served")
        }
        replies.integer(shared.book.decrement(argument(3, command), at: now))
    }

    func has(_ count: Int, _ name: StaticString, _ replies: inout RESPReplies) -> Bool {
        if decoder.arguments.count == count { return true }
        wrongCount(name, &replies)
        return false
    }

    func wrongCount(_ name: StaticString, _ replies: inout RESPReplies) {
        replies.failure("ERR wrong number of arguments for '\(name)' command")
    }

    /// Nil when it is right. Only the user every redis has is known.
    mutating func check(
        user: String, _ password: UnsafeRawBufferPointer, _ shared: inout Shared, _ now: LimitMoment
    ) -> Duration? {
        let isKnown = user == "default" || !shared.passwords.isNeeded
        let given = isKnown ? password : UnsafeRawBufferPointer(start: nil, count: 0)
        if let delay = shared.passwords.check(given, at: now.boot) {
            wrongPasswords += 1
            return delay
        }
        decoder.isTrusted = true
        return nil
    }
}
