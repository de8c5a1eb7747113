import Cluster
import Primitives

/// What must be true of playbooks in every world.
struct PlaybookJudge: Sendable {
    private struct Deed: Hashable {
        var run: Epoch
        var step: Int
        var isUndoing: Bool
    }
    private struct Left: Hashable {
        var node: String
        var maintenance: Maintenance
    }

    /// Looked up, never iterated.
    private var deeds: Set<Deed> = []
    private(set) var executions = 0
    private(set) var finished = 0
    private var lastRun: Epoch?
    /// What the drains of the newest run left on nodes.
    private var left: [Left] = []
    private var considered: [ScheduledPlaybook] = []
    private var newestFinished: Epoch?

    /// Why this must not be; nil when it may.
    mutating func executed(_ context: PlaybookContext, by name: String) -> String? {
        executions += 1
        let deed = Deed(run: context.run, step: context.step, isUndoing: context.isUndoing)
        if deeds.insert(deed).inserted { return nil }
        return "\(name) executes step \(context.step) of \(context.run) a second time"
    }

    /// The first law each part of the state breaks.
    mutating func judge(_ state: ControlState) -> [(Law, String)] {
        var found: [(Law, String)] = []
        func object(_ law: Law, _ text: String) { found.append((law, text)) }
        judgeSchedules(state, object)
        judgeEnds(state, object)
        guard let run = state.playbooks.run else {
            lastRun = nil
            return found
        }
        if lastRun != run.id {
            if let lastRun, !state.playbooks.finished.contains(where: { $0.id == lastRun }) {
                object(.oneRun, "\(run.id) runs and \(lastRun) has no end")
            }
            lastRun = run.id
            left = []
        }
        for step in run.steps {
            guard let drained = step.traces.drained, let maintenance = drained.maintenance else { continue }
            let new = Left(node: drained.node.name, maintenance: maintenance)
            if !left.contains(new) { left.append(new) }
        }
        return found
    }

    private mutating func judgeSchedules(_ state: ControlState, _ object: (Law, String) -> Void) {
        for schedule in state.playbooks.schedules {
            if let known = considered.first(where: { $0.id == schedule.id }),
                schedule.considered < known.considered
            {
                object(.considered, "\(schedule.playbook.name) goes back to \(schedule.considered.text)")
            }
        }
        considered = state.playbooks.schedules
    }

    private mutating func judgeEnds(_ state: ControlState, _ object: (Law, String) -> Void) {
        guard let newest = state.playbooks.finished.last, newest.id != newestFinished else { return }
        newestFinished = newest.id
        finished += 1
        guard case .rolledBack = newest.outcome else { return }
        // A run that was undone in part may have left one, which goes on ending itself.
        if state.playbooks.run == nil, let drain = state.drain, drain.owner == newest.who,
            drain.began >= newest.began
        {
            object(.rolledBack, "\(newest.name) was rolled back and its drain of \(drain.seat) is left")
        }
        // States between two that a node applied at once are not seen, so these may be of an earlier run.
        guard lastRun == newest.id || lastRun == nil else { return }
        for left in left where state.member(left.node)?.maintenance == left.maintenance {
            object(.rolledBack, "\(newest.name) was rolled back and \(left.node) is in maintenance by it")
        }
    }
}
