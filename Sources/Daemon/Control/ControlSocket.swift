import Cluster
import Consensus
@preconcurrency import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Wire

/// The UNIX socket on which the command line asks this node: JSON lines, a few clients, file permissions.
final class ControlSocket: Sendable {
    /// How the rest of the service answers.
    struct Asked: Sendable {
        /// An operator's request, answered later by `answer` with the same id.
        var ask: @Sendable (UInt64, OperatorRequest) -> Void
        var rings: @Sendable (@escaping @Sendable (RingsReport) -> Void) -> Void
        /// Calls, registrations or limits, told in parts; nil when they are not kept here.
        var shared: (@Sendable (SharedKind, @escaping @Sendable ([SharedPart]) -> Void) -> Void)?
    }

    private struct Waiting {
        var tell: @Sendable (OperatorReply) -> Void
        var timeout: Scheduled<Void>
    }

    private struct State {
        var nextID: UInt64 = 1
        var waiting: [UInt64: Waiting] = [:]
        var clients = 0
    }

    private static let clientLimit = 64
    private let path: String
    private let journal: EventJournal
    private let asked: Asked
    private let patience: Duration
    private let state = Mutex(State())
    private let listener = Mutex<(any Channel)?>(nil)

    /// - Parameter patience: after which an unanswered request is `.unavailable`.
    init(path: String, journal: EventJournal, asked: Asked, patience: Duration = .seconds(5)) {
        self.path = path
        self.journal = journal
        self.asked = asked
        self.patience = patience
    }

    /// Binds the socket; a file a dead process left is removed, one that a live process serves is not.
    ///
    /// - Throws: `ServiceFailure` with what is in the way.
    func start(on group: any EventLoopGroup) throws(ServiceFailure) {
        try removeStale()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 16)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ControlClient(socket: self))
                }
            }
        let former = umask(0o117)
        defer { umask(former) }
        do {
            let channel = try bootstrap.bind(unixDomainSocketPath: path).wait()
            listener.withLock { $0 = channel }
        } catch {
            throw ServiceFailure("cannot listen on the control socket \(path): \(error)")
        }
        guard chmod(path, 0o660) == 0 else {
            throw ServiceFailure("cannot set the mode of \(path): \(errorText(errno))")
        }
    }

    private func removeStale() throws(ServiceFailure) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { return }
        guard facts.st_mode & S_IFMT == S_IFSOCK else {
            throw ServiceFailure("\(path) is in the way of the control socket and is no socket")
        }
        guard !isServed() else {
            throw ServiceFailure("the control socket \(path) is served by another node; give each its own")
        }
        unlink(path)
    }

    private func isServed() -> Bool {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: name.sun_path) else { return false }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        return withUnsafePointer(to: name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    /// Answers the request with this id; an id that is no longer waited for is read over.
    func answer(_ id: UInt64, _ reply: OperatorReply) {
        let waiting = state.withLock { $0.waiting.removeValue(forKey: id) }
        waiting?.timeout.cancel()
        waiting?.tell(reply)
    }

    func stop() {
        let channel = listener.withLock { $0 }
        try? channel?.close().wait()
        unlink(path)
    }

    // MARK: - For clients

    fileprivate func admit() -> Bool {
        state.withLock { state in
            guard state.clients < Self.clientLimit else { return false }
            state.clients += 1
            return true
        }
    }

    fileprivate func dismiss() { state.withLock { $0.clients -= 1 } }

    fileprivate func ask(
        _ request: OperatorRequest, on loop: any EventLoop,
        _ tell: @escaping @Sendable (OperatorReply) -> Void
    ) {
        let id = state.withLock { state in
            let id = state.nextID
            state.nextID += 1
            let timeout = loop.scheduleTask(in: .nanoseconds(patience.nanoseconds)) { [self] in
                answer(id, .unavailable("the node did not answer in time"))
            }
            state.waiting[id] = Waiting(tell: tell, timeout: timeout)
            return id
        }
        asked.ask(id, request)
    }

    fileprivate func rings(_ tell: @escaping @Sendable (RingsReport) -> Void) { asked.rings(tell) }

    fileprivate var events: EventJournal { journal }

    fileprivate var shared: (@Sendable (SharedKind, @escaping @Sendable ([SharedPart]) -> Void) -> Void)? {
        asked.shared
    }
}

/// One connected command.
private final class ControlClient: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private struct State {
        var line: [UInt8] = []
        var isAdmitted = false
        var follower: UInt64?
    }

    /// A client that does not read what it asked for is hung up on.
    private static let unreadLimit = 4 << 20
    private let socket: ControlSocket
    private let state = Mutex(State())

    init(socket: ControlSocket) { self.socket = socket }

    func channelActive(context: ChannelHandlerContext) {
        guard socket.admit() else {
            finish(context.channel, .failure("too many clients"))
            return
        }
        state.withLock { $0.isAdmitted = true }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let (isAdmitted, follower) = state.withLock { ($0.isAdmitted, $0.follower) }
        if isAdmitted { socket.dismiss() }
        if let follower { socket.events.leave(follower) }
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let lines: [[UInt8]] = state.withLock { state in
            state.line += bytes.readableBytesView
            var lines: [[UInt8]] = []
            while let end = state.line.firstIndex(of: 0x0A) {
                lines.append(Array(state.line[..<end]))
                state.line.removeFirst(end + 1)
            }
            return lines
        }
        let channel = context.channel
        for line in lines { serve(line, channel) }
        if state.withLock({ $0.line.count > ControlRequest.maximumLength }) {
            finish(channel, .failure("the request is too long"))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func serve(_ line: [UInt8], _ channel: any Channel) {
        guard line.count <= ControlRequest.maximumLength else {
            finish(channel, .failure("the request is too long"))
            return
        }
        let request: ControlRequest
        do throws(FrameFailure) {
            request = try ControlJSON.decode(ControlRequest.self, line, field: "request")
            if case .ask(let asked) = request.body { _ = try RequestCheck.plausible(asked) }
        } catch {
            finish(channel, .failure("the request is malformed: \(error)"))
            return
        }
        guard request.version == ControlRequest.currentVersion else {
            finish(
                channel,
                .failure("the node speaks version \(ControlRequest.currentVersion) of this protocol"))
            return
        }
        switch request.body {
        case .ask(let asked):
            socket.ask(asked, on: channel.eventLoop) { Self.tell(channel, .reply($0)) }
        case .rings:
            socket.rings { Self.tell(channel, .rings($0)) }
        case .events(let follow, let after):
            events(follow, after, channel)
        case .shared(let kind):
            guard let shared = socket.shared else {
                Self.tell(channel, .failure("this node keeps no calls, registrations and limits"))
                return
            }
            shared(kind) { parts in
                for part in parts { Self.tell(channel, .shared(part)) }
                Self.tell(channel, .end)
            }
        }
    }

    private func events(_ follow: Bool, _ after: UInt64, _ channel: any Channel) {
        guard follow else {
            for line in socket.events.lines(after: after) { Self.tell(channel, .event(line)) }
            Self.tell(channel, .end)
            return
        }
        guard state.withLock({ $0.follower == nil }) else {
            finish(channel, .failure("the events are followed already"))
            return
        }
        let follower = socket.events.follow(after: after) { Self.tell(channel, .event($0)) }
        state.withLock { $0.follower = follower }
    }

    private static func tell(_ channel: any Channel, _ response: ControlResponse) {
        let bytes = ControlJSON.encode(response) + [0x0A]
        channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenFailure { _ in channel.close(promise: nil) }
        if !channel.isWritable {
            channel.getOption(.bufferedWritableBytes).whenSuccess { unread in
                if unread > unreadLimit { channel.close(promise: nil) }
            }
        }
    }

    private func finish(_ channel: any Channel, _ response: ControlResponse) {
        let bytes = ControlJSON.encode(response) + [0x0A]
        channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenComplete { _ in channel.close(promise: nil) }
    }
}
