import Primitives

// Elections: who asks, who answers, who wins.

extension Raft {
    /// When a member without a leader campaigns.
    mutating func drawElectionDeadline() { drawDeadline(from: settings.electionTimeout.lowerBound) }

    /// When one that campaigned tries again: soon after votes were split, then later each time, until it waits as
    /// long as everybody.
    private mutating func drawRetryDeadline() {
        let lower = settings.electionTimeout.lowerBound
        drawDeadline(from: min(lower, lower / 6 * (1 << max(attempts - 1, 0))))
    }

    private mutating func drawDeadline(from lower: Duration) {
        let range = settings.electionTimeout
        let spread = (range.upperBound - range.lowerBound).nanoseconds
        electionDeadline = now + lower + .nanoseconds(Int64.random(in: 0...spread, using: &generator))
    }

    /// A leader that was heard is not to be disturbed.
    private var leaderIsProtected: Bool {
        if role == .leader { return true }
        guard leader != nil, let leaderHeardAt else { return false }
        return now - leaderHeardAt < settings.electionTimeout.lowerBound
    }

    /// A voter may, and one whose removal is not known to be committed: where it alone has that entry, nobody
    /// else could win, and its leading finishes the removal (Ongaro 2014, 4.2.2).
    private var mayCampaign: Bool {
        unreplacedMemberships.contains { $0.membership.voters.contains(me) }
    }

    private var otherVoters: [MemberID] { membership.voters.filter { $0 != me } }

    mutating func becomeFollower(in newTerm: Term, of newLeader: MemberID?) {
        precondition(newTerm >= term, "terms never fall")
        if newTerm > term {
            term = newTerm
            vote = nil
            rememberHardState()
        } else if let transfer {
            // With a newer term the hand-over has most likely worked; without one it has not.
            outputs.append(.transferFailed(transfer.target))
        }
        failRecovery()
        role = .follower
        leader = newLeader
        transfer = nil
        termBeginning = nil
        peers = []
        votes = []
        drawElectionDeadline()
        announceLeader()
    }

    /// Asks whether an election could be won before disturbing anyone with one.
    mutating func startPreVote() {
        // A candidate whose disk is still busy with its last vote gains nothing by another.
        if role == .candidate, held.contains(where: { $0.receiver == me }) { return drawElectionDeadline() }
        failRecovery()
        leader = nil
        attempts = min(attempts + 1, 8)
        drawRetryDeadline()
        guard mayCampaign else {
            role = .follower
            announceLeader()
            return
        }
        role = .preCandidate
        votes = [me]
        announceLeader()
        if membership.isQuorum(votes) { return campaign(transfer: false) }
        let request = Message<Command, State>(term: term + 1, body: .preVoteRequest(lastLog: log.lastEpoch))
        for voter in otherVoters { outputs.append(.send(request, to: voter)) }
    }

    /// What `startPreVote` does for who may not campaign; looked at again soon, as others may be back by then.
    mutating func abstain() {
        guard role != .leader, now >= electionDeadline else { return }
        failRecovery()
        role = .follower
        leader = nil
        votes = []
        announceLeader()
        drawDeadline(from: .zero)
    }

    mutating func campaign(transfer: Bool) {
        role = .candidate
        leader = nil
        term += 1
        vote = me
        votes = []
        rememberHardState()
        drawRetryDeadline()
        announceLeader()
        // The requests wait too: a log lost in a crash must not have won votes.
        sendWhenDurable(.voteReply(granted: true), to: me)
        for voter in otherVoters {
            sendWhenDurable(.voteRequest(lastLog: log.lastEpoch, transfer: transfer), to: voter)
        }
    }

    mutating func receivePreVoteRequest(_ proposed: Term, lastLog: Epoch, from candidate: MemberID) {
        if proposed > term, !leaderIsProtected, lastLog >= log.lastEpoch {
            let reply = Message<Command, State>(term: proposed, body: .preVoteReply(granted: true))
            outputs.append(.send(reply, to: candidate))
        } else {
            send(.preVoteReply(granted: false), to: candidate)
        }
    }

    mutating func receivePreVoteReply(_ replyTerm: Term, granted: Bool, from voter: MemberID) {
        guard granted else {
            if replyTerm > term { becomeFollower(in: replyTerm, of: nil) }
            return
        }
        guard role == .preCandidate, replyTerm == term + 1 else { return }
        count(voter)
        if membership.isQuorum(votes) { campaign(transfer: false) }
    }

    mutating func receiveVoteRequest(
        _ requestTerm: Term, lastLog: Epoch, transfer: Bool, from candidate: MemberID
    ) {
        if requestTerm > term {
            if leaderIsProtected && !transfer { return send(.voteReply(granted: false), to: candidate) }
            becomeFollower(in: requestTerm, of: nil)
        }
        let free = vote == candidate || (vote == nil && leader == nil)
        guard requestTerm == term, free, lastLog >= log.lastEpoch else {
            return send(.voteReply(granted: false), to: candidate)
        }
        if vote == nil {
            vote = candidate
            rememberHardState()
        }
        if role == .preCandidate {
            role = .follower
            votes = []
        }
        drawElectionDeadline()
        sendWhenDurable(.voteReply(granted: true), to: candidate)
    }

    /// This member's own vote has become durable.
    mutating func receive(_ ownVote: Message<Command, State>) {
        guard case .voteReply(granted: true) = ownVote.body else {
            preconditionFailure("only its own vote is for a member itself")
        }
        receiveVoteReply(granted: true, from: me)
    }

    mutating func receiveVoteReply(granted: Bool, from voter: MemberID) {
        guard role == .candidate, granted else { return }
        count(voter)
        // Without its own vote durable a candidate could vote otherwise after a crash.
        if votes.contains(me), membership.isQuorum(votes) || hasAllThatAreLeft { becomeLeader() }
    }

    private mutating func count(_ voter: MemberID) {
        // Its own counts for none when it is no voter any more, but must be durable all the same.
        if voter == me || membership.voters.contains(voter), !votes.contains(voter) { votes.append(voter) }
    }

    mutating func receiveTimeoutNow() {
        guard role == .follower, membership.voters.contains(me) else { return }
        campaign(transfer: true)
    }
}
