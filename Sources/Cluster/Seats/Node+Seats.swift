import Primitives

// What a leader does about seats: covers those that nobody holds, and moves those whose holder asked to be rid of them.

extension Node {
    /// Everybody expected is there, or had long enough to appear.
    private func isSettled(_ scratch: ControlState, at now: Instant) -> Bool {
        if scratch.members.count(where: \.isActive) >= scratch.settings.expect { return true }
        return now - max(startedAt, leadership?.since ?? now) >= timing.discovery
    }

    mutating func coverSeats(_ scratch: inout ControlState, at now: Instant) {
        guard isSettled(scratch, at: now), !awaitsOtherTiming(scratch, at: now) else { return }
        for seat in scratch.seats where scratch.grant(of: seat.address) == nil {
            var spares = takers(for: seat.address, in: scratch, at: now)
            if let first = spares.first {
                let best = readiness(of: first, for: seat.address, at: now).readiness
                spares.removeAll { readiness(of: $0, for: seat.address, at: now).readiness != best }
            }
            // A node another empty seat prefers is left to it, as long as somebody else is free.
            let prefer = scratch.settings.seats.first { $0.name == seat.name }?.prefer
            let wanted = scratch.settings.seats.filter { rule in
                rule.name != seat.name
                    && scratch.seat(rule.name).map { scratch.grant(of: $0.address) == nil } ?? false
            }.compactMap(\.prefer)
            if let preferred = spares.first(where: { $0.name == prefer }) {
                spares = [preferred]
            } else if let prefer, mayStillCome(prefer, in: scratch, at: now) {
                continue
            } else if let unwanted = spares.first(where: { !wanted.contains($0.name) }) {
                spares = [unwanted]
            }
            guard let to = spares.first, !(seat.isLost && mustWithhold(in: scratch)) else {
                continue
            }
            propose(
                .grant(
                    address: seat.address, to: to, reason: "\(seat.name) has no holder", isAutomatic: true),
                &scratch, at: now)
        }
    }

    /// What carries calls that a drain handed over, and was lost with its holder when nobody could follow: whoever can take it, or comes
    /// back, brings the calls back, for as long as anybody waits for them. Seats come first.
    mutating func coverLeftCalls(_ scratch: inout ControlState, at now: Instant) {
        guard let drain = scratch.drain, drain.phase == .lingering, scratch.grant(of: drain.oldAddress) == nil
        else {
            leadership?.callsLostSince = nil
            return
        }
        let since = leadership?.callsLostSince ?? now
        leadership?.callsLostSince = since
        guard now - since < Leadership.callPatience, !awaitsOtherTiming(scratch, at: now),
            // While the seat waits for an operator, nothing moves by itself.
            let seat = scratch.seat(drain.seat), scratch.grant(of: seat.address)?.revoked == false,
            let to = takersOfLeftCalls(of: drain.oldAddress, besides: nil, in: scratch, at: now).first
        else { return }
        propose(
            .grant(
                address: drain.oldAddress, to: to, reason: "calls of \(drain.seat) were left there",
                isAutomatic: true),
            &scratch, at: now)
    }

    /// A preferred node that is admitted and heard gets `discovery` to become ready.
    private func mayStillCome(_ node: String, in scratch: ControlState, at now: Instant) -> Bool {
        guard let leadership, now - leadership.since < timing.discovery, scratch.slaves.contains(node),
            let holder = scratch.member(node)?.holder
        else { return false }
        return isHeard(holder, at: now)
    }

    /// Whether a holder that stops should wait a moment: somebody who was just started may soon be able to take over.
    private func isSuccessorComing(
        after asked: Leadership.Asked<Relinquishment>, in scratch: ControlState, at now: Instant
    ) -> Bool {
        guard now - asked.first < .seconds(2) else { return false }
        func isFree(_ node: String) -> Bool {
            node != asked.wish.holder.name && scratch.member(node)?.maintenance == nil
                && !scratch.grants.contains { $0.holder.name == node && !$0.revoked }
        }
        if kind == .full, leaving == nil, load.isFit, isFree(name) { return true }
        return neighbours.all.contains { neighbour in
            let heartbeat = neighbour.heartbeat
            return now - neighbour.received < timing.deadAfter && heartbeat.kind == .full
                && !heartbeat.leaving
                && heartbeat.load.isFit && isFree(neighbour.holder.name)
        }
    }

    /// Holders that asked to be rid of their addresses.
    mutating func relieve(_ scratch: inout ControlState, at now: Instant) {
        for asked in leadership?.relinquishments ?? [] {
            let wish = asked.wish
            if relieveDrain(of: wish.holder, wish.reason, &scratch, at: now) { continue }
            for grant in seatsFirst(
                scratch.grants.filter { $0.holder == wish.holder && !$0.revoked }, scratch)
            {
                relieve(grant, asked, &scratch, at: now)
            }
            // What is given to it later it did not ask to be rid of.
            if !scratch.grants.contains(where: { $0.holder == wish.holder && !$0.revoked }) {
                leadership?.fulfilled(wish)
            }
        }
    }

    /// A spare that takes what only carries calls of a drain would be missed by a seat, to which callers come.
    func seatsFirst(_ grants: [Grant], _ state: ControlState) -> [Grant] {
        let isSeat = { (grant: Grant) in state.seat(at: grant.address) != nil }
        return grants.filter(isSeat) + grants.filter { !isSeat($0) }
    }

    private mutating func relieve(
        _ grant: Grant, _ asked: Leadership.Asked<Relinquishment>, _ scratch: inout ControlState,
        at now: Instant
    ) {
        let wish = asked.wish
        let isSeat = scratch.seat(at: grant.address) != nil
        let isLeft = scratch.addressesWithLeftCalls.contains(grant.address)
        if isSeat || isLeft,
            let to = nextHolder(than: wish, of: grant.address, in: scratch, at: now)
        {
            // Something is wrong with it: such moves must not go round and round.
            if !wish.isPlanned, mustWithhold(in: scratch) { return withhold(scratch, at: now) }
            var move = Move(address: grant.address, from: wish.holder, to: to, reason: wish.reason)
            if !wish.isPlanned { move.isAutomatic = true }
            propose(.move(move), &scratch, at: now)
        } else if wish.leaving, !isSuccessorComing(after: asked, in: scratch, at: now) {
            propose(
                .revoke(address: grant.address, from: wish.holder, reason: wish.reason), &scratch, at: now)
        }
    }

    /// Who takes an address that its holder wants to be rid of; nil when nobody could.
    func nextHolder(
        than wish: Relinquishment, of address: String, in scratch: ControlState, at now: Instant
    ) -> Holder? {
        // Where the holder will serve nobody in a moment, anybody is better.
        let worst: Readiness = wish.leaving ? .unserving : wish.isPlanned ? .unsettled : .degraded
        return nextHolder(
            of: address, besides: wish.holder, upTo: worst, withCallsUpTo: .unable, in: scratch, at: now)
    }

    /// Who takes an address instead of its holder.
    ///
    /// - Parameters:
    ///   - worst: how well it must be able to serve callers there at least.
    ///   - worstWithCalls: the same for an address to which nobody comes any more, and that only carries calls of a drain.
    func nextHolder(
        of address: String, besides holder: Holder, upTo worst: Readiness,
        withCallsUpTo worstWithCalls: Readiness,
        in scratch: ControlState, at now: Instant
    ) -> Holder? {
        if scratch.addressesWithLeftCalls.contains(address) {
            return takersOfLeftCalls(of: address, besides: holder, in: scratch, at: now).first {
                readiness(of: $0, for: address, at: now).readiness <= worstWithCalls
            }
        }
        return takers(for: address, upTo: worst, in: scratch, at: now).first { $0 != holder }
            ?? partnerInDrain(for: address, besides: holder, in: scratch, at: now)
    }
}
