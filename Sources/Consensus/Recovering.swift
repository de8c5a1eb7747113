import Primitives

// Leading on without a majority, because an operator says that the others are lost for good.

extension Raft {
    /// Campaigns for the votes of all voters of `membership`, which are what is left of the present ones. Whoever wins has
    /// the newest log among them, as in every election, so that nothing that any of them knows to be agreed is lost.
    /// Then `commands` and, after them, `membership` stand in its log, in one write: who has the membership has the
    /// commands.
    ///
    /// Nothing in here can know whether the others are really lost. If they are not, two clusters live on. Then at least
    /// no term is used by both, for logs are compared by terms: the same place of two histories would be taken for one.
    mutating func recover(_ commands: [Command], as membership: Membership) {
        let voters = self.membership.voters
        guard role != .leader, leader == nil, !voters.isEmpty, voters.contains(me),
            membership.voters.contains(me), membership.voters.count < voters.count,
            membership.voters.allSatisfy(voters.contains)
        else { return outputs.append(.refused(.cannotRecover)) }
        recovery = Recovery(commands: commands, membership: membership)
        term += Self.leap + Term.random(in: 0..<(Self.leap / 10), using: &generator)
        campaign(transfer: false)
        // Every vote waits for a disk.
        electionDeadline = now + settings.electionTimeout.upperBound * 5
    }

    /// Farther than elections lead in any cluster's life, and for two recoveries hardly ever the same.
    package static var leap: Term { 1_000_000 }

    var hasAllThatAreLeft: Bool { recovery.map { $0.membership.voters.allSatisfy(votes.contains) } ?? false }

    /// - Parameter isNeedless: a majority of all voted.
    /// - Returns: whether the leader's first entries are those of a recovery.
    mutating func carryOutRecovery(isNeedless: Bool) -> Bool {
        guard let recovery else { return false }
        self.recovery = nil
        if isNeedless {
            outputs.append(.recoveryFailed(missing: []))
            return false
        }
        let beginning = nextEpoch
        appendOwn(recovery.commands.map { .command($0) } + [.membership(recovery.membership)])
        outputs.append(.recovered(beginning))
        return true
    }

    mutating func failRecovery() {
        guard let recovery else { return }
        self.recovery = nil
        outputs.append(.recoveryFailed(missing: recovery.membership.voters.filter { !votes.contains($0) }))
    }
}
