import Primitives

/// Who decides (voters) and who only listens (learners), each list sorted and without repetition.
package struct Membership: Hashable, Sendable, Codable {
    package let voters: [MemberID]
    package let learners: [MemberID]

    /// Sorts both lists and removes repetitions; it does not check that the lists are disjoint.
    package init(voters: [MemberID], learners: [MemberID] = []) {
        self.voters = Self.sortedOnce(voters)
        self.learners = Self.sortedOnce(learners)
    }

    private enum CodingKeys: CodingKey { case voters, learners }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            voters: try values.decode([MemberID].self, forKey: .voters),
            learners: try values.decode([MemberID].self, forKey: .learners))
    }

    /// With `member` as a voter, whatever it was before.
    package func with(voter member: MemberID) -> Membership {
        Membership(voters: voters + [member], learners: learners.filter { $0 != member })
    }

    /// With `member` as a learner, whatever it was before.
    package func with(learner member: MemberID) -> Membership {
        Membership(voters: voters.filter { $0 != member }, learners: learners + [member])
    }

    package func without(_ member: MemberID) -> Membership {
        Membership(voters: voters.filter { $0 != member }, learners: learners.filter { $0 != member })
    }

    /// Of a node that has not been told yet who belongs to the cluster.
    package static let none = Membership(voters: [])

    /// How many voters must agree.
    package var majority: Int { voters.count / 2 + 1 }

    /// Voters and learners, sorted.
    package var members: [MemberID] { (voters + learners).sorted() }

    package func contains(_ member: MemberID) -> Bool {
        voters.contains(member) || learners.contains(member)
    }

    /// Whether `members` holds a majority of the voters; others in it do not count.
    package func isQuorum(_ members: [MemberID]) -> Bool {
        voters.count { members.contains($0) } >= majority
    }

    private static func sortedOnce(_ members: [MemberID]) -> [MemberID] {
        var result: [MemberID] = []
        for member in members.sorted() where result.last != member { result.append(member) }
        return result
    }
}

/// A membership and the epoch of the entry that brought it.
struct MembershipPoint: Hashable, Sendable {
    var epoch: Epoch
    var membership: Membership
}
