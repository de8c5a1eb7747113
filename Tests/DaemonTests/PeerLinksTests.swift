import Cluster
import Consensus
import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import PeerProtocol
import Primitives
import Testing

@testable import Daemon

@Suite("Peer links", .serialized)
struct PeerLinksTests {
    private struct Letter: Hashable, Sendable {
        var message: PeerMessage
        var from: MemberID
    }

    /// One end: a node's links, listening on a port of 127.0.0.1 that the system chose.
    private final class End {
        let links: PeerLinks
        let mailbox = Mailbox<Letter>()
        let me: Holder

        init(
            _ name: String, cluster: String = "pbx", secret: String = "a secret of enough length",
            patience: TimeAmount = PeerLinks.patience, log: EventLog = .silent
        ) throws {
            me = Holder(member: MemberID(name: name, birth: 5), incarnation: 1 << 32)
            let mailbox = mailbox
            links = try PeerLinks(
                loop: MultiThreadedEventLoopGroup.singleton.next(),
                key: ClusterKey(cluster: cluster, secret: Array(secret.utf8)), me: me, log: log,
                patience: patience, deliver: { mailbox.put(Letter(message: $0, from: $1)) })
        }

        /// Where it listens, once it does.
        func listen() throws -> Endpoint {
            let local = try #require(IPAddress("127.0.0.1"))
            return try #require(links.listen(at: Endpoint(ip: local, port: 0), within: .seconds(20)))
        }

        deinit { links.stop() }
    }

    private func local() throws -> Endpoint {
        Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 0)
    }

    /// Accepts connections and never says a word.
    private final class SilentListener {
        let endpoint: Endpoint
        private let descriptor: Int32

        init() throws {
            let listener = try LimitListener(at: Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 0))
            (descriptor, endpoint) = (listener.descriptor, listener.endpoint)
        }

        deinit { close(descriptor) }
    }

    @Test("one who accepts in silence holds no link: it is given up, and the way that works is taken")
    func silent() throws {
        let one = try End("fs1", patience: .milliseconds(300))
        let other = try End("fs2")
        let silent = try SilentListener()
        one.links.heard(other.me, at: silent.endpoint, isTold: false)
        one.links.send(.refused("at last"), to: other.me.member)
        #expect(other.mailbox.next(within: 0.1) == nil)
        one.links.heard(other.me, at: try other.listen(), isTold: false)
        // Heartbeats go on coming by both ways.
        let place = try #require(other.links.listening().first)
        for _ in 0..<100 where other.mailbox.isEmpty {
            one.links.heard(other.me, at: silent.endpoint, isTold: false)
            one.links.heard(other.me, at: place, isTold: false)
            _ = other.mailbox.waits(within: 0.1)
        }
        #expect(other.mailbox.next(within: 0)?.message == .refused("at last"))
    }

    @Test("a peer that starts again is called anew at once, though a call to it is under way")
    func rebornWhileDialing() throws {
        let one = try End("fs1", patience: .seconds(60))
        let silent = try SilentListener()
        let other = try End("fs2")
        one.links.heard(other.me, at: silent.endpoint)
        one.links.send(.refused("for you"), to: other.me.member)
        var reborn = other.me
        reborn.incarnation += 1
        one.links.heard(reborn, at: try other.listen())
        #expect(other.mailbox.next()?.message == .refused("for you"))
    }

    @Test("frames of a kind that is not known are passed over, and each kind is told once a link")
    func laterKinds() throws {
        let directory = TemporaryDirectory()
        let path = "\(directory.path)/log"
        let log = EventLog(to: Glibc.open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        let one = try End("fs1")
        let other = try End("fs2", log: log)
        one.links.heard(other.me, at: try other.listen())
        one.links.send(.refused("first"), to: other.me.member)
        #expect(other.mailbox.next()?.message == .refused("first"))
        let links = one.links
        try links.loop.submit {
            guard case .ready(_, _, let channel) = links.state.value.peers.first?.link else { return }
            for kind in [200, 201, 200] as [UInt8] {
                channel.writeAndFlush(
                    ByteBuffer(bytes: PeerFrameCodec.encode(.unknown(kind: kind))), promise: nil)
            }
        }.wait()
        one.links.send(.refused("second"), to: other.me.member)
        #expect(other.mailbox.next()?.message == .refused("second"))
        log.flush()
        let told = try String(contentsOf: URL(filePath: path), encoding: .utf8).split(separator: "\n")
            .filter { $0.contains("which this release does not know") }
        #expect(told.count == 2)
        #expect(told.first?.contains("sends frames of kind 200") == true)
    }

    @Test("a heartbeat of an earlier life moves no link")
    func earlierLife() throws {
        let one = try End("fs1")
        let other = try End("fs2")
        one.links.heard(other.me, at: try other.listen())
        one.links.send(.refused("first"), to: other.me.member)
        #expect(other.mailbox.next()?.message == .refused("first"))
        var earlier = other.me
        earlier.incarnation -= 1
        one.links.heard(earlier, at: try SilentListener().endpoint)
        one.links.send(.refused("second"), to: other.me.member)
        #expect(other.mailbox.next()?.message == .refused("second"))
    }

    @Test("who says that it is this very node gets nothing in")
    func ownName() throws {
        let one = try End("fs1")
        let impostor = try End("fs1")
        let friend = try End("fs2")
        let place = try one.listen()
        impostor.links.heard(one.me, at: place)
        impostor.links.send(.refused("evil"), to: one.me.member)
        #expect(one.mailbox.next(within: 0.3) == nil)
        friend.links.heard(one.me, at: place)
        friend.links.send(.refused("good"), to: one.me.member)
        #expect(one.mailbox.next()?.from == friend.me.member)
    }

    @Test("a crowd of idle strangers keeps no peer out")
    func crowd() throws {
        let one = try End("fs1")
        let friend = try End("fs2")
        let place = try one.listen()
        let crowd = try (0..<300).map { _ in try RawClient(place.port) }
        let clock = ContinuousClock()
        let start = clock.now
        friend.links.heard(one.me, at: place)
        friend.links.send(.refused("good"), to: one.me.member)
        #expect(one.mailbox.next()?.message == .refused("good"))
        #expect(clock.now - start < .seconds(2))
        #expect(crowd.count == 300)
    }

    @Test("a missing link is told with its reason while the peer is heard, and no longer once it stands")
    func missing() throws {
        let reports = Mailbox<ClusterEvent>()
        let watch = MissingLinkWatch(kind: "link", consequence: "act", report: { reports.put($0) })
        func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(1) + .milliseconds(milliseconds) }
        for time in stride(from: Int64(0), through: 12_000, by: 500) {
            watch.missing("fs2", time == 0 ? "TCP 5405 of 10.0.0.2 refuses" : "", at: at(time))
            if time < 2000 { #expect(watch.warnings(at: at(time)).isEmpty) }
        }
        let sentence =
            "no link to fs2 since 12 s, although its heartbeats arrive: TCP 5405 of 10.0.0.2 refuses; act"
        #expect(watch.warnings(at: at(12_000)) == [sentence])
        #expect(watch.warnings(at: at(13_500)).isEmpty, "it is not heard any more")
        #expect(reports.next(within: 0)?.text.contains("since 5 s") == true)
        #expect(reports.next(within: 0) == nil, "told once")
        watch.present("fs2", at: at(14_000))
        #expect(reports.next(within: 0)?.text == "the link to fs2 stands again")
        #expect(watch.warnings(at: at(14_000)).isEmpty)
    }

    @Test("names that nothing vouches for are told of in status, and of many there is hardly an event")
    func inventedNames() {
        let reports = Mailbox<ClusterEvent>()
        let watch = MissingLinkWatch(kind: "link", consequence: "act", report: { reports.put($0) })
        func at(_ half: Int64) -> NIODeadline { .uptimeNanoseconds(1) + .milliseconds(500 * half) }
        for time in Int64(0)..<1200 {
            // Some sixty new names every six seconds, each heard for as long.
            for number in 0..<60 {
                watch.missing("x\(time / 12)-\(number)", "TCP refuses", isVouched: false, at: at(time))
            }
        }
        #expect(watch.warnings(at: at(1199)).count == 60)
        var events = 0
        while reports.next(within: 0) != nil { events += 1 }
        #expect((1...5).contains(events))
        for time in Int64(1200)..<1220 { watch.missing("fs2", "TCP refuses", at: at(time)) }
        #expect(reports.next(within: 0)?.text.contains("no link to fs2") == true, "one that is vouched for")
    }

    @Test("attempts that fail after the last heartbeat do not make a dead peer one that is heard") func dead()
    {
        let watch = MissingLinkWatch(kind: "link", consequence: "act", report: { _ in })
        func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(1) + .milliseconds(milliseconds) }
        for time in stride(from: Int64(0), through: 950, by: 50) {
            watch.missing("fs2", "TCP 5405 of 10.0.0.2 refuses", heardAt: at(0), at: at(time))
        }
        for time in stride(from: Int64(1000), through: 5000, by: 100) {
            #expect(watch.warnings(at: at(time)).isEmpty)
            #expect(watch.troubles(.link, at: at(time)).isEmpty)
        }
    }

    @Test("messages arrive in order with who sent them, both ways")
    func bothWays() throws {
        let one = try End("fs1")
        let other = try End("fs2")
        let (onePlace, otherPlace) = (try one.listen(), try other.listen())
        one.links.heard(other.me, at: otherPlace)
        other.links.heard(one.me, at: onePlace)
        let messages = (1...50).map { PeerMessage.refused("message \($0)") }
        for message in messages {
            one.links.send(message, to: other.me.member)
            other.links.send(message, to: one.me.member)
        }
        for message in messages {
            #expect(other.mailbox.next() == Letter(message: message, from: one.me.member))
            #expect(one.mailbox.next() == Letter(message: message, from: other.me.member))
        }
    }

    @Test("with whom links stand is told at both ends, when that changes")
    func standing() throws {
        let (one, told, toldThere) = (try End("fs1"), Mailbox<[MemberID]>(), Mailbox<[MemberID]>())
        var other: End? = try End("fs2")
        let (me, place) = (try #require(other?.me), try #require(try other?.listen()))
        one.links.standing { told.put($0) }
        one.links.heard(me, at: place)
        one.links.send(.refused("first"), to: me.member)
        #expect(other?.mailbox.next()?.message == .refused("first"))
        for _ in 1...2 { one.links.standing { told.put($0) } }
        other?.links.standing { toldThere.put($0) }
        #expect(told.next() == [me.member])
        #expect(toldThere.next() == [one.me.member], "the end that was called")
        #expect(told.next(within: 0) == nil, "nobody is told the same twice")
        other = nil
        for _ in 0..<100 where told.isEmpty {
            one.links.standing { told.put($0) }
            _ = told.waits(within: 0.1)
        }
        #expect(told.next(within: 0) == [])
    }

    @Test("a message of megabytes arrives whole")
    func large() throws {
        let one = try End("fs1")
        let other = try End("fs2")
        one.links.heard(other.me, at: try other.listen())
        let message = PeerMessage.refused(String(repeating: "long ", count: 600_000))
        one.links.send(message, to: other.me.member)
        #expect(other.mailbox.next()?.message == message)
    }

    @Test("a node with another key gets nothing through, in either direction")
    func otherKey() throws {
        let one = try End("fs1")
        let stranger = try End("fs2", secret: "another secret of length")
        let friend = try End("fs3")
        let place = try one.listen()
        stranger.links.heard(one.me, at: place)
        one.links.heard(stranger.me, at: try stranger.listen())
        stranger.links.send(.refused("evil"), to: one.me.member)
        one.links.send(.refused("secret"), to: stranger.me.member)
        friend.links.heard(one.me, at: place)
        friend.links.send(.refused("good"), to: one.me.member)
        #expect(one.mailbox.next() == Letter(message: .refused("good"), from: friend.me.member))
        #expect(one.mailbox.next(within: 0) == nil)
        #expect(stranger.mailbox.next(within: 0) == nil)
    }

    @Test("who answers in another's place is not talked to")
    func impostor() throws {
        let one = try End("fs1")
        let other = try End("fs2")
        let place = try other.listen()
        let expected = Holder(member: MemberID(name: "fs2", birth: 99), incarnation: 1 << 32)
        one.links.heard(expected, at: place)
        one.links.send(.refused("for another"), to: expected.member)
        one.links.heard(other.me, at: place)
        one.links.send(.refused("for you"), to: other.me.member)
        #expect(other.mailbox.next()?.message == .refused("for you"))
        #expect(other.mailbox.next(within: 0) == nil)
    }

    @Test("a link that broke is made again when the peer is heard again")
    func again() throws {
        let one = try End("fs1")
        var other: End? = try End("fs2")
        let place = try #require(try other?.listen())
        let me = try #require(other?.me)
        one.links.heard(me, at: place)
        one.links.send(.refused("first"), to: me.member)
        #expect(other?.mailbox.next()?.message == .refused("first"))
        other = nil
        let reborn = try End("fs2")
        var holder = me
        holder.incarnation += 1 << 32
        one.links.heard(holder, at: try reborn.listen())
        one.links.send(.refused("second"), to: me.member)
        #expect(reborn.mailbox.next()?.message == .refused("second"))
    }

    @Test("a link moves to another ring at once when its own carries nothing, whichever end notices")
    func silentRing() throws {
        let (one, other) = (try End("fs1"), try End("fs2"))
        let rings = try ["127.0.0.1", "127.0.0.2"].map { Endpoint(ip: try #require(IPAddress($0)), port: 0) }
        let ends = rings.compactMap { other.links.listen(at: $0, besides: rings, within: .seconds(20)) }
        let ways = zip(ends, rings).map { PeerWay(remote: $0, local: $1) }
        try #require(ways.count == 2)
        func arrives(_ text: String, by ring: Endpoint) {
            one.links.send(.refused(text), to: other.me.member)
            #expect(other.mailbox.next()?.message == .refused(text))
            #expect(other.links.ring(from: one.me.member) == ring.ip)
        }
        var sighting = PeerSighting(holder: other.me, ways: ways, isTold: true)
        one.links.heard(sighting)
        arrives("first", by: rings[0])

        sighting.ways = [ways[1]]
        one.links.heard(sighting)
        arrives("second", by: rings[1])

        // It hears the other on both rings, and is itself heard on the first only.
        sighting.ways = ways
        one.links.heard(sighting)
        let back = PeerWay(remote: Endpoint(ip: rings[0].ip, port: 9), local: ends[0])
        for _ in 1...2 { other.links.heard(PeerSighting(holder: one.me, ways: [back], isTold: true)) }
        let clock = ContinuousClock()
        let end = clock.now + .seconds(20)
        while clock.now < end, other.links.ring(from: one.me.member) != rings[0].ip {}
        arrives("third", by: rings[0])
    }

    @Test("to a peer that does not answer only so much is kept, and the rest is counted")
    func bounded() throws {
        let one = try End("fs1")
        let absent = Holder(member: MemberID(name: "fs9", birth: 1), incarnation: 1)
        // Port 9 of the own machine: nobody listens there.
        one.links.heard(absent, at: Endpoint(ip: try local().ip, port: 9))
        for number in 1...1000 { one.links.send(.refused("\(number)"), to: absent.member) }
        #expect(one.links.dropped() == 1000 - 256)
    }
}
