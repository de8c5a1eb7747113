import Cluster
import NIOCore
import NIOSSL
import PeerProtocol

/// One end of a replica link: the caller introduces itself, then the called one, and frames go both ways.
final class ReplicaLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let patience: TimeAmount = .seconds(3)
    private let links: ReplicaLinks
    /// Who must answer; nil at the end that was called.
    private let expected: Holder?
    private var peer: Holder?
    private var buffer = ByteBuffer()
    /// Its place among those that called; nil at the end that calls.
    private var slot: UInt64?
    /// What the other end proved; nil before.
    private var proven: LinkProven?
    /// Why this end closes it.
    private var fault: LinkFault?
    /// Why the other end does, as it says.
    private var refusal: String?
    private var timeout: Scheduled<Void>?

    /// - Parameter expected: whom this end called.
    init(links: ReplicaLinks, expected: Holder?) {
        self.links = links
        self.expected = expected
    }

    func channelActive(context: ChannelHandlerContext) {
        if expected == nil {
            slot = links.admit(context.channel)
            guard slot != nil else {
                context.close(promise: nil)
                return
            }
        }
        let channel = context.channel
        timeout = context.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let proven = event as? LinkProven {
            self.proven = proven
            // The end that was called waits to hear who it is: the other would count a link as standing that is refused.
            if let expected {
                if let fault = links.trust.fault(of: proven, as: expected.name) {
                    return refuse(context, fault)
                }
                context.writeAndFlush(wrapOutboundOut(links.hello), promise: nil)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var incoming = unwrapInboundIn(data)
        buffer.writeBuffer(&incoming)
        while let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) {
            guard length <= ReplicaLinks.frameLimit else {
                refuse(context, "it sent a frame of \(length) bytes")
                return
            }
            guard buffer.readableBytes >= 4 + Int(length) else { break }
            if let peer {
                buffer.moveReaderIndex(forwardBy: 4)
                guard let frame = buffer.readSlice(length: Int(length)) else { break }
                links.owner?.received(frame, peer)
            } else {
                let bytes = buffer.readBytes(length: 4 + Int(length)) ?? []
                guard greet(bytes, context) else { return }
            }
        }
        buffer.discardReadBytes()
    }

    /// - Returns: false when the link is of no use and was closed.
    private func greet(_ bytes: [UInt8], _ context: ChannelHandlerContext) -> Bool {
        do throws(FrameFailure) {
            let frame = try PeerFrameCodec.decodeFrame(bytes)
            if let expected, proven != nil, let told = LinkRefusal.told(frame) {
                refusal = told
                links.log.warning("replica-link", expected.name, told)
                context.close(promise: nil)
                return false
            }
            guard let proven, case .hello(let hello) = frame else {
                throw .malformed("order of frames")
            }
            if let reason = LinkRefusal.text(hello, cluster: links.cluster) {
                refuse(context, reason)
                return false
            }
            if let fault = links.trust.fault(of: proven, as: hello.holder.name) {
                if expected == nil {
                    context.writeAndFlush(wrapOutboundOut(LinkRefusal.frame(fault)), promise: nil)
                }
                refuse(context, fault)
                return false
            }
            if let expected, hello.holder.member != expected.member {
                refuse(context, "\(hello.holder) answers in its place")
                return false
            }
            guard hello.holder.member != links.me.member else {
                refuse(context, "it has this node's own name")
                return false
            }
            if let slot, !links.prove(slot) {
                refuse(context, "there are too many links already")
                return false
            }
            timeout?.cancel()
            if expected == nil { context.writeAndFlush(wrapOutboundOut(links.hello), promise: nil) }
            peer = hello.holder
            links.stand(hello.holder, context.channel, proven)
            return true
        } catch {
            refuse(context, error.description)
            return false
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        if let slot { links.dismiss(slot) }
        links.gone(
            peer ?? expected, context.channel,
            fault.map { "\(PathTrouble.distrust): \($0)" }
                ?? refusal ?? "the other end does not complete the link")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let fault = error as? LinkFault { return refuse(context, fault) }
        // Afterwards it is only a link that broke, which the heartbeats tell better.
        if proven == nil, LinkFault.isOfTLS(error) {
            let name = expected?.name ?? context.channel.remoteAddress?.ipAddress ?? "?"
            links.log.stranger("replica-link", name, "the handshake failed: \(error)")
        }
        context.close(promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ fault: LinkFault) {
        let name = expected?.name ?? context.channel.remoteAddress?.ipAddress ?? "?"
        self.fault = fault
        links.log.stranger("replica-link", name, fault)
        context.close(promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ reason: String) {
        let name = expected?.name ?? context.channel.remoteAddress?.ipAddress ?? "?"
        links.log.stranger("replica-link", name, "is of no use: \(reason)")
        context.close(promise: nil)
    }
}
