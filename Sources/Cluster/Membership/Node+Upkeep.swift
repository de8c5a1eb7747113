import Consensus
import Primitives

// The slower duties of a leader: who votes.

extension Node {
    // MARK: - Voters

    /// One change at a time towards: every admitted member votes, fenced ones do not, never below three.
    mutating func tendVoters(_ scratch: ControlState, at now: Instant) {
        let isCommitted = raft.membershipEpoch.index <= raft.commitIndex
        leadership?.noteVoters(raft.membership.voters, isCommitted: isCommitted, at: now)
        guard let wanted = nextMembership(scratch, at: now), wanted != raft.membership else { return }
        if wanted.voters != raft.membership.voters {
            // Two changes within a lease would let a holder that knows of neither live on by a majority of the old voters
            // that has nobody in common with the majority of the new ones that confirms its fence.
            guard leadership?.mayChangeVoters(after: timing.leaseWait, at: now) ?? false else { return }
        }
        agree(.changeMembership(wanted), at: now)
    }

    private func nextMembership(_ scratch: ControlState, at now: Instant) -> Membership? {
        let membership = raft.membership
        // Whoever asks to be taken in must first get the log.
        for asked in leadership?.admissions ?? [] {
            let member = asked.wish.holder.member
            let known = scratch.member(member.name)
            let isFree = known.map { !$0.isActive || $0.holder.member == member } ?? true
            // Heard as well: one that fell silent is removed again, and must not go in and out in turns.
            let isHeard = member == raft.me || neighbours.isHeard(member, within: timing.deadAfter, at: now)
            guard releaseRefusal(of: asked.wish.holder, in: scratch) == nil else { continue }
            if isFree, isHeard, !membership.contains(member), membership.members.count < ClusterLimits.nodes {
                return membership.with(learner: member)
            }
        }
        // A fenced member that is heard again but was removed must learn from the log that it is out.
        for member in scratch.members where !member.isActive {
            let id = member.holder.member
            guard !membership.contains(id), membership.members.count < ClusterLimits.nodes,
                scratch.givenUp?.contains(id) != true,
                neighbours.isHeard(id, within: timing.deadAfter, at: now), mayTell(id)
            else { continue }
            return membership.with(learner: id)
        }
        // An admitted member that has caught up votes.
        for member in scratch.members where member.isActive {
            let id = member.holder.member
            guard membership.learners.contains(id), (raft.matchIndex(of: id) ?? 0) + 16 >= raft.commitIndex,
                id == raft.me || neighbours.isHeard(id, within: timing.deadAfter, at: now)
            else { continue }
            return membership.with(voter: id)
        }
        return removal(from: membership, scratch, at: now)
    }

    /// Fenced members leave one after another while more than three voters remain; a lost disk's old self always.
    private func removal(
        from membership: Membership, _ scratch: ControlState, at now: Instant
    ) -> Membership? {
        for id in membership.members where id != raft.me {
            // The operator said that it is gone for good, also where only three voters are left.
            if scratch.forgotten?.contains(id) == true, scratch.member(id.name)?.holder.member != id,
                membership.learners.contains(id) || membership.voters.count > 1
            {
                return membership.without(id)
            }
            let member = scratch.member(id.name)
            // A founder that was not admitted yet stays.
            guard let member else { continue }
            let isReplaced = member.holder.member != id && member.isActive
            let isOut = !member.isActive && !neighbours.isHeard(id, within: timing.deadAfter, at: now)
            guard isReplaced || isOut else { continue }
            if membership.learners.contains(id) {
                guard isReplaced || now - (leadership?.since ?? now) > timing.discovery else { continue }
                return membership.without(id)
            }
            guard isReplaced ? membership.voters.count > 1 : membership.voters.count > 3 else { continue }
            return membership.without(id)
        }
        return nil
    }
}
