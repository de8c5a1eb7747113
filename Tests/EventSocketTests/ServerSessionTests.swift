import EventSocket
import Testing

@Suite struct ServerSessionTests {
    @Test("A wrong password is answered later and later, and compared in full")
    func wrongPasswords() {
        var delays: [Duration] = []
        for refusals in 0...8 {
            var session = ServerSession(configuration: ServerConfiguration(password: "secret"), seed: 1)
            session.refusals = refusals
            _ = session.handle(.accepted)
            let outputs = session.handle(.received(Array("auth secreT\n\n".utf8)))
            #expect(outputs.first == .passwordRefused)
            for case .closeAfter(let delay) in outputs { delays.append(delay) }
            #expect(session.isClosed)
            #expect(session.handle(.received(Array("auth secret\n\n".utf8))) == [])
            let text = outputs.compactMap { output -> [UInt8]? in
                switch output {
                case .send(let bytes), .sendAfter(_, let bytes): bytes
                default: nil
                }
            }
            .flatMap { $0 }
            #expect(String(decoding: text, as: UTF8.self).contains("-ERR invalid"))
        }
        #expect(delays.map { $0 / .milliseconds(250) } == [1, 2, 4, 8, 16, 32, 32, 32])
    }

    @Test(
        "Passwords that only begin or end right are wrong",
        arguments: ["", "s", "secre", "secrets", "secretsecret", " secret"])
    func nearlyRight(password: String) {
        var session = ServerSession(configuration: ServerConfiguration(password: "secret"), seed: 1)
        _ = session.handle(.accepted)
        #expect(session.handle(.received(Array("auth \(password)\n\n".utf8))).contains(.passwordRefused))
    }

    @Test("Without a password set nobody comes in")
    func noPassword() {
        var session = ServerSession(configuration: ServerConfiguration(password: ""), seed: 1)
        _ = session.handle(.accepted)
        #expect(session.handle(.received(Array("auth \n\n".utf8))).contains(.passwordRefused))
    }

    @Test("A user may do what its entry allows")
    func users() {
        let user = User(
            name: "bob@lab.test", password: "a:b@c", allowedEvents: ["HEARTBEAT", "CUSTOM", "fsdns::node"],
            allowedCommands: ["status", "bgapi"], allowsLog: false)
        let client = TestClient(configuration: ServerConfiguration(password: "x", users: [user]))
        #expect(
            client.say("userauth bob@lab.test:a:b@c") == """
                Content-Type: command/reply
                Reply-Text: +OK accepted
                Allowed-Events: HEARTBEAT CUSTOM fsdns::node
                Allowed-API: status bgapi
                Allowed-LOG: false


                """)
        #expect(client.reply("log 7") == "-ERR permission denied")
        #expect(client.reply("event plain HEARTBEAT") == "+OK event listener enabled plain")
        #expect(client.reply("event plain CUSTOM fsdns::node") == "+OK event listener enabled plain")
        #expect(client.reply("event plain CUSTOM fsdns::seat") == "-ERR permission denied")
        #expect(client.reply("event plain ALL") == "-ERR permission denied")
        #expect(client.reply("api fsctl shutdown") == "-ERR permission denied")
        #expect(client.reply("api bgapi fsctl shutdown") == "-ERR permission denied")
        #expect(client.reply("bgapi fsctl shutdown") == "-ERR permission denied")
        #expect(client.say("api bgapi status") == "")
        #expect(client.requests.map(\.line) == ["bgapi status"])
    }

    @Test("An unknown user, or a wrong password of a known one, is refused")
    func unknownUsers() {
        let user = User(name: "bob", password: "b")
        for credentials in ["alice:b", "bob:c", "bob", "bob:", ":", "bob:bb", "bob@lab.test:b"] {
            let client = TestClient(configuration: ServerConfiguration(password: "x", users: [user]))
            _ = client.say("userauth \(credentials)")
            #expect(client.outputs.contains(.passwordRefused), "\(credentials)")
        }
        let client = TestClient(configuration: ServerConfiguration(password: "x", users: [user]))
        #expect(
            client.say("userauth bob:b").contains(
                "Allowed-Events: all\nAllowed-API: all\nAllowed-LOG: true\n\n"))
        let none = TestClient(configuration: ServerConfiguration(password: "x"))
        #expect(none.say("userauth bob:x").contains("-ERR invalid"))
    }

    @Test("Commands wait for an api command, not for a bgapi one")
    func order() throws {
        let client = TestClient.authenticated()
        #expect(client.say("bgapi slow\nJob-UUID: j1").contains("+OK Job-UUID: j1"))
        #expect(client.say("api one") == "")
        #expect(client.say("api two") == "")
        #expect(client.say("exit") == "")
        #expect(client.requests.map(\.line) == ["slow", "one"])
        #expect(client.requests[0].jobUUID == "j1")
        #expect(
            client.handle(.answer(client.requests[1].id, Array("1".utf8))).contains("Content-Length: 1\n\n1"))
        #expect(client.requests.map(\.line) == ["slow", "one", "two"])
        // An answer given twice counts once.
        #expect(client.handle(.answer(client.requests[1].id, Array("1".utf8))) == "")
        let end = client.handle(.answer(client.requests[2].id, []))
        #expect(end.contains("-ERR no reply\n"))
        #expect(end.contains("+OK bye"))
        #expect(client.session.isClosed)
        // The job goes on without its client.
        _ = client.handle(.answer(client.requests[0].id, Array("done".utf8)))
        guard case .jobDone(let event) = client.outputs.last else {
            Issue.record("no end of the job")
            return
        }
        #expect(event["Job-UUID"] == "j1")
        #expect(event.body == Array("done".utf8))
    }

    @Test("No event comes while an api command runs; they follow its answer")
    func heldEvents() {
        let client = TestClient.authenticated()
        _ = client.say("event json HEARTBEAT")
        _ = client.say("api slow")
        #expect(client.handle(.publish(heartbeat(1))) == "")
        let text = client.handle(.answer(client.requests[0].id, Array("x".utf8)))
        #expect(text.hasPrefix("Content-Type: api/response"))
        #expect(text.hasSuffix(#"{"Event-Name":"HEARTBEAT","n":"1"}"#))
    }

    @Test("What is held back while an api command runs is bounded, whatever the driver says is unsent")
    func heldBound() {
        var configuration = ServerConfiguration(password: "x", maximumUnsentBytes: 1000)
        configuration.maximumLostEvents = 5
        let client = TestClient.authenticated(configuration)
        _ = client.say("event json HEARTBEAT")
        _ = client.say("api slow")
        var sent = 0
        while !client.session.isClosed {
            _ = client.handle(.unsent(0))
            _ = client.handle(.publish(heartbeat(1)))
            sent += 1
            #expect(sent < 100)
        }
        #expect(client.outputs.contains(.lostEvents(6)))
        #expect(client.handle(.answer(client.requests[0].id, Array("late".utf8))) == "")
    }

    @Test("Events go to those who subscribed to them")
    func subscriptions() {
        let client = TestClient.authenticated()
        #expect(!client.receives(heartbeat(0)))
        _ = client.say("event plain heartbeat SWITCH_EVENT_API CUSTOM fsdns::node fsdns::seat")
        #expect(client.receives(heartbeat(0)))
        #expect(client.receives(event("API")))
        #expect(client.receives(event("CUSTOM", ("Event-Subclass", "fsdns::seat"))))
        #expect(client.receives(event("CUSTOM")))
        #expect(!client.receives(event("CUSTOM", ("Event-Subclass", "fsdns::drain"))))
        #expect(!client.receives(event("CHANNEL_CREATE")))
        _ = client.say("nixevent HEARTBEAT CUSTOM fsdns::seat")
        #expect(!client.receives(heartbeat(0)))
        #expect(!client.receives(event("CUSTOM", ("Event-Subclass", "fsdns::seat"))))
        #expect(client.receives(event("CUSTOM", ("Event-Subclass", "fsdns::node"))))
        _ = client.say("event plain all")
        #expect(client.receives(event("CUSTOM", ("Event-Subclass", "other"))))
        _ = client.say("nixevent API")
        #expect(!client.receives(event("API")))
        #expect(client.receives(event("CHANNEL_CREATE")))
        _ = client.say("noevents")
        #expect(!client.receives(event("CHANNEL_CREATE")))
    }

    @Test("Filters let pass what one of them names, and never what one excludes")
    func filters() {
        let client = TestClient.authenticated()
        _ = client.say("event plain ALL")
        #expect(client.reply("filter Event-Name heartbeat") == "+OK filter added. [Event-Name]=[heartbeat]")
        #expect(client.receives(heartbeat(1)))
        #expect(!client.receives(event("API")))
        #expect(client.reply("filter add n /^[2-4]$/") == "+OK filter added. [n]=[/^[2-4]$/]")
        #expect(client.receives(event("API", ("n", "3"))))
        #expect(!client.receives(event("API", ("n", "33"))))
        #expect(client.reply("filter n -3") == "+OK filter added. [n]=[-3]")
        #expect(!client.receives(event("API", ("n", "3"))))
        #expect(client.receives(event("API", ("n", "4"))))
        #expect(client.reply("filter delete n -3") == "+OK filter deleted. [n][-3]")
        #expect(client.receives(event("API", ("n", "3"))))
        #expect(client.reply("filter delete n") == "+OK filter deleted. [n][]")
        #expect(!client.receives(event("API", ("n", "3"))))
        #expect(client.reply("filter delete all") == "+OK filter deleted. [all][]")
        #expect(client.receives(event("API")))
        #expect(client.reply("filter n") == "-ERR invalid syntax")
        #expect(client.reply("filter n /(/").hasPrefix("-ERR invalid pattern: "))
    }

    @Test(
        "A pattern that would keep a backtracking matcher for ever does not keep this one",
        arguments: ["(a*)*b", "((a|aa)+)+$b", "(.*)(.*)(.*)(.*)(.*)(.*)x", "(((a{1,9}){1,9}))+b"])
    func hardPatterns(pattern: String) {
        let client = TestClient.authenticated()
        _ = client.say("event plain ALL")
        #expect(client.reply("filter v /\(pattern)/").hasPrefix("+OK"))
        #expect(!client.receives(event("API", ("v", String(repeating: "a", count: 2000)))))
    }

    @Test(
        "What the matcher does not know, or what is too large, is refused",
        arguments: [
            "/a", "/(/", "/)/", "/[a/", "/a**/", "/*/", "/\\b/", "/(?=a)/", "/(a)\\1/", "/a{300}/",
            "/a{3,2}/", "/a/x",
            "/[z-a]/", "/[[:alpha:]]/", "/((((()){255}){255}){255}){255}/", "/(((a{99}){99}){99})/",
            "/\(String(repeating: "a", count: 300))/", "/\(String(repeating: "(", count: 100))/",
        ])
    func refusedPatterns(pattern: String) {
        let client = TestClient.authenticated()
        #expect(client.reply("filter v \(pattern)").hasPrefix("-ERR invalid pattern: "))
    }

    @Test("Filters and subclasses are bounded")
    func bounds() {
        var configuration = ServerConfiguration(password: "x")
        configuration.maximumFilters = 2
        configuration.maximumSubclasses = 2
        configuration.maximumJobs = 1
        let client = TestClient.authenticated(configuration)
        _ = client.say("filter a 1")
        _ = client.say("filter a 2")
        #expect(client.reply("filter a 3") == "-ERR too many filters")
        #expect(client.reply("event plain CUSTOM a b c") == "-ERR too many subclasses")
        _ = client.say("bgapi one")
        #expect(client.reply("bgapi two") == "-ERR too many jobs")
    }

    @Test("A client that does not read loses events, is told so, and is sent away after 500")
    func overload() {
        let client = TestClient.authenticated()
        _ = client.say("event json HEARTBEAT")
        _ = client.handle(.unsent(1 << 24))
        for number in 1...10 { #expect(client.handle(.publish(heartbeat(number))) == "") }
        _ = client.handle(.unsent(0))
        #expect(client.receives(heartbeat(11)))
        #expect(client.outputs.contains(.lostEvents(10)))
        _ = client.handle(.unsent(1 << 24))
        for number in 1...500 { #expect(client.handle(.publish(heartbeat(number))) == "") }
        #expect(!client.session.isClosed)
        let notice = client.handle(.publish(heartbeat(501)))
        #expect(notice.hasSuffix("killed listener because of lost events\n"))
        #expect(client.outputs.last == .close)
        #expect(client.session.isClosed)
    }

    @Test("A client that sends and does not read is not listened to")
    func backPressure() {
        let client = TestClient.authenticated()
        _ = client.handle(.unsent(1 << 24 + 1))
        #expect(client.say("noevents") == "")
        for _ in 0..<8000 { #expect(client.say("noevents") == "") }
        #expect(!client.session.wantsInput)
        #expect(client.handle(.unsent(0)).contains("-ERR not listening for events"))
        #expect(client.session.wantsInput)
    }

    @Test("Before the password little is taken, and what cannot be read ends the session")
    func limits() {
        var session = ServerSession(configuration: ServerConfiguration(password: "x"), seed: 1)
        _ = session.handle(.accepted)
        let outputs = session.handle(.received([UInt8](repeating: UInt8(ascii: "x"), count: 5000)))
        #expect(outputs.first == .failed(.headerTooLong(limit: 4096)))
        #expect(outputs.last == .close)
        let client = TestClient.authenticated()
        _ = client.say("sendevent CUSTOM\ncontent-length: -1")
        #expect(client.outputs.contains(.failed(.badContentLength("-1"))))
        #expect(client.session.isClosed)
    }

    @Test("Log lines go to those who asked, up to their level")
    func log() {
        let client = TestClient.authenticated()
        let line = LogLine(level: 4, file: "a.swift", function: "f()", line: 3, text: "careful\n")
        #expect(client.handle(.log(line)) == "")
        #expect(client.reply("log warning") == "+OK log level warning [4]")
        #expect(client.handle(.log(line)).hasSuffix("Log-Line: 3\nUser-Data: \n\ncareful\n"))
        #expect(client.reply("log 3") == "+OK log level 3 [3]")
        #expect(client.handle(.log(line)) == "")
        #expect(client.reply("log 999999999999999999999") == "+OK log level 999999999999999999999 [63]")
    }

    @Test("sendevent takes values literally, the last of two headers of one name, and no name of its own")
    func sendevent() {
        let client = TestClient.authenticated()
        let reply = client.reply(
            "sendevent CUSTOM\na: 1\nEvent-Subclass: x::y\nEvent-Name: API\nb: 100%25 \"q\"\nA: 2\nEvent-UUID: mine"
        )
        guard case .sendevent(let event) = client.outputs.last else {
            Issue.record("no event")
            return
        }
        #expect(
            event.headers.fields.map { "\($0.name)=\($0.value)" } == [
                "Event-Subclass=x::y", "Command=sendevent CUSTOM", "b=100%25 \"q\"", "A=2",
                "Event-UUID=\(reply.dropFirst(4))", "Event-Name=CUSTOM",
            ])
        _ = client.say("sendevent NOSUCH")
        guard case .sendevent(let other) = client.outputs.last else {
            Issue.record("no event")
            return
        }
        #expect(other.name == "CLONE")
    }

    @Test("A thousand headers are taken, one more is too many")
    func manyHeaders() {
        let client = TestClient.authenticated()
        let headers = (0..<1024).map { "\nh\($0 / 2): \($0)" }.joined()
        #expect(client.reply("sendevent CUSTOM\(headers)").hasPrefix("+OK "))
        guard case .sendevent(let event) = client.outputs.last else {
            Issue.record("no event")
            return
        }
        #expect(event.headers.fields.count == 512 + 3)
        _ = client.say("sendevent CUSTOM\(headers)\nlast: 1")
        #expect(client.outputs.contains(.failed(.tooManyHeaders(limit: 1024))))
    }

    @Test("Replies do not grow with what the client sends")
    func replies() {
        let client = TestClient.authenticated()
        let reply = client.reply("filter a " + String(repeating: "x", count: 5000))
        #expect(reply.utf8.count == 511)
    }

    @Test("When the server stops its clients are told")
    func stop() {
        let client = TestClient.authenticated()
        #expect(client.handle(.stop).hasSuffix("\n\nThe system is being shut down.\n"))
        #expect(client.outputs.last == .close)
        #expect(client.handle(.stop) == "")
    }

    private func heartbeat(_ number: Int) -> SwitchEvent { event("HEARTBEAT", ("n", "\(number)")) }

    private func event(_ name: String, _ fields: (String, String)...) -> SwitchEvent {
        SwitchEvent(
            headers: Headers([Headers.Field("Event-Name", name)] + fields.map { Headers.Field($0.0, $0.1) }))
    }
}

/// A client and the driver of its session in one.
final class TestClient {
    private(set) var session: ServerSession
    private(set) var outputs: [ServerSession.Output] = []
    private(set) var requests: [ServerSession.Request] = []

    init(configuration: ServerConfiguration) {
        session = ServerSession(configuration: configuration, seed: 1)
        _ = handle(.accepted)
    }

    static func authenticated(_ configuration: ServerConfiguration = ServerConfiguration(password: "x"))
        -> TestClient
    {
        let client = TestClient(configuration: configuration)
        #expect(client.reply("auth x") == "+OK accepted")
        return client
    }

    /// What the session sends at once.
    func handle(_ input: ServerSession.Input) -> String {
        let new = session.handle(input)
        outputs += new
        for case .run(let request) in new { requests.append(request) }
        return String(
            decoding: new.flatMap { output -> [UInt8] in
                if case .send(let bytes) = output { bytes } else { [] }
            },
            as: UTF8.self)
    }

    func say(_ command: String) -> String { handle(.received(Array("\(command)\n\n".utf8))) }

    /// The `Reply-Text` of the answer.
    func reply(_ command: String) -> String {
        let lines = say(command).split(separator: "\n")
        return lines.first { $0.hasPrefix("Reply-Text: ") }.map { String($0.dropFirst(12)) } ?? ""
    }

    func receives(_ event: SwitchEvent) -> Bool { handle(.publish(event)).contains("text/event-") }
}
