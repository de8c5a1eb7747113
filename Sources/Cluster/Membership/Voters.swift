import Consensus
import Primitives

// Who votes.

extension LeaderPass {
    /// One change at a time towards: every admitted member votes, fenced ones do not, never below three.
    mutating func tendVoters() {
        let isCommitted = view.agreement.membershipEpoch.index <= view.agreement.commitIndex
        view.leadership?.noteVoters(view.agreement.membership.voters, isCommitted: isCommitted, at: now)
        guard let wanted = view.nextMembership(scratch), wanted != view.agreement.membership else { return }
        if wanted.voters != view.agreement.membership.voters {
            // Two changes within a lease would let a holder that knows of neither live on by a majority of the old voters
            // that has nobody in common with the majority of the new ones that confirms its fence.
            guard view.leadership?.mayChangeVoters(after: view.timing.leaseWait, at: now) ?? false else {
                return
            }
        }
        changeMembership(to: wanted)
    }
}

extension ClusterView {
    /// Nil when everything is as it should be.
    func nextMembership(_ scratch: ControlState) -> Membership? {
        let membership = agreement.membership
        // Whoever asks to be taken in must first get the log.
        for asked in leadership?.admissions ?? [] {
            let member = asked.wish.holder.member
            let known = scratch.member(member.name)
            let isFree = known.map { !$0.isActive || $0.holder.member == member } ?? true
            // Heard as well: one that fell silent is removed again, and must not go in and out in turns.
            let isHeard = member == me.member || neighbours.isHeard(member, within: timing.deadAfter, at: now)
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
                neighbours.isHeard(id, within: timing.deadAfter, at: now), mayTell(id, scratch)
            else { continue }
            return membership.with(learner: id)
        }
        // An admitted member that has caught up votes.
        for member in scratch.members where member.isActive {
            let id = member.holder.member
            guard membership.learners.contains(id),
                (agreement.matchIndex(of: id) ?? 0) + 16 >= agreement.commitIndex,
                id == me.member || neighbours.isHeard(id, within: timing.deadAfter, at: now)
            else { continue }
            return membership.with(voter: id)
        }
        return removal(from: membership, scratch)
    }

    /// Whether a node may be told what is agreed, and what this pass proposed: not while it says that it cannot read it.
    private func mayTell(_ member: MemberID, _ scratch: ControlState) -> Bool {
        max(agreement.writtenFormat, scratch.format) <= release(of: member)?.formats.upperBound ?? .max
    }

    /// Fenced members leave one after another while more than three voters remain; a lost disk's old self always.
    private func removal(from membership: Membership, _ scratch: ControlState) -> Membership? {
        for id in membership.members where id != me.member {
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
