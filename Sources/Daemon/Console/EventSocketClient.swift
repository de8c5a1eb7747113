import EventSocket
import NIOCore
import Primitives

/// One connection to our event socket: hands bytes to its session, and does what the session says.
final class EventSocketClient: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// What is sent in farewell may take so long to be read.
    private static let farewell: TimeAmount = .seconds(2)
    /// Once so little is left unwritten the session hears of it.
    private static let lowUnsent = 1 << 16
    let address: String
    /// What wrong passwords are counted by: an IPv6 host has a whole /64 to choose from.
    let network: String
    /// Its place among the clients; zero before it has one.
    var slot: UInt64 = 0
    private let server: EventSocketServer
    private let channel: any Channel
    private var session: ServerSession
    private var inputs: [ServerSession.Input] = []
    private var isBusy = false
    private var isTurnGiven = false
    private var isAdmitted = false
    /// Written to the channel, not yet taken by the system.
    private var unsent = 0
    private var wasFull = false
    /// Came before the address had its turn to try a password.
    private var early: [UInt8]?
    /// What was begun for one that may only look: it ends with its connection, as nobody waits for it any more.
    private var pending: [UInt64: Console.Pending] = [:]
    private var lastPending: UInt64 = 0
    private static let mostPending = 4
    private var isClosing = false
    private var isSayingGoodbye = false
    private var patience: Scheduled<Void>?

    init(server: EventSocketServer, channel: any Channel) {
        self.server = server
        self.channel = channel
        session = ServerSession(configuration: server.configuration, seed: .random(in: .min ... .max))
        address = channel.remoteAddress?.ipAddress ?? "?"
        network = Self.network(of: address)
    }

    private static func network(of address: String) -> String {
        guard let ip = IPAddress(address.prefix { $0 != "%" }), ip.family == .v6 else { return address }
        let bytes = Array(ip.bytes.prefix(8)) + [UInt8](repeating: 0, count: 8)
        return IPAddress(bytes: bytes).map { "\($0)/64" } ?? address
    }

    // MARK: - The channel

    func channelActive(context: ChannelHandlerContext) {
        guard server.admit(self) else { return turnAway() }
        isAdmitted = true
        let limit = TimeAmount.nanoseconds(server.configuration.authenticationTimeout.nanoseconds)
        patience = server.loop.assumeIsolated().scheduleTask(in: limit) { [weak self] in self?.hangUp() }
        take(.accepted)
        readMore()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        let bytes = Array(unwrapInboundIn(data).readableBytesView)
        guard !session.isAuthenticated, !session.isClosed else { return take(.received(bytes)) }
        if early != nil {
            early?.append(contentsOf: bytes)
            return
        }
        switch server.turn(of: self) {
        case .now: take(.received(bytes))
        case .never: turnAway()
        case .after(let wait):
            early = bytes
            server.loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [weak self] in
                self?.itsTurn()
            }
        }
    }

    private func itsTurn() {
        guard let bytes = early else { return }
        early = nil
        take(.received(bytes))
        readMore()
    }

    func channelReadComplete(context: ChannelHandlerContext) { readMore() }

    /// What a client sends after its farewell is read and dropped: with bytes unread the system would reset the
    /// connection, and the farewell with it.
    private func readMore() {
        if isClosing || (session.wantsInput && early == nil) { channel.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        patience?.cancel()
        isClosing = true
        early = nil
        for command in pending.values { command.cancel() }
        pending = [:]
        take(.closed)
        if isAdmitted { server.gone(self) }
        isAdmitted = false
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: - The session

    /// Hands an input in; one that comes while another is worked at waits for it.
    func take(_ input: ServerSession.Input) {
        inputs.append(input)
        guard !isBusy else { return }
        isBusy = true
        var done = 0
        while done < inputs.count {
            let input = inputs[done]
            done += 1
            switch input {
            case .publish, .log, .received: pass(.unsent(server.counted(unsent)))
            default: break
            }
            pass(input)
        }
        inputs = []
        isBusy = false
        channel.flush()
        giveTurn()
    }

    /// What is left of many commands waits until every other client was served.
    private func giveTurn() {
        guard session.wantsTurn, !isTurnGiven else { return }
        isTurnGiven = true
        server.enqueue(self)
    }

    func goOn() {
        isTurnGiven = false
        take(.turn)
        readMore()
    }

    private func pass(_ input: ServerSession.Input) {
        if !session.isAuthenticated { session.refusals = server.refusals(of: self) }
        for output in session.handle(input) { perform(output) }
    }

    private func perform(_ output: ServerSession.Output) {
        switch output {
        case .send(let bytes): write(bytes)
        case .sendAfter(let wait, let bytes):
            later(wait) { [weak self] in
                self?.write(bytes)
                self?.channel.flush()
            }
        case .close: close()
        case .closeAfter(let wait): later(wait) { [weak self] in self?.close() }
        case .passwordRefused: server.refused(self)
        case .authenticated:
            patience?.cancel()
            server.authenticated(self, mayChange: session.mayChange)
        case .run(let request):
            run(request)
        case .sendevent(let event):
            let id = nextPending()
            keep(
                server.sent(event, by: self, mayChange: session.mayChange, refusal: refusal) { [weak self] in
                    self?.pending[id] = nil
                }, as: id)
        // Who may only look is believed by nobody else: what it makes happen is told to it alone.
        case .jobDone(let event): server.fire(event, by: "bgapi", to: session.mayChange ? nil : self)
        case .lostEvents(let count):
            server.log.warning("event-socket", address, "\(count) events were dropped: it does not read them")
        case .failed(let error):
            server.log.warning("event-socket", address, "sent what cannot be read: \(error)")
        }
    }

    private func run(_ request: ServerSession.Request) {
        let id = nextPending()
        // Kept until the answer: others hear of the end of an operator's job whose client is gone.
        let answered: ([UInt8]) -> Void = { [self] answer in
            pending[id] = nil
            take(.answer(request.id, answer))
            readMore()
        }
        if let refusal { return answered(refusal) }
        keep(server.run(request, by: address, mayChange: session.mayChange, answered), as: id)
    }

    /// Why no more is begun for this client now; nil when it is.
    private var refusal: [UInt8]? {
        guard !session.mayChange, pending.count >= Self.mostPending else { return nil }
        return Array(
            "-ERR \(Self.mostPending) commands of this client are under way already, as many as who may only look has\n"
                .utf8)
    }

    private func nextPending() -> UInt64 {
        lastPending += 1
        return lastPending
    }

    private func keep(_ command: Console.Pending?, as id: UInt64) {
        if let command, !session.mayChange, !isClosing { pending[id] = command }
    }

    private func later(_ wait: Duration, _ work: @escaping () -> Void) {
        server.loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds), work)
    }

    private func write(_ bytes: [UInt8]) {
        guard channel.isActive, !isSayingGoodbye else { return }
        unsent += bytes.count
        server.unsent += bytes.count
        if unsent > Self.lowUnsent { wasFull = true }
        // Not weak: what is taken is taken of what all have.
        channel.write(ByteBuffer(bytes: bytes)).assumeIsolated().whenComplete { [self] _ in
            written(bytes.count)
        }
    }

    private func written(_ count: Int) {
        unsent -= count
        server.unsent -= count
        if isClosing {
            if unsent == 0 { sayGoodbye() }
        } else if wasFull, unsent <= Self.lowUnsent {
            wasFull = false
            take(.unsent(unsent))
            readMore()
        }
    }

    // MARK: - The end

    private func close() {
        guard !isClosing else { return }
        isClosing = true
        patience?.cancel()
        channel.flush()
        server.loop.assumeIsolated().scheduleTask(in: Self.farewell) { [weak self] in self?.hangUp() }
        if unsent == 0 { sayGoodbye() } else { readMore() }
    }

    /// All is written: the client shall hang up, and is hung up on if it does not.
    private func sayGoodbye() {
        guard !isSayingGoodbye else { return }
        isSayingGoodbye = true
        let channel = channel
        channel.close(mode: .output).whenFailure { _ in channel.close(promise: nil) }
        readMore()
    }

    /// Without waiting whether it is read: there may be many of them.
    private func turnAway() {
        write(ServerSession.rudeRejection)
        channel.flush()
        hangUp()
    }

    /// At once, whatever is unwritten.
    func hangUp() { channel.close(promise: nil) }
}
