import Primitives

// How a leader leads a drain: it looks at what the phase waits for, and proposes the next one.

extension LeaderPass {
    mutating func advanceDrain() {
        guard let drain = scratch.drain else {
            view.leadership?.pace = DrainPace()
            return
        }
        // A phase proposed in this very pass is not what the zone was compared with.
        guard drain.phaseEpoch == view.state.drain?.phaseEpoch else { return }
        notePace(drain)
        noteWithdrawal(drain)
        if let obstacle = view.drainObstacle(drain, in: scratch) {
            waitFor(obstacle, drain)
        } else {
            goOn(from: drain.phase)
        }
    }

    private mutating func goOn(from phase: Drain.Phase) {
        guard let next = phase.rule.next else {
            propose(.drain(.finish))
            return
        }
        advance(phase, next)
    }

    private mutating func advance(_ from: Drain.Phase, _ to: Drain.Phase) {
        propose(.drain(.advance(from: from, to: to, served: view.largestServedTTL)))
    }

    /// The phase is not done: perhaps it has waited long enough.
    private mutating func waitFor(_ obstacle: String, _ drain: Drain) {
        let rule = drain.phase.rule
        if let timeout = rule.timeout, time - drain.phaseBegan >= timeout {
            let text = "\(drain.phase.rawValue) took longer than \(timeout.wholeSeconds) s: it waited for "
            leave(drain.phase, by: rule.onTimeout, text + obstacle)
        } else if drain.deadline.map({ time >= $0 }) ?? false {
            leave(
                drain.phase, by: rule.onDeadline[drain.onDeadline] ?? .wait,
                "deadline passed, waiting for \(obstacle)")
        }
    }

    private mutating func leave(_ phase: Drain.Phase, by exit: Drain.Phase.Exit, _ reason: String) {
        switch exit {
        case .wait: return
        case .abort: propose(.drain(.abort(reason: reason)))
        case .go(let next): advance(phase, next)
        }
    }

    /// A participant wants to be rid of its address amid the drain, because its switch died or it was told to stop.
    ///
    /// - Returns: whether that was answered here.
    mutating func relieveDrain(of holder: Holder, _ reason: String) -> Bool {
        guard let drain = scratch.drain else { return false }
        if view.isTakerAlone(holder, in: drain, scratch) {
            propose(.drain(.abort(reason: "\(holder.name): \(reason)")))
            // The new address goes to the drained node in the next pass.
            return scratch.drain?.phase == .restoring
        }
        let rule = drain.phase.rule
        let exit =
            holder == drain.from ? rule.onDrainedAsks : holder == drain.to ? rule.onTakerAsks : .wait
        leave(drain.phase, by: exit, "\(holder.name): \(reason)")
        switch exit {
        case .wait: return false
        // Its address moves in the next pass, as any other would; that of the drained node, to which DNS may lead, in this one.
        case .abort:
            return rule.onTakerAsks == .abort && holder == drain.to && scratch.drain?.phase == .restoring
        case .go(let next): return scratch.drain?.phase == next
        }
    }

    /// Nodes whose time in maintenance is over come back.
    mutating func endMaintenance() {
        for member in scratch.members {
            guard let until = member.maintenance?.until, time >= until,
                scratch.drain?.from.name != member.name
            else { continue }
            propose(.maintenance(node: member.name, nil))
        }
    }

    private mutating func notePace(_ drain: Drain) {
        guard drain.phase == .waitingForCalls || drain.phase == .lingering || drain.phase == .emptying,
            let count = view.callsLeft(drain, in: scratch)
        else { return }
        view.leadership?.pace.note(count, of: drain.phaseEpoch, at: now)
    }

    private mutating func noteWithdrawal(_ drain: Drain) {
        guard drain.phase == .lingering, drain.forgottenAt == nil, view.zoneObstacle == nil,
            view.leadership?.withdrawnSince?.phase != drain.phaseEpoch
        else { return }
        view.leadership?.withdrawnSince = Leadership.Withdrawal(phase: drain.phaseEpoch, at: now)
    }
}
