import Primitives

// How a leader leads a drain: it looks at what the phase waits for, and proposes the next one.

extension Node {
    /// What the drain still waits for in its phase; nil when it can go on.
    func drainObstacle(_ drain: Drain, in state: ControlState, at now: Instant) -> String? {
        let old = drain.oldAddress
        let new = drain.newAddress
        switch drain.phase {
        case .raising:
            if !holds(drain.to, new) { return "\(drain.to.name) to hold \(new)" }
            return isAnswering(drain.to, new) ? nil : "FreeSWITCH on \(drain.to.name) to answer at \(new)"
        case .publishing, .withdrawing:
            // While the new address is not there, a zone without it is no sign that callers find it.
            let holder = state.grant(of: new)?.holder ?? drain.to
            return holds(holder, new) ? zoneObstacle : "\(holder.name) to hold \(new) again"
        case .restoring, .retreating:
            if let grant = state.grant(of: old), !holds(grant.holder, old) {
                return "\(grant.holder.name) to hold \(old) again"
            }
            return zoneObstacle
        case .forgetting: return memoryObstacle(drain, old, at: now)
        case .movingRegistrations:
            guard let report = load(of: drain.from) else { return "\(drain.from.name) to be heard" }
            if report.health == .none || report.arePhonesTold { return nil }
            return "phones to be told: \(report.load(of: old)?.registrations ?? 0) are at \(old)"
        case .waitingForCalls:
            return refusalObstacle(drain.from) ?? callObstacle(drain.from, old)
        case .hangingUp: return callObstacle(drain.from, old)
        case .handingOver:
            // Gone with its holder: nothing is left to hand over.
            guard let holder = state.grant(of: old)?.holder else { return nil }
            guard holds(holder, old) else { return "\(holder.name) to hold \(old)" }
            return calls(on: old, at: holder) == nil
                ? "FreeSWITCH on \(holder.name) to bring the calls back" : nil
        case .lingering:
            guard let holder = state.grant(of: old)?.holder else {
                let isOver = leadership?.callsLostSince.map { now - $0 >= Leadership.callPatience } ?? true
                return isOver ? nil : "somebody to take \(old) with its calls: its holder is lost"
            }
            return withdrawalObstacle(drain, at: now) ?? memoryObstacle(drain, old, at: now)
                ?? callObstacle(holder, old)
        case .emptying:
            guard let holder = state.grant(of: new)?.holder else { return nil }
            return memoryObstacle(drain, new, at: now)
                ?? (holder == drain.from ? nil : refusalObstacle(holder)) ?? callObstacle(holder, new)
                ?? returnObstacle(drain, holder, at: now)
        case .rotating:
            return state.grant(of: old) == nil ? nil : "\(holderName(old, state)) to let go of \(old)"
        case .aborting:
            return state.grant(of: new) == nil ? nil : "\(holderName(new, state)) to let go of \(new)"
        }
    }

    private func holderName(_ address: String, _ state: ControlState) -> String {
        state.grant(of: address)?.holder.name ?? address
    }

    private func memoryObstacle(_ drain: Drain, _ address: String, at now: Instant) -> String? {
        guard let end = drain.forgottenAt else { return nil }
        let rest = end - clusterTime(at: now)
        return rest > .zero
            ? "clients to forget \(address) (\(rest.milliseconds / 1000 + 1) s of TTL left)" : nil
    }

    /// The drained node was lost before DNS was seen to have withdrawn the old address: until then, and for as long as it may
    /// be remembered, callers come there. When it was seen is remembered by this leader only; another one waits anew.
    private func withdrawalObstacle(_ drain: Drain, at now: Instant) -> String? {
        guard drain.forgottenAt == nil else { return nil }
        if let obstacle = zoneObstacle { return obstacle }
        guard let since = leadership?.withdrawnSince, since.phase == drain.phaseEpoch else {
            return "DNS to withdraw \(drain.oldAddress)"
        }
        let rest = max(drain.ttl, largestServedTTL) + .seconds(1) - (now - since.at)
        return rest > .zero
            ? "clients to forget \(drain.oldAddress) (\(rest.milliseconds / 1000 + 1) s of TTL left)" : nil
    }

    private mutating func noteWithdrawal(_ drain: Drain, at now: Instant) {
        guard drain.phase == .lingering, drain.forgottenAt == nil, zoneObstacle == nil,
            leadership?.withdrawnSince?.phase != drain.phaseEpoch
        else { return }
        leadership?.withdrawnSince = Leadership.Withdrawal(phase: drain.phaseEpoch, at: now)
    }

    /// Whoever comes after the last look at the calls must be refused, not cut off.
    private func refusalObstacle(_ holder: Holder) -> String? {
        guard let report = load(of: holder) else { return "\(holder.name) to be heard" }
        return report.health == .none || report.isRefusing
            ? nil : "FreeSWITCH on \(holder.name) to refuse new calls"
    }

    /// Phones that had moved to the new address are told to come back before it is let go; as long as a drain would wait for that.
    func returnObstacle(_ drain: Drain, _ holder: Holder, at now: Instant) -> String? {
        guard holder == drain.to, holder != drain.from, let report = load(of: holder),
            report.health != .none, !report.arePhonesTold,
            let count = report.load(of: drain.newAddress)?.registrations, count > 0,
            let since = drain.forgottenAt, let limit = Drain.Phase.movingRegistrations.timeout,
            clusterTime(at: now) - max(since, drain.phaseBegan) < limit
        else { return nil }
        return "phones to be told: \(count) are at \(drain.newAddress)"
    }

    private func callObstacle(_ holder: Holder, _ address: String) -> String? {
        // What a switch that is not well says of its calls is no proof that they ended.
        if let health = load(of: holder)?.health, health == .unhealthy || health == .unknown {
            return "FreeSWITCH on \(holder.name), which is \(health.rawValue), to tell its calls"
        }
        guard let count = calls(on: address, at: holder) else {
            return "FreeSWITCH on \(holder.name) to tell its calls"
        }
        return count == 0 ? nil : "\(count) calls on \(address)"
    }

    /// Nil while the switch there has not told of the address.
    func calls(on address: String, at holder: Holder) -> Int? {
        guard let report = load(of: holder) else { return nil }
        if report.health == .none { return 0 }
        return report.load(of: address).map { Int($0.calls) }
    }

    private func isAnswering(_ holder: Holder, _ address: String) -> Bool {
        guard let report = load(of: holder) else { return false }
        return report.health == .none || report.load(of: address)?.isAnswering == true
    }

    func load(of holder: Holder) -> SwitchReport? {
        holder == me ? load : neighbours[holder]?.heartbeat.load
    }

    /// Whether the holder's keeper says that it has the address.
    func holds(_ holder: Holder, _ address: String) -> Bool {
        let held = holder == me ? holdings.held : neighbours[holder]?.heartbeat.holding ?? []
        return held.contains { $0.address == address }
    }

    // MARK: - The next phase

    mutating func advanceDrain(_ scratch: inout ControlState, at now: Instant) {
        guard let drain = scratch.drain else {
            leadership?.pace = DrainPace()
            return
        }
        // A phase proposed in this very pass is not what the zone was compared with.
        guard drain.phaseEpoch == state?.drain?.phaseEpoch else { return }
        notePace(drain, scratch, at: now)
        noteWithdrawal(drain, at: now)
        if let obstacle = drainObstacle(drain, in: scratch, at: now) {
            waitFor(obstacle, drain, &scratch, at: now)
        } else {
            goOn(from: drain.phase, &scratch, at: now)
        }
    }

    private mutating func goOn(from phase: Drain.Phase, _ scratch: inout ControlState, at now: Instant) {
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
            propose(.drain(.finish), &scratch, at: now)
            return
        }
        advance(phase, next, &scratch, at: now)
    }

    private mutating func advance(
        _ from: Drain.Phase, _ to: Drain.Phase, _ scratch: inout ControlState, at now: Instant
    ) {
        propose(.drain(.advance(from: from, to: to, served: largestServedTTL)), &scratch, at: now)
    }

    /// The phase is not done: perhaps it has waited long enough.
    private mutating func waitFor(
        _ obstacle: String, _ drain: Drain, _ scratch: inout ControlState, at now: Instant
    ) {
        let time = clusterTime(at: now)
        let isLate = drain.phase.timeout.map { time - drain.phaseBegan >= $0 } ?? false
        let isOver = drain.deadline.map { time >= $0 } ?? false
        switch drain.phase {
        case .raising, .publishing, .withdrawing:
            guard isLate, let timeout = drain.phase.timeout else { return }
            let text =
                "\(drain.phase.rawValue) took longer than \(timeout.wholeSeconds) s: it waited for "
            propose(.drain(.abort(reason: text + obstacle)), &scratch, at: now)
        // Whoever still remembers the old address finds it at its new holder.
        case .forgetting where isOver && drain.onDeadline == .handover:
            advance(.forgetting, .handingOver, &scratch, at: now)
        case .movingRegistrations where isLate || isOver:
            advance(.movingRegistrations, .waitingForCalls, &scratch, at: now)
        case .waitingForCalls where isOver:
            switch drain.onDeadline {
            case .wait: return
            case .abort:
                propose(.drain(.abort(reason: "deadline passed, waiting for \(obstacle)")), &scratch, at: now)
            case .handover: advance(.waitingForCalls, .handingOver, &scratch, at: now)
            case .hangup: advance(.waitingForCalls, .hangingUp, &scratch, at: now)
            }
        case .hangingUp where isLate: advance(.hangingUp, .rotating, &scratch, at: now)
        default: return
        }
    }

    /// A participant wants to be rid of its address amid the drain, because its switch died or it was told to stop.
    ///
    /// - Returns: whether that was answered here.
    mutating func relieveDrain(
        of holder: Holder, _ reason: String, _ scratch: inout ControlState, at now: Instant
    ) -> Bool {
        guard let drain = scratch.drain else { return false }
        if isTakerAlone(holder, in: drain, scratch, at: now) {
            propose(.drain(.abort(reason: "\(holder.name): \(reason)")), &scratch, at: now)
            // The new address goes to the drained node in the next pass.
            return scratch.drain?.phase == .restoring
        }
        switch drain.phase {
        case .raising, .publishing:
            guard holder == drain.from || holder == drain.to else { return false }
            propose(.drain(.abort(reason: "\(holder.name): \(reason)")), &scratch, at: now)
            // Its address moves in the next pass, as any other would.
            return scratch.drain?.phase == .restoring && holder == drain.to
        // DNS may serve the old address still: whoever takes it then has a seat there, as any other.
        case .withdrawing where holder == drain.from:
            propose(.drain(.abort(reason: "\(holder.name): \(reason)")), &scratch, at: now)
            return false
        case .forgetting, .movingRegistrations, .waitingForCalls:
            guard holder == drain.from else { return false }
            advance(drain.phase, .handingOver, &scratch, at: now)
            return scratch.drain?.phase == .handingOver
        default: return false
        }
    }

    /// The taker has the seat by now, and no other slave could follow it: the drained node has its seat again, and then the
    /// new address too.
    private func isTakerAlone(
        _ holder: Holder, in drain: Drain, _ scratch: ControlState, at now: Instant
    ) -> Bool {
        guard drain.phase != .raising, drain.phase != .publishing,
            partnerInDrain(for: drain.newAddress, besides: holder, in: scratch, at: now) == drain.from
        else { return false }
        return takers(for: drain.newAddress, in: scratch, at: now).allSatisfy { $0 == holder }
    }

    /// Nodes whose time in maintenance is over come back.
    mutating func endMaintenance(_ scratch: inout ControlState, at now: Instant) {
        let time = clusterTime(at: now)
        for member in scratch.members {
            guard let until = member.maintenance?.until, time >= until,
                scratch.drain?.from.name != member.name
            else { continue }
            propose(.maintenance(node: member.name, nil), &scratch, at: now)
        }
    }

    // MARK: - How fast it goes

    private mutating func notePace(_ drain: Drain, _ state: ControlState, at now: Instant) {
        guard drain.phase == .waitingForCalls || drain.phase == .lingering || drain.phase == .emptying,
            let count = callsLeft(drain, in: state)
        else { return }
        leadership?.pace.note(count, of: drain.phaseEpoch, at: now)
    }

    /// On the address the drain empties now; nil while that is not known.
    func callsLeft(_ drain: Drain, in state: ControlState) -> Int? {
        let address = drain.phase.isUndoing ? drain.newAddress : drain.oldAddress
        guard let holder = state.grant(of: address)?.holder else { return nil }
        return calls(on: address, at: holder)
    }
}
