import Consensus
import Primitives

// Which members are lost, and must be fenced.

extension LeaderPass {
    mutating func fenceTheLost() {
        noteDebts()
        for member in scratch.members where member.isActive && member.holder != view.me {
            let debt = view.leadership?.debts.reason(against: member.holder, at: now)
            guard let basis = view.lostBecause(member, owes: debt != nil) else { continue }
            let grants = successions(of: member.holder, basis)
            var fence = Fence(holder: member.holder, basis: basis, grants: grants)
            if basis == .lapse { fence.reason = debt }
            if propose(.fence(fence)) != nil, basis == .silence {
                view.leadership?.fencedForSilence(member.name, at: now)
            }
        }
    }
}

extension ClusterView {
    /// Why a member must be fenced now; nil when it need not.
    func lostBecause(_ member: Member, owes: Bool) -> Fence.Basis? {
        let holder = member.holder
        // An earlier life of our own: nobody else can hear us be reborn on our behalf.
        if holder.member == me.member {
            guard holder.incarnation < me.incarnation, holdings.isEmpty else { return nil }
            return neighbours.isSucceeded(
                holder, on: machine, agreed: state.machine(of: holder), silence: timing.deadAfter, at: now)
                ? .reborn : nil
        }
        if neighbours.isReborn(
            holder, agreed: state.machine(of: holder), silence: timing.deadAfter, at: now)
        {
            return .reborn
        }
        if let neighbour = neighbours[holder.member] {
            let heartbeat = neighbour.heartbeat
            if heartbeat.sender == holder, heartbeat.leaving, heartbeat.keeperEmpty,
                !state.grants.contains(where: { $0.holder == holder && !$0.revoked })
            {
                return .left
            }
        }
        if state.settings.policy.noQuorum == .hold { return nil }
        if isSilent(holder) { return .silence }
        let isHolding = state.grants.contains { $0.holder == holder }
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
    private func isSilent(_ holder: Holder) -> Bool {
        guard now - neighbours.silentSince(holder) >= timing.deadAfter else { return false }
        // A cold start: everybody gets `discovery` to appear.
        let neverHeard = neighbours[holder.member] == nil
        if neverHeard, now - startedAt < timing.discovery { return false }
        let voters = agreement.membership.voters.filter { $0 != holder.member }
        let deaf = voters.count { voter in
            if voter == me.member { return true }
            // An old word says nothing of what its teller hears now; where we are deaf, all words are old.
            guard let neighbour = neighbours[voter], now - neighbour.received < timing.wordMemory else {
                return false
            }
            guard let age = neighbour.ageOfHearing(holder, at: now) else { return true }
            return age >= timing.deadAfter - timing.interval
        }
        return deaf >= agreement.membership.majority
    }
}
