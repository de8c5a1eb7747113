import Primitives

// The steps of a run: begun, executed, ended, undone.

extension ControlState {
    mutating func applyToStep(_ command: PlaybookCommand, at epoch: Epoch) -> Applied {
        switch command {
        case .begin(let run, let step): return begin(step, of: run, at: epoch)
        case .approve(let run, let step, let who): return approve(step, of: run, who: who, at: epoch)
        case .beginUndo(let run, let step): return beginUndo(step, of: run, at: epoch)
        case .assign(let id, let holder): return assign(id, holder, at: epoch)
        case .outcome(let id, let outcome):
            guard let at = playbooks.run?.place(of: id), let run = playbooks.run else { return Self.isOver }
            if let beginning = run.steps[at].undoBeginning, beginning.epoch == id.begun {
                return Applied(events: endUndo(at, outcome, at: epoch))
            }
            guard let beginning = run.steps[at].beginning else { return Self.isOver }
            return Applied(events: end(at, beginning, outcome, at: epoch))
        case .drain(let id, let drain): return begin(drain, for: id, at: epoch)
        case .rest(let id, let holder, let reason): return rest(holder, reason, for: id, at: epoch)
        case .undrain(let id): return undrain(for: id, at: epoch)
        case .move(let id, let move): return apply(move, for: id, at: epoch)
        case .lowerTTL(let id): return changeTTL(for: id, at: epoch)
        case .schedule, .unschedule, .consider, .start, .abandon, .finish, .unknown: return Self.isOver
        }
    }

    private static let isOver = Applied.refused("that step is not under way")

    private func event(
        _ at: Int, _ text: String, _ epoch: Epoch, kind: ClusterEvent.Kind = .playbookStep
    ) -> ClusterEvent {
        let run = playbooks.run
        let title = run?.steps[at].action.title ?? ""
        return ClusterEvent(
            kind, run?.name ?? "", "step \(at + 1) of \(run?.steps.count ?? 0), \(title): \(text)",
            epoch: epoch)
    }

    // MARK: - Doing

    private mutating func begin(_ at: Int, of id: Epoch, at epoch: Epoch) -> Applied {
        guard let run = playbooks.run, run.id == id, run.isRunning, run.steps.indices.contains(at),
            run.isReady(at, at: time)
        else { return .refused("that step cannot begin now") }
        let node = run.drainedNode(for: at)
        let step = run.steps[at]
        let beginning = RunStep.Beginning(epoch: epoch, time: time, executor: nil)
        playbooks.run?.steps[at].condition = .begun(beginning)
        if node == nil, step.action.holdsNode || step.undo?.holdsNode == true {
            let outcome = StepOutcome(
                .failed("no drain of this run has put a node into maintenance before it"))
            return Applied(events: end(at, beginning, outcome, at: epoch))
        }
        playbooks.run?.steps[at].action = step.action.replacing("${node}", with: node)
        playbooks.run?.steps[at].undo = step.undo?.replacing("${node}", with: node)
        return .done(event(at, "begins", epoch, kind: .playbookProgress))
    }

    private mutating func assign(_ id: StepID, _ holder: Holder, at epoch: Epoch) -> Applied {
        guard let run = playbooks.run, let at = run.place(of: id), run.steps[at].executorName != nil else {
            return Self.isOver
        }
        guard isActive(holder) else { return .refused("\(holder) is not active") }
        if var beginning = run.steps[at].undoBeginning {
            guard beginning.executor == nil else { return .refused("somebody executes it already") }
            beginning.executor = holder
            playbooks.run?.steps[at].undoing = .begun(beginning)
        } else if var beginning = run.steps[at].beginning, run.isRunning {
            guard beginning.executor == nil else { return .refused("somebody executes it already") }
            beginning.executor = holder
            playbooks.run?.steps[at].condition = .begun(beginning)
        } else {
            return Self.isOver
        }
        return .done(event(at, "is given to \(holder.name)", epoch, kind: .playbookProgress))
    }

    private mutating func approve(_ at: Int, of id: Epoch, who: String, at epoch: Epoch) -> Applied {
        guard let run = playbooks.run, run.id == id, run.steps.indices.contains(at),
            case .approve = run.steps[at].action, let beginning = run.steps[at].beginning
        else { return .refused("nothing waits for approval") }
        return Applied(events: end(at, beginning, StepOutcome(.done("approved by \(who)")), at: epoch))
    }

    mutating func end(
        _ at: Int, _ beginning: RunStep.Beginning, _ outcome: StepOutcome, at epoch: Epoch
    ) -> [ClusterEvent] {
        guard let run = playbooks.run else { return [] }
        keepOutput(outcome.output, at)
        var verdict = outcome.verdict
        if case .notify = run.steps[at].action {
            // Nobody wants an upgrade undone because a pager was busy.
            switch verdict {
            case .done: break
            case .failed(let reason), .unknown(let reason): verdict = .done("not delivered: \(reason)")
            }
        }
        switch verdict {
        case .done(let note):
            playbooks.run?.steps[at].condition = .done(note?.cut(to: PlaybookLimits.reason))
            playbooks.run?.steps[at].ended = time
        case .failed(let reason):
            playbooks.run?.steps[at].condition = .failed(reason.cut(to: PlaybookLimits.reason))
        case .unknown(let reason):
            playbooks.run?.steps[at].condition = .unknown(reason.cut(to: PlaybookLimits.reason))
        }
        let condition = playbooks.run?.steps[at].condition
        var events = [event(at, condition?.text ?? "", epoch)]
        if playbooks.run?.steps[at].isDone == false, run.isRunning {
            events += abandon(
                "step \(at + 1), \(run.steps[at].action.title), \(condition?.text ?? "")",
                undoes: run.rollsBack, at: epoch)
        }
        return events
    }

    /// The end of what a command wrote, within what a step and its run may keep.
    private mutating func keepOutput(_ output: String, _ at: Int) {
        guard !output.isEmpty, let run = playbooks.run else { return }
        let others = run.steps.indices.filter { $0 != at }.reduce(0) { $0 + run.steps[$1].output.utf8.count }
        let room = min(PlaybookLimits.stepOutput, max(0, PlaybookLimits.runOutput - others))
        playbooks.run?.steps[at].output = output.printable.tail(of: room)
    }

    // MARK: - What steps change

    private mutating func begin(_ new: Drain, for id: StepID, at epoch: Epoch) -> Applied {
        guard let run = playbooks.run, run.isRunning, let at = run.place(of: id),
            case .drain = run.steps[at].action, run.steps[at].traces.drained == nil
        else { return Self.isOver }
        let applied = apply(.begin(new), at: epoch)
        guard applied.refusal == nil else { return applied }
        playbooks.run?.steps[at].traces.drained = StepTraces.Drained(
            seat: new.seat, drain: epoch, node: new.from, isUnderWay: true, maintenance: nil)
        return applied
    }

    private mutating func rest(
        _ holder: Holder, _ reason: String, for id: StepID, at epoch: Epoch
    ) -> Applied {
        guard let run = playbooks.run, run.isRunning, let at = run.place(of: id),
            case .drain = run.steps[at].action, run.steps[at].traces.drained == nil,
            let beginning = run.steps[at].beginning
        else { return Self.isOver }
        guard isActive(holder), let member = member(holder.name), member.maintenance == nil else {
            return .refused("\(holder.name) is not in service")
        }
        let maintenance = Maintenance(reason: reason, who: run.who, since: time)
        let applied = setMaintenance(holder.name, maintenance, at: epoch)
        guard applied.refusal == nil else { return applied }
        playbooks.run?.steps[at].traces.drained = StepTraces.Drained(
            seat: "", drain: nil, node: holder, isUnderWay: false, maintenance: maintenance)
        let outcome = StepOutcome(.done("it held no address"))
        return Applied(events: applied.events + end(at, beginning, outcome, at: epoch))
    }

    /// Of an `undrain` step, or of a drain that is being undone.
    private mutating func undrain(for id: StepID, at epoch: Epoch) -> Applied {
        guard let run = playbooks.run, let at = run.place(of: id) else { return Self.isOver }
        if let drained = run.steps[at].traces.drained, run.steps[at].undoBeginning != nil {
            guard let maintenance = drained.maintenance,
                member(drained.node.name)?.maintenance == maintenance
            else { return .refused("\(drained.node.name) is not in maintenance by this run") }
            let applied = setMaintenance(drained.node.name, nil, at: epoch)
            guard applied.refusal == nil else { return applied }
            return Applied(
                events: applied.events
                    + endUndo(at, StepOutcome(.done("\(drained.node.name) is back")), at: epoch))
        }
        guard run.isRunning, case .undrain(let node) = run.steps[at].action,
            run.steps[at].traces.undrained == nil
        else { return Self.isOver }
        playbooks.run?.steps[at].traces.undrained = node
        guard member(node)?.maintenance != nil else { return .done() }
        return setMaintenance(node, nil, at: epoch)
    }

    private mutating func apply(_ move: Move, for id: StepID, at epoch: Epoch) -> Applied {
        guard let run = playbooks.run, let at = run.place(of: id), let seat = seat(at: move.address) else {
            return Self.isOver
        }
        let isBack = run.steps[at].undoBeginning != nil
        if isBack {
            guard let moved = run.steps[at].traces.moved, moved.seat == seat.name, !moved.isReturned,
                moved.from == move.to.name
            else { return Self.isOver }
        } else {
            guard run.isRunning, case .switchover(let name, _) = run.steps[at].action,
                name == seat.name || name == move.from.name, run.steps[at].traces.moved == nil
            else { return Self.isOver }
        }
        let applied = apply(move, at: epoch)
        guard applied.refusal == nil else { return applied }
        if isBack {
            playbooks.run?.steps[at].traces.moved?.isReturned = true
        } else {
            playbooks.run?.steps[at].traces.moved = StepTraces.Moved(
                seat: seat.name, from: move.from.name, to: move.to.name, isReturned: false)
        }
        return applied
    }

    private mutating func changeTTL(for id: StepID, at epoch: Epoch) -> Applied {
        guard let run = playbooks.run, let at = run.place(of: id),
            case .lowerTTL(let new) = run.steps[at].action
        else { return Self.isOver }
        if let lowered = run.steps[at].traces.lowered, run.steps[at].undoBeginning != nil {
            let applied = setTTL(lowered.former, at: epoch)
            guard applied.refusal == nil else { return applied }
            playbooks.run?.steps[at].traces.lowered?.isRestored = true
            return Applied(events: applied.events + endUndo(at, StepOutcome(.done("restored")), at: epoch))
        }
        guard run.isRunning, run.steps[at].traces.lowered == nil else { return Self.isOver }
        let former = loweredTTL
        let applied = setTTL(new, at: epoch)
        guard applied.refusal == nil else { return applied }
        playbooks.run?.steps[at].traces.lowered = StepTraces.Lowered(former: former, isRestored: false)
        return applied
    }

    // MARK: - Undoing

    /// Newest first, one after the other, once nothing of the run is under way.
    private mutating func beginUndo(_ at: Int, of id: Epoch, at epoch: Epoch) -> Applied {
        guard let run = playbooks.run, run.id == id, run.nextToUndo == at,
            !run.steps.contains(where: { $0.beginning != nil || $0.undoBeginning != nil })
        else { return .refused("that step cannot be undone now") }
        let step = run.steps[at]
        playbooks.run?.steps[at].undoing = .begun(
            RunStep.Beginning(epoch: epoch, time: time, executor: nil))
        if let drained = step.traces.drained, !drained.isUnderWay,
            member(drained.node.name)?.maintenance != drained.maintenance
        {
            return Applied(
                events: endUndo(
                    at, StepOutcome(.done("\(drained.node.name) was back in service")), at: epoch))
        }
        if step.undoesByCommand, let node = step.undo?.node, isInService(node, of: run, before: at) {
            // What was done to a node in maintenance is not undone under its calls.
            let reason = "\(node) is in service again; its undo was not run"
            return Applied(events: endUndo(at, StepOutcome(.done(reason)), at: epoch))
        }
        return .done(event(at, "is being undone", epoch, kind: .playbookProgress))
    }

    /// Whether the run had put the node into maintenance before this step and it has left it since.
    private func isInService(_ node: String, of run: PlaybookRun, before at: Int) -> Bool {
        guard member(node)?.maintenance == nil else { return false }
        return run.steps[..<at].contains { $0.traces.drained?.node.name == node }
    }

    mutating func endUndo(_ at: Int, _ outcome: StepOutcome, at epoch: Epoch) -> [ClusterEvent] {
        keepOutput(outcome.output, at)
        let undoing: RunStep.Undoing
        switch outcome.verdict {
        case .done(let note): undoing = .done((note ?? "as before").cut(to: PlaybookLimits.reason))
        case .failed(let reason), .unknown(let reason):
            undoing = .failed(reason.cut(to: PlaybookLimits.reason))
            playbooks.run?.steps[at].traces.drained?.isUnderWay = false
        }
        playbooks.run?.steps[at].undoing = undoing
        return [event(at, undoing.text, epoch)]
    }
}
