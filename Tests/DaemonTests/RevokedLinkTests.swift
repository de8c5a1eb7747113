import Cluster
import Consensus
import Glibc
import NIOCore
import NIOPosix
import PeerProtocol
import Primitives
import Testing

@testable import Daemon

/// A node's replica links by themselves.
final class CertifiedReplicaEnd: Sendable {
    let met = Mailbox<Holder>()
    /// How long each frame is that came after the introductions.
    let frames = Mailbox<Int>()
    let me: Holder
    let trust: LinkTrust
    let ear: LogEar
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let links: NIOLoopBound<ReplicaLinks>

    init(_ name: String, _ folder: CertificateFolder, owner: String? = nil) throws {
        me = Holder(member: MemberID(name: name, birth: 5), incarnation: 1 << 32)
        ear = try LogEar()
        let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
        trust = try LinkTrust(
            key, files: folder.files, node: owner ?? name, log: ear.log, clock: { CertifiedEnd.now })
        let (loop, me, log, trust, met, frames) = (loop, me, ear.log, trust, met, frames)
        let local = Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 0)
        links = try loop.submit {
            let links = try ReplicaLinks(loop: loop, key: key, me: me, log: log, trust: trust)
            links.owner = ReplicaLinks.Owner(
                connected: { met.put($0) }, disconnected: { _ in },
                received: { frame, _ in frames.put(frame.readableBytes) })
            links.listen(at: [local])
            return NIOLoopBound(links, eventLoop: loop)
        }.wait()
        trust.observe { [loop, links] stale in loop.execute { links.value.prove(stale) } }
    }

    var place: Endpoint? {
        try? loop.submit { [links] in links.value.listening.first.flatMap(Endpoint.init) }.wait()
    }

    func hears(_ other: CertifiedReplicaEnd) throws {
        let place = try #require(other.place)
        let way = PeerWay(remote: place, local: Endpoint(ip: place.ip, port: 0))
        let sighting = PeerSighting(holder: other.me, ways: [way], isTold: true)
        try loop.submit { [links] in links.value.heard(sighting) }.wait()
    }

    func stop() { try? loop.submit { [links] in links.value.stop() }.wait() }
}

/// A thief who has key and certificate, makes a link as a node would, and does not take the end of it for one: he
/// no longer reads, so that TLS waits for his farewell, and says on what he likes.
private final class StubbornCaller {
    private final class Ears: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var isDeaf = false

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if !isDeaf { context.fireChannelRead(data) }
        }
    }

    private final class Mouth: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let hello: [UInt8]
        private let ears: Ears
        private let stands: Mailbox<Bool>

        init(_ hello: [UInt8], _ ears: Ears, _ stands: Mailbox<Bool>) {
            (self.hello, self.ears, self.stands) = (hello, ears, stands)
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard event is LinkProven else { return }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: hello)), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            ears.isDeaf = true
            stands.put(true)
        }
    }

    let stands = Mailbox<Bool>()
    private let channel: any Channel

    init(_ name: String, to place: Endpoint) throws {
        let folder = try CertificateFolder(name)
        let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
        let trust = try LinkTrust(
            key, files: folder.files, node: name, log: .silent, clock: { CertifiedEnd.now })
        let me = Holder(member: MemberID(name: name, birth: 5), incarnation: 1 << 32)
        let hello = PeerFrameCodec.encode(.hello(PeerHello(cluster: "pbx", holder: me)))
        let stands = stands
        channel = try ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let ears = Ears()
                    try channel.pipeline.syncOperations.addHandlers(
                        [ears] + trust.handlers(of: .caller) + [Mouth(hello, ears, stands)])
                }
            }
            .connect(host: "\(place.ip)", port: Int(place.port)).wait()
    }

    func say(_ text: String) throws {
        try channel.writeAndFlush(ByteBuffer(bytes: PeerFrameCodec.encode(.refused(text)))).wait()
    }

    deinit { channel.close(promise: nil) }
}

@Suite("Links of those who were revoked", .serialized) struct RevokedLinkTests {
    @Test("what a revoked node says on a link that it does not let end is heard by nobody")
    func stubborn() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let thief = try StubbornCaller("fs3", to: try #require(one.place))
        #expect(thief.stands.next() != nil)
        try thief.say("before")
        #expect(one.mailbox.next()?.message == .refused("before"))
        one.trust.revoke([Revocation(name: "fs3", at: nil)])
        _ = one.links.listening()
        for _ in 0..<5 { try thief.say("after") }
        #expect(one.mailbox.next(within: 0.5) == nil)
    }

    @Test("so it is on a link for copies")
    func stubbornReplica() throws {
        let one = try CertifiedReplicaEnd("fs4", try CertificateFolder("fs1"), owner: "fs1")
        defer { one.stop() }
        while one.place == nil {}
        let thief = try StubbornCaller("fs3", to: try #require(one.place))
        #expect(thief.stands.next() != nil)
        try thief.say("before")
        #expect(one.frames.next() != nil)
        one.trust.revoke([Revocation(name: "fs3", at: nil)])
        // Goes to the links' own thread and back.
        _ = one.place
        for _ in 0..<5 { try thief.say("after") }
        #expect(one.frames.next(within: 0.5) == nil)
    }
}
