import Consensus

/// What keepers of calls, registrations and limits must know of the cluster: where each address is, and who is there.
package struct Survey: Hashable, Sendable {
    /// In the order of the cluster file.
    package var placements: [Placement]
    /// Admitted nodes with a FreeSWITCH that are not fenced, sorted.
    package var members: [Holder]
    /// How many of the nodes that should be there are heard now, this one among them.
    package var reachable: Int
    /// How many should be there: the members, or, when there are more, the nodes the file expects.
    package var expected: Int
    /// Whether a majority hears this node.
    package var hasLease: Bool

    package init(
        placements: [Placement] = [], members: [Holder] = [], reachable: Int = 1, expected: Int = 1,
        hasLease: Bool = false
    ) {
        self.placements = placements
        self.members = members
        self.reachable = reachable
        self.expected = expected
        self.hasLease = hasLease
    }
}

/// Where one address is.
package struct Placement: Hashable, Sendable {
    package var address: ServiceAddress
    /// Who may hold it by agreement; nil when nobody may.
    package var holder: Holder?
    /// The decision that gave it; zero when nobody has it.
    package var epoch: Epoch
    /// Whether the keeper of this very node holds it now.
    package var isHere: Bool

    package init(address: ServiceAddress, holder: Holder?, epoch: Epoch, isHere: Bool) {
        self.address = address
        self.holder = holder
        self.epoch = epoch
        self.isHere = isHere
    }
}

extension Node {
    /// Tells how things stand when they changed since they were told.
    mutating func survey(at now: Instant) {
        surveyedAt = applied
        guard let state else { return }
        let survey = Survey(
            placements: state.settings.addresses.map { address in
                let grant = state.grant(of: address.name).flatMap { $0.revoked ? nil : $0 }
                return Placement(
                    address: address, holder: grant?.holder, epoch: grant?.epoch ?? .zero,
                    isHere: grant?.holder == me && holdings[address.name]?.condition == .held)
            },
            members: state.members.filter { $0.isActive && $0.kind == .full }.map(\.holder).sorted(),
            reachable: state.members.count { member in
                member.isActive
                    && (member.holder == me
                        || neighbours.isHeard(member.holder.member, within: timing.deadAfter, at: now))
            },
            expected: max(state.members.count(where: \.isActive), state.settings.expect),
            hasLease: leaseValidSince != nil)
        guard survey != surveyed else { return }
        surveyed = survey
        effects.append(.surveyed(survey))
    }
}
