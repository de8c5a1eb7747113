import Cluster
import EventSocket
import Primitives

/// The cluster's story in FreeSWITCH's words: `CUSTOM` events that any event-socket client understands.
///
/// Each event of the cluster becomes one of a subclass `fsdns::…`. Some become one of the `ha_cluster::…` subclasses besides, which
/// mod_ha_cluster (freeswitch-contrib, 2011) had planned, with its headers; each node tells its own takeovers and releases there,
/// all tell failures and starts. Its `heartbeat`, `random`, `limit_up`, `limit_down`, `register` and `unregister` have nothing here
/// that they could mean: limits and registrations are told by FreeSWITCH's own `limit::usage` and `sofia::…` events.
struct EventTranslation: Hashable, Sendable {
    /// The subclasses, for those who subscribe to all.
    static let subclasses = [
        "fsdns::node", "fsdns::seat", "fsdns::drain", "fsdns::failover", "fsdns::config", "fsdns::zone",
        "fsdns::playbook",
        "ha_cluster::startup", "ha_cluster::shutdown", "ha_cluster::failure", "ha_cluster::takeover",
        "ha_cluster::relinquish",
    ]
    /// Takeovers whose address may still have to come to this node.
    private static let remembered = 64

    private let node: String
    /// All, in the order of the cluster file: their places are the numbers that nodes had in the plan, from 1.
    var nodes: [String]
    private let priority: UInt32
    private var uuids: UUIDGenerator
    private var takeovers: [Epoch] = []

    /// - Parameter node: this one, which tells the events.
    init(node: String, nodes: [String] = [], seed: UInt64) {
        self.node = node
        self.nodes = nodes
        priority = UInt32(truncatingIfNeeded: seed) & 0x7FFF_FFFF
        uuids = UUIDGenerator(seed: seed)
    }

    /// The events to publish, not yet stamped.
    mutating func events(for event: ClusterEvent) -> [SwitchEvent] {
        let own = own(event)
        if event.kind == .takeover, let epoch = event.epoch {
            if takeovers.count == Self.remembered { takeovers.removeFirst() }
            takeovers.append(epoch)
        }
        guard let planned = planned(event) else { return [own] }
        return [own, planned]
    }

    /// That this node is about to stop, as the plan had it.
    mutating func shutdown() -> SwitchEvent {
        planned("shutdown", type: "SHUTDOWN", of: node, state: "STOPPING_MASTER", [])
    }

    /// What to say to a FreeSWITCH so that its own listeners see the same; it stamps the event itself.
    static func injection(of event: SwitchEvent) -> Command { .sendevent(event) }

    // MARK: - Ours

    private func own(_ event: ClusterEvent) -> SwitchEvent {
        SwitchEvent(
            headers: Headers(
                [
                    Headers.Field("Event-Subclass", "fsdns::\(Self.topic(of: event.kind))"),
                    Headers.Field("Event-Name", "CUSTOM"),
                ] + fields(event)))
    }

    private func fields(_ event: ClusterEvent) -> [Headers.Field] {
        var fields = [
            Headers.Field("fsdns-Node", node), Headers.Field("fsdns-Kind", event.kind.rawValue),
            Headers.Field("fsdns-Subject", Self.line(event.subject)),
            Headers.Field("fsdns-Text", Self.line(event.text)),
        ]
        if let epoch = event.epoch { fields.append(Headers.Field("fsdns-Epoch", "\(epoch)")) }
        return fields
    }

    static func topic(of kind: ClusterEvent.Kind) -> String {
        switch kind {
        case .nodeHeard, .nodeSilent, .nodeAdmitted, .nodeForgotten, .certificatesRevoked, .nodeFenced,
            .nodeRefused,
            .clusterFormed, .quorumRecovered, .leaderChanged,
            .leaseLost, .leaseWon, .asleep, .trouble:
            "node"
        case .addressHeld, .addressReleased, .addressFailed, .seatGranted, .seatMoving, .seatUncovered: "seat"
        case .takeover, .takeoverWithheld, .recovered, .callsEnded: "failover"
        case .drainPhase, .drainAborted, .drainFinished, .maintenance: "drain"
        case .playbookScheduled, .playbookStarted, .playbookProgress, .playbookStep, .playbookFinished,
            .playbookRolledBack, .playbookSkipped:
            "playbook"
        case .zoneUpdated, .zoneTrouble: "zone"
        case .configuration: "config"
        }
    }

    /// A header's value cannot have a line end (mod_event_socket.c takes headers line by line).
    private static func line(_ text: String) -> String {
        String(text.prefix(1000).map { $0.isNewline || $0 == "\0" ? " " : $0 })
    }

    // MARK: - The plan's

    private mutating func planned(_ event: ClusterEvent) -> SwitchEvent? {
        let fields = fields(event)
        switch event.kind {
        case .nodeAdmitted:
            return planned("startup", type: "STARTUP", of: event.subject, state: "STARTING", fields)
        case .nodeFenced:
            return planned("failure", type: "FAILURE", of: event.subject, state: "UNKNOWN", fields)
        case .addressHeld:
            // The grant of a takeover has the epoch of the takeover; one node is its holder and tells it.
            guard let epoch = event.epoch, takeovers.contains(epoch) else { return nil }
            return planned("takeover", type: "TAKEOVER", of: node, state: "MASTER", fields)
        case .addressReleased:
            return planned("relinquish", type: "RELINQUISH", of: node, state: "STOPPING_MASTER", fields)
        default: return nil
        }
    }

    private mutating func planned(
        _ name: String, type: String, of peer: String, state: String, _ fields: [Headers.Field]
    ) -> SwitchEvent {
        var headers = [
            Headers.Field("Event-Subclass", "ha_cluster::\(name)"), Headers.Field("Event-Name", "CUSTOM"),
            Headers.Field("HAC-Event-Type", "HAC_\(type)"), Headers.Field("HAC-Peer", Self.line(peer)),
        ]
        if let place = nodes.firstIndex(of: peer) {
            headers.append(Headers.Field("HAC-Node-ID", "\(place + 1)"))
        }
        if peer == node { headers.append(Headers.Field("HAC-Priority", "\(priority)")) }
        headers += [Headers.Field("State", state), Headers.Field("HAC-Event-UUID", uuids.next())]
        return SwitchEvent(headers: Headers(headers + fields))
    }
}
