import EventSocket
import NIOCore
import NIOPosix
import Primitives

/// The two connections to the FreeSWITCH of this machine: made, kept, and made again after every loss.
///
/// Lives on one event loop, and is used only there.
final class SwitchLink {
    /// What the owner does about it; all called on the loop.
    struct Owner {
        /// Events flow from now on, and commands may be given; the Core-UUID of the process.
        var up: (String) -> Void
        /// Nothing asked before will be answered any more.
        var down: (String) -> Void
        var event: (SwitchEvent) -> Void
        /// Why there is no connection changed.
        var failed: () -> Void = {}
    }
    typealias Answer = (Result<APIResponse, RequestFailure>) -> Void
    typealias Reply = (Result<CommandReply, RequestFailure>) -> Void

    private enum Waiting {
        case answer(Answer)
        case reply(Reply)
    }

    private static let connectTimeout: TimeAmount = .seconds(2)
    /// From the first byte to `ready`.
    private static let patience: TimeAmount = .seconds(5)
    let loop: any EventLoop
    var owner: Owner?
    private let endpoint: Endpoint
    private let configuration: ClientSession.Configuration
    private let log: EventLog
    private var pair: ClientPair?
    private var channels: [ClientPair.Link: any Channel] = [:]
    private var coreUUID: String?
    private var waiting: [UInt64: Waiting] = [:]
    private var nextID: UInt64 = 1
    private var attempt = 0
    /// Of the pair; what an older pair's channels say is read over.
    private var life: UInt64 = 0
    private var isUp = false
    private var isStopped = false
    private var lastReason: String?
    private var generator = SystemRandomNumberGenerator()

    init(
        loop: any EventLoop, endpoint: Endpoint, password: String, subscription: Subscription, log: EventLog
    ) {
        self.loop = loop
        self.endpoint = endpoint
        self.log = log
        // As text, a header's name goes out as it is, and a caller may have made it: see `ChannelDump`.
        configuration = ClientSession.Configuration(
            credentials: .password(password), format: .json, subscription: subscription)
    }

    /// Why there is no connection; nil while there is one, and before the first attempt has ended.
    var trouble: String? { isUp ? nil : lastReason }

    func start() { dial() }

    func stop() {
        isStopped = true
        if pair != nil { pass(.disconnect) }
        for channel in channels.values { channel.close(promise: nil) }
    }

    // MARK: - Asking

    func api(_ line: String, _ answer: @escaping Answer) {
        let id = remember(.answer(answer))
        pass(.api(id, line))
    }

    /// For everything that may take long: the switch goes on answering meanwhile.
    func bgapi(_ line: String, _ answer: @escaping Answer) {
        let id = remember(.answer(answer))
        pass(.bgapi(id, line))
    }

    func command(_ command: Command, _ reply: @escaping Reply) {
        let id = remember(.reply(reply))
        pass(.command(id, command))
    }

    private func remember(_ what: Waiting) -> UInt64 {
        defer { nextID += 1 }
        waiting[nextID] = what
        return nextID
    }

    // MARK: - Connecting

    private func dial() {
        guard !isStopped else { return }
        life += 1
        pair = ClientPair(
            configuration: configuration, seed: .random(in: .min ... .max, using: &generator),
            coreUUID: coreUUID)
        let life = life
        for link in ClientPair.Link.allCases { connect(link, life) }
        loop.assumeIsolated().scheduleTask(in: Self.patience) { [self] in
            if life == self.life, !isUp { lose("it did not answer within 5 s") }
        }
    }

    private func connect(_ link: ClientPair.Link, _ life: UInt64) {
        let owner = NIOLoopBound(self, eventLoop: loop)
        let made = ClientBootstrap(group: loop)
            .connectTimeout(Self.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        SwitchHandler(owner: owner.value, link: link, life: life))
                }
            }
            .connect(host: "\(endpoint.ip)", port: Int(endpoint.port))
        made.assumeIsolated().whenFailure { [self] error in
            if life == self.life { lose("nobody answers at \(endpoint): \(Self.text(of: error))") }
        }
    }

    private static func text(of error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { text(of: $0.error) } ?? "\(error)"
        case let error as IOError: errorText(error.errnoCode)
        case is ChannelError: "it takes too long"
        default: "\(error)"
        }
    }

    fileprivate func connected(_ link: ClientPair.Link, _ life: UInt64, _ channel: any Channel) {
        guard life == self.life, !isStopped else {
            channel.close(promise: nil)
            return
        }
        channels[link] = channel
        pass(.connected(link))
    }

    fileprivate func received(_ link: ClientPair.Link, _ life: UInt64, _ bytes: [UInt8]) {
        if life == self.life { pass(.received(link, bytes)) }
    }

    fileprivate func closed(_ link: ClientPair.Link, _ life: UInt64) {
        if life == self.life { pass(.closed(link)) }
    }

    private func pass(_ input: ClientPair.Input) {
        guard var pair else { return refuse(input) }
        // Taken out while it works, so that what its outputs ask for next does not copy it.
        self.pair = nil
        let outputs = pair.handle(input)
        self.pair = pair
        let life = life
        var written = Set<ClientPair.Link>()
        for output in outputs {
            perform(output, &written)
            // An answer's owner may have hung up.
            if life != self.life { return }
        }
        for link in written { channels[link]?.flush() }
    }

    private func refuse(_ input: ClientPair.Input) {
        switch input {
        case .api(let id, _, _), .bgapi(let id, _), .command(let id, _): fail(id, .notReady)
        case .connected, .received, .closed, .disconnect: break
        }
    }

    private func perform(_ output: ClientPair.Output, _ written: inout Set<ClientPair.Link>) {
        switch output {
        case .send(let link, let bytes):
            channels[link]?.write(ByteBuffer(bytes: bytes), promise: nil)
            written.insert(link)
        case .ready(let uuid):
            guard let uuid, !uuid.isEmpty else { return lose("it does not tell its Core-UUID") }
            coreUUID = uuid
            isUp = true
            attempt = 0
            lastReason = nil
            log.notice("switch", "\(endpoint)", "the event socket is open; FreeSWITCH \(uuid)")
            owner?.up(uuid)
        case .restarted: break
        case .response(let id, let response), .jobDone(let id, let response):
            if case .answer(let answer) = waiting.removeValue(forKey: id) { answer(.success(response)) }
        case .reply(let id, let reply):
            if case .reply(let tell) = waiting.removeValue(forKey: id) { tell(.success(reply)) }
        case .failed(let id, let failure): fail(id, failure)
        case .event(let event): owner?.event(event)
        case .log: break
        case .undecodable(let error):
            log.warning("switch", "\(endpoint)", "an event cannot be read: \(error)")
        case .disconnected(let reason): end(reason)
        }
    }

    private func fail(_ id: UInt64, _ failure: RequestFailure) {
        switch waiting.removeValue(forKey: id) {
        case .answer(let answer): answer(.failure(failure))
        case .reply(let reply): reply(.failure(failure))
        case nil: break
        }
    }

    /// Something is wrong on our side of the conversation.
    private func lose(_ why: String) { end(.notice(why)) }

    private func end(_ reason: DisconnectReason) {
        life += 1
        pair = nil
        for channel in channels.values { channel.close(promise: nil) }
        channels = [:]
        let lost = waiting.keys.sorted()
        for id in lost { fail(id, .disconnected(reason)) }
        let text = reason.description
        if isUp || lastReason != text {
            lastReason = text
            if !isStopped { log.warning("switch", "\(endpoint)", text) }
            if !isUp { owner?.failed() }
        }
        if isUp {
            isUp = false
            owner?.down(text)
        }
        guard !isStopped else { return }
        let wait = ReconnectPolicy().delay(
            attempt: attempt, after: reason, jitter: .random(in: .min ... .max, using: &generator))
        attempt += 1
        let life = life
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [self] in
            if life == self.life { dial() }
        }
    }
}

/// One of the two connections.
private final class SwitchHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let owner: SwitchLink
    private let link: ClientPair.Link
    private let life: UInt64

    init(owner: SwitchLink, link: ClientPair.Link, life: UInt64) {
        self.owner = owner
        self.link = link
        self.life = life
    }

    func channelActive(context: ChannelHandlerContext) { owner.connected(link, life, context.channel) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        owner.received(link, life, Array(unwrapInboundIn(data).readableBytesView))
    }

    func channelInactive(context: ChannelHandlerContext) { owner.closed(link, life) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
