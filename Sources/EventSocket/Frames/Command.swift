/// One command of an event-socket client: a line, headers, and a body for those that have one.
package struct Command: Hashable, Sendable {
    package var line: String
    package var headers: Headers
    package var body: [UInt8]

    package init(_ line: String, headers: Headers = Headers(), body: [UInt8] = []) {
        self.line = line
        self.headers = headers
        self.body = body
    }

    /// The command's bytes. Values go out literally, as `sendevent` takes them: what cannot be said that way is refused.
    package func encoded() throws(CommandError) -> [UInt8] {
        guard let first = line.utf8.first, first != UInt8(ascii: "\n"), first != UInt8(ascii: "\r") else {
            throw .emptyLine
        }
        guard Self.isOneLine(line) else { throw .lineBreak(field: "command line") }
        var bytes = Array(line.utf8)
        bytes.append(UInt8(ascii: "\n"))
        for field in headers.fields where body.isEmpty || !Headers.isSame(field.name, "Content-Length") {
            guard !field.name.isEmpty, Self.isOneLine(field.name),
                !field.name.utf8.contains(UInt8(ascii: ":"))
            else { throw .badHeaderName(field.name) }
            guard Self.isOneLine(field.value) else { throw .lineBreak(field: field.name) }
            // Without a body a length would make the server wait for one.
            guard !Headers.isSame(field.name, "Content-Length") else { throw .badHeaderName(field.name) }
            bytes.append(contentsOf: "\(field.name): \(field.value)\n".utf8)
        }
        if !body.isEmpty { bytes.append(contentsOf: "content-length: \(body.count)\n".utf8) }
        bytes.append(UInt8(ascii: "\n"))
        return bytes + body
    }

    private static func isOneLine(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") && $0 != 0 }
    }
}

extension Command {
    /// `auth PASSWORD`.
    package static func auth(_ password: String) -> Command { Command("auth \(password)") }

    /// `userauth USER@DOMAIN:PASSWORD`; `user` is `USER@DOMAIN`.
    package static func userauth(user: String, password: String) -> Command {
        Command("userauth \(user):\(password)")
    }

    /// `api COMMAND`; with `consoleExecute` it goes through the console, where aliases are expanded.
    package static func api(_ command: String, consoleExecute: Bool = false) -> Command {
        Command(
            "api \(command)",
            headers: Headers(consoleExecute ? [Headers.Field("console_execute", "true")] : []))
    }

    /// `bgapi COMMAND`, answered by a `BACKGROUND_JOB` event with this `Job-UUID`.
    package static func bgapi(_ command: String, jobUUID: String? = nil) -> Command {
        Command("bgapi \(command)", headers: Headers(jobUUID.map { [Headers.Field("Job-UUID", $0)] } ?? []))
    }

    /// `event FORMAT NAME… CUSTOM SUBCLASS…`: all after `CUSTOM` are subclasses, so it comes last.
    package static func event(_ format: EventFormat, _ subscription: Subscription) -> Command {
        Command("event \(format.rawValue) \(subscription.words)")
    }

    package static func nixevent(_ subscription: Subscription) -> Command {
        Command("nixevent \(subscription.words)")
    }

    package static func filter(_ header: String, _ value: String) -> Command {
        Command("filter \(header) \(value)")
    }

    /// `sendevent NAME` with the event's headers, but for `Event-Name` which the line tells, and its body.
    package static func sendevent(_ event: SwitchEvent) -> Command {
        var headers = event.headers
        headers["Event-Name"] = nil
        return Command("sendevent \(event.name)", headers: headers, body: event.body)
    }

    package static let exit = Command("exit")
}

/// Which events a client wants: names, and subclasses of `CUSTOM`.
package struct Subscription: Hashable, Sendable {
    package var names: [String]
    package var subclasses: [String]

    package init(names: [String] = [], subclasses: [String] = []) {
        self.names = names
        self.subclasses = subclasses
    }

    package var isEmpty: Bool { names.isEmpty && subclasses.isEmpty }

    /// The words of an `event` command.
    package var words: String {
        (names + (subclasses.isEmpty ? [] : ["CUSTOM"] + subclasses)).joined(separator: " ")
    }
}

/// Why a command cannot be put into bytes.
package enum CommandError: Error, Hashable, Sendable {
    case emptyLine
    /// A line break (or NUL) in the command line or in the value of this header.
    case lineBreak(field: String)
    case badHeaderName(String)
}

extension CommandError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .emptyLine: "the command is empty"
        case .lineBreak(let field): "\(field) has a line break, which the event socket cannot carry"
        case .badHeaderName(let name): "“\(name)” cannot be a header's name"
        }
    }
}
