import Cluster
import Consensus
import NIOCore
import NIOPosix
import PeerProtocol
import Primitives

/// The TCP links to all other nodes: one going out to each, used to send; those coming in, used to receive.
///
/// Nobody is listed: whoever's sealed heartbeats are heard is called where these say (`PeerSighting`). Every stage of a
/// link has a deadline, at both ends, so that nobody can hold a place by silence.
final class PeerLinks: Sendable {
    /// One frame that waits for its link.
    struct Waiting {
        var bytes: [UInt8]
        /// Consensus sends again what is lost; everything else is worth more.
        var mayBeDropped: Bool
    }

    /// A link that is being made.
    struct Attempt {
        var number: UInt64
        var way: PeerWay
        /// Nil until the system has made the socket.
        var channel: (any Channel)?
        /// Ends the attempt, however far it has come.
        var deadline: Scheduled<Void>
    }

    enum Link {
        case idle
        case dialing(Attempt)
        case ready(number: UInt64, way: PeerWay, any Channel)
    }

    struct Peer {
        var member: MemberID
        /// The newest start heard of it; a link to an older one is closed.
        var incarnation: UInt64
        var ways = PeerWays()
        /// The last heartbeat of it that counts; nil when there was none.
        var heardAt: NIODeadline?
        /// The last heartbeat in its name that nothing vouches for; nil when there was none.
        var hintedAt: NIODeadline?
        var link = Link.idle
        var dialAt = NIODeadline.uptimeNanoseconds(0)
        var backOff = PeerLinks.firstBackOff
        /// The link that stands is by the key alone although there are certificates.
        var isPlain = false
        var waiting: [Waiting] = []
        var waitingBytes = 0
        /// When it was heard last, or somebody in its name.
        var saidAt: NIODeadline { max(heardAt ?? .distantPast, hintedAt ?? .distantPast) }
    }

    struct State {
        var me: Holder
        var peers: [Peer] = []
        var listeners: [(endpoint: Endpoint, channel: (any Channel)?)] = []
        var incoming: [(member: MemberID, channel: any Channel)] = []
        var slots = ConnectionSlots(PeerLinks.places)
        /// By their numbers in `slots`.
        var connected: [UInt64: any Channel] = [:]
        var dropped: UInt64 = 0
        var isStopped = false
        var attempts: UInt64 = 0
        /// With whom links stood when that was told last.
        var standing: [MemberID] = []
    }

    static let firstBackOff: TimeAmount = .milliseconds(20)
    static let longestBackOff: TimeAmount = .seconds(1)
    /// A peer not heard for so long is not dialed.
    static let silence: TimeAmount = .seconds(1)
    /// A link to a peer that comes back after so long is made anew rather than waited for: TCP repeats what was lost
    /// ever more slowly.
    static let stall: TimeAmount = .milliseconds(500)
    static let waitingLimit = 256
    static let waitingBytesLimit = 2 * FrameLimits.peerFrame
    static let peerLimit = 2 * ClusterLimits.nodes
    /// Of them, those whose name is all that is known: somebody may have made it up.
    static let hintLimit = ClusterLimits.nodes
    /// A node has one link to each other one, and one more while it is made anew.
    static let places = ConnectionSlots.Limits(
        strangers: 2 * ClusterLimits.nodes, perSource: 4, proven: 4 * ClusterLimits.nodes)
    /// For TCP, TLS and hello together, at either end.
    static let patience: TimeAmount = .seconds(3)
    /// tcp(7) TCP_USER_TIMEOUT, in milliseconds: unacknowledged for so long, a link is dead.
    static let userTimeout = 1000

    let cluster: String
    let log: EventLog
    let loop: any EventLoop
    let trust: LinkTrust
    let patience: TimeAmount
    private let deliver: @Sendable (PeerMessage, MemberID) -> Void
    /// The key of this node's heartbeats; nil where it has no certificate that could vouch for it.
    private let voucher: HeartbeatVoucher?
    private let vouch: @Sendable (HeartbeatVouch) -> Void
    let state: NIOLoopBoundBox<State>
    /// Which links are missing; may be asked from any thread.
    let watch: MissingLinkWatch

    /// - Parameters:
    ///   - trust: whom links are made with; by the key alone without it.
    ///   - patience: how long a link may take until both ends know each other.
    ///   - voucher: the key of this node's heartbeats, told over every link that both ends' certificates vouch for.
    ///   - report: gets an event when a link is missing for long, and when it is back.
    ///   - vouch: gets the keys that others tell.
    ///   - deliver: gets every message a peer sent, with who sent it.
    /// - Throws: `ServiceFailure` when the TLS library refuses the key.
    init(
        loop: any EventLoop, key: ClusterKey, me: Holder, log: EventLog, trust: LinkTrust? = nil,
        patience: TimeAmount = PeerLinks.patience, voucher: HeartbeatVoucher? = nil,
        report: @escaping @Sendable (ClusterEvent) -> Void = { _ in },
        vouch: @escaping @Sendable (HeartbeatVouch) -> Void = { _ in },
        deliver: @escaping @Sendable (PeerMessage, MemberID) -> Void
    ) throws(ServiceFailure) {
        self.loop = loop
        cluster = key.cluster
        self.log = log
        self.patience = patience
        self.deliver = deliver
        self.voucher = voucher
        self.vouch = vouch
        watch = MissingLinkWatch(
            kind: "link",
            consequence:
                "no decision reaches it this way; see that TCP passes between the nodes' ring addresses",
            report: report)
        state = NIOLoopBoundBox.makeBoxSendingValue(State(me: me), eventLoop: loop)
        if let trust { self.trust = trust } else { self.trust = try LinkTrust(key, log: log) }
    }

    // MARK: - From any thread

    /// Introduces this node as that start of itself from now on.
    func become(_ me: Holder) { loop.execute { self.state.value.me = me } }

    /// Sends when the link stands; kept for a while when it does not.
    func send(_ message: PeerMessage, to member: MemberID) {
        loop.execute { self.submit(message, to: member) }
    }

    /// A new heartbeat of that node was opened.
    func heard(_ sighting: PeerSighting) { loop.execute { self.note(sighting) } }

    /// A heartbeat in that node's name was opened, and nothing vouches for it.
    func hinted(_ sighting: PeerSighting) { loop.execute { self.hint(sighting) } }

    /// Links of these are closed, and made anew when the other ends prove themselves.
    func prove(_ stale: LinkTrust.Stale) { loop.execute { self.end(stale) } }

    /// Listens at exactly these, from now on.
    func listen(at endpoints: [Endpoint]) { loop.execute { self.reconcile(endpoints) } }

    /// Tells with whom a link stands, whoever made it, when that is not what was told last.
    func standing(_ tell: @escaping @Sendable ([MemberID]) -> Void) {
        loop.execute {
            var members = Set(self.state.value.incoming.map(\.member))
            for peer in self.state.value.peers {
                if case .ready = peer.link { members.insert(peer.member) }
            }
            guard members.sorted() != self.state.value.standing else { return }
            self.state.value.standing = members.sorted()
            tell(members.sorted())
        }
    }

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
            for channel in self.state.value.connected.values { channel.close(promise: nil) }
            for place in self.state.value.peers.indices { self.cut(place) }
        }
        try? closing.wait()
    }

    func receive(_ message: PeerMessage, from member: MemberID) { deliver(message, member) }

    /// As whom this node introduces itself.
    var member: MemberID { state.value.me.member }

    /// What this end says of itself to one that proved that.
    func hello(to proven: LinkProven) -> PeerFrame {
        let isVouched = proven.readsVouchers && proven.certificate != nil
        return .hello(
            PeerHello(cluster: cluster, holder: state.value.me, voucher: isVouched ? voucher : nil))
    }

    /// What the other end, which is believed to be that node, tells of the key of its heartbeats.
    func learn(_ hello: PeerHello, _ proven: LinkProven) {
        if let told = HeartbeatVouch(hello, proven) { vouch(told) }
    }
}

extension Endpoint {
    init?(_ address: SocketAddress) {
        guard let text = address.ipAddress, let ip = IPAddress(text), let port = address.port,
            let number = UInt16(exactly: port)
        else { return nil }
        self.init(ip: ip, port: number)
    }
}
