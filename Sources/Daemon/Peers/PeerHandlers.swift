import Cluster
import Consensus
@preconcurrency import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import PeerProtocol
import Primitives

/// Options that all links have.
enum LinkOptions {
    /// Why no connection could be made, as an operator reads it.
    static func text(of error: any Error, at remote: Endpoint) -> String {
        let place = "TCP \(remote.port) of \(remote.ip)"
        switch error {
        case let error as IOError where error.errnoCode == ECONNREFUSED: return "\(place) refuses"
        case let error as IOError: return "\(place): \(errorText(error.errnoCode))"
        case is NIOConnectionError, is ChannelError: return "\(place) does not answer"
        default: return "\(place): \(error)"
        }
    }

    /// Connections the kernel completes before they are looked at: many strangers may come at once.
    static let backlog: Int32 = 512
    /// Of TCP alone.
    static let connectTimeout: TimeAmount = .milliseconds(500)
    /// tcp(7): the first question to a silent end after one second, then one each second; the link is dead when
    /// `userTimeout` passes without an answer.
    private static let probes: [(option: Int32, value: CInt)] = [
        (TCP_KEEPIDLE, 1), (TCP_KEEPINTVL, 1), (TCP_KEEPCNT, 3),
    ]

    private static func tcp(_ option: Int32) -> ChannelOptions.Types.SocketOption {
        ChannelOptions.Types.SocketOption(level: .tcp, name: NIOBSDSocket.Option(rawValue: option))
    }

    static func keepingAlive(_ bootstrap: ClientBootstrap, _ userTimeout: Int) -> ClientBootstrap {
        probes.reduce(
            bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.socketOption(.so_keepalive), value: 1)
                .channelOption(tcp(TCP_USER_TIMEOUT), value: SocketOptionValue(userTimeout))
        ) { $0.channelOption(tcp($1.option), value: SocketOptionValue($1.value)) }
    }

    /// For the connections that come in.
    static func keepingAlive(_ bootstrap: ServerBootstrap, _ userTimeout: Int) -> ServerBootstrap {
        probes.reduce(
            bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.socketOption(.so_keepalive), value: 1)
                .childChannelOption(tcp(TCP_USER_TIMEOUT), value: SocketOptionValue(userTimeout))
        ) { $0.childChannelOption(tcp($1.option), value: SocketOptionValue($1.value)) }
    }
}

/// Why a link is of no use, for the log and for the other end.
enum LinkRefusal {
    private static let longest = 300

    /// What the end that was called says last to one that proved the key, so that a machine that was forgotten hears that
    /// it was. Strangers hear nothing. A caller of an earlier release takes it for a frame out of order and ends the link.
    static func frame(_ fault: LinkFault) -> ByteBuffer {
        ByteBuffer(bytes: PeerFrameCodec.encode(.refused(fault.description)))
    }

    /// What a caller that was refused so is told; nil for any other frame.
    static func told(_ frame: PeerFrame) -> String? {
        guard case .message(.refused(let why)) = frame else { return nil }
        return "\(PathTrouble.refusal): \(VisibleText.of(why, longest: longest))"
    }

    static func text(_ hello: PeerHello, cluster: String) -> String? {
        if hello.cluster != cluster { return "it belongs to cluster \(hello.cluster)" }
        let version = PeerFrameCodec.version
        if hello.oldestVersion > version || hello.newestVersion < version {
            return "it speaks versions \(hello.oldestVersion) to \(hello.newestVersion), not \(version)"
        }
        return nil
    }
}

/// Kinds of frames that came over one link and that only a later release knows: passed over, each told once.
struct LaterKinds {
    private var told: Set<UInt8> = []

    mutating func note(_ kind: UInt8, from name: String, in log: EventLog) {
        guard told.insert(kind).inserted else { return }
        log.warning(
            "peer-link", name,
            "sends frames of kind \(kind), which this release does not know: they are passed over; bring the release of "
                + "\(name) onto this machine")
    }
}

/// The end of a link that this node made: introduces itself, hears who answers, then only sends.
final class OutgoingLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let links: PeerLinks
    private let member: MemberID
    private let attempt: UInt64
    private var decoder = PeerFrameDecoder()
    private var isStanding = false
    private var laterKinds = LaterKinds()
    /// What the other end proved; nil before.
    private var proven: LinkProven?
    /// Why this end closes it.
    private var reason: String?

    init(links: PeerLinks, member: MemberID, attempt: UInt64) {
        self.links = links
        self.member = member
        self.attempt = attempt
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let proven = event as? LinkProven {
            self.proven = proven
            if let fault = links.trust.fault(of: proven, as: member.name) { return refuse(context, fault) }
            let hello = ByteBuffer(bytes: PeerFrameCodec.encode(links.hello(to: proven)))
            context.writeAndFlush(wrapOutboundOut(hello), promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data).readableBytesView)
        do throws(FrameFailure) {
            while let frame = try decoder.next() {
                if case .unknown(let kind) = frame {
                    laterKinds.note(kind, from: member.name, in: links.log)
                    continue
                }
                if !isStanding, proven != nil, let told = LinkRefusal.told(frame) {
                    reason = told
                    links.log.warning("peer-link", member.name, told)
                    context.close(promise: nil)
                    return
                }
                guard !isStanding, let proven, case .hello(let hello) = frame else {
                    throw .malformed("order of frames")
                }
                if let reason = LinkRefusal.text(hello, cluster: links.cluster) {
                    refuse(context, reason)
                    return
                }
                // By its certificate it is who it says, be it another start or state than the one that was called.
                if hello.holder.name == member.name { links.learn(hello, proven) }
                guard hello.holder.member == member else {
                    refuse(context, "\(hello.holder) answers in its place")
                    return
                }
                isStanding = true
                links.stand(hello.holder, attempt, context.channel, proven)
            }
        } catch {
            refuse(context, error.description)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isStanding, context.channel.isWritable { links.pour(member) }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        let remote = context.channel.remoteAddress.map { "\($0)" } ?? "the other end"
        links.lose(member, attempt, reason ?? "\(remote) closed the link")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let fault = error as? LinkFault { return refuse(context, fault) }
        // Afterwards it is only a link that broke, which the heartbeats tell better.
        if proven == nil, LinkFault.isOfTLS(error) {
            reason = "whoever answers there does not know the cluster key"
            links.log.stranger("peer-link", member.name, "the handshake failed: \(error)")
        }
        context.close(promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ fault: LinkFault) {
        reason = "\(PathTrouble.distrust): \(fault)"
        links.log.stranger("peer-link", member.name, fault)
        context.close(promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ reason: String) {
        self.reason = "the link is of no use: \(reason)"
        links.log.warning("peer-link", member.name, "is of no use: \(reason)")
        context.close(promise: nil)
    }
}

/// The end of a link that another node made: hears who it is, introduces itself, then only receives.
final class IncomingLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let links: PeerLinks
    private var decoder = PeerFrameDecoder()
    private var member: MemberID?
    private var proven: LinkProven?
    private var slot: UInt64?
    private var laterKinds = LaterKinds()
    private var timeout: Scheduled<Void>?

    init(links: PeerLinks) { self.links = links }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        slot = links.admit(channel)
        guard slot != nil else {
            context.close(promise: nil)
            return
        }
        timeout = context.eventLoop.scheduleTask(in: links.patience) { channel.close(promise: nil) }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let proven = event as? LinkProven { self.proven = proven }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data).readableBytesView)
        do throws(FrameFailure) {
            while let frame = try decoder.next() {
                switch (frame, member) {
                case (.hello(let hello), nil):
                    guard let proven else { throw .malformed("order of frames") }
                    if let reason = LinkRefusal.text(hello, cluster: links.cluster) {
                        refuse(context, reason)
                        return
                    }
                    if let fault = links.trust.fault(of: proven, as: hello.holder.name) {
                        context.writeAndFlush(wrapOutboundOut(LinkRefusal.frame(fault)), promise: nil)
                        refuse(context, fault)
                        return
                    }
                    guard greet(hello, proven, context) else { return }
                case (.message(let message), let member?): links.receive(message, from: member)
                case (.unknown(let kind), let member?):
                    laterKinds.note(kind, from: member.name, in: links.log)
                default: throw .malformed("order of frames")
                }
            }
        } catch {
            refuse(context, error.description)
        }
    }

    /// - Returns: false when it is refused.
    private func greet(
        _ hello: PeerHello, _ proven: LinkProven, _ context: ChannelHandlerContext
    ) -> Bool {
        guard hello.holder.member != links.member else {
            refuse(context, "it has this node's own name")
            return false
        }
        guard let slot, links.accept(hello.holder, slot, context.channel) else {
            refuse(context, "there are too many links already")
            return false
        }
        member = hello.holder.member
        timeout?.cancel()
        links.learn(hello, proven)
        let answer = ByteBuffer(bytes: PeerFrameCodec.encode(links.hello(to: proven)))
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        return true
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        if let slot { links.dismiss(slot, context.channel) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let fault = error as? LinkFault { return refuse(context, fault) }
        if member == nil, LinkFault.isOfTLS(error) {
            let from = context.channel.remoteAddress?.ipAddress ?? "?"
            links.log.stranger("peer-link", from, "one that does not know the cluster key was refused")
        }
        context.close(promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ fault: LinkFault) {
        links.log.stranger("peer-link", context.channel.remoteAddress?.ipAddress ?? "?", fault)
        context.close(promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ reason: String) {
        let from = context.channel.remoteAddress?.ipAddress ?? "?"
        links.log.stranger("peer-link", from, "was refused: \(reason)")
        context.close(promise: nil)
    }
}

extension EventLog {
    /// Says who made a link and is not believed; each sort of reason by itself, so that none hides another.
    func stranger(_ kind: String, _ source: String, _ fault: LinkFault) {
        stranger(kind, source, sort: fault.sort.rawValue) { (source, "was refused: \(fault)") }
    }
}
