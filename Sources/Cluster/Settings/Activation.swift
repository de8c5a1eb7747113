import Primitives

// How another cluster file becomes the agreed one: every decision rests on the agreed file, whatever file the node that
// decides has read itself.

extension LeaderPass {
    /// Another cluster file becomes the agreed one when every node has read it, at one epoch.
    mutating func activateConfiguration() {
        guard view.settings.version != scratch.settings.version, scratch.obstacle(to: view.settings) == nil,
            view.hindrances(in: scratch).isEmpty
        else { return }
        // Whoever was fenced is waited for by the durations it knew.
        if view.settings.timing != scratch.settings.timing,
            view.agreement.effectiveThrough < max(view.agreement.lastFenceIndex, scratch.fenceEpoch.index)
        {
            return
        }
        propose(.configure(view.settings))
    }
}

extension ClusterView {
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
    func hindrances(in state: ControlState) -> [(name: String, Hindrance)] {
        state.members.compactMap { member in
            guard member.name != name, let hindrance = hindrance(of: member, in: state) else {
                return nil
            }
            return (member.name, hindrance)
        }
    }

    func hindrance(of member: Member, in state: ControlState) -> Hindrance? {
        let life = neighbours.newestLife(of: member.name)
        if let life, life.heartbeat.settingsVersion == settings.version { return nil }
        if let life, now - life.received < timing.deadAfter {
            return .hasOther(version: life.heartbeat.settingsVersion)
        }
        // Whoever the new file does not name is not coming back.
        if !settings.nodes.isEmpty, !settings.nodes.contains(where: { $0.name == member.name }) { return nil }
        if member.isActive { return .isDown }
        guard let since = member.outSince else { return nil }
        return time - since < Self.patienceWithTheAbsent ? .isDown : nil
    }

    /// Whether seats wait a moment for the whole cluster to start: another timing can be agreed only while nothing is
    /// held, which is so after all nodes were stopped and until the first seat is given away.
    func awaitsOtherTiming(_ scratch: ControlState) -> Bool {
        guard settings.timing != scratch.settings.timing, settings.version != scratch.settings.version,
            now - startedAt < scratch.settings.timing.startWindow, holdings.held.isEmpty
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
}
