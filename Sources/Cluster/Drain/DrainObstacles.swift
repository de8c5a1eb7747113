import Primitives

// What a drain waits for.

extension ClusterView {
    /// What the drain still waits for in its phase; nil when it can go on.
    func drainObstacle(_ drain: Drain, in state: ControlState) -> String? {
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
        case .forgetting: return memoryObstacle(drain, old)
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
            return withdrawalObstacle(drain) ?? memoryObstacle(drain, old)
                ?? callObstacle(holder, old)
        case .emptying:
            guard let holder = state.grant(of: new)?.holder else { return nil }
            return memoryObstacle(drain, new)
                ?? (holder == drain.from ? nil : refusalObstacle(holder)) ?? callObstacle(holder, new)
                ?? returnObstacle(drain, holder)
        case .rotating:
            return state.grant(of: old) == nil ? nil : "\(holderName(old, state)) to let go of \(old)"
        case .aborting:
            return state.grant(of: new) == nil ? nil : "\(holderName(new, state)) to let go of \(new)"
        }
    }

    private func holderName(_ address: String, _ state: ControlState) -> String {
        state.grant(of: address)?.holder.name ?? address
    }

    private func memoryObstacle(_ drain: Drain, _ address: String) -> String? {
        guard let end = drain.forgottenAt else { return nil }
        let rest = end - time
        return rest > .zero
            ? "clients to forget \(address) (\(rest.milliseconds / 1000 + 1) s of TTL left)" : nil
    }

    /// The drained node was lost before DNS was seen to have withdrawn the old address: until then, and for as long as it may
    /// be remembered, callers come there. When it was seen is remembered by this leader only; another one waits anew.
    private func withdrawalObstacle(_ drain: Drain) -> String? {
        guard drain.forgottenAt == nil else { return nil }
        if let obstacle = zoneObstacle { return obstacle }
        guard let since = leadership?.withdrawnSince, since.phase == drain.phaseEpoch else {
            return "DNS to withdraw \(drain.oldAddress)"
        }
        let rest = max(drain.ttl, largestServedTTL) + Timers.ttlAllowance - (now - since.at)
        return rest > .zero
            ? "clients to forget \(drain.oldAddress) (\(rest.milliseconds / 1000 + 1) s of TTL left)" : nil
    }

    /// Whoever comes after the last look at the calls must be refused, not cut off.
    private func refusalObstacle(_ holder: Holder) -> String? {
        guard let report = load(of: holder) else { return "\(holder.name) to be heard" }
        return report.health == .none || report.isRefusing
            ? nil : "FreeSWITCH on \(holder.name) to refuse new calls"
    }

    /// Phones that had moved to the new address are told to come back before it is let go; as long as a drain would wait for that.
    func returnObstacle(_ drain: Drain, _ holder: Holder) -> String? {
        guard holder == drain.to, holder != drain.from, let report = load(of: holder),
            report.health != .none, !report.arePhonesTold,
            let count = report.load(of: drain.newAddress)?.registrations, count > 0,
            let since = drain.forgottenAt, let limit = Drain.Phase.movingRegistrations.rule.timeout,
            time - max(since, drain.phaseBegan) < limit
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

    /// The taker has the seat by now, and no other slave could follow it: the drained node has its seat again, and then the
    /// new address too.
    func isTakerAlone(_ holder: Holder, in drain: Drain, _ scratch: ControlState) -> Bool {
        guard drain.phase != .raising, drain.phase != .publishing,
            partnerInDrain(for: drain.newAddress, besides: holder, in: scratch) == drain.from
        else { return false }
        return takers(for: drain.newAddress, in: scratch).allSatisfy { $0 == holder }
    }

    /// On the address the drain empties now; nil while that is not known.
    func callsLeft(_ drain: Drain, in state: ControlState) -> Int? {
        let address = drain.phase.isUndoing ? drain.newAddress : drain.oldAddress
        guard let holder = state.grant(of: address)?.holder else { return nil }
        return calls(on: address, at: holder)
    }
}
