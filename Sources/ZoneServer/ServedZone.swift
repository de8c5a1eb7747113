import Cluster
import NIOCore
import Synchronization
import Wire

/// The zone while it is served: what all sockets share, one request at a time.
final class ServedZone: Sendable {
    private let responder: Mutex<ZoneResponder>
    private let file: ZoneFile?
    private let wallClock: @Sendable () -> UInt64
    private let connections = Mutex(0)
    private let connectionLimit: Int

    init(
        zone: Zone, key: TSIGKey?, file: ZoneFile?, connectionLimit: Int,
        wallClock: @escaping @Sendable () -> UInt64
    ) {
        responder = Mutex(ZoneResponder(zone: zone, key: key))
        self.file = file
        self.connectionLimit = connectionLimit
        self.wallClock = wallClock
    }

    var zone: Zone { responder.withLock { $0.zone } }

    /// The answer's messages, none for silence; an update is in the file before it is answered.
    func respond(
        to request: ByteBuffer, from peer: SocketAddress?, over transport: ZoneResponder.Transport
    ) -> [[UInt8]] {
        let wire = Array(request.readableBytesView)
        let now = wallClock()
        return responder.withLock { responder in
            responder.respond(
                to: wire, over: transport, fromLoopback: Self.isLoopback(peer), at: now,
                commit: store)
        }
    }

    private func store(_ zone: Zone) -> Bool {
        guard let file else { return true }
        do throws(ZoneFile.Failure) {
            try file.store(zone)
            return true
        } catch { return false }
    }

    private static func isLoopback(_ peer: SocketAddress?) -> Bool {
        peer?.ipAddress.flatMap { IPAddress($0) }?.isLoopback ?? false
    }

    /// Whether one more connection is allowed; each allowed one is given back by `leave`.
    func enter() -> Bool {
        connections.withLock { count in
            guard count < connectionLimit else { return false }
            count += 1
            return true
        }
    }

    func leave() { connections.withLock { $0 -= 1 } }
}

/// Answers requests that come as datagrams.
final class DatagramResponder: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let served: ServedZone

    init(_ served: ServedZone) { self.served = served }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let request = unwrapInboundIn(data)
        // When replies cannot leave fast enough they are lost, as datagrams may be; nothing piles up.
        guard context.channel.isWritable,
            let reply = served.respond(to: request.data, from: request.remoteAddress, over: .udp).first
        else { return }
        let buffer = context.channel.allocator.buffer(bytes: reply)
        context.writeAndFlush(
            wrapOutboundOut(AddressedEnvelope(remoteAddress: request.remoteAddress, data: buffer)),
            promise: nil)
    }

    /// A client that went away is no reason to stop listening.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

/// Answers requests on one TCP connection, in order, and closes it when it idles or breaks the framing.
final class StreamResponder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let served: ServedZone
    private var isEntered = false

    init(_ served: ServedZone) { self.served = served }

    func channelActive(context: ChannelHandlerContext) {
        isEntered = served.enter()
        if !isEntered { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isEntered { served.leave() }
        isEntered = false
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isEntered else { return }
        // A client that asks on without reading would otherwise fill our memory.
        guard context.channel.isWritable else {
            context.close(promise: nil)
            return
        }
        let replies = served.respond(to: unwrapInboundIn(data), from: context.remoteAddress, over: .tcp)
        if replies.isEmpty { context.close(promise: nil) }
        for reply in replies {
            var buffer = context.channel.allocator.buffer(capacity: reply.count + 2)
            buffer.writeInteger(UInt16(reply.count))
            buffer.writeBytes(reply)
            context.write(wrapOutboundOut(buffer), promise: nil)
        }
        context.flush()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
