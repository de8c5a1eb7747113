import NIOCore
import NIOEmbedded
import NIOSSL
import NIOTLS

/// A handshake of this machine with itself, in memory: what would fail with others fails here first, before a link needs it.
enum LinkRehearsal {
    private static let rounds = 20
    /// Longer than the library waits for the other end's.
    private static let farewell: TimeAmount = .seconds(60)

    private final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var isDone = false
        var error: (any Error)?

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .handshakeCompleted = event as? TLSUserEvent { isDone = true }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            self.error = self.error ?? error
        }
    }

    /// Why the two ends do not come together; nil when they do.
    static func fault(_ credentials: LinkCredentials) -> (any Error)? {
        do {
            let loop = EmbeddedEventLoop()
            let ears = (caller: Listener(), called: Listener())
            let caller = EmbeddedChannel(
                handlers: [
                    try NIOSSLClientHandler(context: credentials.client, serverHostname: nil), ears.caller,
                ], loop: loop)
            let called = EmbeddedChannel(
                handlers: [NIOSSLServerHandler(context: credentials.server), ears.called], loop: loop)
            let anywhere = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
            caller.connect(to: anywhere, promise: nil)
            called.connect(to: anywhere, promise: nil)
            var error: (any Error)?
            for _ in 0..<rounds where error == nil {
                try carry(caller, called)
                try carry(called, caller)
                // In TLS 1.3 the one that calls is done before it is heard whether its certificate is accepted.
                error = ears.called.error ?? ears.caller.error
            }
            // A closed channel lets go of its handlers; nobody is there to answer the farewell, so its time runs out.
            for channel in [caller, called] { channel.close(promise: nil) }
            loop.advanceTime(by: farewell)
            if let error { return error }
            return ears.caller.isDone && ears.called.isDone ? nil : NIOSSLError.unableToValidateCertificate
        } catch {
            return error
        }
    }

    private static func carry(_ from: EmbeddedChannel, _ to: EmbeddedChannel) throws {
        while let bytes = try from.readOutbound(as: ByteBuffer.self) { try to.writeInbound(bytes) }
    }
}
