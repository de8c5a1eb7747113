import EventSocket
import Logging
import NIOCore

/// One client of the event socket: bytes to its session, and what the session wants done.
final class EventSocketHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let driver: SwitchDriver
    private var session: ServerSession
    private let patience: Duration
    private var id: UInt64 = 0
    private var context: ChannelHandlerContext?
    /// Bytes given to the channel and not yet written.
    private var unsent = 0
    private var wantsInput = true
    private var timeout: Scheduled<Void>?

    init(driver: SwitchDriver) {
        self.driver = driver
        var configuration = ServerConfiguration(password: driver.options.password)
        // A laboratory's switch answers wrong passwords at once, as the recordings show.
        configuration.backOff = PasswordBackOff(first: .zero, maximum: .zero)
        patience = configuration.authenticationTimeout
        session = ServerSession(configuration: configuration, seed: driver.sessionSeed())
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        id = driver.opened(self)
        let me = NIOLoopBound(self, eventLoop: context.eventLoop)
        timeout = context.eventLoop.scheduleTask(in: .microseconds(patience.wholeMicroseconds)) {
            guard !me.value.session.isAuthenticated else { return }
            me.value.context?.close(promise: nil)
        }
        handle(.accepted)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        handle(.received(buffer.readBytes(length: buffer.readableBytes) ?? []))
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        handle(.closed)
        driver.closed(id)
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        driver.log.debug("event socket client \(id): \(error)")
        context.close(promise: nil)
    }

    func publish(_ event: SwitchEvent) { handle(.publish(event)) }
    func answer(_ request: UInt64, _ text: String) { handle(.answer(request, Array(text.utf8))) }
    func stop() { handle(.stop) }
    /// Without a word.
    func cut() { context?.close(promise: nil) }

    private func handle(_ input: ServerSession.Input) {
        for output in session.handle(input) { carryOut(output) }
        let wanted = session.wantsInput
        guard wanted != wantsInput else { return }
        wantsInput = wanted
        context?.channel.setOption(ChannelOptions.autoRead, value: wanted).whenFailure { _ in }
    }

    private func carryOut(_ output: ServerSession.Output) {
        guard let context else { return }
        switch output {
        case .send(let bytes): write(bytes, to: context)
        case .sendAfter(let delay, let bytes): later(delay) { $0.write(bytes, to: $1) }
        case .close: close(context)
        case .closeAfter(let delay): later(delay) { $0.close($1) }
        case .run(let request): driver.run(request, of: id)
        case .sendevent(let event): driver.sent(event)
        case .jobDone(let event): driver.jobDone(event)
        case .passwordRefused: driver.log.info("event socket client \(id): wrong password")
        case .failed(let error): driver.log.info("event socket client \(id): \(error)")
        case .lostEvents(let count): driver.log.warning("event socket client \(id): lost \(count) events")
        case .authenticated: break
        }
    }

    private func write(_ bytes: [UInt8], to context: ChannelHandlerContext) {
        unsent += bytes.count
        let me = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)))
            .whenComplete { _ in me.value.written(bytes.count) }
    }

    private func written(_ count: Int) {
        unsent -= count
        handle(.unsent(unsent))
    }

    /// Once all that was written before is on its way.
    private func close(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(capacity: 0)))
            .whenComplete { _ in bound.value.close(promise: nil) }
    }

    private func later(
        _ delay: Duration, _ body: @escaping @Sendable (EventSocketHandler, ChannelHandlerContext) -> Void
    ) {
        guard let context else { return }
        let me = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .microseconds(delay.wholeMicroseconds)) {
            guard let context = me.value.context else { return }
            body(me.value, context)
        }
    }
}
