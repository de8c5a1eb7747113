import NIOCore
import Primitives

/// Answers requests on one TCP connection, in order, and closes it when no whole request comes in time or it breaks the
/// framing. The time counts from request to request: a byte now and then does not prolong it.
///
/// A client may send as many requests as it likes before it reads (RFC 7766 §6.2.1.1). While its answers do not leave, nothing more of
/// it is answered or read, so that what is kept of it is bounded; who reads nothing for as long as a request may take is
/// closed too. Of what it sends, some `turn` bytes are answered before the other connections are looked at, also when it sends
/// no more: then all that the kernel has of it comes at once.
final class StreamResponder: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Some eight queries.
    static let turn = 256
    /// The shortest message: a header.
    private static let shortest = 12

    private let served: ServedZone
    private let turns: ConnectionTurns
    private let patience: TimeAmount
    private var slot: UInt64?
    private var deadline: Scheduled<Void>?
    private var buffer = ByteBuffer()
    /// The client's requests wait for answers before them to leave.
    private var isHeldUp = false
    /// More was sent than one turn has room for.
    private var isQueued = false
    /// The channel wants to read, and was not let.
    private var wantsRead = false
    /// The client sends no more.
    private var isInputClosed = false
    private var isClosing = false

    /// - Parameter turns: shared by all connections of the loop.
    init(_ served: ServedZone, turns: ConnectionTurns, patience: TimeAmount) {
        self.served = served
        self.turns = turns
        self.patience = patience
    }

    func channelActive(context: ChannelHandlerContext) {
        slot = served.enter(context.channel)
        expectRequest(on: context.channel)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        if let slot { served.leave(slot) }
        slot = nil
    }

    private func expectRequest(on channel: any Channel) {
        deadline?.cancel()
        deadline = channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        buffer.writeBuffer(&bytes)
        answer(context)
    }

    func read(context: ChannelHandlerContext) {
        if isHeldUp || isQueued { wantsRead = true } else { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isHeldUp, context.channel.isWritable { answer(context) }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed = event as? ChannelEvent {
            isInputClosed = true
            answer(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Answers what waits, as far as answers leave.
    private func answer(_ context: ChannelHandlerContext) {
        guard let slot, !isClosing, !isQueued else { return }
        isHeldUp = false
        var hasWritten = false
        var left = Self.turn
        while let length = buffer.getInteger(at: buffer.readerIndex, as: UInt16.self) {
            guard Int(length) >= Self.shortest else {
                isClosing = true
                break
            }
            guard buffer.readableBytes >= 2 + Int(length) else { break }
            guard left > 0 else {
                isQueued = true
                break
            }
            left -= 2 + Int(length)
            guard context.channel.isWritable else {
                isHeldUp = true
                break
            }
            buffer.moveReaderIndex(forwardBy: 2)
            guard let request = buffer.readSlice(length: Int(length)) else { break }
            expectRequest(on: context.channel)
            isClosing = !respond(to: request, slot, context)
            hasWritten = true
            if isClosing { break }
        }
        buffer.discardReadBytes()
        if hasWritten { context.flush() }
        if isInputClosed, !isHeldUp, !isQueued { isClosing = true }
        if isClosing {
            // Once all that was said before has left; who does not take it is closed by the deadline.
            let channel = context.channel
            context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
                channel.close(promise: nil)
            }
        } else if isQueued || isHeldUp && context.channel.isWritable {
            // Later too where all that held it up left with the flush.
            isQueued = true
            turns.add(on: context.eventLoop) { self.goOn(context) }
        } else if wantsRead, !isHeldUp {
            wantsRead = false
            context.read()
        }
    }

    /// The next turn.
    private func goOn(_ context: ChannelHandlerContext) {
        isQueued = false
        answer(context)
    }

    /// - Returns: false for what deserves no answer.
    private func respond(to request: ByteBuffer, _ slot: UInt64, _ context: ChannelHandlerContext) -> Bool {
        let peer = context.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        let (replies, isSigned) = served.respond(to: Array(request.readableBytesView), from: peer, over: .tcp)
        if isSigned { served.prove(slot) }
        for reply in replies {
            var buffer = context.channel.allocator.buffer(capacity: reply.count + 2)
            buffer.writeInteger(UInt16(reply.count))
            buffer.writeBytes(reply)
            context.write(wrapOutboundOut(buffer), promise: nil)
        }
        return !replies.isEmpty
    }
}
