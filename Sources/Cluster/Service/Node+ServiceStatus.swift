import Primitives

// What status says of readiness, and of who reaches whom.

extension Node {
    /// Everything that is wrong with a node's readiness, in words.
    func troubles(of member: Member, _ view: ClusterView) -> [String] {
        guard member.isActive else { return [] }
        let state = view.state
        let unreadiness =
            state.slaves.contains(member.name)
            ? unreadinessTold(of: member.holder, view) : nil
        guard view.isHeard(member.holder) else { return unreadiness.map { [$0] } ?? [] }
        var troubles = view.blockers(of: member.holder)
        if let unreadiness {
            // Why a switch is not well says more than that it is not.
            let isExplained =
                view.load(of: member.holder).map { unreadiness == ClusterView.unfitText(member.name, $0) }
                ?? false
                && view.service(of: member.holder)?.blockers.contains { $0.kind == .health } ?? false
            if !isExplained { troubles.insert(unreadiness, at: 0) }
        }
        // What only the leader knows of it.
        if troubles.isEmpty, state.slaves.contains(member.name),
            let reason = view.blocker(of: member.holder, for: nil, in: state)
        {
            troubles.append(reason)
        }
        return troubles
    }

    /// Why callers at a seat are served by nobody; nil when they are, or when it moves.
    func trouble(at seat: Seat, _ view: ClusterView) -> String? {
        let state = view.state
        // What it knows is old, also of what it held: others may lead, and serve.
        if isCutOff(at: view.now) { return nil }
        guard let grant = state.grant(of: seat.address), !grant.revoked else {
            let why = state.slaves.compactMap { state.member($0)?.holder }.compactMap { holder in
                unreadinessTold(of: holder, view)
                    ?? view.blocker(of: holder, for: seat.address, in: state)
            }
            if state.mustWithhold, !view.readySpares(for: seat.address, in: state).isEmpty {
                return
                    "\(view.withheldText(state)); it is filled at once by: fsdns switchover \(seat.name)"
            }
            if state.slaves.isEmpty { return "nobody can take \(seat.address): no slave is left" }
            if !why.isEmpty { return "nobody can take \(seat.address): " + why.joined(separator: "; ") }
            // Without a majority others may lead, and hold it.
            let isLeaderless = raft.leader == nil && votesHere(at: view.now) >= raft.membership.majority
            return isLeaderless ? "no node leads, so nobody is given \(seat.address)" : nil
        }
        let askers = view.askers
        if view.isHeard(grant.holder) { return view.whyUnserved(grant, by: askers)?.text }
        // What the holder said itself is old; those who ask it are heard.
        guard leaseBelief(of: grant.holder, at: view.now) == .fed else { return nil }
        return view.unreachedText(grant, by: askers)
    }

    func sightLines(of grant: Grant, _ view: ClusterView) -> [StatusReport.SightLine] {
        view.askers.compactMap { holder, view in
            guard holder != grant.holder, let sight = view.sight(of: grant.address, epoch: grant.epoch) else {
                return nil
            }
            let verdict: StatusReport.SightLine.Verdict =
                switch sight.verdict {
                case .served: .served
                case .silent: .silent
                case .refused: .refused
                }
            return StatusReport.SightLine(
                node: holder.name, verdict: verdict, station: sight.station.map(Station.text))
        }
    }

    func serviceWarnings(_ view: ClusterView) -> [String] {
        let state = view.state
        var warnings: [String] = []
        for seat in state.seats {
            guard let trouble = trouble(at: seat, view) else { continue }
            let isHeld = state.grant(of: seat.address).map { !$0.revoked } ?? false
            warnings.append(
                isHeld
                    ? "nobody is served at \(seat.name) (\(seat.address)): \(trouble); no slave that stands ready "
                        + "would be better"
                    : "\(seat.name) is not served: \(trouble)")
        }
        for name in state.slaves {
            guard let member = state.member(name),
                view.isHeard(member.holder) || !hearers(of: member.holder, at: view.now).isEmpty,
                let reason = unreadinessTold(of: member.holder, view)
                    ?? view.blocker(of: member.holder, for: nil, in: state)
            else { continue }
            warnings.append("slave \(name) is not ready and is chosen last: \(reason)")
        }
        for (holder, asker) in view.askers {
            for sight in asker.sights {
                // Who got no answer may only remember somebody: the holder's keeper asks the network itself.
                guard let station = sight.station, sight.verdict != .silent,
                    let grant = state.grant(of: sight.address), grant.epoch == sight.epoch,
                    view.isHeard(grant.holder),
                    let own = view.service(of: grant.holder)?.stations
                        .first(where: { $0.address == sight.address }),
                    own.hardware != station
                else { continue }
                let ip = state.address(sight.address).map { "\($0.ip)" } ?? sight.address
                warnings.append(
                    "somebody else answers for \(ip): \(holder.name) finds \(Station.text(station)) in its "
                        + "network, \(grant.holder.name) holds it behind \(Station.text(own.hardware))")
            }
        }
        return warnings + machineWarnings(view)
    }

    /// What is wrong with a machine whatever its role; slaves are told of with all that keeps them from being ready.
    private func machineWarnings(_ view: ClusterView) -> [String] {
        let state = view.state
        return state.members.filter { view.isHeard($0.holder) }.flatMap { member in
            let isSlave = state.slaves.contains(member.name)
            return (view.service(of: member.holder)?.blockers ?? []).filter { blocker in
                ([.disk, .room, .limits].contains(blocker.kind)
                    && !(isSlave && blocker.kind.readiness > .ready))
                    || (isSlave && blocker.kind == .difference)
            }.map { "\(member.name): \($0.text)" }
        }
    }
}
