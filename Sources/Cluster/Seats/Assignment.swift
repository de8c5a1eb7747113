import Primitives

// What a leader does about seats: covers those that nobody holds, and moves those whose holder asked to be rid of them.

extension LeaderPass {
    /// Who was waited for says that it let go.
    mutating func confirmReleases() {
        for notice in view.releases {
            guard let grant = scratch.grant(of: notice.address) else { continue }
            let awaited =
                (grant.revoked && grant.holder == notice.holder && grant.epoch == notice.epoch)
                || grant.conditions.contains(.released(by: notice.holder, epoch: notice.epoch))
            if awaited { propose(.released(notice)) }
        }
    }

    mutating func coverSeats() {
        guard view.isSettled(scratch), !view.awaitsOtherTiming(scratch) else { return }
        for seat in scratch.seats where scratch.grant(of: seat.address) == nil {
            guard !(seat.isLost && scratch.mustWithhold),
                let to = view.newHolder(of: seat, in: scratch)
            else { continue }
            propose(
                .grant(
                    address: seat.address, to: to, reason: "\(seat.name) has no holder", isAutomatic: true))
        }
    }

    /// What carries calls that a drain handed over, and was lost with its holder when nobody could follow: whoever can take it, or comes
    /// back, brings the calls back, for as long as anybody waits for them. Seats come first.
    mutating func coverLeftCalls() {
        guard let drain = scratch.drain, drain.phase == .lingering, scratch.grant(of: drain.oldAddress) == nil
        else {
            view.leadership?.callsLostSince = nil
            return
        }
        let since = view.leadership?.callsLostSince ?? now
        view.leadership?.callsLostSince = since
        guard now - since < Leadership.callPatience, !view.awaitsOtherTiming(scratch),
            // While the seat waits for an operator, nothing moves by itself.
            let seat = scratch.seat(drain.seat), scratch.grant(of: seat.address)?.revoked == false
        else { return }
        // As for a seat: where they still are, they need nobody who brings them back.
        let takers = view.takersOfLeftCalls(of: drain.oldAddress, besides: nil, in: scratch)
        let home = takers.first { view.hasCalls($0, of: drain.oldAddress) }
        if home == nil, view.mustWaitForCalls(of: drain.oldAddress, takers, in: scratch) { return }
        guard let to = home ?? takers.first else { return }
        propose(
            .grant(
                address: drain.oldAddress, to: to, reason: "calls of \(drain.seat) were left there",
                isAutomatic: true))
    }

    /// Holders that asked to be rid of their addresses.
    mutating func relieve() {
        for asked in view.leadership?.relinquishments ?? [] {
            let wish = asked.wish
            if relieveDrain(of: wish.holder, wish.reason) { continue }
            for grant in scratch.seatsFirst(
                scratch.grants.filter { $0.holder == wish.holder && !$0.revoked })
            {
                relieve(grant, asked)
            }
            // What is given to it later it did not ask to be rid of.
            if !scratch.grants.contains(where: { $0.holder == wish.holder && !$0.revoked }) {
                view.leadership?.fulfilled(wish)
            }
        }
    }

    private mutating func relieve(_ grant: Grant, _ asked: Leadership.Asked<Relinquishment>) {
        let wish = asked.wish
        let isSeat = scratch.seat(at: grant.address) != nil
        let isLeft = scratch.addressesWithLeftCalls.contains(grant.address)
        if isSeat || isLeft,
            let to = view.nextHolder(than: wish, of: grant.address, in: scratch)
        {
            // Something is wrong with it: such moves must not go round and round.
            if !wish.isPlanned, scratch.mustWithhold { return withhold() }
            var move = Move(address: grant.address, from: wish.holder, to: to, reason: wish.reason)
            if !wish.isPlanned { move.isAutomatic = true }
            propose(.move(move))
        } else if wish.leaving, !view.isSuccessorComing(after: asked, in: scratch) {
            propose(.revoke(address: grant.address, from: wish.holder, reason: wish.reason))
        }
    }
}

extension ClusterView {
    /// Everybody expected is there, or had long enough to appear.
    func isSettled(_ scratch: ControlState) -> Bool {
        if scratch.members.count(where: \.isActive) >= scratch.settings.expect { return true }
        return now - max(startedAt, leadership?.since ?? now) >= timing.discovery
    }

    /// Who is given a seat that nobody has; nil when nobody could serve it now, or somebody better may come in a moment.
    func newHolder(of seat: Seat, in scratch: ControlState) -> Holder? {
        var spares = takers(for: seat.address, in: scratch).filter { !lacksProfile($0, for: seat.address) }
        if let home = spares.first(where: { hasCalls($0, of: seat.address) }) { return home }
        if mustWaitForCalls(of: seat.address, spares, in: scratch) { return nil }
        if let first = spares.first {
            let best = readiness(of: first, for: seat.address).readiness
            spares.removeAll { readiness(of: $0, for: seat.address).readiness != best }
        }
        let prefer = scratch.settings.seats.first { $0.name == seat.name }?.prefer
        if let preferred = spares.first(where: { $0.name == prefer }) { return preferred }
        if let prefer, mayStillCome(prefer, in: scratch) { return nil }
        // A node another empty seat prefers is left to it, as long as somebody else is free.
        let wanted = scratch.settings.seats.filter { rule in
            rule.name != seat.name
                && scratch.seat(rule.name).map { scratch.grant(of: $0.address) == nil } ?? false
        }.compactMap(\.prefer)
        return spares.first { !wanted.contains($0.name) } ?? spares.first
    }

    /// Its switch would serve nobody there, and others may come who would.
    func lacksProfile(_ holder: Holder, for address: String) -> Bool {
        service(of: holder)?.blockers.contains { $0.kind == .profile && $0.address == address } ?? false
    }

    /// Whether the switch there still has calls of an address that nobody holds: all node services were started anew, and switches
    /// went on meanwhile.
    func hasCalls(_ holder: Holder, of address: String) -> Bool {
        load(of: holder)?.load(of: address).map { $0.calls > 0 } ?? false
    }

    /// A switch that still has calls of the address gets a moment to be ready for it, and after a start of this node each switch
    /// gets one to say whether it has: nobody has a copy of calls then, so they live there or nowhere.
    func mustWaitForCalls(of address: String, _ ready: [Holder], in scratch: ControlState) -> Bool {
        guard now - startedAt < timing.discovery + Timers.switchPatience else { return false }
        let coming = scratch.slaves.compactMap { scratch.member($0)?.holder }.filter { holder in
            isHeard(holder) && !ready.contains(holder) && !lacksProfile(holder, for: address)
        }
        return coming.contains { hasCalls($0, of: address) || load(of: $0)?.health == .unknown }
    }

    /// A preferred node that is admitted and heard gets `discovery` to become ready.
    func mayStillCome(_ node: String, in scratch: ControlState) -> Bool {
        guard let leadership, now - leadership.since < timing.discovery, scratch.slaves.contains(node),
            let holder = scratch.member(node)?.holder
        else { return false }
        return isHeard(holder)
    }

    /// Whether a holder that stops should wait a moment: somebody who was just started may soon be able to take over.
    func isSuccessorComing(after asked: Leadership.Asked<Relinquishment>, in scratch: ControlState) -> Bool {
        guard now - asked.first < Timers.successorPatience else { return false }
        func isFree(_ node: String) -> Bool {
            node != asked.wish.holder.name && scratch.member(node)?.maintenance == nil
                && !scratch.grants.contains { $0.holder.name == node && !$0.revoked }
        }
        if kind == .full, !isLeaving, load.isFit, isFree(name) { return true }
        return neighbours.all.contains { neighbour in
            let heartbeat = neighbour.heartbeat
            return now - neighbour.received < timing.deadAfter && heartbeat.kind == .full
                && !heartbeat.leaving
                && heartbeat.load.isFit && isFree(neighbour.holder.name)
        }
    }
}

extension ControlState {
    /// A spare that takes what only carries calls of a drain would be missed by a seat, to which callers come.
    func seatsFirst(_ grants: [Grant]) -> [Grant] {
        let isSeat = { (grant: Grant) in seat(at: grant.address) != nil }
        return grants.filter(isSeat) + grants.filter { !isSeat($0) }
    }
}
