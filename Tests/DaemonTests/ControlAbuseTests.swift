import Cluster
import ControlProtocol
import Glibc
import NIOPosix
import PeerProtocol
import Testing

@testable import Daemon

@Suite("Control socket and clients that abuse it", .serialized)
struct ControlAbuseTests {
    private let site = ControlSite()
    private var path: String { site.path }
    private var journal: EventJournal { site.journal }
    private var asked: Mailbox<UInt64> { site.asked }
    private var requests: Mailbox<OperatorRequest> { site.requests }

    @Test("who follows the events over and over and hangs up harms nobody, and is forgotten")
    func events() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        let text = String(repeating: "x", count: 900)
        for _ in 0..<300 { journal.add(ClusterEvent(.trouble, "fs1", text)) }
        let line = ControlJSON.encode(ControlRequest(.events(follow: true, after: 0))) + [10]
        for _ in 0..<20 {
            let client = ControlTestClient(path)
            client.say(Array(repeating: line, count: 200).flatMap { $0 })
            withExtendedLifetime(client) {}
            journal.add(ClusterEvent(.trouble, "fs1", text))
        }
        let client = ControlTestClient(path)
        client.ask(.rings)
        guard case .rings = try client.response() else {
            Issue.record("paths expected")
            return
        }
        #expect(try eventually { journal.followers == 0 })
    }

    @Test("of what one client asks at once, one request after the other reaches the node")
    func pipeline() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        let (greedy, other) = (ControlTestClient(path), ControlTestClient(path))
        for _ in 0..<3 { greedy.ask(.ask(.status)) }
        let first = try #require(asked.next())
        #expect(requests.next() == .status)
        other.ask(.ask(.zone))
        let second = try #require(asked.next())
        #expect(requests.next() == .zone)
        socket.answer(first, .plan(["one"]))
        let third = try #require(asked.next())
        #expect(requests.next() == .status)
        socket.answer(second, .plan(["zone"]))
        socket.answer(third, .plan(["two"]))
        socket.answer(try #require(asked.next()), .plan(["three"]))
        #expect(try other.response() == .reply(.plan(["zone"])))
        for word in ["one", "two", "three"] {
            #expect(try greedy.response() == .reply(.plan([word])))
        }
    }

    private static let parts = (0..<300).map { number in
        SharedPart.registrations(
            (0..<100).map { line in
                RegistrationLine(
                    user: "\(number * 100 + line)@h", contact: String(repeating: "c", count: 900),
                    address: "alpha",
                    node: "fs1", expiresSeconds: 60, transport: "udp", survivesTakeover: true, userAgent: "")
            })
    }

    @Test("a list of many megabytes reaches a client that reads it slowly, whole and in order")
    func longList() throws {
        let socket = try site.serve(shared: { $1(Self.parts) })
        defer { socket.stop() }
        let client = ControlTestClient(path)
        client.ask(.shared(.registrations))
        usleep(300_000)
        for part in Self.parts { #expect(try client.response() == .shared(part)) }
        #expect(try client.response() == .end)
        client.ask(.rings)
        guard case .rings = try client.response() else {
            Issue.record("paths expected")
            return
        }
    }

    @Test("so many lists are told at once; who hung up amid one takes no place")
    func lists() throws {
        let socket = try site.serve(shared: { $1(Self.parts) })
        defer { socket.stop() }
        do {
            let quiet = (0..<ControlSocket.listingLimit).map { _ in ControlTestClient(path) }
            for client in quiet { client.ask(.shared(.registrations)) }
            for client in quiet { #expect(try client.response() == .shared(Self.parts[0])) }
            let other = ControlTestClient(path)
            other.ask(.shared(.registrations))
            #expect(
                try other.response()
                    == .failure("too many others list calls, registrations and limits; try again"))
        }
        #expect(
            try eventually {
                let client = ControlTestClient(path)
                client.ask(.shared(.registrations))
                return try client.response() == .shared(Self.parts[0])
            })
    }

    @Test("a client whose request waits is read no further than its socket's buffer holds")
    func backPressure() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        let greedy = ControlTestClient(path)
        greedy.ask(.ask(.status))
        let first = try #require(asked.next())
        let line = ControlJSON.encode(ControlRequest(.ask(.status))) + [10]
        let taken = greedy.offer(line, upTo: 64 << 20)
        #expect(taken < 4 << 20)
        socket.answer(first, .plan([]))
        #expect(asked.next() != nil)
    }

    @Test("requests of those who hung up count until they are answered, and 64 are the most")
    func all() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        let late = ControlTestClient(path)
        var ids: [UInt64] = []
        for _ in 0..<64 {
            let client = ControlTestClient(path)
            client.ask(.ask(.status))
            ids.append(try #require(asked.next()))
        }
        late.ask(.ask(.status))
        guard case .failure(let why) = try late.response() else {
            Issue.record("a failure expected")
            return
        }
        #expect(why.contains("too many other requests"))
        for id in ids { socket.answer(id, .plan([])) }
        let next = ControlTestClient(path)
        next.ask(.ask(.status))
        socket.answer(try #require(asked.next()), .plan(["served"]))
        #expect(try next.response() == .reply(.plan(["served"])))
    }

    @Test("clients that only stay connected shut nobody out, and whoever asked and then waits is as they are")
    func idlers() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        let asking = ControlTestClient(path)
        asking.ask(.ask(.status))
        let id = try #require(asked.next())
        let idlers = (0..<150).map { _ in ControlTestClient(path) }
        let late = ControlTestClient(path)
        late.ask(.rings)
        guard case .rings = try late.response() else {
            Issue.record("the newest is answered")
            return
        }
        // Its request is under way all the while, so it stays.
        socket.answer(id, .plan(["served"]))
        #expect(try asking.response() == .reply(.plan(["served"])))
        #expect(idlers[0].line() == nil, "the oldest that asked nothing made room")
        let others = (0..<150).map { _ in ControlTestClient(path) }
        #expect(asking.line() == nil, "and so does who asked once and asks nothing more")
        withExtendedLifetime(others) {}
    }

    /// What the node says to these very bytes, and that it was asked nothing.
    private func answer(to json: String, replacing mark: String = "", with bytes: [UInt8] = []) throws
        -> String
    {
        let socket = try site.serve()
        defer { socket.stop() }
        let client = ControlTestClient(path)
        var line = Array(json.utf8)
        if !mark.isEmpty, let range = json.range(of: mark) {
            let start = json.utf8.distance(from: json.utf8.startIndex, to: range.lowerBound)
            line.replaceSubrange(start..<(start + mark.utf8.count), with: bytes)
        }
        client.say(line + [10])
        let response = try client.response()
        #expect(requests.isEmpty)
        guard case .failure(let why) = response else { return "\(response)" }
        return why
    }

    private func json(_ request: OperatorRequest) -> String {
        String(decoding: ControlJSON.encode(ControlRequest(.ask(request))), as: UTF8.self)
    }

    /// Every field of every request that somebody writes a text into.
    private static func requests(_ text: String) -> [(field: String, request: OperatorRequest)] {
        func drain(_ target: String, _ reason: String, _ who: String) -> OperatorRequest {
            .drain(
                DrainRequest(
                    target: target, deadline: nil, onDeadline: .wait, reason: reason, dryRun: false, who: who)
            )
        }
        func steps(_ actions: [PlaybookAction], undo: CommandOrder? = nil) -> OperatorRequest {
            let steps = actions.map { PlaybookStep(line: 7, action: $0, timeout: .seconds(9), undo: undo) }
            return .playbook(.schedule(Playbook(name: "p", summary: "", steps: steps), who: "a"))
        }
        func order(_ node: String = "fs1", _ program: String = "/bin/true") -> CommandOrder {
            CommandOrder(node: node, program: program, arguments: [], timeout: .seconds(1))
        }
        let named = Playbook(name: text, summary: "", steps: [])
        return [
            ("name of who asks", .abortDrain(who: text)),
            ("name of who asks", .zoneApply(adopt: true, who: text)),
            ("name of who asks", .playbook(.cancel(who: text))),
            ("name of who asks", .playbook(.approve(who: text))),
            ("name of who asks", .undrain(node: "fs1", who: text)), ("node", .undrain(node: text, who: "a")),
            ("node", .forget(node: text, who: "a")), ("node", .revoke(node: text, who: "a")),
            ("node", .recoverQuorum(lost: ["fs2", text], dryRun: true, who: "a")),
            ("seat", .switchover(seat: text, to: nil, dryRun: true, who: "a")),
            ("node", .switchover(seat: "s", to: text, dryRun: true, who: "a")),
            ("target", drain(text, "", "a")), ("reason", drain("m", text, "a")),
            ("name of who asks", drain("m", "", text)),
            ("name of the playbook", .playbook(.unschedule(name: text, who: "a"))),
            ("playbook", .playbook(.run(named, who: "a", dryRun: true, ignoresWindow: false))),
            ("question in line 7", steps([.approve(text)])),
            (
                "reason in line 7",
                steps([.drain(target: "m", deadline: nil, onDeadline: .wait, reason: text)])
            ),
            ("target in line 7", steps([.drain(target: text, deadline: nil, onDeadline: .wait, reason: "")])),
            ("node in line 7", steps([.undrain(node: text)])), ("node in line 7", steps([.fail(node: text)])),
            ("seat in line 7", steps([.switchover(seat: text, to: nil)])),
            ("node in line 7", steps([.switchover(seat: "m", to: text)])),
            ("node in line 7", steps([.check(.callsBelow(1, node: text), interval: .seconds(1))])),
            ("node in line 7", steps([.run(order(text))])),
            ("node in line 7", steps([.wait(.seconds(1))], undo: order(text))),
            (
                "item in line 7",
                steps([.forEach(.named([text]), atMost: 1, pause: .zero, steps: [])])
            ),
            (
                "question in line 8",
                steps([
                    .forEach(
                        .seats, atMost: 1, pause: .zero,
                        steps: [PlaybookStep(line: 8, action: .approve(text), timeout: .seconds(1))])
                ])
            ),
        ]
    }

    @Test("no field of a request takes more than 256 bytes or what steers a terminal, whatever client it is")
    func texts() throws {
        for (field, request) in Self.requests(String(repeating: "x", count: 257)) {
            let why = try answer(to: json(request))
            #expect(
                why.contains(field) && (why.contains("257 bytes") || why.contains("1 to 64 bytes")), "\(why)")
        }
        for text in ["a\u{1B}[2J", "a\nb", "a\u{202E}b", "a\u{9B}1m", "a\0b"] {
            for (field, request) in Self.requests(text) {
                let why = try answer(to: json(request))
                #expect(why.contains(field) && why.contains("control characters"), "\(why)")
            }
        }
    }

    @Test("what is 256 bytes long is taken, and lines in what a program is given") func whole() throws {
        for (_, request) in Self.requests(String(repeating: "ä", count: 128)) {
            if case .playbook(.run) = request { continue }
            #expect(RequestText.obstacle(request) == nil)
        }
        let order = CommandOrder(
            node: "", program: "/bin/mail", arguments: ["Hello\n\tall"],
            environment: [.init(name: "BODY", value: "one\ntwo")], timeout: .seconds(1))
        func steps(_ order: CommandOrder) -> OperatorRequest {
            let step = PlaybookStep(line: 2, action: .notify(.command(order)), timeout: .seconds(9))
            return .playbook(.schedule(Playbook(name: "p", summary: "", steps: [step]), who: ""))
        }
        #expect(RequestText.obstacle(steps(order)) == nil)
        var steering = order
        steering.arguments = ["\u{1B}]0;x\u{07}"]
        #expect(RequestText.obstacle(steps(steering))?.contains("argument in line 2") == true)
        steering = order
        steering.environment[0].value = "a\0b"
        #expect(RequestText.obstacle(steps(steering))?.contains("value of BODY in line 2") == true)
        steering = order
        steering.program = "/bin/\u{1B}c"
        #expect(RequestText.obstacle(steps(steering))?.contains("program in line 2") == true)
    }

    @Test("bytes that are not UTF-8, and halves of characters, are refused and not mended")
    func encoding() throws {
        let request = json(.abortDrain(who: "MARK"))
        for bytes in [[0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0x61, 0xE2, 0x82]] as [[UInt8]] {
            let why = try answer(to: request, replacing: "MARK", with: bytes)
            #expect(why == "the request is not UTF-8: nothing was done")
        }
        for text in ["\\ud800", "\\u0000", "\\u001b[2J", "\\u202e"] {
            let why = try answer(to: request, replacing: "MARK", with: Array(text.utf8))
            #expect(why.contains("malformed") || why.contains("control characters"), "\(text): \(why)")
        }
    }

    @Test("the node says who asks, and what the client calls itself stands beside it")
    func claims() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        let login = try #require(getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) })
        let client = ControlTestClient(path)
        client.ask(.ask(.abortDrain(who: "ceo@hq")))
        #expect(requests.next() == .abortDrain(who: "\(login)@fs1 (claims ceo@hq)"))
        socket.answer(try #require(asked.next()), .plan([]))
        client.ask(.ask(.undrain(node: "fs2", who: "\(login)@laptop")))
        #expect(requests.next() == .undrain(node: "fs2", who: "\(login)@fs1"))
    }
}
