import EventSocket
import Testing

@Suite struct ClientReplayTests {
    @Test(
        "A client session says what the recorded client said and understands what it was told",
        arguments: [
            "esl_inject_registration.txt", "esl_recover.txt", "esl_alias_complete.txt",
            "esl_drain_shutdown.txt",
            "esl_session_misc.txt",
        ])
    func replay(file: String) throws {
        for conversation in try Recording.conversations(file) {
            let commands = try commands(of: conversation)
            guard commands.first?.line == "auth ClueCon" else { continue }
            try replay(conversation, commands)
        }
    }

    private func replay(_ conversation: Conversation, _ commands: [Command]) throws {
        var driver = ClientDriver(
            ClientSession(
                configuration: .init(
                    credentials: .password("ClueCon"), format: .plain,
                    subscription: Subscription(names: ["BACKGROUND_JOB"])))
        )
        var frames = try frames(of: conversation)[...]
        // Greeting and password are the recording's; setting up is the session's own.
        driver.handle(.connected)
        driver.handle(.received(frames.removeFirst().encoded()))
        #expect(driver.takeSent() == "auth ClueCon\n\n")
        driver.handle(.received(frames.removeFirst().encoded()))
        #expect(driver.takeSent() == "event plain BACKGROUND_JOB\n\napi global_getvar core_uuid\n\n")
        driver.handle(
            .received(
                Array("Content-Type: command/reply\nReply-Text: +OK event listener enabled plain\n\n".utf8)))
        driver.handle(.received(Array("Content-Type: api/response\nContent-Length: 4\n\ncore".utf8)))
        #expect(driver.outputs.contains(.ready(coreUUID: "core")))
        let requests = commands.dropFirst()
        for (id, command) in requests.enumerated() {
            driver.handle(request(UInt64(id), command))
            #expect(driver.takeSent() == String(decoding: try bytes(command), as: UTF8.self))
        }
        driver.handle(.received(frames.flatMap { $0.encoded() }))
        // Answers come in the order of the requests, each once.
        var answered: [UInt64] = []
        for output in driver.outputs {
            switch output {
            case .response(let id, _), .reply(let id, _), .started(let id, _): answered.append(id)
            // A job that had begun and whose end the recording does not have.
            case .failed(let id, .disconnected): #expect(answered.contains(id))
            case .failed: Issue.record("\(output)")
            default: break
            }
        }
        #expect(answered == requests.indices.map { UInt64($0 - 1) }, "\(conversation.name)")
        let events = driver.outputs.filter { if case .event = $0 { true } else { false } }
        #expect(events.count == frames.filter { $0.contentType.hasPrefix("text/event-") }.count)
        let jobs = requests.filter { $0.line.hasPrefix("bgapi") }.count
        let done = driver.outputs.filter { if case .jobDone = $0 { true } else { false } }.count
        let jobEvents = driver.outputs.filter {
            if case .event(let event) = $0 { event.name == "BACKGROUND_JOB" } else { false }
        }
        #expect(done == min(jobs, jobEvents.count))
        guard case .disconnected(let reason) = driver.outputs.last else {
            Issue.record("not disconnected")
            return
        }
        #expect(
            reason == (requests.last?.line == "exit" ? .notice(DisconnectNotice.goodbye.text) : .shutdown),
            "\(conversation.name)")
    }

    private func request(_ id: UInt64, _ command: Command) -> ClientSession.Input {
        if command.line.hasPrefix("api ") {
            return .api(
                id, String(command.line.dropFirst(4)),
                consoleExecute: command.headers["console_execute"] == "true")
        }
        if command.line.hasPrefix("bgapi ") {
            return .bgapi(id, String(command.line.dropFirst(6)), jobUUID: command.headers["Job-UUID"])
        }
        return .command(id, command)
    }

    private func bytes(_ command: Command) throws -> [UInt8] { try command.encoded() }

    @Test("Every recorded command comes out of the encoder byte for byte", arguments: Recording.transcripts)
    func commands(file: String) throws {
        for conversation in try Recording.conversations(file) {
            var bytes = conversation.client
            // Blank lines before a command are nothing of its own.
            if file == "hash_remote_real.txt" { bytes.removeLast(2) }
            #expect(
                try commands(of: conversation).flatMap { try $0.encoded() } == bytes, "\(conversation.name)")
        }
    }

    @Test("A registration is injected with the recorded bytes")
    func injection() throws {
        let conversation = try #require(try Recording.conversations("esl_inject_registration.txt").first)
        let recorded = try #require(try commands(of: conversation).first { $0.line == "sendevent CUSTOM" })
        let event = SwitchEvent(
            headers: Headers([Headers.Field("Event-Name", "CUSTOM")] + recorded.headers.fields))
        #expect(try Command.sendevent(event).encoded() == recorded.encoded())
    }

    private func commands(of conversation: Conversation) throws -> [Command] {
        var decoder = CommandDecoder()
        decoder.append(conversation.client)
        var commands: [Command] = []
        while let command = try decoder.next() {
            var command = command
            // The encoder writes the length of a body itself.
            if !command.body.isEmpty { command.headers["content-length"] = nil }
            commands.append(command)
        }
        return commands
    }

    private func frames(of conversation: Conversation) throws -> [Frame] {
        var decoder = FrameDecoder()
        decoder.append(conversation.server)
        var frames: [Frame] = []
        while let frame = try decoder.next() { frames.append(frame) }
        return frames
    }
}

/// Keeps what a client session says.
struct ClientDriver {
    private(set) var session: ClientSession
    private(set) var outputs: [ClientSession.Output] = []
    private var sent: [UInt8] = []

    init(_ session: ClientSession) { self.session = session }

    mutating func handle(_ input: ClientSession.Input) {
        for output in session.handle(input) {
            if case .send(let bytes) = output { sent += bytes } else { outputs.append(output) }
        }
    }

    /// What was sent since the last time.
    mutating func takeSent() -> String {
        defer { sent = [] }
        return String(decoding: sent, as: UTF8.self)
    }

    mutating func takeOutputs() -> [ClientSession.Output] {
        defer { outputs = [] }
        return outputs
    }
}
