import NIOCore

/// Hands on what comes back to a socket that only asks.
final class DatagramReader: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let read: (ByteBuffer) -> Void

    init(_ read: @escaping (ByteBuffer) -> Void) { self.read = read }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { read(unwrapInboundIn(data).data) }

    /// Whoever is unreachable now (ICMP says so) is asked again all the same.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
