import Primitives

/// What a node says of writing the zone.
package struct ZoneWord: Hashable, Sendable {
    /// Who is to try now whether the primary would take its updates; said by the leader, empty for nobody.
    package var turn: String
    /// Why the sender could not write the zone if it led; empty when it could, or has not tried yet.
    package var trouble: String

    package init(turn: String = "", trouble: String = "") {
        self.turn = turn
        self.trouble = trouble
    }

    package static let longestTrouble = 240
    var isEmpty: Bool { turn.isEmpty && trouble.isEmpty }
}

/// Every node that may have to lead tries now and then whether the primary would take its updates, too: its machine may
/// have another secret, another clock, or no way to the server. They try one after another, each when the leader says so,
/// who counts the update as one of its own: so no server ever gets more than five a second.
struct ZoneTurns: Hashable, Sendable {
    /// After an election.
    static let first = Duration.seconds(120)
    static let interval = Duration.seconds(5)
    /// Between two turns of one node.
    static let round = Duration.seconds(300)
    /// The same of nodes that could not write, while the leader can: what they tell must end soon after it is mended.
    static let intervalInTrouble = Duration.seconds(2)
    static let roundInTrouble = Duration.seconds(10)
    /// After an election, for them.
    static let firstInTrouble = Duration.seconds(5)
    /// Before a leader that cannot write lets others try.
    static let firstShutOut = Duration.seconds(60)
    /// In so many heartbeats a turn is said, as some may be lost.
    private static let beats = 4
    private static let longestSpan = Duration.seconds(4)
    /// A leader that cannot write is followed by one that perhaps can after so long.
    static let patience = Duration.seconds(10)
    /// Where it was known before.
    static let shortPatience = Duration.seconds(2)
    /// A node tries once, in however many heartbeats it hears of its turn: longer than that is said, shorter than a round.
    private static let pause = Duration.seconds(8)

    private struct Turn: Hashable {
        var node: String
        var at: Instant
        /// Until when it is said.
        var end: Instant
    }

    // Of a leader.
    private var current: Turn?
    private var last: [Turn] = []
    private var next = Instant.zero

    // Of every other node, and of a leader that could not write.
    var updating: UInt64?
    private var triedAt: Instant?
    var trouble = ""

    func holder(at now: Instant) -> String {
        guard let current, now < current.end else { return "" }
        return current.node
    }

    func isDue(at now: Instant) -> Bool { now >= next }

    /// Gives the next turn to the one of these that waits longest.
    ///
    /// - Parameter beat: between two heartbeats.
    /// - Returns: until when it may try; nil when nobody's turn is due.
    mutating func give(
        to nodes: [(name: String, isInTrouble: Bool)], beat: Duration, at now: Instant
    ) -> Instant? {
        next = now + (nodes.contains(where: \.isInTrouble) ? Self.intervalInTrouble : Self.interval)
        last.removeAll { turn in !nodes.contains { $0.name == turn.node } }
        let waiting = nodes.filter { node in
            let turn = last.first { $0.node == node.name }
            let round = node.isInTrouble ? Self.roundInTrouble : Self.round
            return turn.map { now - $0.at >= round } ?? true
        }
        func since(_ name: String) -> Instant { last.first { $0.node == name }?.at ?? .zero }
        guard let chosen = waiting.min(by: { (since($0.name), $0.name) < (since($1.name), $1.name) }) else {
            return nil
        }
        last.removeAll { $0.node == chosen.name }
        let turn = Turn(node: chosen.name, at: now, end: now + min(beat * Self.beats, Self.longestSpan))
        last.append(turn)
        current = turn
        return turn.end
    }

    /// Whether a turn that is heard of is a new one.
    mutating func begin(_ id: UInt64, at now: Instant) -> Bool {
        if let triedAt, now - triedAt < Self.pause { return false }
        triedAt = now
        updating = id
        return true
    }
}

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
            canGiveZoneTurn(leadership, at: now), zoneKeeper.updating == nil, zoneKeeper.sendAt == nil,
            zoneKeeper.rate.isIdle(at: now)
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
            zoneKeeper.rate.note(at: moment)
            moment = moment + ZoneRate.span
        }
        zoneKeeper.rate.note(at: end)
    }

    /// A leader that cannot write gives turns early, so that it learns soon who can.
    private func canGiveZoneTurn(_ leadership: Leadership, at now: Instant) -> Bool {
        let age = now - leadership.since
        if zoneShutOut(at: now) != nil { return age >= ZoneTurns.firstShutOut }
        return age >= ZoneTurns.firstInTrouble && zoneKeeper.converged != nil
    }

    /// The leader says whose turn it is.
    mutating func hearZoneTurn(_ heartbeat: Heartbeat, at now: Instant) {
        guard heartbeat.zone?.turn == name, !isLeader, heartbeat.term == raft.term,
            raft.leader == heartbeat.sender.member, let state, let desired = desiredZone(state)
        else { return }
        let id = zoneKeeper.nextID
        guard zoneTurns.begin(id, at: now) else { return }
        zoneKeeper.nextID += 1
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
        if let since = zoneKeeper.failingSince {
            let patience = zoneTurns.trouble.isEmpty ? ZoneTurns.patience : ZoneTurns.shortPatience
            guard now - since >= patience else { return nil }
            if let problem = zoneKeeper.problem { return problem.text }
            guard let reading = zoneKeeper.readings.first, case .failed(let reason) = reading.outcome else {
                return nil
            }
            return "\(reading.endpoint) cannot be read: \(reason)"
        }
        return zoneKeeper.proof.shutOut?.text
    }

    /// Hands leadership to a node that can write the zone as far as it knows. Each that could not says so itself, until it
    /// has tried again; when none is left, whoever leads goes on.
    mutating func stepAsideIfShutOut(at now: Instant) {
        guard let dns = state?.settings.dns, leaving == nil else { return }
        guard let trouble = zoneShutOut(at: now) else {
            if zoneKeeper.failingSince == nil, zoneKeeper.proof.isWell { endOwnZoneTrouble() }
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
