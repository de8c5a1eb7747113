import Primitives

/// What an operator asks of the cluster; any node takes it and carries it to the leader.
package enum OperatorRequest: Hashable, Sendable {
    case status
    case drain(DrainRequest)
    case abortDrain(who: String)
    case undrain(node: String, who: String)
    case switchover(seat: String, to: String?, dryRun: Bool, who: String)
    /// The zone as the leader last read it, what it should be, and the difference.
    case zone
    /// Reconcile the zone now; `adopt` takes over a zone last written by a cluster with this name but another life.
    case zoneApply(adopt: Bool, who: String)
    case playbook(PlaybookRequest)
    /// A node that is gone for good leaves membership and status.
    case forget(node: String, who: String)
    /// Certificates for the name that are not newer than this moment count no more, whoever has them and whether or not
    /// the node is heard, or a member.
    case revoke(node: String, who: String)
    /// Everything that the FreeSWITCH of the node that is asked serves goes elsewhere, as it is about to be stopped. The node itself
    /// sees to that, as long as it is asked again; no other takes it.
    case vacate(who: String)
    /// These voters are lost for good, and with them every majority: those that are left decide without them.
    case recoverQuorum(lost: [String], dryRun: Bool, who: String)
    /// Of a kind that only a later release knows: answered with that.
    case unknown(String)
}

package struct DrainRequest: Hashable, Sendable, Codable {
    /// A seat, or the node that holds one.
    package var target: String
    /// Nil waits for ever.
    package var deadline: Duration?
    package var onDeadline: Drain.OnDeadline
    package var reason: String
    package var dryRun: Bool
    /// `user@host` of the terminal.
    package var who: String
    /// Goes on in spite of what only an operator can weigh: a thin quorum, too small a slave.
    package var force: Bool
    /// How long the node stays in maintenance at most; nil is until `undrain`.
    package var returnAfter: Duration?

    package init(
        target: String, deadline: Duration?, onDeadline: Drain.OnDeadline, reason: String, dryRun: Bool,
        who: String, force: Bool = false, returnAfter: Duration? = nil
    ) {
        self.target = target
        self.deadline = deadline
        self.onDeadline = onDeadline
        self.reason = reason
        self.dryRun = dryRun
        self.who = who
        self.force = force
        self.returnAfter = returnAfter
    }
}

package enum OperatorReply: Hashable, Sendable {
    case status(StatusReport)
    /// Committed at this epoch; one line per thing that will happen.
    case accepted(Epoch, [String])
    /// The steps a dry run found, each with its reason.
    case plan([String])
    /// Nothing changed; every reason.
    case refused([String])
    case zone(ZoneReport)
    /// No leader could be reached in time.
    case unavailable(String)
    case playbooks(PlaybookReport)
}
