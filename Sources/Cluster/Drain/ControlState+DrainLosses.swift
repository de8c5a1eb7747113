import Primitives

// What a drain becomes when a node that takes part in it is lost.

extension ControlState {
    /// Addresses without a seat that may carry calls, and so must not go down with their holder.
    package var addressesWithLeftCalls: [String] {
        guard let drain else { return [] }
        switch drain.phase.rule.leftCalls {
        case .old: return [drain.oldAddress]
        case .new: return [drain.newAddress]
        case nil: return []
        }
    }

    /// An address of the drain went to another node by its holder's own wish.
    mutating func followDrain(_ move: Move, at epoch: Epoch) -> [ClusterEvent] {
        guard let drain else { return [] }
        if drain.newAddress == move.address, drain.to == move.from { self.drain?.to = move.to }
        guard drain.oldAddress == move.address, drain.from == move.from else { return [] }
        guard seat(drain.seat)?.address == drain.newAddress else {
            self.drain?.from = move.to
            return []
        }
        // The drained node is free: what it was to do, to refuse calls and to go into maintenance, is not for a node
        // that serves a seat.
        enterMaintenance(drain)
        self.drain?.enter(.lingering, at: epoch, time)
        return self.drain.map { [event(of: $0, epoch)] } ?? []
    }

    /// The holder was fenced; its addresses have their successors already.
    mutating func settleDrain(without holder: Holder, at epoch: Epoch) -> [ClusterEvent] {
        guard var drain, drain.from == holder || drain.to == holder else { return [] }
        // Both addresses may have been on one node; each has a successor of its own.
        if drain.from == drain.to, let new = successor(of: drain.newAddress) {
            drain.to = new
            self.drain = drain
        }
        let hasMoved = seat(drain.seat)?.address == drain.newAddress
        switch (hasMoved, drain.from == holder) {
        case (true, true): return loseDrained(drain, at: epoch)
        case (true, false): return loseTaker(drain, at: epoch)
        case (false, true): return loseHolder(drain, at: epoch)
        case (false, false): return loseSpare(drain, at: epoch)
        }
    }

    private func successor(of address: String) -> Holder? {
        grant(of: address).flatMap { $0.revoked ? nil : $0.holder }
    }

    /// The drained node is lost after its seat moved: it is down anyway, and its calls go on elsewhere or went with it.
    private mutating func loseDrained(_ lost: Drain, at epoch: Epoch) -> [ClusterEvent] {
        if lost.phase != .lingering { enterMaintenance(lost) }
        switch lost.phase.rule.ifDrainedLost {
        case .goOn: return []
        case .endWhenReleased:
            if grant(of: lost.oldAddress) != nil { return [] }
        case .linger, .followOrEnd, .restore, .end:
            if successor(of: lost.oldAddress) != nil {
                drain?.enter(.lingering, at: epoch, time)
                return drain.map { [event(of: $0, epoch)] } ?? []
            }
        }
        drain = nil
        return [
            ClusterEvent(
                .drainFinished, lost.seat, "\(lost.from.name) went out before its drain ended", epoch: epoch)
        ]
    }

    /// The taker is lost after it got the seat: another follows it, or the drained node has the seat again, and perhaps
    /// both addresses until the new one is empty.
    private mutating func loseTaker(_ lost: Drain, at epoch: Epoch) -> [ClusterEvent] {
        let rule = lost.phase.rule
        if let new = successor(of: lost.newAddress) {
            drain?.to = new
            guard new == lost.from, rule.ifTakerLost == .followOrEnd, successor(of: lost.oldAddress) == new
            else {
                return []
            }
            // Nobody else was left: the seat goes back, and its calls of meanwhile end on their address.
            move(seat: lost.seat, to: lost.oldAddress)
            return restore(without: lost.to, epoch)
        }
        guard rule.ifTakerLost == .followOrEnd, successor(of: lost.oldAddress) != nil else { return [] }
        move(seat: lost.seat, to: lost.oldAddress)
        return undone(lost, without: lost.to, epoch)
    }

    /// The drained node is lost while it has the seat, before it moved or after it moved back.
    private mutating func loseHolder(_ lost: Drain, at epoch: Epoch) -> [ClusterEvent] {
        let rule = lost.phase.rule
        let new = successor(of: lost.newAddress)
        if let old = successor(of: lost.oldAddress), rule.ifDrainedLost != .end, new != nil {
            drain?.from = old
            // Callers may have been told of the new address: it is withdrawn before it is given up.
            return rule.ifDrainedLost == .restore ? restore(without: lost.from, epoch) : []
        }
        if rule.ifDrainedLost != .end, lost.phase != .aborting, new == lost.to {
            // The seat's address is lost, and the one of the drain is at hand.
            move(seat: lost.seat, to: lost.newAddress)
            drain = nil
            return [
                ClusterEvent(
                    .drainFinished, lost.seat,
                    "\(lost.from.name) went out; \(lost.seat) stays at \(lost.newAddress)", epoch: epoch)
            ]
        }
        revoke(lost.newAddress)
        return undone(lost, without: lost.from, epoch)
    }

    /// Whoever has the new address is lost while the seat is at the old one.
    private mutating func loseSpare(_ lost: Drain, at epoch: Epoch) -> [ClusterEvent] {
        guard let new = successor(of: lost.newAddress), lost.phase.rule.ifTakerLost != .end else {
            return undone(lost, without: lost.to, epoch)
        }
        drain?.to = new
        // Only the drained node itself was left to take it: there is nobody to drain it to.
        return new == lost.from && !lost.phase.isUndoing ? restore(without: lost.to, epoch) : []
    }

    private mutating func restore(without holder: Holder, _ epoch: Epoch) -> [ClusterEvent] {
        drain?.forgottenAt = nil
        drain?.enter(.restoring, at: epoch, time)
        return drain.map { [undoing($0, holder, epoch)] } ?? []
    }

    private mutating func undone(_ lost: Drain, without holder: Holder, _ epoch: Epoch) -> [ClusterEvent] {
        drain = nil
        return [undoing(lost, holder, epoch)]
    }

    private func undoing(_ drain: Drain, _ holder: Holder, _ epoch: Epoch) -> ClusterEvent {
        ClusterEvent(.drainAborted, drain.seat, "drain undone: \(holder.name) went out", epoch: epoch)
    }
}
