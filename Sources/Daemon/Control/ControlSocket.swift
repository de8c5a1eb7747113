import Cluster
import ControlProtocol
@preconcurrency import Glibc
import Keeper
import NIOCore
import NIOPosix
import Primitives
import Synchronization

/// The UNIX socket on which the command line asks this node: JSON lines, a few clients, file permissions.
final class ControlSocket: Sendable {
    /// How the rest of the service answers.
    struct Asked: Sendable {
        /// An operator's request, answered later by `answer` with the same id.
        var ask: @Sendable (UInt64, OperatorRequest) -> Void
        var rings: @Sendable (@escaping @Sendable (RingsReport) -> Void) -> Void
        /// Told of every change that is asked for here, and of the process that asks, before it is.
        var noted: @Sendable (_ change: String, _ who: String, ControlCaller) -> Void = { _, _, _ in }
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
        /// A client counts as proven while a request of it is under way and for as long as it follows the events: one that
        /// only stays connected makes room.
        var slots = ConnectionSlots(
            .init(
                strangers: ControlSocket.idleLimit, perSource: ControlSocket.idleLimit,
                proven: ControlSocket.requestLimit + ControlSocket.followerLimit))
        /// By their numbers in `slots`.
        var clients: [UInt64: any Channel] = [:]
        var followers = 0
        /// Requests without an answer yet, of whatever kind and whether or not their clients still wait.
        var underWay = 0
        /// Of these, lists that are being told.
        var listings = 0
    }

    private static let idleLimit = 64
    private static let followerLimit = 64
    /// Requests under way at once: so many at most lie before the node's own work.
    private static let requestLimit = 64
    /// A list of a hundred thousand registrations is a hundred megabytes while it is told.
    static let listingLimit = 4
    /// This node's name, which is part of who asks.
    let node: String
    private let path: String
    private let journal: EventJournal
    private let asked: Asked
    private let patience: Duration
    private let state = Mutex(State())
    private let listener = Mutex<(any Channel)?>(nil)

    /// - Parameter patience: after which an unanswered request is `.unavailable`.
    init(
        path: String, node: String, journal: EventJournal, asked: Asked, patience: Duration = .seconds(5)
    ) {
        self.path = path
        self.node = node
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
            .serverChannelOption(.backlog, value: 128)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ControlConnection(socket: self))
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
        do throws(SystemFailure) {
            close(try UnixSocket.connect(path: path, kind: SOCK_STREAM.rawValue))
            return true
        } catch {
            // Without a socket to ask with nobody knows: what may be served is not removed.
            return [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.errno)
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

    /// Takes a client in that asks nothing yet; the one that has asked nothing for longest may have to leave for it.
    ///
    /// - Returns: its place.
    func admit(_ client: any Channel) -> UInt64 {
        let (place, evicted) = state.withLock { state in
            let (place, evicted) = state.slots.admit(source: nil)
            state.clients[place] = client
            return (place, evicted.compactMap { state.clients.removeValue(forKey: $0) })
        }
        for client in evicted { client.close(promise: nil) }
        return place
    }

    func dismiss(_ place: UInt64) {
        state.withLock { state in
            state.slots.leave(place)
            state.clients[place] = nil
        }
    }

    /// Its requests are answered: it is one of those that ask nothing again.
    ///
    /// - Returns: its new place.
    func rest(_ place: UInt64, _ client: any Channel) -> UInt64 {
        dismiss(place)
        return admit(client)
    }

    /// Whether one more client may follow the events; each allowed one is given back by `endFollowing`.
    func beginFollowing() -> Bool {
        state.withLock { state in
            guard state.followers < Self.followerLimit else { return false }
            state.followers += 1
            return true
        }
    }

    func endFollowing() { state.withLock { $0.followers -= 1 } }

    /// Whether one more list may be told; each allowed one is given back by `endListing`.
    func beginListing() -> Bool {
        state.withLock { state in
            guard state.listings < Self.listingLimit else { return false }
            state.listings += 1
            return true
        }
    }

    func endListing() { state.withLock { $0.listings -= 1 } }

    /// Whether one more request may be under way; each allowed one is given back by `end`.
    func begin(_ place: UInt64) -> Bool {
        state.withLock { state in
            guard state.underWay < Self.requestLimit, state.slots.prove(place) else { return false }
            state.underWay += 1
            return true
        }
    }

    func end() { state.withLock { $0.underWay -= 1 } }

    /// To be called on `loop`, which the answer's time limit runs on.
    func ask(
        _ request: OperatorRequest, on loop: any EventLoop,
        _ tell: @escaping @Sendable (OperatorReply) -> Void
    ) {
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        // On this loop, so not before we return.
        let timeout = loop.scheduleTask(in: .nanoseconds(patience.nanoseconds)) { [self] in
            answer(id, .unavailable("the node did not answer in time"))
        }
        state.withLock { $0.waiting[id] = Waiting(tell: tell, timeout: timeout) }
        asked.ask(id, request)
    }

    func note(_ request: OperatorRequest, of caller: ControlCaller) {
        if let change = request.change { asked.noted(change, request.who ?? "", caller) }
    }

    func rings(_ tell: @escaping @Sendable (RingsReport) -> Void) { asked.rings(tell) }

    var events: EventJournal { journal }

    var shared: (@Sendable (SharedKind, @escaping @Sendable ([SharedPart]) -> Void) -> Void)? {
        asked.shared
    }
}
