import Logging
import NIOCore
import NIOPosix

/// mod_hiredis's side of a limit service: a few connections, each question on the least busy one.
final class LimitServiceLink {
    private let service: SwitchSettings.LimitService
    private unowned let driver: SwitchDriver
    private var connections: [LimitConnection] = []
    private var next = 0

    init(_ service: SwitchSettings.LimitService, driver: SwitchDriver) {
        self.service = service
        self.driver = driver
        for _ in 0..<max(1, service.connections) {
            connections.append(LimitConnection(service, driver: driver))
        }
    }

    /// Connections take turns; one that is down passes the question on, and with none the call passes.
    func ask(_ query: LimitQuery) {
        for offset in connections.indices {
            let connection = connections[(next + offset) % connections.count]
            guard connection.canTake else { continue }
            next = (next + offset + 1) % connections.count
            return connection.ask(query)
        }
        for connection in connections { connection.wake() }
        let driver = NIOLoopBound(driver, eventLoop: driver.loop)
        driver.value.loop.execute { driver.value.limitAnswered(query, nil) }
    }

    func close() {
        for connection in connections { connection.close() }
    }
}

/// One connection: connects when first needed, as hiredis does, and answers in order.
private final class LimitConnection {
    private let service: SwitchSettings.LimitService
    private unowned let driver: SwitchDriver
    private var channel: (any Channel)?
    private var isConnecting = false
    private var isClosed = false
    private var retryAt = NIODeadline.uptimeNanoseconds(0)
    /// Asked and not answered, oldest first; nil is the AUTH.
    private var waiting: [(query: LimitQuery?, timeout: Scheduled<Void>)] = []
    private var decoder = RESPReply.Decoder()
    /// More questions than this at one time are not asked.
    static let limit = 10_000

    init(_ service: SwitchSettings.LimitService, driver: SwitchDriver) {
        self.service = service
        self.driver = driver
    }

    /// A connection that failed lately is left alone for a moment.
    var canTake: Bool {
        !isClosed && waiting.count + pending.count < Self.limit && NIODeadline.now() >= retryAt
    }
    private var pending: [LimitQuery] = []

    func ask(_ query: LimitQuery) {
        guard let channel else {
            pending.append(query)
            return connect()
        }
        write(query, to: channel)
    }

    func wake() { if channel == nil, NIODeadline.now() >= retryAt { connect() } }

    func close() {
        isClosed = true
        channel?.close(promise: nil)
    }

    private func connect() {
        guard !isConnecting, !isClosed else { return }
        isConnecting = true
        let me = NIOLoopBound(self, eventLoop: driver.loop)
        ClientBootstrap(group: driver.loop)
            .connectTimeout(.microseconds(service.timeout.wholeMicroseconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(LimitHandler(connection: me.value))
                }
            }
            .connect(host: service.endpoint.ip, port: Int(service.endpoint.port))
            .hop(to: driver.loop)
            .whenComplete { result in
                switch result {
                case .success(let channel): me.value.connected(channel)
                case .failure: me.value.lost()
                }
            }
    }

    private func connected(_ channel: any Channel) {
        isConnecting = false
        guard !isClosed else { return channel.close(promise: nil) }
        self.channel = channel
        decoder = RESPReply.Decoder()
        if let password = service.password {
            write(nil, RESPReply.command(["AUTH", password]), to: channel)
        }
        let queries = pending
        pending = []
        for query in queries { write(query, to: channel) }
    }

    private func write(_ query: LimitQuery, to channel: any Channel) {
        write(query, RESPReply.command(query.command), to: channel)
    }

    private func write(_ query: LimitQuery?, _ bytes: [UInt8], to channel: any Channel) {
        let me = NIOLoopBound(self, eventLoop: driver.loop)
        let timeout = driver.loop.scheduleTask(in: .microseconds(service.timeout.wholeMicroseconds)) {
            if let channel = me.value.channel { channel.close(promise: nil) }
        }
        waiting.append((query, timeout))
        channel.writeAndFlush(channel.allocator.buffer(bytes: bytes), promise: nil)
    }

    fileprivate func received(_ bytes: [UInt8]) {
        decoder.append(bytes)
        do {
            while let reply = try decoder.next() {
                guard !waiting.isEmpty else { break }
                let (query, timeout) = waiting.removeFirst()
                timeout.cancel()
                if let query {
                    driver.limitAnswered(query, reply.value, isError: reply.isError)
                } else if case .error(let text) = reply {
                    // mod_hiredis goes on with the connection all the same.
                    driver.log.warning("limit service refuses the password: \(text)")
                }
            }
        } catch {
            driver.log.warning("limit service: \(error)")
            channel?.close(promise: nil)
        }
    }

    /// What was asked and not answered passes.
    fileprivate func lost() {
        channel = nil
        isConnecting = false
        retryAt = .now() + .milliseconds(200)
        let unanswered = waiting.compactMap(\.query) + pending
        for (_, timeout) in waiting { timeout.cancel() }
        waiting = []
        pending = []
        guard !isClosed else { return }
        for query in unanswered { driver.limitAnswered(query, nil) }
    }
}

private final class LimitHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: LimitConnection

    init(connection: LimitConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        connection.received(buffer.readBytes(length: buffer.readableBytes) ?? [])
    }

    func channelInactive(context: ChannelHandlerContext) { connection.lost() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
