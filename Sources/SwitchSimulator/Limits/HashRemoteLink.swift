import EventSocket
import Logging
import NIOCore
import NIOPosix

/// mod_hash's side of a remote: connects, authenticates, and asks for the limits at every interval.
final class HashRemoteLink {
    private let remote: SwitchSettings.HashRemote
    private unowned let driver: SwitchDriver
    private var channel: (any Channel)?
    private var isClosed = false
    private var isUp = false

    /// Without an answer for so long the remote is lost (mod_hash.c: limit_remote_thread).
    static let patience = TimeAmount.seconds(5)

    init(_ remote: SwitchSettings.HashRemote, driver: SwitchDriver) {
        self.remote = remote
        self.driver = driver
        connect()
    }

    func close() {
        isClosed = true
        channel?.close(promise: nil)
    }

    private var interval: TimeAmount { .microseconds(max(1000, remote.interval.wholeMicroseconds)) }

    private func connect() {
        let me = NIOLoopBound(self, eventLoop: driver.loop)
        ClientBootstrap(group: driver.loop)
            .connectTimeout(Self.patience)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(HashRemoteHandler(link: me.value))
                }
            }
            .connect(host: remote.endpoint.ip, port: Int(remote.endpoint.port))
            .hop(to: driver.loop)
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    me.value.channel = channel
                    if me.value.isClosed { channel.close(promise: nil) }
                case .failure: me.value.lost()
                }
            }
    }

    /// Figures of a lost remote count nothing; it is tried again at every interval.
    fileprivate func lost() {
        channel = nil
        guard !isClosed else { return }
        if isUp { driver.log.info("hash remote \(remote.name) is lost") }
        isUp = false
        driver.remoteLost(remote.name)
        let me = NIOLoopBound(self, eventLoop: driver.loop)
        driver.loop.scheduleTask(in: interval) {
            if !me.value.isClosed { me.value.connect() }
        }
    }

    fileprivate func answered(_ body: String) {
        isUp = true
        driver.remoteAnswered(body, name: remote.name)
    }

    fileprivate var login: String {
        remote.username.isEmpty
            ? "auth \(remote.password)\n\n" : "userauth \(remote.username):\(remote.password)\n\n"
    }

    fileprivate var pause: TimeAmount { interval }
}

private final class HashRemoteHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let link: HashRemoteLink
    private var decoder = FrameDecoder(
        limits: FrameLimits(headerBytes: 65_536, headerCount: 128, bodyBytes: 1 << 24))
    private var timeout: Scheduled<Void>?

    init(link: HashRemoteLink) { self.link = link }

    func channelActive(context: ChannelHandlerContext) { expect(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        decoder.append(buffer.readBytes(length: buffer.readableBytes) ?? [])
        do {
            while let frame = try decoder.next() { take(frame, context) }
        } catch { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        link.lost()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func take(_ frame: Frame, _ context: ChannelHandlerContext) {
        timeout?.cancel()
        switch frame.contentType {
        case "auth/request": say(link.login, context)
        case "command/reply":
            guard frame.headers["Reply-Text"]?.hasPrefix("+OK") == true else {
                return context.close(promise: nil)
            }
            askLater(context)
        case "api/response":
            link.answered(String(decoding: frame.body, as: UTF8.self))
            askLater(context)
        default: context.close(promise: nil)
        }
    }

    private func askLater(_ context: ChannelHandlerContext) {
        let me = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: link.pause) {
            let (handler, context) = me.value
            guard context.channel.isActive else { return }
            handler.say("api hash_dump limit\n\n", context)
        }
    }

    private func say(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: text)), promise: nil)
        expect(context)
    }

    private func expect(_ context: ChannelHandlerContext) {
        timeout?.cancel()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        timeout = context.eventLoop.scheduleTask(in: HashRemoteLink.patience) {
            bound.value.close(promise: nil)
        }
    }
}
