import Primitives

// The drain as agreed steps: each command checks that the drain still is where its sender thought.

extension ControlState {
    /// Why a drain cannot begin; nil when it can.
    package func obstacle(to new: Drain) -> String? {
        if let drain { return "\(drain.owner) is draining \(drain.seat) (\(drain.phase.rawValue))" }
        guard let seat = seat(new.seat), seat.address == new.oldAddress else {
            return "seat \(new.seat) is not at \(new.oldAddress)"
        }
        guard let grant = grant(of: new.oldAddress), grant.holder == new.from, !grant.revoked else {
            return "\(new.from.name) does not hold \(new.oldAddress)"
        }
        guard maintenanceAddresses.contains(where: { $0.name == new.newAddress }),
            self.grant(of: new.newAddress) == nil
        else { return "\(new.newAddress) is no free maintenance address" }
        guard slaves.contains(new.to.name), unfitness(of: new.to) == nil else {
            return "\(new.to.name) is no free slave"
        }
        return nil
    }

    mutating func apply(_ command: DrainCommand, at epoch: Epoch) -> Applied {
        switch command {
        case .begin(var new):
            if let obstacle = obstacle(to: new) { return .refused(obstacle) }
            new.id = epoch
            new.enter(.raising, at: epoch, time)
            drain = new
            insert(
                Grant(
                    address: new.newAddress, holder: new.to, epoch: epoch,
                    conditions: [.inEffect(epoch.index)], reason: "drain of \(new.seat)"))
            return .done(event(of: new, epoch))
        case .advance(let from, let to, let served): return advance(from: from, to: to, served, at: epoch)
        case .abort(let reason): return abort(reason, at: epoch)
        case .finish: return finish(at: epoch)
        case .unknown(let kind): return .unknown("drain \(kind)")
        }
    }

    func event(of drain: Drain, _ epoch: Epoch) -> ClusterEvent {
        ClusterEvent(
            .drainPhase, drain.seat,
            "drain of \(drain.seat) from \(drain.from.name): \(drain.phase.rawValue)",
            epoch: epoch)
    }

    private mutating func advance(
        from: Drain.Phase, to: Drain.Phase, _ served: Duration?, at epoch: Epoch
    ) -> Applied {
        guard var drain, drain.phase == from, to.follows(from) else {
            return .refused("no drain is in phase \(from.rawValue)")
        }
        drain.ttl = max(drain.ttl, served ?? .zero)
        drain.enter(to, at: epoch, time)
        switch to {
        case .withdrawing: move(seat: drain.seat, to: drain.newAddress)
        // Every server was seen to serve the new set: from now on it is only remembered, in whole seconds.
        case .forgetting, .emptying:
            let forgottenAt = time + drain.ttl + Timers.ttlAllowance
            drain.forgottenAt = max(forgottenAt, formerTTLEnd ?? forgottenAt)
        case .handingOver:
            let move = Move(
                address: drain.oldAddress, from: drain.from, to: drain.to,
                reason: "the calls left by the drain of \(drain.seat)")
            if let refusal = apply(move, at: epoch).refusal { return .refused(refusal) }
            enterMaintenance(drain)
        case .rotating:
            revoke(drain.oldAddress)
            // After a handover it is there already, or an operator has brought it back since.
            if from != .lingering { enterMaintenance(drain) }
        case .aborting: revoke(drain.newAddress)
        default: break
        }
        self.drain = drain
        return .done(event(of: drain, epoch))
    }

    mutating func move(seat name: String, to address: String) {
        if let at = seats.firstIndex(where: { $0.name == name }) { seats[at].address = address }
    }

    mutating func revoke(_ address: String) {
        if let at = grants.firstIndex(where: { $0.address == address }) { grants[at].revoked = true }
    }

    mutating func enterMaintenance(_ drain: Drain) {
        guard let at = members.firstIndex(where: { $0.name == drain.from.name }),
            members[at].maintenance == nil
        else { return }
        members[at].maintenance = Maintenance(
            reason: drain.reason, who: drain.owner, since: time,
            until: drain.returnAfter.map { time + $0 })
    }

    private mutating func abort(_ reason: String, at epoch: Epoch) -> Applied {
        guard var drain else { return .refused("no drain is in progress") }
        if drain.phase.isUndoing { return .refused("the drain is being undone already") }
        guard drain.phase.canBeUndone else {
            return .refused(
                "the drain is \(drain.phase.rawValue): \(drain.oldAddress) or its calls were given up, and "
                    + "that cannot be undone")
        }
        if drain.phase.rule.undo == .letGo {
            revoke(drain.newAddress)
            self.drain = nil
        } else {
            move(seat: drain.seat, to: drain.oldAddress)
            drain.forgottenAt = nil
            drain.enter(.restoring, at: epoch, time)
            self.drain = drain
        }
        return .done(ClusterEvent(.drainAborted, drain.seat, "drain undone: \(reason)", epoch: epoch))
    }

    private mutating func finish(at epoch: Epoch) -> Applied {
        guard let drain else { return .refused("no drain is in progress") }
        switch drain.phase {
        case .aborting where grant(of: drain.newAddress) == nil:
            self.drain = nil
            return .done(
                ClusterEvent(.drainFinished, drain.seat, "the undone drain left nothing behind", epoch: epoch)
            )
        case .rotating where grant(of: drain.oldAddress) == nil:
            self.drain = nil
            return .done(
                ClusterEvent(
                    .drainFinished, drain.seat,
                    "\(drain.seat) is at \(drain.newAddress) on \(drain.to.name); \(drain.oldAddress) is the "
                        + "maintenance address and \(drain.from.name) is "
                        + (member(drain.from.name)?.maintenance == nil ? "back" : "in maintenance"),
                    epoch: epoch))
        default: return .refused("the drain is not at its end")
        }
    }
}

extension Drain {
    mutating func enter(_ next: Phase, at epoch: Epoch, _ time: ClusterTime) {
        phase = next
        phaseEpoch = epoch
        phaseBegan = time
    }
}
