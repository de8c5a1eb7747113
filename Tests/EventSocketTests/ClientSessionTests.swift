import EventSocket
import Foundation
import Testing

@Suite struct ClientSessionTests {
    private static let ok = Array("Content-Type: command/reply\nReply-Text: +OK\n\n".utf8)
    private static let greeting = Array("Content-Type: auth/request\n\n".utf8)

    private func frame(_ type: String, _ body: String) -> [UInt8] {
        Array("Content-Type: \(type)\nContent-Length: \(body.utf8.count)\n\n\(body)".utf8)
    }

    private func reply(_ text: String) -> [UInt8] {
        Array("Content-Type: command/reply\nReply-Text: \(text)\n\n".utf8)
    }

    private func event(_ fields: (String, String)..., body: String = "") -> [UInt8] {
        EventCodec.frame(
            SwitchEvent(headers: Headers(fields.map { Headers.Field($0.0, $0.1) }), body: Array(body.utf8)),
            as: .plain)
    }

    private func ready(
        _ configuration: ClientSession.Configuration = .init(
            credentials: .password("x"), subscription: Subscription(names: ["BACKGROUND_JOB"])),
        coreUUID: String? = nil
    ) -> ClientDriver {
        var driver = ClientDriver(ClientSession(configuration: configuration, coreUUID: coreUUID))
        driver.handle(.connected)
        driver.handle(.received(Self.greeting + Self.ok))
        let setup = driver.takeSent().components(separatedBy: "\n\n").filter { !$0.isEmpty }
        for _ in setup.dropFirst(2) { driver.handle(.received(Self.ok)) }
        driver.handle(.received(frame("api/response", "core-1")))
        #expect(driver.takeOutputs().last == .ready(coreUUID: "core-1"))
        return driver
    }

    @Test("Filters are set before the subscription, and all before ready")
    func order() {
        var driver = ClientDriver(
            ClientSession(
                configuration: .init(
                    credentials: .user(name: "bob@lab.test", password: "b"), format: .json,
                    subscription: Subscription(names: ["HEARTBEAT"], subclasses: ["sofia::register"]),
                    filters: [.init("Event-Name", "HEARTBEAT"), .init("Event-Name", "CUSTOM")])))
        driver.handle(.connected)
        driver.handle(.received(Self.greeting))
        #expect(driver.takeSent() == "userauth bob@lab.test:b\n\n")
        driver.handle(.received(Self.ok))
        #expect(
            driver.takeSent() == """
                filter Event-Name HEARTBEAT

                filter Event-Name CUSTOM

                event json HEARTBEAT CUSTOM sofia::register

                api global_getvar core_uuid


                """)
        for _ in 0..<3 { driver.handle(.received(Self.ok)) }
        // Events may come as soon as they are subscribed to.
        driver.handle(.received(event(("Event-Name", "HEARTBEAT"), ("Core-UUID", "core-1"))))
        #expect(driver.takeOutputs().count == 1)
        #expect(!driver.session.isReady)
        driver.handle(.received(frame("api/response", APIResponse.noReply)))
        #expect(driver.takeOutputs() == [.ready(coreUUID: "core-1")])
    }

    @Test("A refused password, address or subscription is told as what it is")
    func refusals() {
        var driver = ClientDriver(ClientSession(configuration: .init(credentials: .password("x"))))
        driver.handle(.connected)
        driver.handle(.received(Self.greeting + reply("-ERR invalid") + DisconnectNotice.goodbye.frame()))
        driver.handle(.closed)
        #expect(driver.outputs == [.disconnected(.passwordRefused)])
        driver = ClientDriver(ClientSession(configuration: .init(credentials: .password("x"))))
        driver.handle(.connected)
        driver.handle(.received(ServerSession.rudeRejection))
        #expect(driver.outputs == [.disconnected(.addressRefused("Access Denied, go away.\n"))])
        driver = ClientDriver(
            ClientSession(
                configuration: .init(credentials: .password("x"), subscription: Subscription(names: ["NO"]))))
        driver.handle(.connected)
        driver.handle(.received(Self.greeting + Self.ok + reply("-ERR no keywords supplied")))
        #expect(
            driver.outputs == [
                .disconnected(
                    .subscriptionRefused(command: "event json NO", reply: "-ERR no keywords supplied"))
            ])
        driver = ClientDriver(ClientSession(configuration: .init(credentials: .password("a\nb"))))
        driver.handle(.connected)
        driver.handle(.received(Self.greeting))
        #expect(driver.outputs == [.disconnected(.passwordRefused)])
    }

    @Test("Why the server leaves is told, and what waits fails with it")
    func notices() {
        let reasons: [([UInt8], DisconnectReason)] = [
            (DisconnectNotice.lostEvents.frame(), .lostEvents),
            (DisconnectNotice.shutdown.frame(), .shutdown),
            (frame("text/disconnect-notice", "bye"), .notice("bye")),
            (reply("+OK") + reply("+OK"), .unexpected("a reply “+OK”")),
            (Array("garbage\n".utf8), .unreadable(.malformedHeader("garbage"))),
            (Self.greeting, .unexpected("a second request for a password")),
        ]
        for (bytes, reason) in reasons {
            var driver = ready()
            driver.handle(.bgapi(1, "slow", jobUUID: "j"))
            driver.handle(.command(2, Command("noevents")))
            driver.handle(.received(reply("+OK Job-UUID: j")))
            driver.handle(.received(bytes))
            driver.handle(.closed)
            let outputs = driver.outputs.filter { if case .reply = $0 { false } else { true } }
            #expect(outputs.contains(.started(1, jobUUID: "j")))
            #expect(outputs.contains(.failed(1, .disconnected(reason))))
            #expect(outputs.last == .disconnected(reason))
            #expect(outputs.filter { if case .disconnected = $0 { true } else { false } }.count == 1)
            driver.handle(.api(9, "status"))
            #expect(driver.outputs.last == .failed(9, .notReady))
        }
        var driver = ready()
        driver.handle(.closed)
        #expect(driver.outputs == [.disconnected(.closed)])
        driver = ready()
        driver.handle(.disconnect)
        #expect(driver.takeSent() == "exit\n\n")
        #expect(driver.outputs == [.disconnected(.requested)])
    }

    @Test("A job's end is matched by its UUID, whoever made it")
    func jobs() {
        var driver = ready()
        driver.handle(.bgapi(1, "one", jobUUID: "mine"))
        driver.handle(.bgapi(2, "two"))
        driver.handle(.bgapi(3, "three", jobUUID: "mine"))
        driver.handle(.bgapi(4, "four", jobUUID: "refused"))
        #expect(driver.takeOutputs() == [.failed(3, .duplicateJob("mine"))])
        driver.handle(
            .received(
                Array("Content-Type: command/reply\nReply-Text: +OK Job-UUID: mine\nJob-UUID: mine\n\n".utf8))
        )
        driver.handle(
            .received(
                Array(
                    "Content-Type: command/reply\nReply-Text: +OK Job-UUID: theirs\nJob-UUID: theirs\n\n".utf8
                )))
        driver.handle(.received(reply("-ERR permission denied")))
        driver.handle(
            .received(event(("Event-Name", "BACKGROUND_JOB"), ("Job-UUID", "theirs"), body: "+OK\n")))
        driver.handle(.received(event(("Event-Name", "BACKGROUND_JOB"), ("Job-UUID", "another"), body: "x")))
        let outputs = driver.takeOutputs().filter { if case .event = $0 { false } else { true } }
        #expect(
            outputs == [
                .started(1, jobUUID: "mine"), .started(2, jobUUID: "theirs"),
                .failed(4, .refused("-ERR permission denied")),
                .jobDone(2, APIResponse("+OK\n")),
            ])
    }

    @Test("Requests are bounded, and one that cannot be sent fails at once")
    func bounds() {
        var driver = ready(
            .init(
                credentials: .password("x"), subscription: Subscription(names: ["BACKGROUND_JOB"]),
                maximumOutstanding: 2))
        driver.handle(.api(1, "a"))
        driver.handle(.api(2, "b"))
        driver.handle(.api(3, "c"))
        #expect(driver.takeOutputs() == [.failed(3, .tooMany(limit: 2))])
        driver.handle(.received(frame("api/response", "A")))
        driver.handle(
            .command(4, Command("sendevent CUSTOM", headers: Headers([Headers.Field("a", "b\nc")]))))
        #expect(
            driver.takeOutputs() == [
                .response(1, APIResponse("A")), .failed(4, .unsendable(.lineBreak(field: "a"))),
            ])
        #expect(driver.session.outstanding == 1)
    }

    @Test("An answer or event too long to be read fails alone, and the connection goes on") func tooLong() {
        var configuration = ClientSession.Configuration(
            credentials: .password("x"), subscription: Subscription(names: ["BACKGROUND_JOB"]))
        configuration.limits = FrameLimits(bodyBytes: 100)
        var driver = ready(configuration)
        driver.handle(.api(7, "sofia xmlstatus profile alpha reg", consoleExecute: false))
        driver.handle(.api(8, "status", consoleExecute: false))
        _ = driver.takeOutputs()
        driver.handle(.received(frame("api/response", String(repeating: "x", count: 101))))
        driver.handle(.received(frame("text/event-json", String(repeating: "y", count: 102))))
        driver.handle(.received(frame("api/response", "UP")))
        #expect(
            driver.takeOutputs() == [
                .failed(7, .tooLarge(bytes: 101, limit: 100)),
                .undecodable(.tooLarge(bytes: 102, limit: 100)), .response(8, APIResponse("UP")),
            ])
    }

    @Test("An event that cannot be read is told, and the next one is read")
    func undecodable() {
        var driver = ready()
        driver.handle(
            .received(frame("text/event-plain", "nonsense\n\n") + event(("Event-Name", "API"))))
        #expect(driver.outputs.first == .undecodable(.malformedLine(1)))
        #expect(driver.outputs.count == 2)
        driver.handle(.received(frame("text/event-new", "?")))
        #expect(driver.outputs.count == 2)
    }

    @Test("Another process behind the same socket is noticed, at once or by its first event")
    func restart() {
        var driver = ClientDriver(
            ClientSession(configuration: .init(credentials: .password("x")), coreUUID: "core-0"))
        driver.handle(.connected)
        driver.handle(.received(Self.greeting + Self.ok + frame("api/response", "core-1")))
        #expect(
            driver.takeOutputs() == [.restarted(from: "core-0", to: "core-1"), .ready(coreUUID: "core-1")])
        driver.handle(.received(event(("Event-Name", "API"), ("Core-UUID", "core-1"))))
        #expect(driver.takeOutputs().count == 1)
        driver.handle(.received(event(("Event-Name", "API"), ("Core-UUID", "core-2"))))
        #expect(driver.takeOutputs().first == .restarted(from: "core-1", to: "core-2"))
        #expect(driver.session.coreUUID == "core-2")
    }

    @Test("The wait grows to its maximum, within its jitter, and is long after a refusal")
    func reconnect() {
        let policy = ReconnectPolicy()
        for attempt in 0..<100 {
            let least = policy.delay(attempt: attempt, after: .closed, jitter: 0)
            let most = policy.delay(attempt: attempt, after: .closed, jitter: 1023)
            #expect(least >= .milliseconds(25) && most <= .seconds(5) && least < most)
            #expect(policy.delay(attempt: attempt, after: .passwordRefused, jitter: 5) >= .milliseconds(7500))
        }
        #expect(policy.delay(attempt: 3, after: .closed, jitter: 0) == .milliseconds(200))
        #expect(
            policy.delay(attempt: 3, after: .closed, jitter: 0)
                == policy.delay(attempt: 3, after: .closed, jitter: 1024))
    }
}

@Suite struct ClientPairTests {
    private func frame(_ type: String, _ body: String) -> [UInt8] {
        Array("Content-Type: \(type)\nContent-Length: \(body.utf8.count)\n\n\(body)".utf8)
    }
    private let ok = Array("Content-Type: command/reply\nReply-Text: +OK\n\n".utf8)
    private let greeting = Array("Content-Type: auth/request\n\n".utf8)

    private func connect(_ pair: inout ClientPair, commands core: String = "core-1") -> [ClientPair.Output] {
        var outputs = pair.handle(.connected(.commands)) + pair.handle(.connected(.events))
        outputs += pair.handle(.received(.commands, greeting + ok + frame("api/response", core)))
        outputs += pair.handle(.received(.events, greeting + ok + ok + frame("api/response", "core-1")))
        return outputs
    }

    private func pair() -> ClientPair {
        ClientPair(
            configuration: .init(
                credentials: .password("x"), subscription: Subscription(names: ["CHANNEL_ANSWER"])),
            seed: 1, coreUUID: "core-0")
    }

    private func sent(_ outputs: [ClientPair.Output], _ link: ClientPair.Link) -> String {
        String(
            decoding: outputs.flatMap { output -> [UInt8] in
                if case .send(link, let bytes) = output { bytes } else { [] }
            }, as: UTF8.self)
    }

    @Test("A pair is ready when both connections are; only one is subscribed")
    func ready() {
        var pair = pair()
        let outputs = connect(&pair)
        #expect(sent(outputs, .events).contains("event json CHANNEL_ANSWER BACKGROUND_JOB\n\n"))
        #expect(!sent(outputs, .commands).contains("event "))
        #expect(outputs.suffix(2) == [.restarted(from: "core-0", to: "core-1"), .ready(coreUUID: "core-1")])
        #expect(pair.coreUUID == "core-1")
    }

    @Test("A job's end comes by the other connection, even before the reply")
    func job() throws {
        var pair = pair()
        _ = connect(&pair)
        let asked = sent(pair.handle(.bgapi(5, "sofia profile a recover")), .commands)
        let uuid = try #require(asked.firstMatch(of: /Job-UUID: (.*)\n/)?.output.1)
        let event = SwitchEvent(
            headers: Headers([
                Headers.Field("Event-Name", "BACKGROUND_JOB"), Headers.Field("Job-UUID", String(uuid)),
            ]),
            body: Array("Recovered".utf8))
        let outputs = pair.handle(.received(.events, EventCodec.frame(event, as: .plain)))
        #expect(outputs == [.jobDone(5, APIResponse("Recovered")), .event(event)])
        #expect(pair.handle(.received(.commands, ok)) == [])
        #expect(pair.handle(.closed(.events)).last == .disconnected(.closed))
    }

    @Test("When one connection ends both do, and all that waits fails once")
    func end() {
        var pair = pair()
        _ = connect(&pair)
        _ = pair.handle(.bgapi(1, "one"))
        _ = pair.handle(.received(.commands, ok))
        _ = pair.handle(.bgapi(2, "two"))
        _ = pair.handle(.api(3, "three"))
        let outputs = pair.handle(.received(.events, DisconnectNotice.lostEvents.frame()))
        let failed = outputs.compactMap { output -> UInt64? in
            if case .failed(let id, .disconnected(.lostEvents)) = output { id } else { nil }
        }
        #expect(failed.sorted() == [1, 2, 3])
        #expect(outputs.last == .disconnected(.lostEvents))
        #expect(sent(outputs, .commands) == "exit\n\n")
        #expect(pair.handle(.closed(.commands)) == [])
        #expect(pair.handle(.api(4, "x")) == [.failed(4, .notReady)])
    }

    @Test("Filters do not hide a job's end")
    func filters() {
        var pair = ClientPair(
            configuration: .init(
                credentials: .password("x"), subscription: Subscription(names: ["ALL"]),
                filters: [.init("variable_a", "b")]), seed: 1)
        _ = pair.handle(.connected(.events))
        let setup = sent(pair.handle(.received(.events, greeting + ok)), .events)
        #expect(
            setup.contains("filter variable_a b\n\nfilter Event-Name BACKGROUND_JOB\n\nevent json ALL\n\n"))
    }

    @Test("Two connections to two processes are no pair")
    func differentProcesses() {
        var pair = pair()
        let outputs = connect(&pair, commands: "core-2")
        #expect(outputs.last == .disconnected(.differentProcesses(events: "core-1", commands: "core-2")))
    }

    @Test("A pair that is told to ends")
    func disconnect() {
        var pair = pair()
        #expect(pair.handle(.api(1, "x")) == [.failed(1, .notReady)])
        _ = connect(&pair)
        let outputs = pair.handle(.disconnect)
        #expect(sent(outputs, .events) == "exit\n\n")
        #expect(sent(outputs, .commands) == "exit\n\n")
        #expect(outputs.last == .disconnected(.requested))
    }
}
