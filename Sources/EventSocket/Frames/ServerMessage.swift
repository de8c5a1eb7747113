/// What a server says in one frame.
package enum ServerMessage: Hashable, Sendable {
    /// `auth/request`: the server waits for a password.
    case authRequest
    /// `command/reply`: the answer to any command but `api`.
    case commandReply(CommandReply)
    /// `api/response`: what an `api` command printed.
    case apiResponse(APIResponse)
    case event(SwitchEvent)
    case log(LogLine)
    /// `text/disconnect-notice`: the server is about to close, and says why.
    case disconnectNotice(DisconnectNotice)
    /// `text/rude-rejection`: the server's access list refuses this address.
    case rudeRejection(String)
    /// A type this program does not know.
    case other(Frame)

    package init(_ frame: Frame) throws(EventError) {
        switch frame.contentType {
        case "auth/request": self = .authRequest
        case "command/reply": self = .commandReply(CommandReply(frame.headers))
        case "api/response": self = .apiResponse(APIResponse(body: frame.body))
        case EventFormat.plain.contentType: self = .event(try EventCodec.decode(frame.body, as: .plain))
        case EventFormat.json.contentType: self = .event(try EventCodec.decode(frame.body, as: .json))
        case EventFormat.xml.contentType: self = .event(try EventCodec.decode(frame.body, as: .xml))
        case "log/data": self = .log(LogLine(frame))
        case "text/disconnect-notice":
            self = .disconnectNotice(DisconnectNotice(text: String(decoding: frame.body, as: UTF8.self)))
        // The second is what old versions say.
        case "text/rude-rejection", "rude/rejection":
            self = .rudeRejection(String(decoding: frame.body, as: UTF8.self))
        default: self = .other(frame)
        }
    }
}

/// The headers that answer a command.
package struct CommandReply: Hashable, Sendable {
    /// `+OK …` or `-ERR …`
    package var text: String
    /// All headers but `Content-Type` and `Reply-Text`: `Job-UUID`, `Allowed-Events`, …
    package var headers: Headers

    package init(text: String, headers: Headers = Headers()) {
        self.text = text
        self.headers = headers
    }

    init(_ headers: Headers) {
        text = headers["Reply-Text"] ?? ""
        self.headers = headers
        self.headers["Content-Type"] = nil
        self.headers["Reply-Text"] = nil
    }

    package var isOK: Bool { text.utf8.starts(with: "+OK".utf8) }
    package var isError: Bool { text.utf8.starts(with: "-ERR".utf8) }
    package var jobUUID: String? { headers["Job-UUID"] }
}

/// What an `api` command printed.
package struct APIResponse: Hashable, Sendable {
    package var body: [UInt8]

    package init(body: [UInt8]) { self.body = body }
    package init(_ text: String) { body = Array(text.utf8) }

    /// What FreeSWITCH sends for a command that printed nothing: no error.
    package static let noReply = "-ERR no reply\n"

    package var text: String { String(decoding: body, as: UTF8.self) }
    package var isEmpty: Bool { body.isEmpty || body.elementsEqual(Self.noReply.utf8) }
    package var isError: Bool { !isEmpty && body.starts(with: "-ERR".utf8) }
}

/// A line of the server's log (mod_event_socket.c: read_packet).
package struct LogLine: Hashable, Sendable {
    /// 0 console, 1 alert, 2 critical, 3 error, 4 warning, 5 notice, 6 info, 7 debug.
    package var level: Int
    package var file: String
    package var function: String
    package var line: Int
    /// The channel the line is about, or empty.
    package var channel: String
    package var text: String

    package init(
        level: Int, file: String = "", function: String = "", line: Int = 0, channel: String = "",
        text: String
    ) {
        self.level = level
        self.file = file
        self.function = function
        self.line = line
        self.channel = channel
        self.text = text
    }

    init(_ frame: Frame) {
        level = frame.headers["Log-Level"].flatMap { Decimal.parse($0) } ?? 7
        file = frame.headers["Log-File"] ?? ""
        function = frame.headers["Log-Func"] ?? ""
        line = frame.headers["Log-Line"].flatMap { Decimal.parse($0) } ?? 0
        channel = frame.headers["User-Data"] ?? ""
        text = String(decoding: frame.body, as: UTF8.self)
    }

    /// The whole `log/data` frame.
    package func frame() -> [UInt8] {
        let head = """
            Content-Type: log/data
            Content-Length: \(text.utf8.count)
            Log-Level: \(level)
            Text-Channel: 0
            Log-File: \(file)
            Log-Func: \(function)
            Log-Line: \(line)
            User-Data: \(channel)


            """
        return Array(head.utf8) + text.utf8
    }
}

/// Why the server is closing.
package struct DisconnectNotice: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        /// After `exit` or a refused password.
        case goodbye
        /// The client read too slowly: events were lost before this.
        case lostEvents
        case shutdown
        case other
    }
    package var text: String

    package init(text: String) { self.text = text }

    package static let goodbye = DisconnectNotice(
        text: "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n")
    package static let lostEvents = DisconnectNotice(text: "killed listener because of lost events\n")
    package static let shutdown = DisconnectNotice(text: "The system is being shut down.\n")

    package var reason: Reason {
        if text.utf8.starts(with: "Disconnected, goodbye.".utf8) { return .goodbye }
        if text.utf8.starts(with: "killed listener because of lost events".utf8) { return .lostEvents }
        return text.utf8.starts(with: "The system is being shut down.".utf8) ? .shutdown : .other
    }

    /// The whole `text/disconnect-notice` frame.
    package func frame() -> [UInt8] {
        Array(
            "Content-Type: text/disconnect-notice\nContent-Length: \(text.utf8.count)\n\n\(text)".utf8)
    }
}
