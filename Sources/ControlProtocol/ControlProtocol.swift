import Cluster

/// What the command line asks a node over its UNIX socket: one JSON value a line, answered by JSON lines.
package struct ControlRequest: Hashable, Sendable, Codable {
    package enum Body: Hashable, Sendable, Codable {
        /// Answered by one `.reply`.
        case ask(OperatorRequest)
        /// Answered by one `.rings`.
        case rings
        /// Answered by the remembered `.event`s after `after` (0: all remembered) and, with `follow`, by every later
        /// one until the client hangs up; otherwise ended by `.end`.
        case events(follow: Bool, after: UInt64)
        /// Answered by `.shared` parts and `.end`, from this node's own copy.
        case shared(SharedKind)
    }
    /// Of this protocol; a node answers a version it does not know with `.failure`.
    package var version: Int
    package var body: Body
    /// When the client hangs up, by the boot-time clock of the machine that both are on, in nanoseconds: a node that stood
    /// still does not do later what its operator has given up. Nil waits for ever.
    package var until: Int64?

    package static let currentVersion = 1
    /// Longest request line, in bytes; a longer one is answered with `.failure` and closed.
    package static let maximumLength = 65_536

    package init(_ body: Body, until: Int64? = nil) {
        version = Self.currentVersion
        self.body = body
        self.until = until
    }
}

package enum ControlResponse: Hashable, Sendable, Codable {
    case reply(OperatorReply)
    case rings(RingsReport)
    case event(EventLine)
    case shared(SharedPart)
    case end
    case failure(String)
}

/// One remembered cluster event, as `fsdns events` prints it.
package struct EventLine: Hashable, Sendable, Codable {
    /// Counts the events of this node since it started, from 1.
    package var sequence: UInt64
    /// RFC 3339 wall time in UTC with milliseconds, for people.
    package var time: String
    /// The node that says it.
    package var node: String
    package var event: ClusterEvent

    package init(sequence: UInt64, time: String, node: String, event: ClusterEvent) {
        self.sequence = sequence
        self.time = time
        self.node = node
        self.event = event
    }
}

/// Every heartbeat path of one node, as `fsdns rings` prints it.
package struct RingsReport: Hashable, Sendable, Codable {
    package struct Path: Hashable, Sendable, Codable {
        package var peer: String
        /// Name of the network in the cluster file, or `unicast`.
        package var network: String
        package var local: String
        package var remote: String
        /// Heartbeats missing among the last ones, in per mille; nil before the first.
        package var lossPerMille: Int?
        /// Between two arrivals among the last ones, in milliseconds.
        package var gapMedianMs: Double?
        package var gapMaxMs: Double?
        package var lastHeardMs: Int?
        /// `no faults`, or what is wrong.
        package var condition: String
        /// When it was heard there last by each way; nil for never, and from a node that does not tell.
        package var multicastMs: Int?
        package var unicastMs: Int?
        /// Whether the ring has a group; nil from a node that does not tell.
        package var speaksMulticast: Bool?

        package init(
            peer: String, network: String, local: String, remote: String, lossPerMille: Int?,
            gapMedianMs: Double?, gapMaxMs: Double?, lastHeardMs: Int?, condition: String
        ) {
            self.peer = peer
            self.network = network
            self.local = local
            self.remote = remote
            self.lossPerMille = lossPerMille
            self.gapMedianMs = gapMedianMs
            self.gapMaxMs = gapMaxMs
            self.lastHeardMs = lastHeardMs
            self.condition = condition
        }
    }
    package var node: String
    package var paths: [Path]
    /// Frames dropped since the start, by reason, sorted by reason.
    package var dropped: [Count]
    /// What this process could not arm (real-time scheduling, locked memory, …), each a sentence.
    package var warnings: [String]

    /// The links to one peer, each `stands` or why it does not.
    package struct Link: Hashable, Sendable, Codable {
        package var peer: String
        /// By which decisions go.
        package var agreement: String?
        /// By which calls, registrations and limits are copied.
        package var replica: String?

        package init(peer: String, agreement: String?, replica: String?) {
            self.peer = peer
            self.agreement = agreement
            self.replica = replica
        }
    }
    /// Nil from a node that does not tell.
    package var links: [Link]?
    /// Those of the warnings that are about rings and links; nil from a node that does not tell.
    package var faults: [String]?

    package struct Count: Hashable, Sendable, Codable {
        package var reason: String
        package var count: UInt64

        package init(reason: String, count: UInt64) {
            self.reason = reason
            self.count = count
        }
    }

    package init(node: String, paths: [Path], dropped: [Count], warnings: [String]) {
        self.node = node
        self.paths = paths
        self.dropped = dropped
        self.warnings = warnings
    }
}
