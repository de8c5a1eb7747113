import Cluster
import NIOCore
import Synchronization
import Wire

/// The zone while it is served: what all sockets share, one request at a time.
final class ServedZone: Sendable {
    private let responder: Mutex<ZoneResponder>
    private let file: ZoneFile?
    private let wallClock: @Sendable () -> UInt64
    /// The one that was silent for longest first.
    private let connections = Mutex<[any Channel]>([])
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
        return responder.withLock { responder in
            responder.respond(
                to: wire, over: transport, fromLoopback: Self.isLoopback(peer), at: wallClock(),
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

    /// Takes one more connection; when there are too many, the one that was silent for longest is closed.
    func enter(_ channel: any Channel) -> Bool {
        guard connectionLimit > 0 else { return false }
        let superfluous = connections.withLock { connections -> (any Channel)? in
            let oldest = connections.count >= connectionLimit ? connections.removeFirst() : nil
            connections.append(channel)
            return oldest
        }
        superfluous?.close(promise: nil)
        return true
    }

    /// A whole message came on it.
    func noteMessage(on channel: any Channel) {
        connections.withLock { connections in
            guard let place = connections.firstIndex(where: { $0 === channel }) else { return }
            connections.append(connections.remove(at: place))
        }
    }

    func leave(_ channel: any Channel) { connections.withLock { $0.removeAll { $0 === channel } } }
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
    private let patience: TimeAmount
    private var isEntered = false
    /// When the connection is closed unless a whole message has come.
    private var deadline: Scheduled<Void>?

    /// - Parameter patience: how long each message may take, so that single bytes do not keep a connection open.
    init(_ served: ServedZone, patience: TimeAmount) {
        self.served = served
        self.patience = patience
    }

    func channelActive(context: ChannelHandlerContext) {
        isEntered = served.enter(context.channel)
        if isEntered { awaitMessage(context) } else { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        if isEntered { served.leave(context.channel) }
        isEntered = false
    }

    private func awaitMessage(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isEntered else { return }
        served.noteMessage(on: context.channel)
        awaitMessage(context)
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

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
