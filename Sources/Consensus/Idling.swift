import Primitives

// Quiet times: what the owner hears of members by other means stands in for empty appends.

extension Raft {
    /// A member said, not longer ago than a network takes, that it is in this very term and leads it, or follows this
    /// leader. It moves only the clocks of elections: who may lead and what is agreed do not depend on it.
    package mutating func noteAlive(_ member: MemberID, at now: Instant) {
        self.now = max(self.now, now)
        if role == .leader, let i = peers.firstIndex(where: { $0.id == member }) {
            if now - peers[i].heardAt < idlePatience { peers[i].aliveAt = now }
        } else if role == .follower, leader == member, let leaderWroteAt, now - leaderWroteAt < idlePatience {
            leaderHeardAt = now
            drawElectionDeadline()
        }
    }

    /// Without any append for so long the way they take is broken: another leader may find a better one.
    private var idlePatience: Duration { settings.idleInterval * 3 }

    /// Whether a member has everything and is known to be alive, so that this heartbeat can be left out.
    func isIdle(_ i: Int) -> Bool {
        guard case .replicating = peers[i].mode, peers[i].inflight.isEmpty, peers[i].matched == log.lastIndex,
            peers[i].commitSent == commitIndex, let aliveAt = peers[i].aliveAt, let toldAt = peers[i].toldAt
        else { return false }
        return now - aliveAt < settings.heartbeatInterval && now - toldAt < settings.idleInterval
    }

    /// Until now nothing was handed to this member: a leader gets the usual time to be heard.
    package mutating func beginListening(at now: Instant) {
        self.now = max(self.now, now)
        drawElectionDeadline()
    }
}
