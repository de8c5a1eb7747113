import Cluster
import Consensus
import NIOPosix
import Testing
import Wire

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

        init(_ name: String, cluster: String = "pbx", secret: String = "a secret of enough length") throws {
            me = Holder(member: MemberID(name: name, birth: 5), incarnation: 1 << 32)
            let mailbox = mailbox
            links = try PeerLinks(
                loop: MultiThreadedEventLoopGroup.singleton.next(),
                key: ClusterKey(cluster: cluster, secret: Array(secret.utf8)), me: me, log: EventLog.silent,
                deliver: { mailbox.put(Letter(message: $0, from: $1)) })
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

    @Test("messages arrive in order with who sent them, both ways")
    func bothWays() throws {
        let one = try End("fs1")
        let other = try End("fs2")
        let (onePlace, otherPlace) = (try one.listen(), try other.listen())
        one.links.heard(other.me, from: otherPlace, at: try local())
        other.links.heard(one.me, from: onePlace, at: try local())
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

    @Test("a message of megabytes arrives whole")
    func large() throws {
        let one = try End("fs1")
        let other = try End("fs2")
        one.links.heard(other.me, from: try other.listen(), at: try local())
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
        stranger.links.heard(one.me, from: place, at: try local())
        one.links.heard(stranger.me, from: try stranger.listen(), at: try local())
        stranger.links.send(.refused("evil"), to: one.me.member)
        one.links.send(.refused("secret"), to: stranger.me.member)
        friend.links.heard(one.me, from: place, at: try local())
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
        one.links.heard(expected, from: place, at: try local())
        one.links.send(.refused("for another"), to: expected.member)
        one.links.heard(other.me, from: place, at: try local())
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
        one.links.heard(me, from: place, at: try local())
        one.links.send(.refused("first"), to: me.member)
        #expect(other?.mailbox.next()?.message == .refused("first"))
        other = nil
        let reborn = try End("fs2")
        var holder = me
        holder.incarnation += 1 << 32
        one.links.heard(holder, from: try reborn.listen(), at: try local())
        one.links.send(.refused("second"), to: me.member)
        #expect(reborn.mailbox.next()?.message == .refused("second"))
    }

    @Test("to a peer that does not answer only so much is kept, and the rest is counted")
    func bounded() throws {
        let one = try End("fs1")
        let absent = Holder(member: MemberID(name: "fs9", birth: 1), incarnation: 1)
        // Port 9 of the own machine: nobody listens there.
        one.links.heard(absent, from: Endpoint(ip: try local().ip, port: 9), at: try local())
        for number in 1...1000 { one.links.send(.refused("\(number)"), to: absent.member) }
        #expect(one.links.dropped() == 1000 - 256)
    }
}
