import Primitives

// What status says of readiness, and of who reaches whom.

extension Node {
    /// Whether a spare stands ready for any address; nil for who is no spare.
    func isReady(_ member: Member, at now: Instant) -> Bool? {
        guard let state, state.slaves.contains(member.name) else { return nil }
        return unreadiness(of: member.holder, in: state, at: now) == nil
            && blocker(of: member.holder, for: nil, in: state, at: now) == nil
    }

    /// Everything that is wrong with a node's readiness, in words.
    func troubles(of member: Member, at now: Instant) -> [String] {
        guard let state, member.isActive else { return [] }
        let unreadiness =
            state.slaves.contains(member.name)
            ? unreadinessTold(of: member.holder, in: state, at: now) : nil
        guard isHeard(member.holder, at: now) else { return unreadiness.map { [$0] } ?? [] }
        var troubles = blockers(of: member.holder, at: now)
        if let unreadiness {
            // Why a switch is not well says more than that it is not.
            let isExplained =
                load(of: member.holder).map { unreadiness == Self.unfitText(member.name, $0) } ?? false
                && view(of: member.holder, at: now)?.blockers.contains { $0.kind == .health } ?? false
            if !isExplained { troubles.insert(unreadiness, at: 0) }
        }
        // What only the leader knows of it.
        if troubles.isEmpty, state.slaves.contains(member.name),
            let reason = blocker(of: member.holder, for: nil, in: state, at: now)
        {
            troubles.append(reason)
        }
        return troubles
    }

    /// Why callers at a seat are served by nobody; nil when they are, or when it moves.
    func trouble(at seat: Seat, in state: ControlState, at now: Instant) -> String? {
        // What it knows is old, also of what it held: others may lead, and serve.
        if isCutOff(at: now) { return nil }
        guard let grant = state.grant(of: seat.address), !grant.revoked else {
            let why = state.slaves.compactMap { state.member($0)?.holder }.compactMap { holder in
                unreadinessTold(of: holder, in: state, at: now)
                    ?? blocker(of: holder, for: seat.address, in: state, at: now)
            }
            if mustWithhold(in: state), !readySpares(for: seat.address, in: state, at: now).isEmpty {
                return
                    "\(withheldText(state, at: now)); it is filled at once by: fsdns switchover \(seat.name)"
            }
            if state.slaves.isEmpty { return "nobody can take \(seat.address): no slave is left" }
            if !why.isEmpty { return "nobody can take \(seat.address): " + why.joined(separator: "; ") }
            // Without a majority others may lead, and hold it.
            let isLeaderless = raft.leader == nil && votesHere(at: now) >= raft.membership.majority
            return isLeaderless ? "no node leads, so nobody is given \(seat.address)" : nil
        }
        let askers = askers(at: now)
        if isHeard(grant.holder, at: now) { return whyUnserved(grant, by: askers, at: now)?.text }
        // What the holder said itself is old; those who ask it are heard.
        guard leaseBelief(of: grant.holder, at: now) == .fed else { return nil }
        return unreachedText(grant, by: askers)
    }

    func sightLines(of grant: Grant, at now: Instant) -> [StatusReport.SightLine] {
        askers(at: now).compactMap { holder, view in
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

    func serviceWarnings(in state: ControlState, at now: Instant) -> [String] {
        var warnings: [String] = []
        for seat in state.seats {
            guard let trouble = trouble(at: seat, in: state, at: now) else { continue }
            let isHeld = state.grant(of: seat.address).map { !$0.revoked } ?? false
            warnings.append(
                isHeld
                    ? "nobody is served at \(seat.name) (\(seat.address)): \(trouble); no slave that stands ready "
                        + "would be better"
                    : "\(seat.name) is not served: \(trouble)")
        }
        for name in state.slaves {
            guard let member = state.member(name),
                isHeard(member.holder, at: now) || !hearers(of: member.holder, at: now).isEmpty,
                let reason = unreadinessTold(of: member.holder, in: state, at: now)
                    ?? blocker(of: member.holder, for: nil, in: state, at: now)
            else { continue }
            warnings.append("slave \(name) is not ready and is chosen last: \(reason)")
        }
        for (holder, view) in askers(at: now) {
            for sight in view.sights {
                // Who got no answer may only remember somebody: the holder's keeper asks the network itself.
                guard let station = sight.station, sight.verdict != .silent,
                    let grant = state.grant(of: sight.address), grant.epoch == sight.epoch,
                    isHeard(grant.holder, at: now),
                    let own = self.view(of: grant.holder, at: now)?.stations
                        .first(where: { $0.address == sight.address }),
                    own.hardware != station
                else { continue }
                let ip = state.address(sight.address).map { "\($0.ip)" } ?? sight.address
                warnings.append(
                    "somebody else answers for \(ip): \(holder.name) finds \(Station.text(station)) in its "
                        + "network, \(grant.holder.name) holds it behind \(Station.text(own.hardware))")
            }
        }
        return warnings + machineWarnings(in: state, at: now)
    }

    /// What is wrong with a machine whatever its role; slaves are told of with all that keeps them from being ready.
    private func machineWarnings(in state: ControlState, at now: Instant) -> [String] {
        state.members.filter { isHeard($0.holder, at: now) }.flatMap { member in
            let isSlave = state.slaves.contains(member.name)
            return (view(of: member.holder, at: now)?.blockers ?? []).filter { blocker in
                ([.disk, .room, .limits].contains(blocker.kind)
                    && !(isSlave && blocker.kind.readiness > .ready))
                    || (isSlave && blocker.kind == .difference)
            }.map { "\(member.name): \($0.text)" }
        }
    }
}
