import Cluster
import ControlProtocol
import NIOCore
import PeerProtocol
import Primitives
import Synchronization

/// One connected command: one request under way at a time, nothing more read meanwhile.
///
/// Nobody is called while the lock is held: a write may fail at once and so lead back into this handler.
final class ControlConnection: ChannelDuplexHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private struct State {
        /// A slice, so that taking lines off its front moves nothing.
        var unread: ArraySlice<UInt8> = []
        /// Among the socket's clients; nil before and after.
        var place: UInt64?
        /// A request waits for its answer.
        var isBusy = false
        /// Reading goes on when the request is answered.
        var isReadHeld = false
        /// It hung up, or is hung up on: nothing more is served.
        var isOver = false
        var follower: UInt64?
        var caller = ControlCaller.unknown
    }

    private enum Next {
        case serve([UInt8])
        case refuse(String)
        case nothing
    }

    /// A client that does not read what it asked for is hung up on.
    private static let unreadLimit = 4 << 20
    /// So is one that takes longer for a list.
    private static let listPatience: TimeAmount = .seconds(60)
    /// What may arrive beside a request under way: of a client that hung up, all it sent is read at once.
    private static let waitingLimit = 16 * ControlRequest.maximumLength
    private let socket: ControlSocket
    private let state = Mutex(State())

    init(socket: ControlSocket) { self.socket = socket }

    func channelActive(context: ChannelHandlerContext) {
        let place = socket.admit(context.channel)
        state.withLock { $0.place = place }
        let caller = ControlCaller.of(context.channel)
        state.withLock { $0.caller = caller }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let (place, follower) = state.withLock { state in
            state.isOver = true
            state.unread = []
            defer { (state.follower, state.place) = (nil, nil) }
            return (state.place, state.follower)
        }
        if let place { socket.dismiss(place) }
        if follower != nil { socket.endFollowing() }
        if let follower { socket.events.leave(follower) }
        context.fireChannelInactive()
    }

    func read(context: ChannelHandlerContext) {
        let isHeld = state.withLock { state in
            state.isReadHeld = state.isBusy
            return state.isBusy
        }
        if !isHeld { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let isTooMuch = state.withLock { state in
            guard !state.isOver else { return false }
            state.unread += bytes.readableBytesView
            return state.unread.count > Self.waitingLimit
        }
        if isTooMuch {
            finish(context.channel, .failure("more is sent than is waited for"))
        } else {
            serveNext(context.channel)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: - Requests, one after the other

    private func serveNext(_ channel: any Channel) {
        let next: Next = state.withLock { state in
            guard !state.isBusy, !state.isOver else { return .nothing }
            let end = state.unread.firstIndex(of: 0x0A)
            let length = state.unread.distance(
                from: state.unread.startIndex, to: end ?? state.unread.endIndex)
            if length > ControlRequest.maximumLength {
                return .refuse("the request is too long")
            }
            guard let end else { return .nothing }
            let line = Array(state.unread[..<end])
            state.unread.removeFirst(length + 1)
            state.isBusy = true
            return .serve(line)
        }
        switch next {
        case .serve(let line):
            guard let place = state.withLock({ $0.place }), socket.begin(place) else {
                return finish(channel, .failure("too many other requests wait for an answer; try again"))
            }
            serve(line, channel)
        case .refuse(let why): finish(channel, .failure(why))
        case .nothing: break
        }
    }

    /// The request is answered; usable from any thread.
    private func done(_ channel: any Channel) {
        socket.end()
        // Later and not at once, so that many short requests do not nest, and every client gets its turn.
        channel.eventLoop.execute { [self] in
            let (isReadHeld, resting) = state.withLock { state in
                state.isBusy = false
                defer { state.isReadHeld = false }
                return (state.isReadHeld, state.follower == nil ? state.place : nil)
            }
            if let resting {
                let place = socket.rest(resting, channel)
                state.withLock { $0.place = place }
            }
            serveNext(channel)
            // Held again when the next request is under way by now.
            if isReadHeld { channel.read() }
        }
    }

    private func serve(_ line: [UInt8], _ channel: any Channel) {
        let request: ControlRequest
        guard String(validating: line, as: UTF8.self) != nil else {
            finish(channel, .failure("the request is not UTF-8: nothing was done"))
            return done(channel)
        }
        do throws(FrameFailure) {
            request = try ControlJSON.decode(ControlRequest.self, line, field: "request")
            if case .ask(let asked) = request.body {
                if let obstacle = RequestText.obstacle(asked) {
                    finish(channel, .failure("\(obstacle): nothing was done"))
                    return done(channel)
                }
                _ = try RequestCheck.plausible(asked)
            }
        } catch {
            finish(channel, .failure("the request is malformed: \(error)"))
            return done(channel)
        }
        guard request.version == ControlRequest.currentVersion else {
            finish(
                channel,
                .failure("the node speaks version \(ControlRequest.currentVersion) of this protocol"))
            return done(channel)
        }
        if let until = request.until, until < Instant.now().nanoseconds {
            finish(
                channel, .failure("the node stood still, and whoever asked has given up: nothing was done"))
            return done(channel)
        }
        switch request.body {
        case .ask(let asked): ask(asked, channel)
        case .rings:
            socket.rings { [self] in
                tell(channel, .rings($0))
                done(channel)
            }
        case .events(let follow, let after): events(follow, after, channel)
        case .shared(let kind):
            guard let shared = socket.shared else {
                tell(channel, .failure("this node keeps no calls, registrations and limits"))
                return done(channel)
            }
            guard socket.beginListing() else {
                tell(channel, .failure("too many others list calls, registrations and limits; try again"))
                return done(channel)
            }
            shared(kind) { [self] parts in list(parts[...], until: .now() + Self.listPatience, channel) }
        }
    }

    /// One part after the other is taken: all together may be many times what a client's socket holds.
    private func list(_ parts: ArraySlice<SharedPart>, until end: NIODeadline, _ channel: any Channel) {
        guard let part = parts.first else {
            socket.endListing()
            tell(channel, .end)
            return done(channel)
        }
        let patience = channel.eventLoop.scheduleTask(deadline: end) { channel.close(promise: nil) }
        let bytes = ControlJSON.encode(ControlResponse.shared(part)) + [0x0A]
        channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenComplete { [self] result in
            patience.cancel()
            guard case .success = result else {
                channel.close(promise: nil)
                socket.endListing()
                return done(channel)
            }
            // Later and not at once, so that parts do not nest.
            channel.eventLoop.execute { [self] in list(parts.dropFirst(), until: end, channel) }
        }
    }

    private func ask(_ request: OperatorRequest, _ channel: any Channel) {
        let answered: @Sendable (OperatorReply) -> Void = { [self] in
            tell(channel, .reply($0))
            done(channel)
        }
        guard let claim = request.who else {
            return socket.ask(request, on: channel.eventLoop, answered)
        }
        let caller = state.withLock { $0.caller }
        caller.login(on: channel.eventLoop) { [self] login in
            let who = OperatorName.proven(login: login, node: socket.node, claim: claim)
            let named = request.asked(by: who)
            socket.note(named, of: caller)
            socket.ask(named, on: channel.eventLoop, answered)
        }
    }

    // MARK: - Events

    private func events(_ follow: Bool, _ after: UInt64, _ channel: any Channel) {
        defer { done(channel) }
        guard follow else {
            for line in socket.events.lines(after: after) { tell(channel, .event(line)) }
            tell(channel, .end)
            return
        }
        guard state.withLock({ $0.follower == nil }) else {
            finish(channel, .failure("the events are followed already"))
            return
        }
        guard socket.beginFollowing() else {
            finish(channel, .failure("too many others follow the events"))
            return
        }
        let follower = socket.events.follow(after: after) { [weak self] in
            channel.eventLoop.execute { [weak self] in self?.tellEvents(channel) }
        }
        let isGone = state.withLock { state in
            if !state.isOver { state.follower = follower }
            return state.isOver
        }
        if isGone {
            socket.events.leave(follower)
            return socket.endFollowing()
        }
        tellEvents(channel)
    }

    private func tellEvents(_ channel: any Channel) {
        guard let follower = state.withLock({ $0.follower }) else { return }
        guard let lines = socket.events.take(follower) else {
            return finish(channel, .failure("events come faster than they are read"))
        }
        for line in lines { tell(channel, .event(line)) }
    }

    // MARK: - Answers

    private func tell(_ channel: any Channel, _ response: ControlResponse) {
        guard !state.withLock({ $0.isOver }) else { return }
        let bytes = ControlJSON.encode(response) + [0x0A]
        channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenFailure { _ in channel.close(promise: nil) }
        if !channel.isWritable {
            channel.getOption(.bufferedWritableBytes).whenSuccess { unread in
                if unread > Self.unreadLimit { channel.close(promise: nil) }
            }
        }
    }

    private func finish(_ channel: any Channel, _ response: ControlResponse) {
        let isOver = state.withLock { state in
            defer { state.isOver = true }
            return state.isOver
        }
        guard !isOver else { return }
        let bytes = ControlJSON.encode(response) + [0x0A]
        channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenComplete { _ in channel.close(promise: nil) }
    }
}
