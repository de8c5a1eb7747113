import Consensus
import Primitives

/// One look of a leader at the cluster: its plans propose what is missing, each on top of what was proposed before it.
///
/// Nothing is done meanwhile. What is collected here the node does afterwards, in the same order.
struct LeaderPass: Sendable {
    enum Step: Sendable {
        case propose(StampedCommand)
        case changeMembership(Membership)
        case report(ClusterEvent)
        case send(PeerMessage, to: MemberID)
    }

    let now: Instant
    let time: ClusterTime
    /// Only `leadership`, what the leader remembers until its next pass, changes on the way.
    var view: ClusterView
    /// The agreed state as it will be when everything proposed in this pass is agreed.
    private(set) var scratch: ControlState
    var duty: PlaybookDuty
    private(set) var steps: [Step] = []
    private var proposed: Index = 0

    init(_ view: ClusterView, duty: PlaybookDuty = PlaybookDuty()) {
        now = view.now
        time = view.time
        self.view = view
        self.duty = duty
        scratch = view.state
    }

    /// Everything a leader plans, in this order: what comes later builds on what was proposed before.
    mutating func plan() {
        confirmReleases()
        fenceTheLost()
        admit()
        activateConfiguration()
        raiseFormat()
        coverSeats()
        coverLeftCalls()
        relieve()
        relieveUnserved()
        advanceDrain()
        endMaintenance()
        advancePlaybooks()
        tendVoters()
    }

    /// Rehearses a command on the state; nil, and nothing is proposed, where it would be refused.
    ///
    /// - Returns: the place the command will have in the log.
    @discardableResult
    mutating func propose(_ command: ControlCommand) -> Epoch? {
        guard view.formatRefusal(of: command, in: scratch) == nil, proposed < view.agreement.room else {
            return nil
        }
        let stamped = StampedCommand(time: time, command: command, wall: view.wall)
        let epoch = Epoch(term: view.agreement.term, index: view.agreement.lastIndex + 1 + proposed)
        var next = scratch
        if next.apply(stamped, at: epoch).refusal != nil { return nil }
        scratch = next
        proposed += 1
        steps.append(.propose(stamped))
        return epoch
    }

    mutating func changeMembership(to wanted: Membership) { steps.append(.changeMembership(wanted)) }

    mutating func report(_ kind: ClusterEvent.Kind, _ subject: String, _ text: String) {
        steps.append(.report(ClusterEvent(kind, subject, text)))
    }

    mutating func send(_ message: PeerMessage, to member: MemberID) {
        steps.append(.send(message, to: member))
    }
}
