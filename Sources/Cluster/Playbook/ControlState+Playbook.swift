import Calendar
import Primitives

// Schedules and runs as agreed steps: each command checks that things still are where its sender thought.

extension ControlState {
    mutating func apply(_ command: PlaybookCommand, wall: WallTime?, at epoch: Epoch) -> Applied {
        switch command {
        case .schedule(let playbook, let who, let considered):
            return schedule(playbook, who: who, considered: considered, at: epoch)
        case .unschedule(let name, let who): return unschedule(name, who: who, at: epoch)
        case .consider(let id, let through, let reason):
            return consider(id, through: through, reason: reason, wall: wall, at: epoch)
        case .start(let start): return apply(start, wall: wall, at: epoch)
        case .abandon(let run, let reason, let undoes):
            guard let current = playbooks.run, current.id == run else { return .refused("that run is over") }
            if case .undoing = current.phase { return .refused("\(current.name) is being undone already") }
            if case .stopping = current.phase, !undoes {
                return .refused("\(current.name) is being stopped already")
            }
            return Applied(events: abandon(reason, undoes: undoes, at: epoch))
        case .finish(let run): return finish(run, wall: wall, at: epoch)
        case .begin, .assign, .drain, .rest, .undrain, .move, .lowerTTL, .outcome, .approve, .beginUndo:
            return applyToStep(command, at: epoch)
        case .unknown(let kind): return .unknown("playbook \(kind)")
        }
    }

    // MARK: - Schedules

    private mutating func schedule(
        _ playbook: Playbook, who: String, considered: WallTime, at epoch: Epoch
    ) -> Applied {
        guard playbook.schedule != nil else { return .refused("\(playbook.name) has no schedule") }
        let others = playbooks.schedules.filter { $0.playbook.name != playbook.name }
        guard others.count < PlaybookLimits.schedules else {
            return .refused("\(PlaybookLimits.schedules) schedules are the limit")
        }
        let new = ScheduledPlaybook(
            id: epoch, playbook: playbook, who: who, since: time, considered: considered)
        playbooks.schedules = (others + [new]).sorted { $0.playbook.name < $1.playbook.name }
        return .done(ClusterEvent(.playbookScheduled, playbook.name, "scheduled by \(who)", epoch: epoch))
    }

    private mutating func unschedule(_ name: String, who: String, at epoch: Epoch) -> Applied {
        guard let at = playbooks.schedules.firstIndex(where: { $0.playbook.name == name }) else {
            return .refused("no playbook \(name) is scheduled")
        }
        playbooks.schedules.remove(at: at)
        return .done(
            ClusterEvent(.playbookScheduled, name, "not scheduled any more, by \(who)", epoch: epoch))
    }

    /// Notes that due instants up to this one were looked at; what was due once is not kept.
    private mutating func advance(_ id: Epoch, to due: WallTime) -> ScheduledPlaybook? {
        guard let at = playbooks.schedules.firstIndex(where: { $0.id == id }),
            playbooks.schedules[at].considered < due
        else { return nil }
        playbooks.schedules[at].considered = due
        let schedule = playbooks.schedules[at]
        if case .once(let time) = schedule.playbook.schedule, time <= due {
            playbooks.schedules.remove(at: at)
        }
        return schedule
    }

    private mutating func consider(
        _ id: Epoch, through: WallTime, reason: String, wall: WallTime?, at epoch: Epoch
    ) -> Applied {
        guard let schedule = advance(id, to: through) else {
            return .refused("that due run was looked at already")
        }
        playbooks.keep(
            FinishedRun(
                id: epoch, name: schedule.playbook.name, who: schedule.who, due: through, began: time,
                ended: time, wall: wall, outcome: .skipped(reason.cut(to: PlaybookLimits.reason)), steps: []))
        return .done(
            ClusterEvent(
                .playbookSkipped, schedule.playbook.name, "not run, due at \(through.text): \(reason)",
                epoch: epoch))
    }

    // MARK: - The run

    private mutating func apply(_ start: PlaybookStart, wall: WallTime?, at epoch: Epoch) -> Applied {
        if let run = playbooks.run { return .refused("\(run.who) runs \(run.name) already") }
        var playbook = start.playbook
        if let id = start.schedule, let due = start.due {
            guard let schedule = playbooks.schedules.first(where: { $0.id == id }), schedule.considered < due
            else { return .refused("that due run was looked at already") }
            playbook = schedule.playbook
        }
        guard let playbook else { return .refused("there is no playbook to run") }
        let steps: [RunStep]
        do {
            steps = try playbook.expanded(in: self)
        } catch {
            return .refused("\(playbook.name) cannot run: \(error.reason)")
        }
        if let id = start.schedule, let due = start.due { _ = advance(id, to: due) }
        playbooks.run = PlaybookRun(
            id: epoch, name: playbook.name, summary: playbook.summary, who: start.who,
            schedule: start.schedule, due: start.due, began: time, wall: wall,
            until: start.remaining.map { time + $0 }, aborts: playbook.aborts, rollsBack: playbook.rollsBack,
            phase: .running, steps: steps)
        let cause =
            start.due.map { "due at \($0.text), scheduled by \(start.who)" } ?? "started by \(start.who)"
        return .done(
            ClusterEvent(
                .playbookStarted, playbook.name, "\(steps.count) steps, \(cause)", epoch: epoch))
    }

    /// No step begins any more: what cannot be half done is given up at once, the rest is waited for or undone.
    mutating func abandon(_ reason: String, undoes: Bool, at epoch: Epoch) -> [ClusterEvent] {
        guard var run = playbooks.run else { return [] }
        let reason = reason.cut(to: PlaybookLimits.reason)
        run.phase = undoes ? .undoing(reason) : .stopping(reason)
        for at in run.steps.indices {
            switch (run.steps[at].condition, run.steps[at].action) {
            case (.waiting, _): run.steps[at].condition = .skipped("the run ended before")
            case (.begun(let beginning), .run), (.begun(let beginning), .notify),
                (.begun(let beginning), .fail):
                // What a node executes is waited for: it was told to stop.
                if beginning.executor == nil { run.steps[at].condition = .skipped("nobody had begun it") }
            case (.begun, _):
                run.steps[at].condition =
                    run.steps[at].traces.isEmpty
                    ? .skipped("given up: \(reason)") : .failed("given up: \(reason)")
            default: break
            }
        }
        playbooks.run = run
        return [
            ClusterEvent(
                .playbookStep, run.name, undoes ? "is undone: \(reason)" : "stops: \(reason)", epoch: epoch)
        ]
    }

    private mutating func finish(_ id: Epoch, wall: WallTime?, at epoch: Epoch) -> Applied {
        guard let run = playbooks.run, run.id == id else { return .refused("that run is over") }
        guard !run.steps.contains(where: { $0.beginning != nil || $0.undoBeginning != nil }) else {
            return .refused("a step of \(run.name) is under way")
        }
        if run.nextToUndo != nil { return .refused("steps of \(run.name) are left to undo") }
        let outcome: FinishedRun.Outcome
        switch run.phase {
        case .running:
            guard run.steps.allSatisfy(\.isDone) else { return .refused("steps of \(run.name) are left") }
            outcome = .done
        case .undoing(let reason):
            let hasFailed = run.steps.contains { step in
                if case .failed = step.undoing { true } else { false }
            }
            outcome = hasFailed ? .rolledBackPartly(reason) : .rolledBack(reason)
        case .stopping(let reason):
            outcome = .failed(reason)
        }
        var restored: [ClusterEvent] = []
        // A lowered TTL is for the run only, however the run ends.
        if let lowered = run.steps.lazy.compactMap(\.traces.lowered).first, !lowered.isRestored {
            restored = setTTL(lowered.former, at: epoch).events
        }
        playbooks.run = nil
        playbooks.keep(FinishedRun(run, outcome, at: time, wall: wall))
        let kind: ClusterEvent.Kind
        switch outcome {
        case .rolledBack, .rolledBackPartly: kind = .playbookRolledBack
        default: kind = .playbookFinished
        }
        return Applied(events: restored + [ClusterEvent(kind, run.name, outcome.text, epoch: epoch)])
    }

    // MARK: - What happens to a run without a command of its own

    /// After every command: whether a drain of the run has ended, and whether a node failed that it did not fail.
    mutating func settleRun(after command: ControlCommand, at epoch: Epoch) -> [ClusterEvent] {
        guard let run = playbooks.run else { return [] }
        var events: [ClusterEvent] = []
        for at in run.steps.indices {
            guard let drained = run.steps[at].traces.drained, drained.isUnderWay else { continue }
            if let drain, drain.id == drained.drain {
                playbooks.run?.steps[at].traces.drained?.node = drain.from
                continue
            }
            let maintenance = member(drained.node.name)?.maintenance
            playbooks.run?.steps[at].traces.drained?.isUnderWay = false
            playbooks.run?.steps[at].traces.drained?.maintenance = maintenance
            if run.steps[at].undoBeginning != nil {
                events += settleUndo(at, maintenance, at: epoch)
                continue
            }
            guard let beginning = run.steps[at].beginning else { continue }
            let verdict: StepOutcome.Verdict =
                maintenance == nil ? .failed("the drain was undone, or its node went out") : .done(nil)
            events += end(at, beginning, StepOutcome(verdict), at: epoch)
        }
        if case .fence(let fence) = command, run.aborts.onNodeFailure, fence.basis != .left,
            member(fence.holder.name)?.standing == .fenced(fence.basis, epoch),
            !run.ownNodes(in: self).contains(fence.holder.name)
        {
            let reason = "\(fence.holder.name) failed: \(fence.sentence)"
            if playbooks.run?.isRunning == true {
                events += abandon(reason, undoes: run.rollsBack, at: epoch)
            }
        }
        return events
    }

    /// The drain that was being undone is over; when it came to its end instead, its node is to be undrained.
    private mutating func settleUndo(
        _ at: Int, _ maintenance: Maintenance?, at epoch: Epoch
    ) -> [ClusterEvent] {
        if maintenance == nil {
            return endUndo(at, StepOutcome(.done("the drain was undone")), at: epoch)
        }
        guard case .stopping = playbooks.run?.phase else { return [] }
        return endUndo(at, StepOutcome(.done("the drain had ended")), at: epoch)
    }
}

extension FinishedRun {
    init(_ run: PlaybookRun, _ outcome: Outcome, at time: ClusterTime, wall: WallTime?) {
        self.init(
            id: run.id, name: run.name, who: run.who, due: run.due, began: run.began, ended: time, wall: wall,
            outcome: outcome,
            steps: run.steps.map { step in
                Step(
                    line: step.line, title: step.action.title.cut(to: 80),
                    outcome: step.condition.text.cut(to: 160), undone: step.undoing?.text.cut(to: 160),
                    output: step.isDone ? "" : step.output.tail(of: PlaybookLimits.finishedOutput))
            })
    }
}

extension RunStep.Condition {
    /// For people.
    package var text: String {
        switch self {
        case .waiting: "waiting"
        case .begun: "under way"
        case .done(let note): "done" + (note.map { ": \($0)" } ?? "")
        case .failed(let reason): "failed: \(reason)"
        case .unknown(let reason): "unknown: \(reason)"
        case .skipped(let reason): "skipped: \(reason)"
        }
    }
}

extension RunStep.Undoing {
    /// For people.
    package var text: String {
        switch self {
        case .begun: "being undone"
        case .done(let note): "undone: \(note)"
        case .failed(let reason): "not undone: \(reason)"
        }
    }
}
