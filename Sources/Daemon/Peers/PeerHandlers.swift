import Cluster
import Consensus
@preconcurrency import Glibc
import NIOCore
import NIOSSL
import NIOTLS
import Wire

enum TCPOption {
    static let userTimeout = TCP_USER_TIMEOUT
}

/// Why a link is of no use, for the log.
enum LinkRefusal {
    static func text(_ hello: PeerHello, cluster: String) -> String? {
        if hello.cluster != cluster { return "it belongs to cluster \(hello.cluster)" }
        let version = PeerFrameCodec.version
        if hello.oldestVersion > version || hello.newestVersion < version {
            return "it speaks versions \(hello.oldestVersion) to \(hello.newestVersion), not \(version)"
        }
        return nil
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
    private var isEncrypted = false

    init(links: PeerLinks, member: MemberID, attempt: UInt64) {
        self.links = links
        self.member = member
        self.attempt = attempt
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent {
            isEncrypted = true
            let hello = ByteBuffer(bytes: PeerFrameCodec.encode(links.hello))
            context.writeAndFlush(wrapOutboundOut(hello), promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data).readableBytesView)
        do throws(FrameFailure) {
            while let frame = try decoder.next() {
                guard !isStanding, case .hello(let hello) = frame else {
                    throw .malformed("order of frames")
                }
                if let reason = LinkRefusal.text(hello, cluster: links.cluster) {
                    refuse(context, reason)
                    return
                }
                guard hello.holder.member == member else {
                    refuse(context, "\(hello.holder) answers in its place")
                    return
                }
                isStanding = true
                links.stand(member, attempt, context.channel)
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
        links.lose(member, attempt)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Afterwards it is only a link that broke, which the heartbeats tell better.
        if !isEncrypted, error is NIOSSLError || error is BoringSSLError {
            links.log.warning("peer-link", member.name, "the handshake failed: \(error)")
        }
        context.close(promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ reason: String) {
        links.log.warning("peer-link", member.name, "is of no use: \(reason)")
        context.close(promise: nil)
    }
}

/// The end of a link that another node made: hears who it is, introduces itself, then only receives.
final class IncomingLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let patience: TimeAmount = .seconds(3)
    private let links: PeerLinks
    private var decoder = PeerFrameDecoder()
    private var member: MemberID?
    private var isAdmitted = false
    private var timeout: Scheduled<Void>?

    init(links: PeerLinks) { self.links = links }

    func channelActive(context: ChannelHandlerContext) {
        guard links.admitIncoming() else {
            context.close(promise: nil)
            return
        }
        isAdmitted = true
        let channel = context.channel
        timeout = context.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data).readableBytesView)
        do throws(FrameFailure) {
            while let frame = try decoder.next() {
                switch (frame, member) {
                case (.hello(let hello), nil):
                    if let reason = LinkRefusal.text(hello, cluster: links.cluster) {
                        refuse(context, reason)
                        return
                    }
                    greet(hello, context)
                case (.message(let message), let member?): links.receive(message, from: member)
                default: throw .malformed("order of frames")
                }
            }
        } catch {
            refuse(context, error.description)
        }
    }

    private func greet(_ hello: PeerHello, _ context: ChannelHandlerContext) {
        member = hello.holder.member
        timeout?.cancel()
        links.accept(hello.holder, context.channel)
        let answer = ByteBuffer(bytes: PeerFrameCodec.encode(links.hello))
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        if isAdmitted { links.dismissIncoming(context.channel) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if member == nil {
            let from = context.channel.remoteAddress?.ipAddress ?? "?"
            links.log.warning("peer-link", from, "a node that does not know the cluster key was refused")
        }
        context.close(promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ reason: String) {
        let from = context.channel.remoteAddress?.ipAddress ?? "?"
        links.log.warning("peer-link", from, "was refused: \(reason)")
        context.close(promise: nil)
    }
}
