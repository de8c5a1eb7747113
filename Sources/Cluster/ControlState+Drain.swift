import Consensus

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
            new.phase = .raising
            new.phaseEpoch = epoch
            drain = new
            insert(
                Grant(
                    address: new.newAddress, holder: new.to, epoch: epoch,
                    conditions: [.inEffect(epoch.index)], reason: "drain of \(new.seat)"))
            return .done(event(of: new, epoch))
        case .advance(let from, let to): return advance(from: from, to: to, at: epoch)
        case .abort(let reason): return abort(reason, at: epoch)
        case .finish: return finish(at: epoch)
        }
    }

    private func event(of drain: Drain, _ epoch: Epoch) -> ClusterEvent {
        ClusterEvent(
            .drainPhase, drain.seat,
            "drain of \(drain.seat) from \(drain.from.name): \(drain.phase.rawValue)",
            epoch: epoch)
    }

    private mutating func advance(from: Drain.Phase, to: Drain.Phase, at epoch: Epoch) -> Applied {
        guard var drain, drain.phase == from, to.follows(from) else {
            return .refused("no drain is in phase \(from.rawValue)")
        }
        drain.phase = to
        drain.phaseEpoch = epoch
        if to == .withdrawing { move(seat: drain.seat, to: drain.newAddress) }
        if to == .rotating {
            if let at = grants.firstIndex(where: { $0.address == drain.oldAddress }) {
                grants[at].revoked = true
            }
            enterMaintenance(drain)
        }
        if to == .waitingForCalls { drain.waitingSince = time }
        self.drain = drain
        return .done(event(of: drain, epoch))
    }

    private mutating func move(seat name: String, to address: String) {
        if let at = seats.firstIndex(where: { $0.name == name }) { seats[at].address = address }
    }

    private mutating func enterMaintenance(_ drain: Drain) {
        if let at = members.firstIndex(where: { $0.name == drain.from.name }) {
            members[at].maintenance = Maintenance(reason: drain.reason, who: drain.owner, since: time)
        }
    }

    private mutating func abort(_ reason: String, at epoch: Epoch) -> Applied {
        guard var drain else { return .refused("no drain is in progress") }
        switch drain.phase {
        case .aborting: return .refused("the drain is being undone already")
        case .rotating: return .refused("\(drain.oldAddress) has been given up; the drain cannot be undone")
        case .raising:
            dropNewAddress(of: drain)
            self.drain = nil
        case .publishing, .withdrawing, .waitingForCalls:
            move(seat: drain.seat, to: drain.oldAddress)
            drain.phase = .aborting
            drain.phaseEpoch = epoch
            self.drain = drain
        }
        return .done(ClusterEvent(.drainAborted, drain.seat, "drain undone: \(reason)", epoch: epoch))
    }

    private mutating func dropNewAddress(of drain: Drain) {
        if let at = grants.firstIndex(where: { $0.address == drain.newAddress }) { grants[at].revoked = true }
    }

    private mutating func finish(at epoch: Epoch) -> Applied {
        guard let drain else { return .refused("no drain is in progress") }
        switch drain.phase {
        case .aborting:
            dropNewAddress(of: drain)
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
                        + "maintenance address and \(drain.from.name) is in maintenance", epoch: epoch))
        default: return .refused("the drain is not at its end")
        }
    }

    /// What a drain becomes when a node that takes part in it is fenced.
    mutating func settleDrain(without holder: Holder, at epoch: Epoch) -> [ClusterEvent] {
        guard var drain, drain.from == holder || drain.to == holder else { return [] }
        let seatMoved = seat(drain.seat)?.address == drain.newAddress
        if drain.from == holder {
            if seatMoved {
                // The seat is safe at its new address; what was left on the old one went with the machine.
                enterMaintenance(drain)
                self.drain = nil
                return [
                    ClusterEvent(
                        .drainFinished, drain.seat, "\(holder.name) went out before its drain ended",
                        epoch: epoch)
                ]
            }
            dropNewAddress(of: drain)
        } else if seatMoved {
            if let successor = grant(of: drain.newAddress), !successor.revoked {
                drain.to = successor.holder
                self.drain = drain
                return []
            }
            guard drain.phase != .rotating, let old = grant(of: drain.oldAddress), !old.revoked else {
                return []
            }
            move(seat: drain.seat, to: drain.oldAddress)
        }
        self.drain = nil
        return [
            ClusterEvent(.drainAborted, drain.seat, "drain undone: \(holder.name) went out", epoch: epoch)
        ]
    }
}

extension Drain.Phase {
    func follows(_ earlier: Drain.Phase) -> Bool {
        switch (earlier, self) {
        case (.raising, .publishing), (.publishing, .withdrawing), (.withdrawing, .waitingForCalls),
            (.waitingForCalls, .rotating):
            true
        default: false
        }
    }
}
