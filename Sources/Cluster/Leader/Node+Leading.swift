import Primitives

// What a leader does about the cluster: one pass, level-triggered, over a scratch copy of the agreed state.

extension Node {
    /// Looks at everything once and proposes what is missing; nothing while earlier proposals are under way.
    mutating func lead(at now: Instant) {
        resignIfDeaf(at: now)
        guard isLeader, leadership != nil, let state, let ownFirst = raft.termBeginning,
            raft.commitIndex >= ownFirst
        else { return }
        judgeEffects(at: now)
        // Wishes are repeated while they last (`plead`).
        let recent = max(.milliseconds(500), timing.interval * 12)
        leadership?.forgetWishes(before: now - .seconds(2), ofHolders: now - recent)
        let silence = nextSilence(in: state, after: now)
        leadership?.nextSilence = silence
        // Also while something is under way: it may wait for just what this node lacks.
        stepAsideIfUnlinked(at: now)
        stepAsideIfUnsteady(at: now)
        guard leadership?.underWay.isEmpty ?? false else { return }
        var scratch = state
        confirmReleases(&scratch, at: now)
        fenceTheLost(&scratch, at: now)
        admit(&scratch, at: now)
        activateConfiguration(&scratch, at: now)
        raiseFormat(&scratch, at: now)
        coverSeats(&scratch, at: now)
        coverLeftCalls(&scratch, at: now)
        relieve(&scratch, at: now)
        relieveUnserved(&scratch, at: now)
        advanceDrain(&scratch, at: now)
        endMaintenance(&scratch, at: now)
        advancePlaybooks(&scratch, at: now)
        tendVoters(scratch, at: now)
        stepAsideIfOdd(at: now)
        stepAsideIfShutOut(at: now)
    }

    /// Proposes a command and applies it to the scratch state, so that what follows in this pass builds on it.
    @discardableResult
    mutating func propose(_ command: ControlCommand, _ scratch: inout ControlState, at now: Instant) -> Epoch?
    {
        guard formatRefusal(of: command, in: scratch) == nil else { return nil }
        let stamped = StampedCommand(time: clusterTime(at: now), command: command, wall: wallTime(at: now))
        var next = scratch
        let guess = Epoch(term: raft.term, index: raft.lastIndex + 1)
        if next.apply(stamped, at: guess).refusal != nil { return nil }
        leadership?.refused("")
        agree(.propose(stamped), at: now)
        guard case .proposed(let epoch) = leadership?.lastProposal else { return nil }
        scratch = next
        return epoch
    }

    // MARK: - Releases

    private mutating func confirmReleases(_ scratch: inout ControlState, at now: Instant) {
        for notice in requests.releases {
            guard let grant = scratch.grant(of: notice.address) else { continue }
            let awaited =
                (grant.revoked && grant.holder == notice.holder && grant.epoch == notice.epoch)
                || grant.conditions.contains(.released(by: notice.holder, epoch: notice.epoch))
            if awaited { propose(.released(notice), &scratch, at: now) }
        }
    }

    // MARK: - Fences

    /// When the next member could be found silent; one that is already is looked at with every beat.
    private func nextSilence(in state: ControlState, after now: Instant) -> Instant? {
        state.members.filter { $0.isActive && $0.holder != me }.map { member in
            neighbours.silentSince(member.holder) + timing.deadAfter
        }.filter { $0 > now }.min()
    }

    private mutating func fenceTheLost(_ scratch: inout ControlState, at now: Instant) {
        noteDebts(scratch, at: now)
        for member in scratch.members where member.isActive && member.holder != me {
            let debt = leadership?.debts.reason(against: member.holder, at: now)
            guard let basis = lostBecause(member, owes: debt != nil, at: now) else { continue }
            let grants = successions(of: member.holder, basis, in: scratch, at: now)
            var fence = Fence(holder: member.holder, basis: basis, grants: grants)
            if basis == .lapse { fence.reason = debt }
            if propose(.fence(fence), &scratch, at: now) != nil, basis == .silence {
                leadership?.fencedForSilence(member.name, at: now)
            }
        }
    }

    /// Who takes which address of a lost holder: seats first, then what still carries calls of a drain.
    private mutating func successions(
        of lost: Holder, _ basis: Fence.Basis, in scratch: ControlState, at now: Instant
    ) -> [Succession] {
        let seats = addressesToSucceed(of: lost, in: scratch)
        let left = scratch.addressesWithLeftCalls.filter { address in
            scratch.grants.contains { $0.address == address && $0.holder == lost && !$0.revoked }
        }
        guard !seats.isEmpty || !left.isEmpty, !awaitsOtherTiming(scratch, at: now) else { return [] }
        if basis.isAutomatic, mustWithhold(in: scratch) {
            reportWithheld(lost.name, in: scratch)
            return []
        }
        let free = spares(in: scratch, at: now).filter { $0 != lost }
        var grants = assign(seats, to: free, in: scratch, at: now)
        let spares = free.filter { spare in !grants.contains { $0.to == spare } }
        if let own = returning(of: lost, in: scratch, at: now), seats.contains(own.address),
            !grants.contains(where: { $0.address == own.address })
        {
            grants.append(own)
        }
        if let both = takingBoth(from: lost, in: scratch, at: now), seats.contains(both.address),
            !grants.contains(where: { $0.address == both.address })
        {
            grants.append(both)
        }
        for address in left {
            let to =
                takers(for: address, in: scratch, at: now).first { spares.contains($0) } ?? grants.first?.to
                ?? takersOfLeftCalls(of: address, besides: lost, in: scratch, at: now).first
            if let to { grants.append(Succession(address: address, to: to)) }
        }
        return grants.sorted { $0.address < $1.address }
    }

    /// Nobody comes by DNS to what carries calls of a drain, so it may be a second address of whoever is at hand.
    func takersOfLeftCalls(
        of address: String, besides lost: Holder?, in scratch: ControlState, at now: Instant
    ) -> [Holder] {
        // After losses somebody else may have the seat by now.
        let seated = scratch.drain.flatMap { scratch.seat($0.seat) }.flatMap { scratch.grant(of: $0.address) }
        let holder = seated.flatMap { $0.revoked ? nil : $0.holder }
        let participants = [scratch.drain?.to, holder, scratch.drain?.from].compactMap { $0 }
        return takers(for: address, in: scratch, at: now).filter { $0 != lost }
            + participants.filter { holder in
                holder != lost && unreadiness(of: holder, in: scratch, mayHold: true, at: now) == nil
            }
    }

    /// With no spare left for a drain's taker, the drained node has its seat again: it also meets those who were told of
    /// the taker's address, and revives the calls there.
    private func returning(of taker: Holder, in scratch: ControlState, at now: Instant) -> Succession? {
        guard let drain = scratch.drain, drain.to == taker, drain.phase.canBeUndone,
            let old = scratch.grant(of: drain.oldAddress), old.holder == drain.from, !old.revoked,
            unreadiness(of: drain.from, in: scratch, mayHold: true, at: now) == nil
        else { return nil }
        return Succession(address: drain.newAddress, to: drain.from)
    }

    /// With no spare left for the drained node, its taker has the seat's address too: callers still find only that one
    /// by DNS, or both, and the calls are there.
    private func takingBoth(from drained: Holder, in scratch: ControlState, at now: Instant) -> Succession? {
        guard let drain = scratch.drain, drain.from == drained, drain.phase.hasNewCalls, drain.to != drained,
            let new = scratch.grant(of: drain.newAddress), new.holder == drain.to, !new.revoked,
            unreadiness(of: drain.to, in: scratch, mayHold: true, at: now) == nil
        else { return nil }
        return Succession(address: drain.oldAddress, to: drain.to)
    }

    /// Who has an address of a drain beside its own, when its holder must be rid of it and no spare is left: the taker that of
    /// the drained node, or the drained node that of the taker.
    func partnerInDrain(
        for address: String, besides holder: Holder, in scratch: ControlState, at now: Instant
    ) -> Holder? {
        let succession =
            takingBoth(from: holder, in: scratch, at: now) ?? returning(of: holder, in: scratch, at: now)
        guard let succession, succession.address == address,
            readiness(of: succession.to, for: address, at: now).readiness <= .degraded
        else { return nil }
        return succession.to
    }

    /// Why a member must be fenced now; nil when it need not.
    private func lostBecause(_ member: Member, owes: Bool, at now: Instant) -> Fence.Basis? {
        let holder = member.holder
        // An earlier life of our own: nobody else can hear us be reborn on our behalf.
        if holder.member == me.member {
            guard holder.incarnation < me.incarnation, holdings.isEmpty else { return nil }
            return isSucceeded(holder, on: machine, at: now) ? .reborn : nil
        }
        if isReborn(holder, at: now) { return .reborn }
        if let neighbour = neighbours[holder.member] {
            let heartbeat = neighbour.heartbeat
            if heartbeat.sender == holder, heartbeat.leaving, heartbeat.keeperEmpty,
                !(state?.grants.contains { $0.holder == holder && !$0.revoked } ?? false)
            {
                return .left
            }
        }
        if state?.settings.policy.noQuorum == .hold { return nil }
        if isSilent(holder, at: now) { return .silence }
        let isHolding = state?.grants.contains { $0.holder == holder } ?? false
        // While we had no lease ourselves, nobody could be expected to have one.
        if isHolding, let since = neighbours[holder]?.leaseInvalidSince, let own = leaseValidSince,
            now - max(since, own) >= timing.deadAfter
        {
            return .lapse
        }
        if isHolding, let since = neighbours[holder]?.leaseLosses.since(at: now), let own = leaseValidSince,
            own < since
        {
            return .lapse
        }
        // It loses its lease by the fence: whoever has it in the log acknowledges the holder no more.
        return owes ? .lapse : nil
    }

    /// Silent to us and to enough others that it cannot just be our own ears.
    private func isSilent(_ holder: Holder, at now: Instant) -> Bool {
        guard now - neighbours.silentSince(holder) >= timing.deadAfter else { return false }
        // A cold start: everybody gets `discovery` to appear.
        let neverHeard = neighbours[holder.member] == nil
        if neverHeard, now - startedAt < timing.discovery { return false }
        let voters = raft.membership.voters.filter { $0 != holder.member }
        let deaf = voters.count { voter in
            if voter == raft.me { return true }
            // An old word says nothing of what its teller hears now; where we are deaf, all words are old.
            guard let neighbour = neighbours[voter], now - neighbour.received < timing.deadAfter / 2 else {
                return false
            }
            guard let age = neighbour.ageOfHearing(holder, at: now) else { return true }
            return age >= timing.deadAfter - timing.interval
        }
        return deaf >= raft.membership.majority
    }

    /// Seat addresses of a holder that should go to somebody else with its fence.
    private func addressesToSucceed(of holder: Holder, in scratch: ControlState) -> [String] {
        scratch.grants.filter { grant in
            grant.holder == holder && !grant.revoked && scratch.seats.contains { $0.address == grant.address }
        }.map(\.address)
    }

    /// Anti-flap: after so many automatic takeovers within an hour, a lost seat waits for time or an operator.
    func mustWithhold(in scratch: ControlState) -> Bool {
        scratch.takeovers.count >= scratch.settings.policy.takeoversPerHour
    }

    /// As part of a sentence: until when, unless an operator acts.
    func withheldText(_ state: ControlState, at now: Instant) -> String {
        let limit = state.settings.policy.takeoversPerHour
        guard limit > 0, state.takeovers.count >= limit else {
            return "automatic takeover is off: takeovers-per-hour=\"0\""
        }
        // The one that must be older than an hour.
        let oldest = state.takeovers[state.takeovers.count - limit]
        let rest = max(.zero, oldest + .seconds(3600) - clusterTime(at: now))
        return "automatic takeover is withheld for another \(max(1, (rest.wholeSeconds + 59) / 60)) min"
    }

    mutating func reportWithheld(_ subject: String, in scratch: ControlState) {
        report(
            .takeoverWithheld, subject,
            "\(scratch.takeovers.count) automatic takeovers within an hour are the limit")
    }

    /// Spares that could take an address now, in the order of the slave list.
    ///
    /// One that has read another cluster file comes last, and is no reason to leave a seat uncovered: what it is
    /// asked for is what the agreed file says.
    func spares(in scratch: ControlState, at now: Instant) -> [Holder] {
        let ready = scratch.slaves.compactMap { scratch.member($0)?.holder }.filter { holder in
            unreadiness(of: holder, in: scratch, at: now) == nil
        }
        func hasAgreedFile(_ holder: Holder) -> Bool {
            let version = holder == me ? settings.version : neighbours[holder]?.heartbeat.settingsVersion
            return version == scratch.settings.version
        }
        return ready.filter(hasAgreedFile) + ready.filter { !hasAgreedFile($0) }
            + [lingerer(in: scratch, at: now)].compactMap { $0 }
    }

    /// Whoever has nothing but the calls that a drain handed over has no seat, and could take one beside them.
    func lingerer(in scratch: ControlState, at now: Instant) -> Holder? {
        guard let drain = scratch.drain, drain.phase == .lingering,
            let grant = scratch.grant(of: drain.oldAddress), !grant.revoked,
            !scratch.grants.contains(where: { $0.holder == grant.holder && $0.address != grant.address }),
            unreadiness(of: grant.holder, in: scratch, mayHold: true, at: now) == nil
        else { return nil }
        return grant.holder
    }

    /// Why a spare could not take an address now; nil when it could.
    ///
    /// - Parameter mayHold: it may have an address already.
    func unreadiness(
        of holder: Holder, in scratch: ControlState, mayHold: Bool = false, at now: Instant
    ) -> String? {
        if let unfitness = scratch.unfitness(of: holder) { return unfitness }
        if !mayHold, scratch.grants.contains(where: { $0.holder == holder }) {
            return "\(holder.name) holds an address"
        }
        if holder == me {
            if leaving != nil { return "\(name) is stopping" }
            if !load.isFit { return Self.unfitText(name, load) }
            if !mayHold, !holdings.isEmpty { return "the keeper on \(name) is not ready" }
            if leaseValidSince == nil { return "\(name) has no lease" }
            return nil
        }
        guard let neighbour = neighbours[holder] else { return "\(holder.name) was not heard yet" }
        let heartbeat = neighbour.heartbeat
        if now - neighbour.received >= max(timing.interval * 4, timing.deadAfter / 2) {
            return "\(holder.name) is silent"
        }
        if heartbeat.leaving { return "\(holder.name) is stopping" }
        if !heartbeat.load.isFit { return Self.unfitText(holder.name, heartbeat.load) }
        if !mayHold, !heartbeat.keeperEmpty { return "the keeper on \(holder.name) is not ready" }
        if !heartbeat.leaseValid { return "\(holder.name) has no lease" }
        return nil
    }

    static func unfitText(_ node: String, _ load: SwitchReport) -> String {
        "FreeSWITCH on \(node) is \(load.health.rawValue)"
    }

    // MARK: - Admissions

    /// A node whose peer links work and whose heartbeats do not would otherwise wait without a word.
    private mutating func tellIfUnheard(_ asked: Leadership.Asked<Admission>, at now: Instant) {
        let holder = asked.wish.holder
        if holder == me || neighbours.isHeard(holder, within: timing.deadAfter, at: now) {
            leadership?.isHeardAgain(holder)
        } else if asked.last - asked.first > .seconds(2), leadership?.isNewlyUnheard(holder) ?? false {
            report(.trouble, holder.name, Self.unheardText(holder.name))
        }
    }

    static func unheardText(_ node: String) -> String {
        "\(node) asks to join, but its heartbeats do not arrive, or ours do not reach it: see whether UDP passes both "
            + "ways on the rings"
    }

    private mutating func admit(_ scratch: inout ControlState, at now: Instant) {
        for asked in leadership?.admissions ?? [] {
            tellIfUnheard(asked, at: now)
            if refuseOldRelease(asked, in: scratch, at: now) { continue }
            let admission = asked.wish
            let holder = admission.holder
            guard let known = scratch.member(holder.name) else {
                admitIfCaughtUp(admission, &scratch, at: now)
                continue
            }
            if known.holder == holder, known.isActive { continue }
            if known.isActive {
                // The old self is fenced first, by silence or because it was reborn; a namesake that goes on
                // living keeps the name.
                if known.holder.member != holder.member, asked.last - asked.first > .seconds(2),
                    neighbours.isHeard(known.holder.member, within: timing.deadAfter, at: now)
                {
                    effects.append(
                        .send(
                            .refused(
                                "another node named \(holder.name) is alive; give this one another name"),
                            to: holder.member))
                }
                continue
            }
            admitIfCaughtUp(admission, &scratch, at: now)
        }
    }

    /// Only who is heard now, in exactly this life: another would be fenced for its silence at once, and come again.
    private mutating func admitIfCaughtUp(
        _ admission: Admission, _ scratch: inout ControlState, at now: Instant
    ) {
        let member = admission.holder.member
        guard
            admission.holder == me
                || neighbours.isHeard(admission.holder, within: timing.deadAfter, at: now)
        else { return }
        guard leadership?.mayReturn(member.name, at: now) ?? false else { return }
        guard raft.membership.contains(member) else { return }
        guard member == raft.me || (raft.matchIndex(of: member) ?? 0) + 16 >= raft.commitIndex else { return }
        propose(.admit(admission), &scratch, at: now)
    }
}
