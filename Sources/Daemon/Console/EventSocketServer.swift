import Cluster
import Config
import EventSocket
@preconcurrency import Glibc
import NIOCore
import NIOPosix
import PeerProtocol
import Primitives

/// Our own event socket: what fs_cli, mod_hash and any event-socket library find at this node's port.
///
/// Lives on one event loop, and is used only there.
final class EventSocketServer {
    /// Clients with the right password.
    static let clientLimit = 256
    /// Of these, with the password for looking: they keep no operator out.
    static let lookerLimit = 192
    /// Connections that have not given it, or that are told no, slowly; the oldest makes room.
    static let strangerLimit = 64
    /// Of what one client sends at once, in bytes: a `sendevent` is told to everybody.
    private static let frames = FrameLimits(headerBytes: 1 << 16, headerCount: 1024, bodyBytes: 1 << 16)
    /// What may wait for one client that does not read, and for all of them together, in bytes.
    private static let unsentLimit = 1 << 20
    private static let allUnsentLimit = 64 << 20
    private static let bindPause: TimeAmount = .seconds(5)

    let loop: any EventLoop
    let configuration: ServerConfiguration
    let log: EventLog
    private let endpoint: Endpoint
    private let console: Console
    private let names: () -> ConsoleNames
    private let origin: EventStamp.Origin
    private var translation: EventTranslation
    private var sequence: UInt64 = 0
    private var wrong = WrongPasswords()
    /// Looked at since the start, from all addresses.
    private(set) var wrongPasswordCount = 0
    /// In the order they came.
    private var clients: [EventSocketClient] = []
    private var slots = ConnectionSlots(
        .init(
            strangers: EventSocketServer.strangerLimit, perSource: EventSocketServer.strangerLimit,
            proven: EventSocketServer.clientLimit))
    /// Clients with more commands than one turn. What turns took at once is then left to all else on this loop, sockets and
    /// the switch's health among it.
    private var queue = TurnQueue<EventSocketClient>(
        TurnQueue.Pace(time: .milliseconds(1), pause: .milliseconds(1)))
    /// The places of those who may only look.
    private var lookers: Set<UInt64> = []
    private var listener: (any Channel)?
    private var isStopped = false
    /// Told once, until it changes.
    private var trouble: String?

    /// - Parameters:
    ///   - password: of `auth`.
    ///   - lookPassword: of `auth`, for who may change nothing; empty for none.
    ///   - node: this node's name, which clients see as the switchname.
    ///   - program: our own command line's file, which carries out `cluster …`.
    ///   - controlPath: this node's control socket, for that program.
    ///   - names: the newest names, for completion.
    ///   - hashDump: the answer to `hash_dump limit`.
    init(
        loop: any EventLoop, listener: ListenerSettings, password: String, lookPassword: String = "",
        node: String,
        program: String,
        controlPath: String, names: @escaping () -> ConsoleNames, hashDump: @escaping () -> [UInt8],
        log: EventLog,
        configuration: ServerConfiguration? = nil
    ) {
        self.loop = loop
        self.log = log
        self.names = names
        endpoint = listener.endpoint
        var bounded =
            configuration
            ?? ServerConfiguration(
                password: password, lookPassword: lookPassword, limits: Self.frames,
                maximumUnsentBytes: Self.unsentLimit)
        bounded.commandsPerTurn = 8
        bounded.maximumCommandsBeforePassword = 16
        self.configuration = bounded
        var uuids = UUIDGenerator(seed: .random(in: .min ... .max))
        origin = EventStamp.Origin(
            coreUUID: uuids.next(), hostname: NodeIdentity.hostName(), switchname: node)
        translation = EventTranslation(node: node, seed: .random(in: .min ... .max))
        console = Console(
            loop: loop, program: program, controlPath: controlPath, origin: origin, names: names,
            hashDump: hashDump, log: log)
    }

    /// Listens from now on; as long as it cannot it says so and tries again.
    func start() { bind() }

    /// Where it listens; nil as long as it does not.
    var address: SocketAddress? { listener?.localAddress }

    var clientCount: Int { clients.count }

    /// Written to all clients and not yet taken by the system, in bytes.
    var unsent = 0

    /// What a client with so much unsent is to be told it has: where all together have too much, who has more than
    /// his share has more than he may.
    func counted(_ own: Int) -> Int {
        guard unsent > Self.allUnsentLimit, own > Self.allUnsentLimit / Self.clientLimit else { return own }
        return max(own, configuration.maximumUnsentBytes + 1)
    }

    /// Tells every client and lets go of the port. Commands under way are ended.
    func stop() {
        guard !isStopped else { return }
        fire(translation.shutdown(), by: "stop")
        isStopped = true
        listener?.close(promise: nil)
        listener = nil
        for client in clients { client.take(.stop) }
        console.stop()
    }

    // MARK: - Events

    /// Tells an event of the cluster to all clients that want it: as events, and as a line to those who read the log.
    func publish(_ event: ClusterEvent) {
        translation.nodes = names().nodes
        for translated in translation.events(for: event) { fire(translated, by: "publish") }
        let epoch = event.epoch.map { " [\($0)]" } ?? ""
        let text = "\(event.kind.rawValue) \(event.subject): \(event.text)\(epoch)"
            .map { $0.isNewline ? " " : $0 }
        let line = LogLine(
            level: Self.level(of: event.kind), file: "fsdns", function: "publish", text: text + "\n")
        for client in clients { client.take(.log(line)) }
    }

    /// Stamps an event and tells it to all clients that want it.
    ///
    /// - Parameter only: the one client that is told, instead of all.
    func fire(_ event: SwitchEvent, by function: String, to only: EventSocketClient? = nil) {
        sequence += 1
        let time = Self.now()
        let stamped = event.stamped(
            EventStamp(
                origin: origin, microseconds: time.microseconds, utcOffset: time.utcOffset, file: "fsdns",
                function: function, line: 0, sequence: sequence))
        for client in only.map({ [$0] }) ?? clients { client.take(.publish(stamped)) }
    }

    /// A client's `sendevent`: for everybody, or for itself alone where it may only look; a request is answered besides.
    func sent(
        _ event: SwitchEvent, by client: EventSocketClient, mayChange: Bool, refusal: [UInt8]?,
        answered: @escaping () -> Void
    ) -> Console.Pending? {
        let only = mayChange ? nil : client
        fire(event, by: "sendevent", to: only)
        return answer(
            event, asker: "event-socket@\(client.address)", mayChange: mayChange, refusal: refusal
        ) { [self] reply in
            answered()
            fire(reply, by: "reply", to: only)
        }
    }

    /// Answers an event `CUSTOM fsdns::request` with one `CUSTOM fsdns::reply`; other events it reads over.
    ///
    /// The request's header `fsdns-Command` is the command (`cluster status`). The reply has it too, `fsdns-Request`
    /// with the request's `Event-UUID`, `fsdns-Reference` as the request had it, `fsdns-Result` (`+OK` or `-ERR`), and the
    /// output as its body.
    ///
    /// - Parameters:
    ///   - asker: for the cluster's memory of who asked.
    ///   - mayChange: whether more is allowed than looking.
    ///   - refusal: why it is not carried out now; nil when it is.
    ///   - then: gets the reply, not yet stamped, on the loop.
    @discardableResult
    func answer(
        _ event: SwitchEvent, asker: String, mayChange: Bool, refusal: [UInt8]? = nil,
        _ then: @escaping (SwitchEvent) -> Void
    ) -> Console.Pending? {
        guard event.name == "CUSTOM", event.subclass == "fsdns::request" else { return nil }
        let line = event["fsdns-Command"] ?? ""
        let reply: ([UInt8]) -> Void = { output in
            var headers = Headers([
                Headers.Field("Event-Subclass", "fsdns::reply"), Headers.Field("Event-Name", "CUSTOM"),
                Headers.Field("fsdns-Command", line),
                Headers.Field("fsdns-Result", output.starts(with: "-ERR".utf8) ? "-ERR" : "+OK"),
            ])
            if let uuid = event["Event-UUID"] { headers.append("fsdns-Request", uuid) }
            if let reference = event["fsdns-Reference"] { headers.append("fsdns-Reference", reference) }
            then(SwitchEvent(headers: headers, body: output))
        }
        if let refusal {
            reply(refusal)
            return nil
        }
        return console.run(ConsoleCommand(line: line), asker: asker, mayChange: mayChange, reply)
    }

    private static func now() -> (microseconds: Int64, utcOffset: Int) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        localtime_r(&time.tv_sec, &parts)
        return (Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec / 1000), parts.tm_gmtoff)
    }

    /// As FreeSWITCH counts them: 4 warning, 5 notice, 6 info.
    private static func level(of kind: ClusterEvent.Kind) -> Int {
        switch kind {
        case .nodeHeard, .leaderChanged, .leaseWon, .drainPhase, .configuration, .playbookProgress: 6
        case .nodeAdmitted, .nodeForgotten, .certificatesRevoked, .clusterFormed, .addressHeld,
            .addressReleased, .seatGranted,
            .seatMoving,
            .takeover, .recovered, .callsEnded, .drainFinished, .maintenance, .zoneUpdated,
            .playbookScheduled,
            .playbookStarted, .playbookStep, .playbookFinished:
            5
        case .nodeSilent, .nodeFenced, .nodeRefused, .quorumRecovered, .leaseLost, .addressFailed,
            .seatUncovered,
            .takeoverWithheld, .drainAborted, .zoneTrouble, .asleep, .trouble,
            .playbookRolledBack, .playbookSkipped:
            4
        }
    }

    // MARK: - Clients

    func run(
        _ request: ServerSession.Request, by address: String, mayChange: Bool,
        _ then: @escaping ([UInt8]) -> Void
    ) -> Console.Pending? {
        console.run(
            ConsoleCommand(line: request.line), asker: "event-socket@\(address)", mayChange: mayChange, then)
    }

    /// - Returns: false when there is no room.
    func admit(_ client: EventSocketClient) -> Bool {
        guard !isStopped, slots.provenCount < Self.clientLimit else { return false }
        // Who has the password needs no time to give it. The switch's tools are on one machine, and so is whoever
        // crowds: addresses tell nothing apart.
        let (slot, evicted) = slots.admit(source: nil)
        client.slot = slot
        clients.append(client)
        for crowded in clients where evicted.contains(crowded.slot) { crowded.hangUp() }
        return true
    }

    func authenticated(_ client: EventSocketClient, mayChange: Bool) {
        guard mayChange || lookers.count < Self.lookerLimit else {
            log.stranger(
                "event-socket", client.address,
                "\(Self.lookerLimit) clients have the password for looking already; another was refused")
            return client.hangUp()
        }
        guard slots.prove(client.slot) else { return client.hangUp() }
        if !mayChange { lookers.insert(client.slot) }
    }

    /// What is left of many commands waits until everybody else was served.
    func enqueue(_ client: EventSocketClient) {
        if let pause = queue.add(client) { goOn(in: pause) }
    }

    private func goOn(in pause: Duration) {
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(pause.nanoseconds)) { [weak self] in
            self?.serveQueue()
        }
    }

    private func serveQueue() {
        let start = Instant.now()
        queue.begin()
        while let client = queue.next(after: Instant.now() - start) { client.goOn() }
        if let pause = queue.end(after: Instant.now() - start) { goOn(in: pause) }
    }

    func gone(_ client: EventSocketClient) {
        clients.removeAll { $0 === client }
        queue.remove { $0 === client }
        slots.leave(client.slot)
        lookers.remove(client.slot)
    }

    func refused(_ client: EventSocketClient) {
        wrongPasswordCount += 1
        wrong.add(client.network, at: Instant.now())
        log.stranger("event-socket", client.address, "gave a wrong password")
    }

    func refusals(of client: EventSocketClient) -> Int { wrong.count(client.network, at: Instant.now()) }

    func turn(of client: EventSocketClient) -> WrongPasswords.Turn {
        wrong.turn(client.network, at: Instant.now())
    }

    // MARK: - Listening

    private func bind() {
        guard !isStopped else { return }
        let server = NIOLoopBound(self, eventLoop: loop)
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Reading goes by what the session wants.
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        EventSocketClient(server: server.value, channel: channel))
                }
            }
        bootstrap.bind(host: "\(endpoint.ip)", port: Int(endpoint.port)).hop(to: loop).assumeIsolated()
            .whenComplete { [self] result in
                switch result {
                case .success(let channel):
                    guard !isStopped else {
                        channel.close(promise: nil)
                        return
                    }
                    listener = channel
                    trouble = nil
                    log.notice(
                        "event-socket", "\(endpoint)", "clients are served: fs_cli -P \(endpoint.port)")
                case .failure(let error):
                    guard !isStopped else { return }
                    let text = "cannot listen, trying again: \(error)"
                    if trouble != text { log.warning("event-socket", "\(endpoint)", text) }
                    trouble = text
                    loop.assumeIsolated().scheduleTask(in: Self.bindPause) { [weak self] in self?.bind() }
                }
            }
    }
}
