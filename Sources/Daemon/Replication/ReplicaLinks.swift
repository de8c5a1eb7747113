import Cluster
import Consensus
import NIOCore
import NIOPosix
import PeerProtocol
import Primitives

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

    private struct Peer {
        var holder: Holder
        var ways = PeerWays()
        var channel: (any Channel)?
        /// The way of a link that is being made, and its channel once there is one.
        var dialing: (way: PeerWay, channel: (any Channel)?)?
        var dialAt = NIODeadline.uptimeNanoseconds(0)
        var backOff = ReplicaLinks.firstBackOff
        var lastHeard = NIODeadline.now()
        /// The link that stands is by the key alone although there are certificates.
        var isPlain = false
    }

    static let frameLimit = 1 << 20
    private static let firstBackOff: TimeAmount = .milliseconds(20)
    private static let longestBackOff: TimeAmount = .seconds(1)
    /// A peer not heard for so long is not dialed.
    private static let silence: TimeAmount = .seconds(2)
    private static let peerLimit = 2 * ClusterLimits.nodes
    private static let places = ConnectionSlots.Limits(
        strangers: 2 * ClusterLimits.nodes, perSource: 4, proven: 4 * ClusterLimits.nodes)
    /// tcp(7) TCP_USER_TIMEOUT, in milliseconds: unacknowledged for so long, a link is dead.
    private static let userTimeout = 2000

    let cluster: String
    let log: EventLog
    let loop: any EventLoop
    private(set) var me: Holder
    var owner: Owner?
    let trust: LinkTrust
    private var peers: [Peer] = []
    private var listeners: [(endpoint: Endpoint, channel: (any Channel)?)] = []
    private var slots = ConnectionSlots(ReplicaLinks.places)
    /// By their numbers in `slots`.
    private var connected: [UInt64: any Channel] = [:]
    private var isStopped = false
    /// Which links are missing; may be asked from any thread.
    let watch: MissingLinkWatch

    /// - Parameters:
    ///   - trust: whom links are made with; by the key alone without it.
    ///   - report: gets an event when a link is missing for long, and when it is back.
    /// - Throws: `ServiceFailure` when the TLS library refuses the key.
    init(
        loop: any EventLoop, key: ClusterKey, me: Holder, log: EventLog, trust: LinkTrust? = nil,
        report: @escaping @Sendable (ClusterEvent) -> Void = { _ in }
    ) throws(ServiceFailure) {
        self.loop = loop
        self.me = me
        self.log = log
        cluster = key.cluster
        watch = MissingLinkWatch(
            kind: "replica link",
            consequence:
                "calls, registrations and limits are not copied; see that TCP passes, one port higher "
                + "than the heartbeats'", report: report)
        if let trust { self.trust = trust } else { self.trust = try LinkTrust(key, log: log) }
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

    /// A new heartbeat of that node was opened; the ports are those of the replica links.
    func heard(_ sighting: PeerSighting) {
        guard !isStopped else { return }
        let (holder, now) = (sighting.holder, NIODeadline.now())
        let place: Int
        if let known = peers.firstIndex(where: { $0.holder.member == holder.member }) {
            place = known
        } else {
            makeRoom()
            place = peers.count
            peers.append(Peer(holder: holder))
        }
        guard holder.incarnation >= peers[place].holder.incarnation else { return }
        peers[place].lastHeard = now
        peers[place].ways.learn(sighting, at: now)
        if holder.incarnation > peers[place].holder.incarnation {
            drop(place)
            peers[place].dialing?.channel?.close(promise: nil)
            peers[place].holder = holder
            peers[place].ways.forgive()
            peers[place].backOff = Self.firstBackOff
        } else if let channel = peers[place].channel, !sighting.allows(channel) {
            // Its ring carries nothing: TCP itself would notice only after two seconds.
            drop(place)
            peers[place].dialAt = now
        }
        if let dialing = peers[place].dialing, !sighting.allows(dialing.way) {
            dialing.channel?.close(promise: nil)
        }
        if peers[place].channel == nil {
            let reason = me.member < holder.member ? "" : "it is the one that calls, and no call came through"
            watch.missing(holder.name, reason, at: now)
        } else {
            // The watch knows names only: another machine may have used this one and be gone.
            watch.present(holder.name, isPlain: peers[place].isPlain, at: now)
        }
        dial(holder.member)
    }

    /// Ends a standing link at once: closing it in order may take as long as its ring is silent.
    private func drop(_ place: Int) {
        guard let channel = peers[place].channel else { return }
        peers[place].channel = nil
        channel.close(promise: nil)
        owner?.disconnected(peers[place].holder)
    }

    private func makeRoom() {
        guard peers.count >= Self.peerLimit,
            let oldest = peers.indices.min(by: { peers[$0].lastHeard < peers[$1].lastHeard })
        else { return }
        peers[oldest].channel?.close(promise: nil)
        peers[oldest].dialing?.channel?.close(promise: nil)
        peers.remove(at: oldest)
    }

    /// Writes one frame; dropped when there is no link, of which the owner was told.
    func send(_ frame: ByteBuffer, to holder: Holder) {
        peers.first { $0.holder == holder }?.channel?.write(frame, promise: nil)
    }

    func flush() { for peer in peers { peer.channel?.flush() } }

    /// The link is made anew; what was on its way is lost.
    func hangUp(_ holder: Holder) { peers.first { $0.holder == holder }?.channel?.close(promise: nil) }

    /// Links of these are closed, and made anew when the other ends prove themselves.
    func prove(_ stale: LinkTrust.Stale) {
        for place in peers.indices where stale.includes(peers[place].holder.name) {
            drop(place)
            peers[place].dialing?.channel?.close(promise: nil)
            peers[place].dialAt = .now()
            peers[place].backOff = Self.firstBackOff
        }
        // Those under way have not said who they are; what they say is held against what is believed then.
        if stale == .all { for channel in connected.values { channel.close(promise: nil) } }
    }

    func stop() {
        isStopped = true
        for listener in listeners { listener.channel?.close(promise: nil) }
        for peer in peers {
            peer.channel?.close(promise: nil)
            peer.dialing?.channel?.close(promise: nil)
        }
        for channel in connected.values { channel.close(promise: nil) }
    }

    // MARK: - Going out

    private func place(_ member: MemberID) -> Int? { peers.firstIndex { $0.holder.member == member } }

    private func dial(_ member: MemberID) {
        let now = NIODeadline.now()
        guard let place = place(member), me.member < member, !isStopped, peers[place].dialing == nil,
            peers[place].channel == nil, now - peers[place].lastHeard < Self.silence,
            now >= peers[place].dialAt, let way = peers[place].ways.next(at: now, within: Self.silence)
        else { return }
        peers[place].dialing = (way, nil)
        connect(to: peers[place].holder, by: way).assumeIsolated().whenFailure {
            self.failed(member, LinkOptions.text(of: $0, at: way.remote))
        }
    }

    private func connect(to holder: Holder, by way: PeerWay) -> EventLoopFuture<Void> {
        do {
            let remote = try SocketAddress(ipAddress: "\(way.remote.ip)", port: Int(way.remote.port))
            // From the ring's own address: a service address may leave this machine at any time.
            let local = try SocketAddress(ipAddress: "\(way.local.ip)", port: 0)
            let trust = trust
            let links = NIOLoopBound(self, eventLoop: loop)
            return LinkOptions.keepingAlive(ClientBootstrap(group: loop), Self.userTimeout)
                .connectTimeout(LinkOptions.connectTimeout)
                .channelOption(.writeBufferWaterMark, value: .init(low: 1 << 20, high: 4 << 20))
                .bind(to: local)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        links.value.begun(holder.member, channel)
                        try channel.pipeline.syncOperations.addHandlers(
                            trust.handlers(of: .caller)
                                + [ReplicaLink(links: links.value, expected: holder)])
                    }
                }
                .connect(to: remote).map { _ in }
        } catch {
            return loop.makeFailedFuture(error)
        }
    }

    /// What is being made has a channel from now on, which is closed when the peer starts again meanwhile.
    private func begun(_ member: MemberID, _ channel: any Channel) {
        guard let place = place(member) else { return }
        peers[place].dialing?.channel = channel
    }

    private func failed(_ member: MemberID, _ reason: String) {
        guard let place = place(member) else { return }
        if let dialing = peers[place].dialing { peers[place].ways.failed(dialing.way) }
        peers[place].dialing = nil
        let heardAt = peers[place].lastHeard
        if .now() - heardAt < Self.silence {
            watch.missing(member.name, reason, heardAt: heardAt, at: .now())
        }
        let backOff = peers[place].backOff
        peers[place].dialAt = .now() + backOff
        peers[place].backOff = min(backOff * 2, Self.longestBackOff)
        loop.assumeIsolated().scheduleTask(in: backOff) { self.dial(member) }
    }

    // MARK: - Standing

    /// Both ends know each other; the newest link of a peer replaces an older one.
    func stand(_ holder: Holder, _ channel: any Channel, _ proven: LinkProven) {
        let place: Int
        if let known = self.place(holder.member) {
            place = known
        } else {
            makeRoom()
            place = peers.count
            peers.append(Peer(holder: holder))
        }
        drop(place)
        peers[place].holder = holder
        peers[place].channel = channel
        if let dialing = peers[place].dialing, dialing.channel === channel {
            peers[place].ways.succeeded(dialing.way)
        }
        peers[place].dialing = nil
        peers[place].backOff = Self.firstBackOff
        peers[place].isPlain = trust.hasCertificates && proven.certificate == nil
        watch.present(holder.name, isPlain: peers[place].isPlain, at: .now())
        owner?.connected(holder)
    }

    /// A channel is gone, whether it stood or only was begun.
    func gone(_ holder: Holder?, _ channel: any Channel, _ reason: String) {
        guard let holder, let place = place(holder.member) else { return }
        if peers[place].channel === channel {
            peers[place].channel = nil
            owner?.disconnected(peers[place].holder)
        } else if peers[place].dialing?.channel !== channel {
            return
        }
        if !isStopped { failed(holder.member, reason) }
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
        let trust = trust
        let links = NIOLoopBound(self, eventLoop: loop)
        let bootstrap = LinkOptions.keepingAlive(ServerBootstrap(group: loop), Self.userTimeout)
            .serverChannelOption(.backlog, value: LinkOptions.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 1 << 20, high: 4 << 20))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        trust.handlers(of: .called) + [ReplicaLink(links: links.value, expected: nil)])
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

    /// Takes in a connection that has proved nothing; the oldest such makes room. Nil when none is wanted.
    func admit(_ channel: any Channel) -> UInt64? {
        guard !isStopped else { return nil }
        let source = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        let isExpected = source.map { ip in peers.contains { $0.ways.leads(to: ip) } } ?? false
        let (id, evicted) = slots.admit(source: source, isExpected: isExpected)
        connected[id] = channel
        for id in evicted { connected.removeValue(forKey: id)?.close(promise: nil) }
        return id
    }

    /// Whether there is a place for one that knows the key.
    func prove(_ id: UInt64) -> Bool { slots.prove(id) }

    func dismiss(_ id: UInt64) {
        slots.leave(id)
        connected[id] = nil
    }
}
