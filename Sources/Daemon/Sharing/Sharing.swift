import Cluster
import Config
import ControlProtocol
import EventSocket
import NIOCore
import PeerProtocol
import Primitives
import Switch

/// What nodes share so that no shared database exists: calls, registrations and limits, between this machine's switch,
/// our services beside it, and the other nodes.
///
/// Everything in it happens on one event loop; from other threads it is only told things.
final class Sharing: Sendable {
    /// What it is made of, and for whom it works.
    struct Parts: Sendable {
        var loop: any EventLoop
        var me: Holder
        var key: ClusterKey
        /// Whom replica links are made with; by the key alone without it.
        var trust: LinkTrust?
        var section: SwitchSection
        /// Texts of the password files.
        var passwords: Passwords
        var limitRules: LimitRules
        /// This program and its control socket, for the console.
        var program: String
        var controlPath: String
        /// Nodes the cluster file names, in its order.
        var nodes: [String]
        var log: EventLog
        var journal: EventJournal
        /// How held addresses are asked by SIP.
        var asking = Asking()
        /// Of what became of calls.
        var historyPath: String
        /// What the node must know of the switch.
        var report: @Sendable (SwitchReport) -> Void
        /// How long calls nobody could revive are waited for.
        var recoveryPatience = RecoveryRun.Settings().patience
        /// Between two rehearsals of a recovery.
        var rehearsalInterval: Duration = .seconds(10)
        /// What operators should read: a link that is missing.
        var tell: @Sendable (ClusterEvent) -> Void = { _ in }
    }

    struct Asking: Sendable {
        /// Between two questions at one address.
        var interval: Duration = .milliseconds(250)
        /// How long the addresses of other nodes are unanswered before they count as unserved.
        var patience: Duration = .seconds(1)
        /// Whether the addresses of other nodes are asked at all, and who answers for them by ARP and neighbour discovery:
        /// not on loopback, where every machine has them all and its own switch would answer.
        var watchesNetwork = false
    }

    struct Passwords: Sendable {
        var freeswitch = ""
        var eventSocket = ""
        /// Of our own event socket, for looking only; empty for none.
        var eventSocketLook = ""
        var limitService = ""
    }

    private let loop: any EventLoop
    private let core: NIOLoopBound<SharingCore>
    private let watch: MissingLinkWatch

    /// - Throws: `ServiceFailure` when the cluster key is of no use.
    init(_ parts: Parts) throws(ServiceFailure) {
        loop = parts.loop
        do {
            (core, watch) = try parts.loop.submit {
                let core = try SharingCore(parts)
                return (NIOLoopBound(core, eventLoop: parts.loop), core.links.watch)
            }.wait()
        } catch let failure as ServiceFailure {
            throw failure
        } catch {
            throw ServiceFailure("what nodes share cannot be kept: \(error)")
        }
    }

    // MARK: - From any thread

    func start() { loop.execute { [core] in core.value.start() } }

    /// How the cluster stands now.
    func surveyed(_ survey: Survey) { loop.execute { [core] in core.value.surveyed(survey) } }

    /// Introduces this node as that start of itself from now on.
    func become(_ me: Holder) { loop.execute { [core] in core.value.become(me) } }

    /// A new heartbeat of that node was opened; replica links are one port higher.
    func heard(_ sighting: PeerSighting) {
        var sighting = sighting
        sighting.ways = sighting.ways.compactMap { way in
            guard let remote = way.remote.replicaPort, let local = way.local.replicaPort else { return nil }
            return PeerWay(remote: remote, local: local)
        }
        loop.execute { [core, sighting] in core.value.links.heard(sighting) }
    }

    /// Replica links of these are closed, and made anew when the other ends prove themselves.
    func prove(_ stale: LinkTrust.Stale) { loop.execute { [core] in core.value.links.prove(stale) } }

    /// Which replica links are missing; may be asked from any thread.
    var linkWatch: MissingLinkWatch { watch }

    /// Heartbeats are heard at exactly these, so replica links are listened for beside them.
    func listen(at endpoints: [Endpoint]) {
        let ports = endpoints.compactMap(\.replicaPort)
        loop.execute { [core] in core.value.links.listen(at: ports) }
    }

    /// What the cluster saw or decided, for the event sockets.
    func publish(_ event: ClusterEvent) { loop.execute { [core] in core.value.publish(event) } }

    func lines(_ kind: SharedKind, _ tell: @escaping @Sendable ([SharedPart]) -> Void) {
        loop.execute { [core] in core.value.lines(kind, tell) }
    }

    /// Whether the switch here was told of every registration this node knows.
    func registrationsConverged(_ tell: @escaping @Sendable (CheckResult) -> Void) {
        loop.execute { [core] in tell(core.value.registrationsConverged()) }
    }

    /// Ends everything; what is under way in the switch goes on there.
    func stop() {
        try? loop.submit { [core] in core.value.stop() }.wait()
    }
}

extension Endpoint {
    /// Where the replica links of whoever is here are; nil for the last port there is.
    fileprivate var replicaPort: Endpoint? {
        port == .max ? nil : Endpoint(ip: ip, port: port + 1)
    }
}
