import Primitives

// Who takes the addresses of a node that is lost, or wants to be rid of them.

extension LeaderPass {
    /// Who takes which address of a lost holder: seats first, then what still carries calls of a drain.
    mutating func successions(of lost: Holder, _ basis: Fence.Basis) -> [Succession] {
        let seats = view.addressesToSucceed(of: lost, in: scratch)
        let left = scratch.addressesWithLeftCalls.filter { address in
            scratch.grants.contains { $0.address == address && $0.holder == lost && !$0.revoked }
        }
        guard !seats.isEmpty || !left.isEmpty, !view.awaitsOtherTiming(scratch) else { return [] }
        if basis.isAutomatic, scratch.mustWithhold {
            reportWithheld(lost.name)
            return []
        }
        let free = view.spares(in: scratch).filter { $0 != lost }
        var grants = view.assign(seats, to: free, in: scratch)
        let spares = free.filter { spare in !grants.contains { $0.to == spare } }
        if let own = view.returning(of: lost, in: scratch), seats.contains(own.address),
            !grants.contains(where: { $0.address == own.address })
        {
            grants.append(own)
        }
        if let both = view.takingBoth(from: lost, in: scratch), seats.contains(both.address),
            !grants.contains(where: { $0.address == both.address })
        {
            grants.append(both)
        }
        for address in left {
            let to =
                view.takers(for: address, in: scratch).first { spares.contains($0) } ?? grants.first?.to
                ?? view.takersOfLeftCalls(of: address, besides: lost, in: scratch).first
            if let to { grants.append(Succession(address: address, to: to)) }
        }
        return grants.sorted { $0.address < $1.address }
    }

    mutating func reportWithheld(_ subject: String) {
        report(
            .takeoverWithheld, subject,
            "\(scratch.takeovers.count) automatic takeovers within an hour are the limit")
    }
}

extension ClusterView {
    /// Nobody comes by DNS to what carries calls of a drain, so it may be a second address of whoever is at hand.
    func takersOfLeftCalls(of address: String, besides lost: Holder?, in scratch: ControlState) -> [Holder] {
        // After losses somebody else may have the seat by now.
        let seated = scratch.drain.flatMap { scratch.seat($0.seat) }.flatMap { scratch.grant(of: $0.address) }
        let holder = seated.flatMap { $0.revoked ? nil : $0.holder }
        let participants = [scratch.drain?.to, holder, scratch.drain?.from].compactMap { $0 }
        return takers(for: address, in: scratch).filter { $0 != lost }
            + participants.filter { holder in
                holder != lost && unreadiness(of: holder, in: scratch, mayHold: true) == nil
            }
    }

    /// With no spare left for a drain's taker, the drained node has its seat again: it also meets those who were told of
    /// the taker's address, and revives the calls there.
    func returning(of taker: Holder, in scratch: ControlState) -> Succession? {
        guard let drain = scratch.drain, drain.to == taker, drain.phase.canBeUndone,
            let old = scratch.grant(of: drain.oldAddress), old.holder == drain.from, !old.revoked,
            unreadiness(of: drain.from, in: scratch, mayHold: true) == nil
        else { return nil }
        return Succession(address: drain.newAddress, to: drain.from)
    }

    /// With no spare left for the drained node, its taker has the seat's address too: callers still find only that one
    /// by DNS, or both, and the calls are there.
    func takingBoth(from drained: Holder, in scratch: ControlState) -> Succession? {
        guard let drain = scratch.drain, drain.from == drained, drain.phase.hasNewCalls, drain.to != drained,
            let new = scratch.grant(of: drain.newAddress), new.holder == drain.to, !new.revoked,
            unreadiness(of: drain.to, in: scratch, mayHold: true) == nil
        else { return nil }
        return Succession(address: drain.oldAddress, to: drain.to)
    }

    /// Who has an address of a drain beside its own, when its holder must be rid of it and no spare is left: the taker that of
    /// the drained node, or the drained node that of the taker.
    func partnerInDrain(for address: String, besides holder: Holder, in scratch: ControlState) -> Holder? {
        let succession =
            takingBoth(from: holder, in: scratch) ?? returning(of: holder, in: scratch)
        guard let succession, succession.address == address,
            readiness(of: succession.to, for: address).readiness <= .degraded
        else { return nil }
        return succession.to
    }

    /// Seat addresses of a holder that should go to somebody else with its fence.
    func addressesToSucceed(of holder: Holder, in scratch: ControlState) -> [String] {
        scratch.grants.filter { grant in
            grant.holder == holder && !grant.revoked && scratch.seats.contains { $0.address == grant.address }
        }.map(\.address)
    }

    /// Which spare takes which address: the hardest to place first, each the one that could serve it best.
    func assign(_ addresses: [String], to free: [Holder], in scratch: ControlState) -> [Succession] {
        var free = free
        func takers(_ address: String) -> [Holder] {
            self.takers(for: address, in: scratch).filter { free.contains($0) }
        }
        func choices(_ address: String) -> Int {
            takers(address).count { readiness(of: $0, for: address).readiness == .ready }
        }
        let counted = addresses.enumerated().map {
            (place: $0.offset, address: $0.element, choices($0.element))
        }
        var successions: [Succession] = []
        for (_, address, _) in counted.sorted(by: { ($0.2, $0.place) < ($1.2, $1.place) }) {
            guard let to = takers(address).first else { continue }
            successions.append(Succession(address: address, to: to))
            free.removeAll { $0 == to }
        }
        return successions
    }

    /// Who takes an address that its holder wants to be rid of; nil when nobody could.
    func nextHolder(than wish: Relinquishment, of address: String, in scratch: ControlState) -> Holder? {
        // Where the holder will serve nobody in a moment, anybody is better.
        let worst: Readiness = wish.leaving ? .unserving : wish.isPlanned ? .unsettled : .degraded
        return nextHolder(
            of: address, besides: wish.holder, upTo: worst, withCallsUpTo: .unable, in: scratch)
    }

    /// Who takes an address instead of its holder.
    ///
    /// - Parameters:
    ///   - worst: how well it must be able to serve callers there at least.
    ///   - worstWithCalls: the same for an address to which nobody comes any more, and that only carries calls of a drain.
    func nextHolder(
        of address: String, besides holder: Holder, upTo worst: Readiness,
        withCallsUpTo worstWithCalls: Readiness,
        in scratch: ControlState
    ) -> Holder? {
        if scratch.addressesWithLeftCalls.contains(address) {
            return takersOfLeftCalls(of: address, besides: holder, in: scratch).first {
                readiness(of: $0, for: address).readiness <= worstWithCalls
            }
        }
        return takers(for: address, upTo: worst, in: scratch).first { $0 != holder }
            ?? partnerInDrain(for: address, besides: holder, in: scratch)
    }

    /// As part of a sentence: until when, unless an operator acts.
    func withheldText(_ state: ControlState) -> String {
        let limit = state.settings.policy.takeoversPerHour
        guard limit > 0, state.takeovers.count >= limit else {
            return "automatic takeover is off: takeovers-per-hour=\"0\""
        }
        // The one that must be older than an hour.
        let oldest = state.takeovers[state.takeovers.count - limit]
        let rest = max(.zero, oldest + Timers.takeoverWindow - time)
        return "automatic takeover is withheld for another \(max(1, (rest.wholeSeconds + 59) / 60)) min"
    }
}

extension ControlState {
    /// Anti-flap: after so many automatic takeovers within an hour, a lost seat waits for time or an operator.
    var mustWithhold: Bool { takeovers.count >= settings.policy.takeoversPerHour }
}
