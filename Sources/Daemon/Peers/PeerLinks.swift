import Cluster
import Consensus
import NIOCore
import NIOPosix
import NIOSSL
import Wire

/// The TCP links to all other nodes: one going out to each, used to send; those coming in, used to receive.
///
/// Nobody is listed: whoever's sealed heartbeats are heard is called back at the address they come from.
final class PeerLinks: Sendable {
    /// One frame that waits for its link.
    private struct Waiting {
        var bytes: [UInt8]
        /// Consensus sends again what is lost; everything else is worth more.
        var mayBeDropped: Bool
    }

    private enum Link {
        case idle
        case dialing(attempt: UInt64)
        case ready(attempt: UInt64, any Channel)
    }

    private struct Way {
        var remote: Endpoint
        var local: Endpoint
        var heardAt: NIODeadline
    }

    private struct Peer {
        var member: MemberID
        /// The newest start heard of it; a link to an older one is closed.
        var incarnation: UInt64
        var ways: [Way]
        var nextWay = 0
        var link = Link.idle
        var dialAt = NIODeadline.uptimeNanoseconds(0)
        var backOff = PeerLinks.firstBackOff
        var waiting: [Waiting] = []
        var waitingBytes = 0
    }

    private struct State {
        var me: Holder
        var peers: [Peer] = []
        var listeners: [(endpoint: Endpoint, channel: (any Channel)?)] = []
        var incoming: [(member: MemberID, channel: any Channel)] = []
        var incomingCount = 0
        var dropped: UInt64 = 0
        var isStopped = false
        var attempts: UInt64 = 0
    }

    private static let firstBackOff: TimeAmount = .milliseconds(20)
    private static let longestBackOff: TimeAmount = .seconds(1)
    /// A peer not heard for so long is not dialed.
    private static let silence: TimeAmount = .seconds(1)
    /// A link to a peer that comes back after so long is made anew rather than waited for: TCP repeats what was lost
    /// ever more slowly.
    private static let stall: TimeAmount = .milliseconds(500)
    private static let waitingLimit = 256
    private static let waitingBytesLimit = 2 * FrameLimits.peerFrame
    private static let peerLimit = 2 * Limits.nodes
    private static let waysLimit = 4
    private static let connectTimeout: TimeAmount = .milliseconds(500)
    /// tcp(7) TCP_USER_TIMEOUT, in milliseconds: unacknowledged for so long, a link is dead.
    private static let userTimeout = 1000

    let cluster: String
    let log: EventLog
    private let loop: any EventLoop
    private let client: NIOSSLContext
    private let server: NIOSSLContext
    private let deliver: @Sendable (PeerMessage, MemberID) -> Void
    private let state: NIOLoopBoundBox<State>

    /// - Parameter deliver: gets every message a peer sent, with who sent it.
    /// - Throws: `ServiceFailure` when the TLS library refuses the key.
    init(
        loop: any EventLoop, key: ClusterKey, me: Holder, log: EventLog,
        deliver: @escaping @Sendable (PeerMessage, MemberID) -> Void
    ) throws(ServiceFailure) {
        self.loop = loop
        cluster = key.cluster
        self.log = log
        self.deliver = deliver
        state = NIOLoopBoundBox.makeBoxSendingValue(State(me: me), eventLoop: loop)
        do {
            client = try PeerTLS.client(key)
            server = try PeerTLS.server(key)
        } catch {
            throw ServiceFailure("the cluster key cannot be used for peer links: \(error)")
        }
    }

    // MARK: - From any thread

    /// Introduces this node as that start of itself from now on.
    func become(_ me: Holder) { loop.execute { self.state.value.me = me } }

    /// Sends when the link stands; kept for a while when it does not.
    func send(_ message: PeerMessage, to member: MemberID) {
        loop.execute { self.submit(message, to: member) }
    }

    /// A sealed heartbeat of that node came from there.
    func heard(_ holder: Holder, from remote: Endpoint, at local: Endpoint) {
        loop.execute { self.note(holder, Way(remote: remote, local: local, heardAt: .now())) }
    }

    /// Listens at exactly these, from now on.
    func listen(at endpoints: [Endpoint]) { loop.execute { self.reconcile(endpoints) } }

    /// Messages dropped because a link did not take them.
    func dropped() -> UInt64 { (try? loop.submit { self.state.value.dropped }.wait()) ?? 0 }

    /// Where it listens now; for tests that let the system choose the port.
    func listening() -> [Endpoint] {
        let channels = try? loop.submit { self.state.value.listeners.compactMap { $0.channel } }.wait()
        return (channels ?? []).compactMap { $0.localAddress.flatMap(Endpoint.init) }
    }

    func stop() {
        let closing = loop.submit {
            self.state.value.isStopped = true
            for listener in self.state.value.listeners { listener.channel?.close(promise: nil) }
            for link in self.state.value.incoming { link.channel.close(promise: nil) }
            for peer in self.state.value.peers {
                if case .ready(_, let channel) = peer.link { channel.close(promise: nil) }
            }
        }
        try? closing.wait()
    }
}

// MARK: - Going out

extension PeerLinks {
    private func place(of member: MemberID) -> Int? {
        state.value.peers.firstIndex { $0.member == member }
    }

    private func note(_ holder: Holder, _ way: Way) {
        guard !state.value.isStopped else { return }
        guard let place = place(of: holder.member) else {
            if state.value.peers.count >= Self.peerLimit { forgetOldest() }
            state.value.peers.append(
                Peer(member: holder.member, incarnation: holder.incarnation, ways: [way]))
            dial(holder.member)
            return
        }
        var peer = state.value.peers[place]
        let isReborn = holder.incarnation > peer.incarnation
        let isBack = way.heardAt - heardAt(peer) > Self.stall
        if isReborn {
            peer.incarnation = holder.incarnation
            peer.ways = []
        }
        if isReborn || isBack {
            peer.backOff = Self.firstBackOff
            peer.dialAt = .uptimeNanoseconds(0)
        }
        peer.ways.removeAll { $0.remote == way.remote && $0.local == way.local }
        if peer.ways.count == Self.waysLimit { peer.ways.removeFirst() }
        peer.ways.append(way)
        state.value.peers[place] = peer
        if isReborn || isBack, case .ready(_, let channel) = peer.link { channel.close(promise: nil) }
        dial(holder.member)
    }

    private func forgetOldest() {
        let oldest = state.value.peers.indices.min { a, b in
            heardAt(state.value.peers[a]) < heardAt(state.value.peers[b])
        }
        guard let oldest else { return }
        if case .ready(_, let channel) = state.value.peers[oldest].link { channel.close(promise: nil) }
        state.value.peers.remove(at: oldest)
    }

    private func heardAt(_ peer: Peer) -> NIODeadline {
        peer.ways.map(\.heardAt).max() ?? .uptimeNanoseconds(0)
    }

    private func dial(_ member: MemberID) {
        guard let place = place(of: member), case .idle = state.value.peers[place].link,
            !state.value.isStopped
        else { return }
        let now = NIODeadline.now()
        let fresh = state.value.peers[place].ways.filter { now - $0.heardAt < Self.silence }
        guard !fresh.isEmpty, now >= state.value.peers[place].dialAt else { return }
        let way = fresh[state.value.peers[place].nextWay % fresh.count]
        state.value.peers[place].nextWay += 1
        state.value.attempts += 1
        let attempt = state.value.attempts
        state.value.peers[place].link = .dialing(attempt: attempt)
        connect(to: member, by: way, attempt).whenFailure { [self] _ in lose(member, attempt) }
    }

    private func connect(to member: MemberID, by way: Way, _ attempt: UInt64) -> EventLoopFuture<Void> {
        do {
            let remote = try SocketAddress(ipAddress: "\(way.remote.ip)", port: Int(way.remote.port))
            // From the ring's own address: a service address may leave this machine at any time.
            let local = try SocketAddress(ipAddress: "\(way.local.ip)", port: 0)
            return ClientBootstrap(group: loop)
                .connectTimeout(Self.connectTimeout)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.socketOption(.so_keepalive), value: 1)
                .channelOption(Self.userTimeoutOption, value: Self.userTimeout)
                .bind(to: local)
                .channelInitializer { [self] channel in
                    channel.eventLoop.makeCompletedFuture {
                        let tls = try NIOSSLClientHandler(context: client, serverHostname: nil)
                        try channel.pipeline.syncOperations.addHandlers(
                            tls, OutgoingLink(links: self, member: member, attempt: attempt))
                    }
                }
                .connect(to: remote)
                .map { _ in }
        } catch {
            return loop.makeFailedFuture(error)
        }
    }

    private static var userTimeoutOption: ChannelOptions.Types.SocketOption {
        ChannelOptions.Types.SocketOption(
            level: .tcp, name: NIOBSDSocket.Option(rawValue: TCPOption.userTimeout))
    }

    var hello: PeerFrame { .hello(PeerHello(cluster: cluster, holder: state.value.me)) }

    /// The other end introduced itself as who it should be.
    func stand(_ member: MemberID, _ attempt: UInt64, _ channel: any Channel) {
        guard let place = place(of: member), case .dialing(attempt) = state.value.peers[place].link else {
            channel.close(promise: nil)
            return
        }
        state.value.peers[place].link = .ready(attempt: attempt, channel)
        state.value.peers[place].backOff = Self.firstBackOff
        pour(member)
    }

    /// The link of that attempt, made or only begun, is gone.
    func lose(_ member: MemberID, _ attempt: UInt64) {
        guard let place = place(of: member) else { return }
        switch state.value.peers[place].link {
        case .dialing(attempt), .ready(attempt, _): break
        case .idle, .dialing, .ready: return
        }
        let backOff = state.value.peers[place].backOff
        state.value.peers[place].link = .idle
        state.value.peers[place].dialAt = .now() + backOff
        state.value.peers[place].backOff = min(backOff * 2, Self.longestBackOff)
        loop.scheduleTask(in: backOff) { [self] in dial(member) }
    }

    private func submit(_ message: PeerMessage, to member: MemberID) {
        guard let place = place(of: member) else {
            state.value.dropped += 1
            return
        }
        let bytes = PeerFrameCodec.encode(message)
        guard bytes.count <= FrameLimits.peerFrame else {
            state.value.dropped += 1
            log.warning("frame-too-long", member.name, "a message of \(bytes.count) bytes is not sent")
            return
        }
        var mayBeDropped = false
        if case .consensus = message { mayBeDropped = true }
        state.value.peers[place].waiting.append(Waiting(bytes: bytes, mayBeDropped: mayBeDropped))
        state.value.peers[place].waitingBytes += bytes.count
        pour(member)
        bound(place)
    }

    /// Writes what waits, as long as the link takes it.
    func pour(_ member: MemberID) {
        guard let place = place(of: member), case .ready(_, let channel) = state.value.peers[place].link
        else {
            return
        }
        var hasWritten = false
        while !state.value.peers[place].waiting.isEmpty, channel.isWritable {
            let next = state.value.peers[place].waiting.removeFirst()
            state.value.peers[place].waitingBytes -= next.bytes.count
            channel.write(ByteBuffer(bytes: next.bytes), promise: nil)
            hasWritten = true
        }
        if hasWritten { channel.flush() }
    }

    /// The oldest consensus message goes first, then the oldest of all.
    private func bound(_ place: Int) {
        while state.value.peers[place].waiting.count > Self.waitingLimit
            || state.value.peers[place].waitingBytes > Self.waitingBytesLimit
        {
            let oldest = state.value.peers[place].waiting.firstIndex { $0.mayBeDropped } ?? 0
            let gone = state.value.peers[place].waiting.remove(at: oldest)
            state.value.peers[place].waitingBytes -= gone.bytes.count
            state.value.dropped += 1
        }
    }
}

// MARK: - Coming in

extension PeerLinks {
    private static let incomingLimit = 4 * Limits.nodes

    private func reconcile(_ endpoints: [Endpoint]) {
        for listener in state.value.listeners where !endpoints.contains(listener.endpoint) {
            listener.channel?.close(promise: nil)
        }
        state.value.listeners.removeAll { !endpoints.contains($0.endpoint) }
        for endpoint in endpoints where !state.value.listeners.contains(where: { $0.endpoint == endpoint }) {
            state.value.listeners.append((endpoint, nil))
            bind(endpoint)
        }
    }

    private func bind(_ endpoint: Endpoint) {
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 128)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(Self.userTimeoutOption, value: Self.userTimeout)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLServerHandler(context: server), IncomingLink(links: self))
                }
            }
        bootstrap.bind(host: "\(endpoint.ip)", port: Int(endpoint.port)).hop(to: loop).whenComplete {
            [self] (result: Result<any Channel, any Error>) in
            let place = state.value.listeners.firstIndex { $0.endpoint == endpoint }
            switch result {
            case .success(let channel):
                guard let place, !state.value.isStopped else {
                    channel.close(promise: nil)
                    return
                }
                state.value.listeners[place].channel = channel
            case .failure(let error):
                guard place != nil, !state.value.isStopped else { return }
                log.warning("peer-link", "\(endpoint)", "cannot listen: \(error)")
                loop.scheduleTask(in: Self.longestBackOff) { [self] in
                    let isWanted = state.value.listeners.contains {
                        $0.endpoint == endpoint && $0.channel == nil
                    }
                    if isWanted { bind(endpoint) }
                }
            }
        }
    }

    func admitIncoming() -> Bool {
        guard state.value.incomingCount < Self.incomingLimit, !state.value.isStopped else { return false }
        state.value.incomingCount += 1
        return true
    }

    func dismissIncoming(_ channel: any Channel) {
        state.value.incomingCount -= 1
        state.value.incoming.removeAll { $0.channel === channel }
    }

    /// The newest link of a member replaces an older one.
    func accept(_ holder: Holder, _ channel: any Channel) {
        for link in state.value.incoming where link.member == holder.member {
            link.channel.close(promise: nil)
        }
        state.value.incoming.removeAll { $0.member == holder.member }
        state.value.incoming.append((holder.member, channel))
    }

    func receive(_ message: PeerMessage, from member: MemberID) { deliver(message, member) }
}

extension Endpoint {
    fileprivate init?(_ address: SocketAddress) {
        guard let text = address.ipAddress, let ip = IPAddress(text), let port = address.port,
            let number = UInt16(exactly: port)
        else { return nil }
        self.init(ip: ip, port: number)
    }
}
