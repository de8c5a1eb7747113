import Cluster
import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives

/// One look at something outside, within a few seconds: does it answer SIP, TCP or HTTP?
final class PlaybookLooks: Sendable {
    typealias Tell = @Sendable (CheckResult) -> Void
    private static let patience: TimeAmount = .seconds(3)
    private let loop: any EventLoop

    init(loop: any EventLoop) { self.loop = loop }

    func tcp(_ endpoint: Endpoint, _ tell: @escaping Tell) {
        ClientBootstrap(group: loop).connectTimeout(Self.patience)
            .connect(host: "\(endpoint.ip)", port: Int(endpoint.port))
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    channel.close(promise: nil)
                    tell(CheckResult(holds: true, text: "\(endpoint) takes connections"))
                case .failure(let error):
                    tell(CheckResult(holds: false, text: "\(endpoint): \(error)"))
                }
            }
    }

    /// RFC 3261 §11: asked three times, as UDP may lose one.
    func options(_ endpoint: Endpoint, _ tell: @escaping Tell) {
        let answered = loop.makePromise(of: Int.self)
        guard let remote = try? SocketAddress(ipAddress: "\(endpoint.ip)", port: Int(endpoint.port)) else {
            return tell(CheckResult(holds: false, text: "\(endpoint) is no address"))
        }
        // What others than the asked one send, or send before they were asked, is no answer.
        let token = "playbook-\(UInt32.random(in: .min ... .max))"
        DatagramBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        DatagramReader { bytes in
                            guard SIPOptions.isAnswer(bytes, to: token) else { return }
                            if let code = SIPOptions.code(of: bytes) { answered.succeed(code) }
                        })
                }
            }
            .connect(to: remote)
            .whenComplete { [loop] result in
                switch result {
                case .failure(let error): answered.fail(error)
                case .success(let channel):
                    for turn in 0..<3 {
                        loop.scheduleTask(in: .milliseconds(Int64(turn) * 500)) {
                            Self.ask(remote, channel, token, turn: turn)
                        }
                    }
                    Self.bound(answered, channel, on: loop)
                }
            }
        answered.futureResult.whenComplete { result in
            switch result {
            case .success(let code):
                tell(CheckResult(holds: code == 200, text: "\(endpoint) answers OPTIONS with \(code)"))
            case .failure(let error): tell(CheckResult(holds: false, text: "\(endpoint): \(error)"))
            }
        }
    }

    /// The answer is waited for so long and no longer, and the channel only for the answer.
    private static func bound(
        _ answered: EventLoopPromise<Int>, _ channel: any Channel, on loop: any EventLoop
    ) {
        let end = loop.scheduleTask(in: patience) { answered.fail(NoAnswer()) }
        answered.futureResult.whenComplete { _ in
            end.cancel()
            channel.close(promise: nil)
        }
    }

    private static func ask(_ remote: SocketAddress, _ channel: any Channel, _ token: String, turn: Int) {
        guard let port = channel.localAddress?.port, channel.isActive else { return }
        let request = SIPOptions.request(to: remote, from: port, token: token, sequence: turn + 1)
        channel.writeAndFlush(ByteBuffer(string: request), promise: nil)
    }

    func http(_ url: String, status: Int, _ tell: @escaping Tell) {
        fetch(url, .GET, body: nil) { result in
            switch result {
            case .success(let code):
                tell(CheckResult(holds: code == status, text: "\(url) answers \(code)"))
            case .failure(let error): tell(CheckResult(holds: false, text: "\(url): \(error)"))
            }
        }
    }

    /// - Parameter tell: nil when it was taken (2xx), otherwise why not.
    func post(_ url: String, json: [UInt8], _ tell: @escaping @Sendable (String?) -> Void) {
        fetch(url, .POST, body: json) { result in
            switch result {
            case .success(let code): tell((200..<300).contains(code) ? nil : "\(url) answers \(code)")
            case .failure(let error): tell("\(url): \(error)")
            }
        }
    }

    private func fetch(
        _ text: String, _ method: HTTPMethod, body: [UInt8]?,
        _ tell: @escaping @Sendable (Result<Int, any Error>) -> Void
    ) {
        guard let url = PlainURL(text) else { return tell(.failure(BadURL())) }
        let answered = loop.makePromise(of: Int.self)
        let loop = loop
        ClientBootstrap(group: loop).connectTimeout(Self.patience)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(
                        HTTPAnswer(
                            head: url.head(method, length: body?.count), body: body, answered: answered))
                }
            }
            .connect(host: url.host, port: url.port)
            .whenComplete { result in
                switch result {
                case .failure(let error): answered.fail(error)
                case .success(let channel):
                    Self.bound(answered, channel, on: loop)
                }
            }
        answered.futureResult.whenComplete(tell)
    }
}

private struct NoAnswer: Error, CustomStringConvertible { let description = "no answer within 3 s" }
private struct BadURL: Error, CustomStringConvertible { let description = "is no http:// address" }

/// `http://host[:port][/path]`, as the playbook reader admits it.
private struct PlainURL {
    var host: String
    var port = 80
    var path: String

    init?(_ text: String) {
        guard text.hasPrefix("http://") else { return nil }
        let rest = text.dropFirst(7)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        path = slash == rest.endIndex ? "/" : String(rest[slash...])
        var authority = rest[..<slash]
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65535).contains(number)
            else { return nil }
            port = number
            authority = authority[..<colon]
        }
        if authority.hasPrefix("["), authority.hasSuffix("]") { authority = authority.dropFirst().dropLast() }
        guard !authority.isEmpty else { return nil }
        host = String(authority)
    }

    func head(_ method: HTTPMethod, length: Int?) -> HTTPRequestHead {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
        head.headers.add(name: "Host", value: port == 80 ? host : "\(host):\(port)")
        head.headers.add(name: "User-Agent", value: "fsdns")
        head.headers.add(name: "Connection", value: "close")
        if let length {
            head.headers.add(name: "Content-Type", value: "application/json")
            head.headers.add(name: "Content-Length", value: "\(length)")
        }
        return head
    }
}

private final class HTTPAnswer: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart
    private let head: HTTPRequestHead
    private let body: [UInt8]?
    private let answered: EventLoopPromise<Int>

    init(head: HTTPRequestHead, body: [UInt8]?, answered: EventLoopPromise<Int>) {
        self.head = head
        self.body = body
        self.answered = answered
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// The status is the answer; what follows it is not read.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) { answered.succeed(Int(head.status.code)) }
    }

    func channelInactive(context: ChannelHandlerContext) { answered.fail(NoAnswer()) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { answered.fail(error) }
}
