import Cluster
import Config
import EventSocket
import Glibc
import NIOCore
import NIOPosix
import PeerProtocol
import Primitives
import Synchronization
import Testing

@testable import Daemon

/// Our event-socket server on a port of its own, with programs that stand in for our command line.
final class EventSocketSite: Sendable {
    static let password = "wonderland"
    let loop: any EventLoop
    let port: UInt16
    let limits = LimitText()
    private let server: NIOLoopBound<EventSocketServer>

    static let lookPassword = "looking-glass"

    /// - Parameter program: carries out `cluster …`.
    init(program: String = "/bin/echo", configuration: ServerConfiguration? = nil) throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        self.loop = loop
        let limits = limits
        server = try loop.submit {
            let server = EventSocketServer(
                loop: loop,
                listener: ListenerSettings(
                    endpoint: Endpoint(ip: IPAddress("127.0.0.1")!, port: 0), passwordFile: "/nowhere"),
                password: Self.password, lookPassword: Self.lookPassword, node: "fs1", program: program,
                controlPath: "/c.sock",
                names: { ConsoleNames(nodes: ["fs1", "fs2"], seats: ["master1"]) },
                hashDump: { Array(limits.value.utf8) }, log: .silent, configuration: configuration)
            server.start()
            return NIOLoopBound(server, eventLoop: loop)
        }.wait()
        let server = server
        let clock = ContinuousClock()
        let end = clock.now + .seconds(20)
        var found: Int?
        while found == nil, clock.now < end { found = try loop.submit { server.value.address?.port }.wait() }
        port = UInt16(try #require(found))
    }

    /// What `hash_dump limit` answers.
    final class LimitText: Sendable {
        private let text = Mutex("")
        var value: String {
            get { text.withLock { $0 } }
            set { text.withLock { $0 = newValue } }
        }
    }

    func publish(_ event: ClusterEvent) throws {
        let server = server
        try loop.submit { server.value.publish(event) }.wait()
    }

    func fire(_ event: SwitchEvent) throws {
        let server = server
        try loop.submit { server.value.fire(event, by: "test") }.wait()
    }

    func answer(_ event: SwitchEvent, mayChange: Bool) throws -> SwitchEvent? {
        let server = server
        let replies = Mailbox<SwitchEvent>()
        try loop.submit {
            server.value.answer(event, asker: "freeswitch@fs1", mayChange: mayChange) { replies.put($0) }
        }.wait()
        return replies.next(within: event.subclass == "fsdns::request" ? 20 : 0)
    }

    var clientCount: Int {
        get throws {
            let server = server
            return try loop.submit { server.value.clientCount }.wait()
        }
    }

    var wrongPasswords: Int {
        get throws {
            let server = server
            return try loop.submit { server.value.wrongPasswordCount }.wait()
        }
    }

    /// - Returns: false when it does not come to that in time.
    func waits(forClients count: Int) throws -> Bool {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(20)
        while clock.now < end {
            if try clientCount == count { return true }
        }
        return false
    }

    func stop() throws {
        let server = server
        try loop.submit { server.value.stop() }.wait()
    }

    deinit { try? stop() }
}

/// A client of an event socket that does exactly what a test says; every read has a time limit.
final class RawClient {
    private let descriptor: Int32
    private var decoder = FrameDecoder(limits: FrameLimits())
    /// All that came.
    private(set) var received: [UInt8] = []

    /// - Parameter from: the address it comes from.
    init(
        _ port: UInt16, at host: String = "127.0.0.1", from: String = "127.0.0.1", receiveBuffer: Int32? = nil
    ) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        _ = Self.with(from, 0) { Glibc.bind(descriptor, $0, $1) }
        let code = Self.with(host, port) { Glibc.connect(descriptor, $0, $1) }
        try #require(code == 0)
    }

    private static func with(
        _ ip: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        Endpoint(ip: IPAddress(ip)!, port: port).withSocketAddress { body($0, $1) }
    }

    deinit { close(descriptor) }

    func say(_ text: String) { say(Array(text.utf8)) }

    /// What the server does not want any more is lost without a word.
    func say(_ bytes: [UInt8]) { _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    /// The next frame; nil at the end of the connection.
    func frame() throws -> Frame? {
        while true {
            if let frame = try decoder.next() { return frame }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else {
                // No answer in time is a failure, not an end.
                if count < 0, errno == EAGAIN { Issue.record("no answer in time") }
                return nil
            }
            received += buffer[..<count]
            decoder.append(Array(buffer[..<count]))
        }
    }

    func message() throws -> ServerMessage { try ServerMessage(try #require(try frame())) }

    /// What the command printed, or its reply.
    func ask(_ command: String) throws -> String {
        say(command + "\n\n")
        switch try message() {
        case .apiResponse(let response): return response.text
        case .commandReply(let reply): return reply.text
        case let other:
            Issue.record("\(other)")
            return ""
        }
    }

    func logIn(_ password: String = EventSocketSite.password) throws {
        #expect(try message() == .authRequest)
        #expect(try ask("auth \(password)") == "+OK accepted")
    }

    func event() throws -> SwitchEvent {
        guard case .event(let event) = try message() else {
            Issue.record("no event")
            return SwitchEvent(headers: Headers())
        }
        return event
    }
}
