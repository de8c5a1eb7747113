import Cluster
import ControlProtocol
import Glibc
import Keeper
import NIOPosix
import PeerProtocol
import Primitives
import Testing

@testable import Daemon

@Suite("Control socket", .serialized)
struct ControlSocketTests {
    private let site = ControlSite()
    private var path: String { site.path }
    private var journal: EventJournal { site.journal }
    private var asked: Mailbox<UInt64> { site.asked }
    private var requests: Mailbox<OperatorRequest> { site.requests }

    @Test("a request reaches the node and its answer the client")
    func ask() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        let client = ControlTestClient(path)
        client.ask(.ask(.status))
        socket.answer(try #require(asked.next()), .refused(["because"]))
        #expect(try client.response() == .reply(.refused(["because"])))
    }

    @Test("answers find their own clients, in whatever order they come")
    func several() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        let (one, other) = (ControlTestClient(path), ControlTestClient(path))
        one.ask(.ask(.status))
        let first = try #require(asked.next())
        other.ask(.ask(.zone))
        let second = try #require(asked.next())
        socket.answer(second, .plan(["second"]))
        socket.answer(first, .plan(["first"]))
        #expect(try one.response() == .reply(.plan(["first"])))
        #expect(try other.response() == .reply(.plan(["second"])))
    }

    @Test("a node that does not answer in time is unavailable")
    func timeout() throws {
        let socket = try site.serve(patience: .milliseconds(20))
        defer { socket.stop() }
        let client = ControlTestClient(path)
        client.ask(.ask(.status))
        #expect(try client.response() == .reply(.unavailable("the node did not answer in time")))
    }

    @Test("paths and remembered events are told")
    func ringsAndEvents() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        journal.add(ClusterEvent(.trouble, "fs1", "one"))
        journal.add(ClusterEvent(.takeover, "fs2", "two", epoch: Epoch(term: 3, index: 4)))
        let client = ControlTestClient(path)
        client.ask(.rings)
        #expect(
            try client.response()
                == .rings(RingsReport(node: "fs1", paths: [], dropped: [], warnings: ["one"])))
        client.ask(.events(follow: false, after: 1))
        guard case .event(let line) = try client.response() else {
            Issue.record("an event expected")
            return
        }
        #expect(line.sequence == 2)
        #expect(line.event == ClusterEvent(.takeover, "fs2", "two", epoch: Epoch(term: 3, index: 4)))
        #expect(line.time.hasSuffix("Z") && line.time.count == 24)
        #expect(try client.response() == .end)
    }

    @Test("a follower hears what was remembered and then what happens")
    func follow() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        journal.add(ClusterEvent(.trouble, "fs1", "before"))
        let client = ControlTestClient(path)
        client.ask(.events(follow: true, after: 0))
        guard case .event(let first) = try client.response() else {
            Issue.record("an event expected")
            return
        }
        journal.add(ClusterEvent(.trouble, "fs1", "after"))
        guard case .event(let second) = try client.response() else {
            Issue.record("an event expected")
            return
        }
        #expect([first.event.text, second.event.text] == ["before", "after"])
    }

    @Test(
        "nonsense, other versions, what nobody waits for any more and endless lines are answered with a failure and hung up on"
    )
    func nonsense() throws {
        let socket = try site.serve()
        defer { socket.stop() }
        var other = ControlRequest(.rings)
        other.version = 99
        // Sent to a node that stood still until its operator had given up.
        let late = ControlRequest(
            .ask(
                .drain(
                    DrainRequest(
                        target: "master1", deadline: nil, onDeadline: .wait, reason: "", dryRun: false,
                        who: "ops"))),
            until: Instant.now().nanoseconds - 1)
        let endless = [UInt8](repeating: 0x61, count: ControlRequest.maximumLength + 1)
        for bytes in [
            Array("nonsense\n".utf8), ControlJSON.encode(other) + [10], ControlJSON.encode(late) + [10],
            endless,
        ] {
            let client = ControlTestClient(path)
            client.say(bytes)
            guard case .failure = try client.response() else {
                Issue.record("a failure expected")
                continue
            }
            #expect(client.line() == nil)
        }
    }

    @Test("the socket is for its owner and group, and goes with its server")
    func mode() throws {
        let socket = try site.serve()
        var facts = stat()
        #expect(lstat(path, &facts) == 0)
        #expect(facts.st_mode & 0o777 == 0o660)
        socket.stop()
        #expect(lstat(path, &facts) != 0)
    }

    @Test("a socket that a dead process left is replaced; one that is served, or no socket, is not")
    func stale() throws {
        let abandoned = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #expect(UnixSocket.withAddress(of: path) { bind(abandoned, $0, $1) } == 0)
        close(abandoned)
        let socket = try site.serve()
        let failure = #expect(throws: ServiceFailure.self) { try site.serve() }
        #expect(failure?.description.contains("served by another node") == true)
        socket.stop()
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        let other = #expect(throws: ServiceFailure.self) { try site.serve() }
        #expect(other?.description.contains("is no socket") == true)
    }
}
