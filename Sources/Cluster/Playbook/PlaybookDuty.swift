import Consensus
import Primitives

/// What a node remembers of playbooks and nobody agreed on: what it executes, what it was told, what the calendar says.
struct PlaybookDuty: Hashable, Sendable {
    /// Something this process began, by the life it had then.
    struct Started: Hashable, Sendable {
        var id: StepID
        var by: Holder
        var isStopped = false
    }
    /// A check this node looks at again and again.
    struct Looking: Hashable, Sendable {
        var id: StepID
        var next: Instant
        /// Asked and not answered yet, since then.
        var asked: Instant?
    }
    struct Seen: Hashable, Sendable {
        var id: StepID
        var by: MemberID
        var result: CheckResult
        var at: Instant
    }
    /// Somebody wants to run a playbook by hand, and its window is being looked up.
    struct Asked: Hashable, Sendable {
        var number: UInt64
        var playbook: Playbook
        var who: String
        var dryRun: Bool
        var asker: PendingRequests.Asker
        var since: Instant
    }
    struct Wait: Hashable, Sendable {
        var step: Int
        var reason: String
    }
    struct Uneasiness: Hashable, Sendable {
        var reason: String
        var since: Instant
    }

    var reading: CalendarReading?
    var readAt: Instant?
    /// The questions the calendar was last given.
    var told: [CalendarQuestion] = []
    var asked: [Asked] = []
    var nextNumber: UInt64 = 1
    var started: [Started] = []
    /// What ended here and is not agreed yet.
    var ended: [StepNotice] = []
    var nextTelling: Instant?
    var looking: [Looking] = []
    /// Leader: what others say.
    var heard: [StepNotice] = []
    var seen: [Seen] = []
    /// Leader: what steps under way wait for.
    var waits: [Wait] = []
    var uneasiness: Uneasiness?
    /// Number of the newest entry of the audit trail that was told.
    var auditTold: UInt64 = 0

    mutating func hear(_ notice: StepNotice, at now: Instant) {
        switch notice.body {
        case .ended(var outcome):
            guard !heard.contains(where: { $0.id == notice.id }) else { return }
            if heard.count >= ClusterLimits.nodes { heard.removeFirst() }
            outcome.output = outcome.output.tail(of: PlaybookLimits.stepOutput)
            heard.append(StepNotice(id: notice.id, from: notice.from, body: .ended(outcome)))
        case .checked(let result):
            seen.removeAll { $0.id.run != notice.id.run || $0.id == notice.id && $0.by == notice.from.member }
            if seen.count >= 2 * ClusterLimits.nodes { seen.removeFirst() }
            seen.append(Seen(id: notice.id, by: notice.from.member, result: result, at: now))
        }
    }

    /// Forgets what belongs to no step under way.
    mutating func forget(besides run: PlaybookRun?) {
        let isOpen = { (id: StepID) in run?.place(of: id) != nil }
        ended.removeAll { !isOpen($0.id) }
        heard.removeAll { !isOpen($0.id) }
        looking.removeAll { !isOpen($0.id) }
        seen.removeAll { !isOpen($0.id) }
        started.removeAll { $0.id.run != run?.id }
        if run == nil {
            waits = []
            uneasiness = nil
        }
    }

    func outcome(of id: StepID) -> StepOutcome? {
        for notice in heard where notice.id == id {
            if case .ended(let outcome) = notice.body { return outcome }
        }
        return nil
    }
}
