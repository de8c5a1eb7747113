import Primitives

// What a leader does where nobody is served.

extension LeaderPass {
    /// A leader moves what is not served where it is, if somebody else stands ready: the holder lets go first, and nothing
    /// is waited for. When nobody would be better, nothing moves.
    mutating func relieveUnserved() {
        let askers = view.askers
        for grant in scratch.seatsFirst(scratch.grants)
        where !grant.revoked && grant.conditions.allSatisfy(view.agreement.isMet) {
            let isSeat = scratch.seat(at: grant.address) != nil
            guard isSeat || scratch.addressesWithLeftCalls.contains(grant.address),
                view.isHeard(grant.holder),
                let cause = view.whyUnserved(grant, by: askers),
                let to = view.nextHolder(
                    of: grant.address, besides: grant.holder, upTo: .degraded, withCallsUpTo: .degraded,
                    in: scratch)
            else { continue }
            if scratch.mustWithhold {
                withhold()
                return
            }
            if relieveDrain(of: grant.holder, cause.text) { continue }
            var move = Move(address: grant.address, from: grant.holder, to: to, reason: cause.text)
            move.isAutomatic = true
            if propose(.move(move)) != nil, cause.isSeenFromOutside {
                view.leadership?.shun(grant.holder, grant.address, until: now + Leadership.shunned)
            }
        }
    }

    /// An operator is told that nothing moves by itself any more.
    mutating func withhold() {
        guard view.leadership?.withheldTold.map({ now - $0 >= Timers.withheldReminder }) ?? true else {
            return
        }
        view.leadership?.withheldTold = now
        reportWithheld(view.name)
    }
}

extension ClusterView {
    struct Cause: Hashable {
        var text: String
        var isSeenFromOutside: Bool
    }

    /// Why callers at a granted address are served by nobody, by the holder's own word or by that of those who ask it;
    /// nil when they are, or when that is not known.
    func whyUnserved(_ grant: Grant, by askers: [(Holder, ServiceView)]) -> Cause? {
        guard let view = service(of: grant.holder) else { return nil }
        let (readiness, blocker) = view.readiness(for: grant.address)
        if readiness >= .unserving, let blocker {
            return Cause(text: "\(grant.holder.name): \(blocker.text)", isSeenFromOutside: false)
        }
        guard holds(grant.holder, grant.address), !view.reviving.contains(grant.address),
            load(of: grant.holder).map({ $0.health != .none }) ?? true
        else { return nil }
        return unreachedText(grant, by: askers).map { Cause(text: $0, isSeenFromOutside: true) }
    }

    /// That most of those who ask an address over the network reach nobody there; nil when that is not so, or not sure.
    func unreachedText(_ grant: Grant, by askers: [(Holder, ServiceView)]) -> String? {
        let (unreached, asked, isSure) = unreached(grant, by: askers)
        guard unreached.count * 2 > asked, asked > 1 || isSure else { return nil }
        return "\(unreached.joined(separator: " and ")) cannot reach \(grant.address) at \(grant.holder.name)"
    }

    /// Those who ask an address over the network: who got no good answer, of how many, and whether that is beyond doubt.
    func unreached(
        _ grant: Grant, by askers: [(Holder, ServiceView)]
    ) -> (names: [String], asked: Int, isSure: Bool) {
        var names: [String] = []
        var asked = 0
        var isSure = false
        let view = askers.first { $0.0 == grant.holder }?.1
        let own = view?.stations.first { $0.address == grant.address }
        let rival = view?.sight(of: grant.address, epoch: grant.epoch)?.station
        for (holder, view) in askers where holder != grant.holder && view.canJudge(grant.address) {
            guard let sight = view.sight(of: grant.address, epoch: grant.epoch) else { continue }
            // Who asked another machine, which has the address too, says nothing about the holder. Who got no answer may only
            // remember a former holder, unless this one hears of the other itself.
            if let station = sight.station, let own, station != own.hardware,
                sight.verdict != .silent || station == rival
            {
                continue
            }
            asked += 1
            guard sight.verdict != .served else { continue }
            names.append(holder.name)
            // Who was refused did reach it.
            isSure = isSure || sight.isSure || sight.verdict == .refused
        }
        return (names, asked, isSure)
    }

    /// Everybody heard now who tells what it sees, sorted.
    var askers: [(Holder, ServiceView)] {
        var askers = neighbours.all.compactMap { neighbour -> (Holder, ServiceView)? in
            guard now - neighbour.received < timing.deadAfter else { return nil }
            return neighbour.heartbeat.service.map { (neighbour.holder, $0) }
        }
        askers.append((me, service))
        return askers.sorted { $0.0 < $1.0 }
    }

    /// Addresses of other holders that this node asks: each has two askers, chosen so that all have as much to do.
    var asks: [Ask] {
        guard kind == .full, state.isActive(me) else { return [] }
        let views = askers
        var asks: [Ask] = []
        for (place, address) in state.settings.addresses.enumerated() {
            guard let grant = state.grant(of: address.name), !grant.revoked, grant.holder != me,
                holds(grant.holder, address.name)
            else { continue }
            let able = views.filter { holder, view in
                holder != grant.holder
                    && state.member(holder.name).map { $0.kind == .full && $0.isActive } ?? false
                    && view.canJudge(address.name)
            }.map(\.0)
            guard let mine = able.firstIndex(of: me) else { continue }
            let chosen = [2 * place % able.count, (2 * place + 1) % able.count]
            if chosen.contains(mine) { asks.append(Ask(address: address, epoch: grant.epoch)) }
        }
        return asks
    }
}
