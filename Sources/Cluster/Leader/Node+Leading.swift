import Primitives

// What a leader does about the cluster: one pass, level-triggered, over a scratch copy of the agreed state.

extension Node {
    /// Looks at everything once and proposes what is missing; nothing while earlier proposals are under way.
    mutating func lead(at now: Instant) {
        resignIfDeaf(at: now)
        guard isLeader, leadership != nil, let state, let ownFirst = raft.termBeginning,
            raft.commitIndex >= ownFirst
        else { return }
        advanceEffectiveIndex(at: now)
        // Wishes are repeated while they last (`plead`).
        let recent = now - timing.relinquishmentMemory
        leadership?.forgetWishes(before: now - Timers.admissionMemory, ofHolders: recent)
        let silence = nextSilence(in: state, after: now)
        leadership?.nextSilence = silence
        // Also while something is under way: it may wait for just what this node lacks.
        stepAsideIfUnlinked(at: now)
        stepAsideIfUnsteady(at: now)
        guard leadership?.underWay.isEmpty ?? false else { return }
        guard let view = view(at: now) else { return }
        var pass = LeaderPass(view, duty: duty)
        pass.plan()
        conclude(pass, at: now)
        stepAsideIfOdd(at: now)
        stepAsideIfShutOut(at: now)
    }

    /// Does what a pass came to, in its order.
    private mutating func conclude(_ pass: LeaderPass, at now: Instant) {
        leadership = pass.view.leadership
        duty = pass.duty
        for step in pass.steps {
            switch step {
            case .propose(let command): agree(.propose(command), at: now)
            case .changeMembership(let wanted): agree(.changeMembership(wanted), at: now)
            case .report(let event): effects.append(.report(event))
            case .send(let message, let member): effects.append(.send(message, to: member))
            }
        }
    }

    /// Proposes a command outside a pass; nil when it would be refused.
    @discardableResult
    mutating func propose(_ command: ControlCommand, at now: Instant) -> Epoch? {
        guard let view = view(at: now) else { return nil }
        var pass = LeaderPass(view, duty: duty)
        let epoch = pass.propose(command)
        conclude(pass, at: now)
        return epoch
    }

    /// When the next member could be found silent; one that is already is looked at with every beat.
    private func nextSilence(in state: ControlState, after now: Instant) -> Instant? {
        state.members.filter { $0.isActive && $0.holder != me }.map { member in
            neighbours.silentSince(member.holder) + timing.deadAfter
        }.filter { $0 > now }.min()
    }
}
