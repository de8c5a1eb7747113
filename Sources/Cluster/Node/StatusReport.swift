/// The cluster as one node sees it; the keys are those of `fsdns status --format json`.
package struct StatusReport: Hashable, Sendable, Codable {
    package struct Quorum: Hashable, Sendable, Codable {
        package var votes: Int
        package var needed: Int
        package var have: Int
    }
    package struct NodeLine: Hashable, Sendable, Codable {
        package var name: String
        package var role: Role
        /// In the slave list, from 1.
        package var position: Int?
        package var seat: String?
        /// IP texts of what its keeper holds.
        package var addresses: [String]
        /// `valid`, `expired`, `none`, or `unknown` where it is not heard and others may hear it.
        package var lease: String
        package var freeswitch: SwitchReport.Health
        package var calls: Int
        package var registrations: Int
        /// Nil for the reporting node itself and for nodes never heard.
        package var lastHeardMs: Int?
        package var voter: Bool
        package var incarnation: String
        /// Whether its cluster file differs from the agreed one.
        package var configurationDiffers: Bool
        package var note: String?
        /// Whether it could take any address now with its calls; nil from a node that does not tell.
        package var ready: Bool?
        /// Why it could not, each as part of a sentence; nil from a node that does not tell.
        package var blockers: [String]?
        /// Who hears it, where the reporting node does not; nil where that one does, and from a node that does not tell.
        package var heardBy: [HearingLine]?
        /// Name of its release; nil where it does not tell, and from a node that does not tell.
        package var release: String?
        /// The newest format of what is agreed that its release reads; nil while it was not heard, and from a node that does
        /// not tell.
        package var newestFormat: Int?
    }
    /// Somebody who hears a node that the reporting node does not hear.
    package struct HearingLine: Hashable, Sendable, Codable {
        package var node: String
        /// Since it heard it last.
        package var ms: Int

        package init(node: String, ms: Int) {
            self.node = node
            self.ms = ms
        }
    }
    package struct SeatLine: Hashable, Sendable, Codable {
        package enum State: String, Hashable, Sendable, Codable {
            case active, draining, moving, uncovered
        }
        package var name: String
        package var address: String
        package var addressName: String
        package var holder: String?
        package var state: State
        package var published: Bool
        /// False where nobody who could be asked knows what the servers say; nil from a node that does not tell.
        package var isPublicationKnown: Bool?
        package var epoch: String?
        /// Why callers are served by nobody there, or nobody can take it; nil when nothing is wrong.
        package var trouble: String?
        /// What others see who ask the address by SIP; nil from a node that does not tell.
        package var seen: [SightLine]?
        /// Who hears the holder where `unheardBy` does not: the state is known by their words.
        package var heardBy: [String]?
        /// Whose view this is, when that node does not hear the holder.
        package var unheardBy: String?
        /// False where that node cannot know whether the seat is held; nil from a node that does not tell.
        package var isStateKnown: Bool?
    }
    package struct SightLine: Hashable, Sendable, Codable {
        package enum Verdict: String, Hashable, Sendable, Codable {
            case served, silent, refused
        }
        /// Who asks.
        package var node: String
        package var verdict: Verdict
        /// Hardware address that answers for it in the asker's network.
        package var station: String?

        package init(node: String, verdict: Verdict, station: String? = nil) {
            self.node = node
            self.verdict = verdict
            self.station = station
        }
    }
    package struct MaintenanceLine: Hashable, Sendable, Codable {
        package var addresses: [String]
        package var drain: DrainLine?
        /// Their names in the cluster file, in the same order; nil from a node that does not tell.
        package var names: [String]?
    }
    package struct DrainLine: Hashable, Sendable, Codable {
        package var seat: String
        package var from: String
        package var to: String
        package var phase: Drain.Phase
        package var oldAddress: String
        package var newAddress: String
        package var callsLeft: Int
        package var registrationsLeft: Int
        /// Seconds until the deadline; nil when there is none. The command line turns it into wall time.
        package var deadlineSeconds: Int?
        package var onDeadline: Drain.OnDeadline
        package var owner: String
        package var reason: String
        /// What the phase waits for.
        package var waitingFor: String?
        /// Of the calls left, how many another switch could revive now.
        package var recoverable: Int?
        /// Calls that leave in a minute, as seen so far.
        package var callsPerMinute: Double?
        /// Until the last call has left, at this pace.
        package var estimateSeconds: Int?
        /// Since the last call left.
        package var standstillSeconds: Int?
        /// In this phase.
        package var phaseSeconds: Int?
        /// How long after its end the node comes back by itself; nil for not at all.
        package var returnAfterSeconds: Int?
        /// The decision that began the drain.
        package var drain: String?
    }
    package struct DNSLine: Hashable, Sendable, Codable {
        package struct Server: Hashable, Sendable, Codable {
            package var address: String
            package var serial: UInt32?
            package var converged: Bool
            package var problem: String?
        }
        package var zone: String
        package var converged: Bool
        package var epoch: String?
        package var servers: [Server]
        package var problem: String?
        /// The cluster file's, in seconds; nil from a node that does not tell.
        package var ttl: Int?
    }
    /// A way between nodes that carries nothing while others do.
    package struct PathLine: Hashable, Sendable, Codable {
        /// Who notices it.
        package var node: String
        /// `link`, `replica-link`, `multicast`, `unicast`, `ring` or `loss`.
        package var kind: String
        /// Empty for links.
        package var ring: String
        package var peers: [String]
    }
    package var cluster: String
    package var node: String
    package var leader: String?
    package var term: UInt64
    package var epoch: String
    package var quorum: Quorum
    package var nodes: [NodeLine]
    package var seats: [SeatLine]
    package var maintenance: MaintenanceLine
    /// Nil without a zone, or when the leader could not be asked.
    package var dns: DNSLine?
    /// What needs attention, each a sentence.
    package var warnings: [String]
    /// Why the cluster is not formed yet; nil when it is.
    package var forming: String?
    /// Nil when no playbook runs.
    package var playbook: PlaybookLine?
    /// Nil from a leader that does not tell; `warnings` has a sentence for each.
    package var paths: [PathLine]?
    /// The format that is agreed on; nil before there is a cluster, and from a node that does not tell.
    package var format: Int?
}
