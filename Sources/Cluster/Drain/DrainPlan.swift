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
        let next: Drain.Phase
        switch phase {
        case .raising: next = .publishing
        case .publishing: next = .withdrawing
        case .withdrawing: next = .forgetting
        case .forgetting: next = .movingRegistrations
        case .movingRegistrations: next = .waitingForCalls
        case .waitingForCalls, .hangingUp, .lingering: next = .rotating
        case .handingOver: next = .lingering
        case .restoring: next = .retreating
        case .retreating: next = .emptying
        case .emptying: next = .aborting
        case .rotating, .aborting:
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
        let isLate = drain.phase.timeout.map { time - drain.phaseBegan >= $0 } ?? false
        let isOver = drain.deadline.map { time >= $0 } ?? false
        switch drain.phase {
        case .raising, .publishing, .withdrawing:
            guard isLate, let timeout = drain.phase.timeout else { return }
            let text =
                "\(drain.phase.rawValue) took longer than \(timeout.wholeSeconds) s: it waited for "
            propose(.drain(.abort(reason: text + obstacle)))
        // Whoever still remembers the old address finds it at its new holder.
        case .forgetting where isOver && drain.onDeadline == .handover:
            advance(.forgetting, .handingOver)
        case .movingRegistrations where isLate || isOver:
            advance(.movingRegistrations, .waitingForCalls)
        case .waitingForCalls where isOver:
            switch drain.onDeadline {
            case .wait: return
            case .abort:
                propose(.drain(.abort(reason: "deadline passed, waiting for \(obstacle)")))
            case .handover: advance(.waitingForCalls, .handingOver)
            case .hangup: advance(.waitingForCalls, .hangingUp)
            }
        case .hangingUp where isLate: advance(.hangingUp, .rotating)
        default: return
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
        switch drain.phase {
        case .raising, .publishing:
            guard holder == drain.from || holder == drain.to else { return false }
            propose(.drain(.abort(reason: "\(holder.name): \(reason)")))
            // Its address moves in the next pass, as any other would.
            return scratch.drain?.phase == .restoring && holder == drain.to
        // DNS may serve the old address still: whoever takes it then has a seat there, as any other.
        case .withdrawing where holder == drain.from:
            propose(.drain(.abort(reason: "\(holder.name): \(reason)")))
            return false
        case .forgetting, .movingRegistrations, .waitingForCalls:
            guard holder == drain.from else { return false }
            advance(drain.phase, .handingOver)
            return scratch.drain?.phase == .handingOver
        default: return false
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
