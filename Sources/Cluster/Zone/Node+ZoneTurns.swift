import Primitives

// Nodes that may have to lead try in turn whether they could write the zone, and a leader that cannot lets another lead.

extension Node {
    /// As the heartbeat carries it; nil when there is nothing to say.
    func zoneWord(at now: Instant) -> ZoneWord? {
        let word = ZoneWord(
            turn: isLeader ? zoneTurns.holder(at: now) : "", trouble: isLeader ? "" : zoneTurns.trouble)
        return word.isEmpty ? nil : word
    }

    /// Lets another node try, while the leader itself has nothing to write.
    mutating func giveZoneTurn(at now: Instant) {
        guard let leadership, let state, state.settings.dns != nil, zoneTurns.isDue(at: now),
            canGiveZoneTurn(leadership, at: now), !zone.isWriting,
            zone.rate.isIdle(at: now)
        else { return }
        let nodes = state.members.compactMap { member -> (name: String, isInTrouble: Bool)? in
            guard member.isActive, member.holder != me, isHeard(member.holder, at: now),
                let heartbeat = neighbours[member.holder]?.heartbeat, heartbeat.paths != nil
            else { return nil }
            return (member.name, heartbeat.zone?.trouble.isEmpty == false)
        }.filter {
            $0.isInTrouble || now - leadership.since >= ZoneTurns.first || zoneShutOut(at: now) != nil
        }
        guard let end = zoneTurns.give(to: nodes, beat: timing.interval, at: now) else { return }
        // It is sent somewhere in between.
        var moment = now
        while moment < end {
            zone.rate.note(at: moment)
            moment = moment + ZoneRate.span
        }
        zone.rate.note(at: end)
    }

    /// A leader that cannot write gives turns early, so that it learns soon who can.
    private func canGiveZoneTurn(_ leadership: Leadership, at now: Instant) -> Bool {
        let age = now - leadership.since
        if zoneShutOut(at: now) != nil { return age >= ZoneTurns.firstShutOut }
        return age >= ZoneTurns.firstInTrouble && zone.converged != nil
    }

    /// The leader says whose turn it is.
    mutating func hearZoneTurn(_ heartbeat: Heartbeat, at now: Instant) {
        guard heartbeat.zone?.turn == name, !isLeader, heartbeat.term == raft.term,
            raft.leader == heartbeat.sender.member, let desired = view(at: now)?.desiredZone
        else { return }
        guard zoneTurns.begin(at: now) else { return }
        let id = zone.takeID()
        zoneTurns.updating = id
        // Without having read the zone: nothing of it can happen.
        effects.append(
            .updateZone(id: id, desired.proof(of: desired.writtenSets, in: [], guarded: true)))
    }

    mutating func endZoneTurn(_ outcome: ZoneUpdateOutcome) {
        zoneTurns.updating = nil
        guard let dns = state?.settings.dns, let server = dns.servers.first else { return }
        let former = zoneTurns.trouble
        let trouble =
            switch outcome {
            case .prerequisiteFailed: ""
            case .done: ZoneRefusal.careless(server).text
            case .refused(let reason), .unknown(let reason): ZoneRefusal.trouble(reason, server).text
            }
        zoneTurns.trouble = String(trouble.prefix(ZoneWord.longestTrouble))
        if zoneTurns.trouble.isEmpty != former.isEmpty {
            report(
                former.isEmpty ? .zoneTrouble : .zoneUpdated, dns.zone,
                former.isEmpty
                    ? Self.zoneWordText(name, zoneTurns.trouble) : Self.endOfTroubleText(name))
        }
    }

    // MARK: - A leader that cannot write

    /// Why this leader cannot read or write the zone, once that has lasted; nil when it can.
    private func zoneShutOut(at now: Instant) -> String? {
        if let since = zone.failingSince {
            let patience = zoneTurns.trouble.isEmpty ? ZoneTurns.patience : ZoneTurns.shortPatience
            guard now - since >= patience else { return nil }
            if let problem = zone.problem { return problem.text }
            guard let reading = zone.readings.first, case .failed(let reason) = reading.outcome else {
                return nil
            }
            return "\(reading.endpoint) cannot be read: \(reason)"
        }
        return zone.proof.shutOut?.text
    }

    /// Hands leadership to a node that can write the zone as far as it knows. Each that could not says so itself, until it
    /// has tried again; when none is left, whoever leads goes on.
    mutating func stepAsideIfShutOut(at now: Instant) {
        guard let dns = state?.settings.dns, leaving == nil else { return }
        guard let trouble = zoneShutOut(at: now) else {
            if zone.failingSince == nil, zone.proof.isWell { endOwnZoneTrouble() }
            return
        }
        let heir = agreedHeirs(at: now).first { heir in
            guard let heartbeat = neighbours[heir]?.heartbeat, heartbeat.paths != nil else { return false }
            return heartbeat.zone?.trouble.isEmpty ?? true
        }
        guard let heir else { return }
        if zoneTurns.trouble.isEmpty { report(.zoneTrouble, dns.zone, Self.zoneWordText(name, trouble)) }
        zoneTurns.trouble = String(trouble.prefix(ZoneWord.longestTrouble))
        handLeadershipOver(to: heir, pause: ZoneTurns.patience, at: now)
    }

    /// This node could write, whatever it said before.
    mutating func endOwnZoneTrouble() {
        guard !zoneTurns.trouble.isEmpty, let dns = state?.settings.dns else { return }
        zoneTurns.trouble = ""
        report(.zoneUpdated, dns.zone, Self.endOfTroubleText(name))
    }

    private static func endOfTroubleText(_ node: String) -> String {
        "\(node) could write the zone again when leading"
    }

    private static func zoneWordText(_ nodes: String, _ trouble: String) -> String {
        "\(nodes) could not write the zone when leading: \(trouble)"
    }

    /// Who could not write the zone, by its own words; nodes with the same trouble in one sentence.
    func zoneTurnWarnings(at now: Instant) -> [String] {
        var told: [(node: String, trouble: String)] = isLeader ? [] : [(name, zoneTurns.trouble)]
        for neighbour in neighbours.all where now - neighbour.received < timing.deadAfter {
            if let word = neighbour.heartbeat.zone { told.append((neighbour.holder.name, word.trouble)) }
        }
        let troubles = Set(told.map(\.trouble)).subtracting([""]).sorted()
        return troubles.map { trouble in
            let nodes = told.filter { $0.trouble == trouble }.map(\.node).sorted()
            return Self.zoneWordText(nodes.joined(separator: ", "), trouble)
        }
    }
}
