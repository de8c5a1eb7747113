import Primitives

// Proposals to a leader: commands, memberships, and handing over.

extension Raft {
    mutating func propose(_ command: Command) {
        if let refusal = refusalOfProposals { return outputs.append(.refused(refusal)) }
        outputs.append(.proposed(nextEpoch))
        appendOwn(.command(command))
    }

    private var refusalOfProposals: Refusal? {
        guard role == .leader else { return .notLeader(leader: leader) }
        if let transfer { return .transferring(to: transfer.target) }
        if log.lastIndex - commitIndex >= Index(settings.maxUncommitted) { return .tooManyUncommitted }
        return nil
    }

    // MARK: Membership

    mutating func changeMembership(to wanted: Membership) {
        let wanted = Membership(voters: wanted.voters, learners: wanted.learners)
        if let refusal = refusalOfProposals ?? refusalOfChange(to: wanted) {
            return outputs.append(.refused(refusal))
        }
        outputs.append(.proposed(nextEpoch))
        appendOwn(.membership(wanted))
    }

    private func refusalOfChange(to wanted: Membership) -> Refusal? {
        guard let termBeginning, commitIndex >= termBeginning else { return .leaderNotReady }
        guard membershipEpoch.index <= commitIndex else { return .changeInProgress }
        guard !wanted.voters.isEmpty else { return .noVoters }
        guard wanted.members.count <= settings.maxMembers else { return .tooManyMembers }
        if let both = wanted.voters.first(where: { wanted.learners.contains($0) }) {
            return .voterAndLearner(both)
        }
        guard wanted != membership else { return .nothingChanges }
        let added = wanted.voters.count { !membership.voters.contains($0) }
        let removed = membership.voters.count { !wanted.voters.contains($0) }
        // Old and new majorities always meet only if they differ by one voter.
        guard added + removed <= 1 else { return .moreThanOneVoter }
        return nil
    }

    /// Forgets members whose removal is committed, and leaves when it is this leader's own.
    mutating func afterCommit() {
        guard membershipEpoch.index <= commitIndex else { return }
        let members = membership
        peers.removeAll { !members.contains($0.id) }
        guard !membership.voters.contains(me) else { return }
        // The voter with the longest durable log is sure to win; should this be lost, a timeout decides.
        var successor: Peer?
        for peer in peers where membership.voters.contains(peer.id) {
            if peer.matched > successor?.matched ?? 0 { successor = peer }
        }
        if let successor { send(.timeoutNow, to: successor.id) }
        becomeFollower(in: term, of: nil)
    }

    // MARK: Handing over

    mutating func transferLeadership(to target: MemberID) {
        if role != .leader {
            outputs.append(.refused(.notLeader(leader: leader)))
        } else if let transfer {
            outputs.append(.refused(.transferring(to: transfer.target)))
        } else if target == me {
            outputs.append(.refused(.alreadyLeader))
        } else if !membership.voters.contains(target) {
            outputs.append(.refused(.notAVoter(target)))
        } else {
            transfer = Transfer(target: target, deadline: now + settings.electionTimeout.upperBound)
            offerLeadership(to: target)
        }
    }

    /// Tells the target of a hand-over to campaign once it has everything; again with each of its replies,
    /// as the message may be lost.
    mutating func offerLeadership(to member: MemberID) {
        guard let transfer, transfer.target == member, matchIndex(of: member) == log.lastIndex else { return }
        send(.timeoutNow, to: member)
    }
}
