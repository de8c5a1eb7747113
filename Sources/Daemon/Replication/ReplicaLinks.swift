import Cluster
import Consensus
import NIOCore
import NIOPosix
import NIOSSL
import Wire

/// The TCP links replicas travel on: one to each other node, made by the one of the two whose name is smaller.
///
/// They listen beside the peer links, one port higher, so that a million registrations never stand in the way of a
/// decision. Everything here happens on one event loop, the replica's own.
final class ReplicaLinks {
    /// What the owner of the links does about them; all called on the loop.
    struct Owner {
        var connected: (Holder) -> Void
        var disconnected: (Holder) -> Void
        /// One whole frame without its length.
        var received: (ByteBuffer, Holder) -> Void
    }

    /// Where a peer was heard: its end and ours.
    struct Way: Hashable {
        var remote: Endpoint
        var local: Endpoint
    }

    private struct Peer {
        var holder: Holder
        /// The newest last.
        var ways: [Way] = []
        var turn = 0
        var channel: (any Channel)?
        var isDialing = false
        var backOff = ReplicaLinks.firstBackOff
        var lastHeard = NIODeadline.now()
    }

    static let frameLimit = 1 << 20
    private static let firstBackOff: TimeAmount = .milliseconds(20)
    private static let longestBackOff: TimeAmount = .seconds(1)
    /// A peer not heard for so long is not dialed.
    private static let silence: TimeAmount = .seconds(2)
    private static let waysLimit = 4
    private static let peerLimit = 2 * Limits.nodes
    private static let incomingLimit = 2 * Limits.nodes
    private static let connectTimeout: TimeAmount = .milliseconds(500)
    /// tcp(7) TCP_USER_TIMEOUT, in milliseconds: unacknowledged for so long, a link is dead.
    private static let userTimeout = 2000

    let cluster: String
    let log: EventLog
    let loop: any EventLoop
    private(set) var me: Holder
    var owner: Owner?
    private let client: NIOSSLContext
    private let server: NIOSSLContext
    private var peers: [Peer] = []
    private var listeners: [(endpoint: Endpoint, channel: (any Channel)?)] = []
    private var strangers = 0
    private var isStopped = false

    /// - Throws: `ServiceFailure` when the TLS library refuses the key.
    init(loop: any EventLoop, key: ClusterKey, me: Holder, log: EventLog) throws(ServiceFailure) {
        self.loop = loop
        self.me = me
        self.log = log
        cluster = key.cluster
        do {
            client = try PeerTLS.client(key)
            server = try PeerTLS.server(key)
        } catch {
            throw ServiceFailure("the cluster key cannot be used for replica links: \(error)")
        }
    }

    var hello: ByteBuffer {
        ByteBuffer(bytes: PeerFrameCodec.encode(.hello(PeerHello(cluster: cluster, holder: me))))
    }

    /// Another start of this node: whoever is linked must learn it.
    func become(_ me: Holder) {
        guard me != self.me else { return }
        self.me = me
        for peer in peers { peer.channel?.close(promise: nil) }
    }

    /// A sealed heartbeat of that node came this way; the ports are those of the replica links.
    func heard(_ holder: Holder, _ way: Way) {
        guard !isStopped else { return }
        let place: Int
        if let known = peers.firstIndex(where: { $0.holder.member == holder.member }) {
            place = known
        } else {
            makeRoom()
            place = peers.count
            peers.append(Peer(holder: holder))
        }
        peers[place].lastHeard = .now()
        if holder.incarnation > peers[place].holder.incarnation {
            peers[place].channel?.close(promise: nil)
            peers[place].holder = holder
            peers[place].ways = []
            peers[place].backOff = Self.firstBackOff
        }
        if let known = peers[place].ways.firstIndex(of: way) { peers[place].ways.remove(at: known) }
        if peers[place].ways.count == Self.waysLimit { peers[place].ways.removeFirst() }
        peers[place].ways.append(way)
        dial(holder.member)
    }

    private func makeRoom() {
        guard peers.count >= Self.peerLimit,
            let oldest = peers.indices.min(by: { peers[$0].lastHeard < peers[$1].lastHeard })
        else { return }
        peers[oldest].channel?.close(promise: nil)
        peers.remove(at: oldest)
    }

    /// Writes one frame; dropped when there is no link, of which the owner was told.
    func send(_ frame: ByteBuffer, to holder: Holder) {
        peers.first { $0.holder == holder }?.channel?.write(frame, promise: nil)
    }

    func flush() { for peer in peers { peer.channel?.flush() } }

    /// The link is made anew; what was on its way is lost.
    func hangUp(_ holder: Holder) { peers.first { $0.holder == holder }?.channel?.close(promise: nil) }

    func stop() {
        isStopped = true
        for listener in listeners { listener.channel?.close(promise: nil) }
        for peer in peers { peer.channel?.close(promise: nil) }
    }

    // MARK: - Going out

    private func place(_ member: MemberID) -> Int? { peers.firstIndex { $0.holder.member == member } }

    private func dial(_ member: MemberID) {
        guard let place = place(member), me.member < member, !isStopped, !peers[place].isDialing,
            peers[place].channel == nil, NIODeadline.now() - peers[place].lastHeard < Self.silence,
            !peers[place].ways.isEmpty
        else { return }
        let ways = peers[place].ways
        let way = ways[ways.count - 1 - peers[place].turn % ways.count]
        peers[place].turn += 1
        peers[place].isDialing = true
        connect(to: peers[place].holder, by: way).assumeIsolated().whenFailure { _ in self.failed(member) }
    }

    private func connect(to holder: Holder, by way: Way) -> EventLoopFuture<Void> {
        do {
            let remote = try SocketAddress(ipAddress: "\(way.remote.ip)", port: Int(way.remote.port))
            // From the ring's own address: a service address may leave this machine at any time.
            let local = try SocketAddress(ipAddress: "\(way.local.ip)", port: 0)
            let context = client
            let links = NIOLoopBound(self, eventLoop: loop)
            return ClientBootstrap(group: loop)
                .connectTimeout(Self.connectTimeout)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(Self.userTimeoutOption, value: Self.userTimeout)
                .channelOption(.writeBufferWaterMark, value: .init(low: 1 << 20, high: 4 << 20))
                .bind(to: local)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let tls = try NIOSSLClientHandler(context: context, serverHostname: nil)
                        try channel.pipeline.syncOperations.addHandlers(
                            tls, ReplicaLink(links: links.value, expected: holder))
                    }
                }
                .connect(to: remote).map { _ in }
        } catch {
            return loop.makeFailedFuture(error)
        }
    }

    private static var userTimeoutOption: ChannelOptions.Types.SocketOption {
        ChannelOptions.Types.SocketOption(
            level: .tcp, name: NIOBSDSocket.Option(rawValue: TCPOption.userTimeout))
    }

    private func failed(_ member: MemberID) {
        guard let place = place(member) else { return }
        peers[place].isDialing = false
        let backOff = peers[place].backOff
        peers[place].backOff = min(backOff * 2, Self.longestBackOff)
        loop.assumeIsolated().scheduleTask(in: backOff) { self.dial(member) }
    }

    // MARK: - Standing

    /// Both ends know each other; the newest link of a peer replaces an older one.
    func stand(_ holder: Holder, _ channel: any Channel) {
        let place: Int
        if let known = self.place(holder.member) {
            place = known
        } else {
            makeRoom()
            place = peers.count
            peers.append(Peer(holder: holder))
        }
        if let former = peers[place].channel {
            let was = peers[place].holder
            peers[place].channel = nil
            former.close(promise: nil)
            owner?.disconnected(was)
        }
        peers[place].holder = holder
        peers[place].channel = channel
        peers[place].isDialing = false
        peers[place].backOff = Self.firstBackOff
        owner?.connected(holder)
    }

    /// A channel is gone, whether it stood or only was begun.
    func gone(_ holder: Holder?, _ channel: any Channel) {
        guard let holder, let place = place(holder.member) else { return }
        if peers[place].channel === channel {
            peers[place].channel = nil
            owner?.disconnected(peers[place].holder)
        } else if peers[place].channel != nil {
            return
        }
        if !isStopped { failed(holder.member) }
    }

    // MARK: - Coming in

    /// Listens at exactly these, from now on.
    func listen(at endpoints: [Endpoint]) {
        for listener in listeners where !endpoints.contains(listener.endpoint) {
            listener.channel?.close(promise: nil)
        }
        listeners.removeAll { !endpoints.contains($0.endpoint) }
        for endpoint in endpoints where !listeners.contains(where: { $0.endpoint == endpoint }) {
            listeners.append((endpoint, nil))
            bind(endpoint)
        }
    }

    /// Where it listens now; for tests that let the system choose the port.
    var listening: [SocketAddress] { listeners.compactMap { $0.channel?.localAddress } }

    private func bind(_ endpoint: Endpoint) {
        let context = server
        let links = NIOLoopBound(self, eventLoop: loop)
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(Self.userTimeoutOption, value: Self.userTimeout)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 1 << 20, high: 4 << 20))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLServerHandler(context: context), ReplicaLink(links: links.value, expected: nil))
                }
            }
        bootstrap.bind(host: "\(endpoint.ip)", port: Int(endpoint.port)).hop(to: loop).assumeIsolated()
            .whenComplete {
                result in
                let place = self.listeners.firstIndex { $0.endpoint == endpoint }
                switch result {
                case .success(let channel):
                    guard let place, !self.isStopped else {
                        channel.close(promise: nil)
                        return
                    }
                    self.listeners[place].channel = channel
                case .failure(let error):
                    guard place != nil, !self.isStopped else { return }
                    self.log.warning("replica-link", "\(endpoint)", "cannot listen: \(error)")
                    self.loop.assumeIsolated().scheduleTask(in: Self.longestBackOff) {
                        let isWanted = self.listeners.contains {
                            $0.endpoint == endpoint && $0.channel == nil
                        }
                        if isWanted { self.bind(endpoint) }
                    }
                }
            }
    }

    /// Whether one more end that has not said who it is may wait.
    func admitStranger() -> Bool {
        guard strangers < Self.incomingLimit, !isStopped else { return false }
        strangers += 1
        return true
    }

    func dismissStranger() { strangers -= 1 }
}
