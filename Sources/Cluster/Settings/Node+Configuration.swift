import Consensus
import Primitives

// Which cluster file is the agreed one, and how another becomes it: every decision rests on the agreed file, whatever
// file the node that decides has read itself.

extension Node {
    /// Why a node's copy of the cluster file keeps ours from becoming the agreed one.
    enum Hindrance: Hashable, Sendable {
        /// It runs and has read another file.
        case hasOther(version: UInt64)
        /// It does not run; which file it will read when it starts again is not known.
        case isDown
    }

    /// A node that is down may come back with the former file; after so long nobody waits for it any more.
    static let patienceWithTheAbsent: Duration = .seconds(900)

    /// Members that are not known to have our cluster file, by name.
    ///
    /// A node counts by its name and its newest life, admitted or not yet: during a roll the admitted life of the
    /// node that was restarted last is gone for good.
    func hindrances(in state: ControlState, at now: Instant) -> [(name: String, Hindrance)] {
        state.members.compactMap { member in
            guard member.name != name, let hindrance = hindrance(of: member, in: state, at: now) else {
                return nil
            }
            return (member.name, hindrance)
        }
    }

    private func hindrance(of member: Member, in state: ControlState, at now: Instant) -> Hindrance? {
        let life = newestLife(of: member.name)
        if let life, life.heartbeat.settingsVersion == settings.version { return nil }
        if let life, now - life.received < timing.deadAfter {
            return .hasOther(version: life.heartbeat.settingsVersion)
        }
        // Whoever the new file does not name is not coming back.
        if !settings.nodes.isEmpty, !settings.nodes.contains(where: { $0.name == member.name }) { return nil }
        if member.isActive { return .isDown }
        guard let since = member.outSince else { return nil }
        return clusterTime(at: now) - since < Self.patienceWithTheAbsent ? .isDown : nil
    }

    /// The life of that node that was heard last, whatever its birth and incarnation.
    func newestLife(of name: String) -> Neighbour? {
        neighbours.all.filter { $0.holder.name == name }.max { $0.received < $1.received }
    }

    /// Another cluster file becomes the agreed one when every node has read it, at one epoch.
    mutating func activateConfiguration(_ scratch: inout ControlState, at now: Instant) {
        guard settings.version != scratch.settings.version, scratch.obstacle(to: settings) == nil,
            hindrances(in: scratch, at: now).isEmpty
        else { return }
        // Whoever was fenced is waited for by the durations it knew.
        if settings.timing != scratch.settings.timing, fences.effectiveThrough < lastFenceIndex { return }
        propose(.configure(settings), &scratch, at: now)
    }

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

    // MARK: - Timing

    /// Whether seats wait a moment for the whole cluster to start: another timing can be agreed only while nothing is
    /// held, which is so after all nodes were stopped and until the first seat is given away.
    func awaitsOtherTiming(_ scratch: ControlState, at now: Instant) -> Bool {
        guard settings.timing != scratch.settings.timing, settings.version != scratch.settings.version,
            now - startedAt < scratch.settings.timing.discovery * 2, holdings.held.isEmpty
        else { return false }
        let isElsewhere = scratch.grants.contains { grant in
            grant.holder == me
                || neighbours[grant.holder].map { now - $0.received < timing.deadAfter } ?? false
        }
        return !isElsewhere
            && neighbours.all.allSatisfy { neighbour in
                now - neighbour.received >= timing.deadAfter
                    || (neighbour.heartbeat.settingsVersion == settings.version
                        && neighbour.heartbeat.holding.isEmpty)
            }
    }

    // MARK: - Who leads

    /// The outside doers of a node (name servers, keys) are those of its own file: while the files differ, a node with
    /// the agreed one leads if there is one.
    mutating func stepAsideIfOdd(at now: Instant) {
        guard let state, leaving == nil, settings.version != state.settings.version,
            !hindrances(in: state, at: now).isEmpty
        else { return }
        handLeadershipOver(
            to: agreedHeirs(at: now).first, pause: .seconds(5), at: now)
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
        guard let state else { return [] }
        var versions: [(version: UInt64, names: [String])] = []
        var down: [String] = []
        for member in state.members {
            let life = newestLife(of: member.name)
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
                state.member(node).flatMap { hindrance(of: $0, in: state, at: now) } == .isDown
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
