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
