import Consensus
import Primitives

// What a node says of the cluster file it has read, and who leads while the files differ.

extension Node {
    /// Told by every node of its own file, as soon as it is known: long before the last node has read it.
    mutating func tellObstacle(at now: Instant) {
        guard let state, settings.version != state.settings.version else {
            obstacleTold = nil
            return
        }
        let obstacle = state.obstacle(to: settings)
        guard obstacle != obstacleTold else { return }
        obstacleTold = obstacle
        if let obstacle { report(.configuration, settings.cluster, Self.text(obstacle: obstacle)) }
    }

    static func text(obstacle: String) -> String {
        "the new cluster file cannot be activated: \(obstacle)"
    }

    // MARK: - Who leads

    /// The outside doers of a node (name servers, keys) are those of its own file: while the files differ, a node with
    /// the agreed one leads if there is one.
    mutating func stepAsideIfOdd(at now: Instant) {
        guard let view = view(at: now), leaving == nil, settings.version != view.state.settings.version,
            !view.hindrances(in: view.state).isEmpty
        else { return }
        handLeadershipOver(
            to: agreedHeirs(at: now).first, pause: Timers.handoverPauseForFile, at: now)
    }

    /// Those with the agreed cluster file.
    func agreedHeirs(at now: Instant) -> [MemberID] {
        heirs(at: now).filter { neighbours[$0]?.heartbeat.settingsVersion == state?.settings.version }
    }

    /// Voters that could lead in our place, the longest log first; never one that is about to stop itself.
    func heirs(at now: Instant) -> [MemberID] {
        raft.membership.voters.filter { voter in
            guard voter != raft.me, let neighbour = neighbours[voter] else { return false }
            return now - neighbour.received < timing.deadAfter && !neighbour.heartbeat.leaving
                && neighbour.heartbeat.term == raft.term
        }.sorted { (raft.matchIndex(of: $0) ?? 0) > (raft.matchIndex(of: $1) ?? 0) }
    }

    /// Tries once in `pause`, however often leadership comes back meanwhile: two nodes that do not want to lead would
    /// otherwise hand it to each other as fast as they can.
    mutating func handLeadershipOver(to heir: MemberID?, pause: Duration, at now: Instant) {
        guard let heir, raft.transferTarget == nil, handedOverAt.map({ now - $0 >= pause }) ?? true else {
            return
        }
        handedOverAt = now
        agree(.transferLeadership(to: heir), at: now)
    }

    // MARK: - In status

    /// Who has which cluster file while not all have the agreed one; nil when all have, or nobody but it.
    func configurationWarnings(at now: Instant) -> [String] {
        guard let view = view(at: now) else { return [] }
        let state = view.state
        var versions: [(version: UInt64, names: [String])] = []
        var down: [String] = []
        for member in state.members {
            let life = neighbours.newestLife(of: member.name)
            let isHeard = life.map { now - $0.received < timing.deadAfter } ?? false
            guard member.name == name || isHeard else {
                down.append(member.name)
                continue
            }
            let version = member.name == name ? settings.version : life?.heartbeat.settingsVersion ?? 0
            if let at = versions.firstIndex(where: { $0.version == version }) {
                versions[at].names.append(member.name)
            } else {
                versions.append((version, [member.name]))
            }
        }
        let agreed = state.settings.version
        let former = versions.first { $0.version == agreed }?.names ?? []
        let others = versions.filter { $0.version != agreed }.map(\.names)
        var warnings: [String] = []
        if let new = others.first {
            var parts: [String] = []
            if others.count == 1 {
                parts.append("\(list(new)) \(new.count == 1 ? "has" : "have") the new one")
            } else {
                let groups = others.map { list($0) }.joined(separator: " / ")
                parts.append("there are \(others.count) different new ones, on \(groups)")
            }
            if !former.isEmpty {
                parts.append("\(list(former)) still \(former.count == 1 ? "has" : "have") the agreed one")
            }
            let awaited = down.filter { node in
                state.member(node).flatMap { view.hindrance(of: $0, in: state) } == .isDown
            }
            let heard = awaited.filter { hearers(ofNode: $0, at: now)?.isEmpty == false }
            let gone = awaited.filter { !heard.contains($0) }
            if !gone.isEmpty {
                parts.append("\(list(gone)) \(gone.count == 1 ? "is" : "are") down and waited for")
            }
            if !heard.isEmpty {
                parts.append(
                    "\(list(heard)) \(heard.count == 1 ? "is" : "are") heard by others only and waited for")
            }
            warnings.append("the cluster file differs: " + parts.joined(separator: "; "))
        }
        return warnings
    }

    private func list(_ names: [String]) -> String { names.joined(separator: ", ") }
}
