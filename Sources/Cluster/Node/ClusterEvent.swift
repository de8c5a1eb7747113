import Primitives

/// One line of the cluster's story: what was seen or decided, why, and at which epoch.
package struct ClusterEvent: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case nodeHeard = "node-heard"
        case nodeSilent = "node-silent"
        case nodeAdmitted = "node-admitted"
        case nodeFenced = "node-fenced"
        case nodeRefused = "node-refused"
        case nodeForgotten = "node-forgotten"
        case certificatesRevoked = "certificates-revoked"
        case clusterFormed = "cluster-formed"
        case quorumRecovered = "quorum-recovered"
        case leaderChanged = "leader-changed"
        case leaseLost = "lease-lost"
        case leaseWon = "lease-won"
        case addressHeld = "address-held"
        case addressReleased = "address-released"
        case addressFailed = "address-failed"
        case seatGranted = "seat-granted"
        case seatMoving = "seat-moving"
        case seatUncovered = "seat-uncovered"
        case takeover
        case takeoverWithheld = "takeover-withheld"
        case drainPhase = "drain-phase"
        case drainAborted = "drain-aborted"
        case drainFinished = "drain-finished"
        case maintenance
        case zoneUpdated = "zone-updated"
        case zoneTrouble = "zone-trouble"
        case configuration
        /// What became of the calls of an address that came to another switch.
        case recovered
        /// Calls that nobody could revive were hung up before their address went elsewhere by plan.
        case callsEnded = "calls-ended"
        case asleep
        case trouble
        case playbookScheduled = "playbook-scheduled"
        case playbookStarted = "playbook-started"
        /// A step begins, or is given to a node.
        case playbookProgress = "playbook-progress"
        /// How a step ended, or why a run does not go on.
        case playbookStep = "playbook-step"
        case playbookFinished = "playbook-finished"
        case playbookRolledBack = "playbook-rolled-back"
        case playbookSkipped = "playbook-skipped"
    }
    package var kind: Kind
    /// The node, seat, address or zone it is about.
    package var subject: String
    /// A sentence with the reason.
    package var text: String
    /// The decision behind it, when there is one.
    package var epoch: Epoch?

    package init(_ kind: Kind, _ subject: String, _ text: String, epoch: Epoch? = nil) {
        self.kind = kind
        self.subject = subject
        self.text = text
        self.epoch = epoch
    }
}
