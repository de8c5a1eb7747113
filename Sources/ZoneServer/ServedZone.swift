import Cluster
import NIOCore
import Synchronization
import Wire

/// The zone while it is served: what all sockets share, one request at a time.
final class ServedZone: Sendable {
    private let responder: Mutex<ZoneResponder>
    private let file: ZoneFile?
    private let wallClock: @Sendable () -> UInt64
    private struct Connections {
        var slots: ConnectionSlots
        /// By their numbers in `slots`.
        var open: [UInt64: any Channel] = [:]
    }

    private let connections: Mutex<Connections>

    init(
        zone: Zone, key: TSIGKey?, file: ZoneFile?, limits: ZoneServer.Limits,
        wallClock: @escaping @Sendable () -> UInt64
    ) {
        responder = Mutex(ZoneResponder(zone: zone, key: key))
        self.file = file
        connections = Mutex(
            Connections(
                slots: ConnectionSlots(
                    .init(
                        strangers: limits.connections, perSource: limits.perSource,
                        proven: limits.connections))))
        self.wallClock = wallClock
    }

    var zone: Zone { responder.withLock { $0.zone } }

    /// The answer's messages, none for silence; an update is in the file before it is answered.
    func respond(
        to request: ByteBuffer, from peer: SocketAddress?, over transport: ZoneResponder.Transport
    ) -> (messages: [[UInt8]], isSigned: Bool) {
        let wire = Array(request.readableBytesView)
        let now = wallClock()
        return responder.withLock { responder in
            let messages = responder.respond(
                to: wire, over: transport, fromLoopback: Self.isLoopback(peer), at: now,
                commit: store)
            return (messages, responder.wasSigned)
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

    /// Takes one more connection in, given back by `leave`; the oldest of those that signed nothing makes room.
    func enter(_ channel: any Channel) -> UInt64 {
        let source = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        let (id, crowded) = connections.withLock { connections in
            let (id, evicted) = connections.slots.admit(source: source)
            connections.open[id] = channel
            return (id, evicted.compactMap { connections.open.removeValue(forKey: $0) })
        }
        for channel in crowded { channel.close(promise: nil) }
        return id
    }

    /// The connection carried a request with a valid signature: no stranger takes its place.
    func prove(_ id: UInt64) { connections.withLock { _ = $0.slots.prove(id) } }

    func leave(_ id: UInt64) {
        connections.withLock { connections in
            connections.slots.leave(id)
            connections.open[id] = nil
        }
    }
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
            let reply = served.respond(to: request.data, from: request.remoteAddress, over: .udp).messages
                .first
        else { return }
        let buffer = context.channel.allocator.buffer(bytes: reply)
        context.writeAndFlush(
            wrapOutboundOut(AddressedEnvelope(remoteAddress: request.remoteAddress, data: buffer)),
            promise: nil)
    }

    /// A client that went away is no reason to stop listening.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
