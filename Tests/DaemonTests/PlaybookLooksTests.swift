import Cluster
import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives
import Testing

@testable import Daemon

/// Servers on this machine's loopback, all on one loop.
private final class LoopbackServers {
    let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private var channels: [any Channel] = []
    private let bodies = Mailbox<String>()

    deinit {
        for channel in channels { try? channel.close().wait() }
        try? loop.syncShutdownGracefully()
    }

    /// What was posted last.
    var posted: String? { bodies.next(within: 5) }

    private func endpoint(_ channel: any Channel) throws -> Endpoint {
        channels.append(channel)
        let port = try #require(channel.localAddress?.port)
        return try #require(Endpoint("127.0.0.1:\(port)"))
    }

    /// Answers every HTTP request with that status; nil takes connections and says nothing.
    func http(_ status: HTTPResponseStatus?) throws -> Endpoint {
        let bodies = bodies
        return try endpoint(
            ServerBootstrap(group: loop)
                .childChannelInitializer { channel in
                    guard let status else { return channel.eventLoop.makeSucceededVoidFuture() }
                    return channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                        try channel.pipeline.syncOperations.addHandler(HTTPServer(status, bodies))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).wait())
    }

    /// Answers every datagram with these texts.
    func sip(_ answers: [String]) throws -> Endpoint {
        try endpoint(
            DatagramBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(SIPServer(answers))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).wait())
    }

    /// A port nobody listens on.
    func nobody() throws -> Endpoint {
        let place = try http(nil)
        try channels.removeLast().close().wait()
        return place
    }
}

private final class HTTPServer: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private let status: HTTPResponseStatus
    private let bodies: Mailbox<String>
    private var body = ""

    init(_ status: HTTPResponseStatus, _ bodies: Mailbox<String>) {
        self.status = status
        self.bodies = bodies
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): body = "\(head.method) \(head.uri) "
        case .body(let bytes): body += String(buffer: bytes)
        case .end:
            bodies.put(body)
            let head = HTTPResponseHead(version: .http1_1, status: status, headers: ["Content-Length": "0"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

private final class SIPServer: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>
    private let answers: [String]

    init(_ answers: [String]) { self.answers = answers }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let question = unwrapInboundIn(data)
        let lines = String(buffer: question.data).split(separator: "\r\n")
        guard lines.first?.hasPrefix("OPTIONS sip:") == true else { return }
        let via = lines.first { $0.hasPrefix("Via: ") } ?? ""
        for text in answers {
            let text = text.replacing("VIA", with: via)
            let answer = AddressedEnvelope(
                remoteAddress: question.remoteAddress, data: ByteBuffer(string: text))
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        }
    }
}

@Suite("Looks of a playbook")
struct PlaybookLooksTests {
    private let servers = LoopbackServers()

    private func result(_ look: (PlaybookLooks, @escaping PlaybookLooks.Tell) -> Void) -> CheckResult? {
        let answers = Mailbox<CheckResult>()
        let looks = PlaybookLooks(loop: servers.loop.next())
        look(looks) { answers.put($0) }
        let first = answers.next(within: 15)
        // Each look is answered once.
        if first != nil { #expect(answers.next(within: 0.1) == nil) }
        return first
    }

    @Test("TCP holds where somebody listens, and nowhere else") func tcp() throws {
        let open = try servers.http(nil)
        let shut = try servers.nobody()
        #expect(result { $0.tcp(open, $1) }?.holds == true)
        #expect(result { $0.tcp(shut, $1) }?.holds == false)
    }

    @Test("HTTP holds when the status is the one that is wanted") func http() throws {
        let place = try servers.http(.serviceUnavailable)
        let url = "http://\(place)/health"
        #expect(
            result { $0.http(url, status: 503, $1) } == CheckResult(holds: true, text: "\(url) answers 503"))
        #expect(result { $0.http(url, status: 200, $1) }?.holds == false)
        #expect(result { $0.http("https://\(place)/", status: 200, $1) }?.holds == false)
        let nobody = try servers.nobody()
        #expect(result { $0.http("http://\(nobody)/", status: 200, $1) }?.holds == false)
    }

    @Test("a server that takes a connection and says nothing is given up after seconds") func silentHTTP()
        throws
    {
        let place = try servers.http(nil)
        let silent = result { $0.http("http://\(place)/", status: 200, $1) }
        #expect(silent?.holds == false)
        #expect(silent?.text.contains("no answer") == true)
    }

    @Test("a notice is posted as it is, and only 2xx has taken it") func post() throws {
        for (status, isTaken) in [(HTTPResponseStatus.noContent, true), (.notFound, false)] {
            let place = try servers.http(status)
            let answers = Mailbox<String?>()
            PlaybookLooks(loop: servers.loop.next()).post(
                "http://\(place)/hook?a=b", json: Array("{\"step\": 1}".utf8)
            ) { answers.put($0) }
            let failure = try #require(answers.next(within: 15))
            #expect((failure == nil) == isTaken)
            #expect(servers.posted == "POST /hook?a=b {\"step\": 1}")
        }
    }

    @Test("OPTIONS holds with a 200 and with nothing else; noise is passed over") func options() throws {
        let answer = { (code: String) in "SIP/2.0 \(code)\r\nVIA\r\nContent-Length: 0\r\n\r\n" }
        let ready = try servers.sip(["nonsense", answer("200 OK")])
        let busy = try servers.sip([answer("503 Maintenance")])
        let silent = try servers.sip([])
        #expect(result { $0.options(ready, $1) }?.holds == true)
        #expect(
            result { $0.options(busy, $1) }
                == CheckResult(holds: false, text: "\(busy) answers OPTIONS with 503"))
        #expect(result { $0.options(silent, $1) }?.holds == false)
        let forged = try servers.sip([answer("200 OK").replacing("VIA", with: "Via: SIP/2.0/UDP a;branch=b")])
        #expect(result { $0.options(forged, $1) }?.holds == false, "an answer to another question")
    }
}
