import Primitives

/// What keepers of calls, registrations and limits must know of the cluster: where each address is, and who is there.
package struct Survey: Hashable, Sendable {
    /// In the order of the cluster file.
    package var placements: [Placement]
    /// Admitted nodes with a FreeSWITCH that are not fenced, sorted.
    package var members: [Holder]
    /// Names of the admitted nodes heard now, this one among them, sorted.
    package var heard: [String]
    /// How many should be there: the members, or, when there are more, the nodes the file expects.
    package var expected: Int
    /// Whether a majority hears this node.
    package var hasLease: Bool
    /// In the order of the cluster file.
    package var seats: [String]
    /// What a drain asks of the switch on this node; nil asks nothing.
    package var duty: DrainDuty?
    /// Addresses of other holders that this node asks by SIP whether they are served.
    package var asks: [Ask] = []
    /// Addresses that are still here and go elsewhere by plan, sorted: the calls on them that nobody could revive are to
    /// be ended now.
    package var partings: [String] = []

    package init(
        placements: [Placement] = [], members: [Holder] = [], heard: [String] = [], expected: Int = 1,
        hasLease: Bool = false, seats: [String] = [], duty: DrainDuty? = nil
    ) {
        self.placements = placements
        self.members = members
        self.heard = heard
        self.expected = expected
        self.hasLease = hasLease
        self.seats = seats
        self.duty = duty
    }
}

/// Where one address is.
package struct Placement: Hashable, Sendable {
    package var address: ServiceAddress
    /// Who may hold it by agreement; nil when nobody may.
    package var holder: Holder?
    /// The decision that gave it, also to a holder that must let go now; zero when nobody has it.
    package var epoch: Epoch
    /// Whether the keeper of this very node holds it now.
    package var isHere: Bool
    /// Why no other node could bring the address's calls back now, in words; nil when one stands ready.
    package var uncovered: String?

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
        guard let view = view(at: now) else { return }
        let state = view.state
        let spares = view.spares(in: state)
        // What a node reads from its disk at its start may be old: before it is admitted in this life, nobody is known to have
        // an address, and no call here ends because of it.
        let isCurrent = state.members.contains { $0.holder == me }
        var survey = Survey(
            placements: state.settings.addresses.map { address in
                if let parting = partings.first(where: { $0.address == address.name }) {
                    // Until it lets go, it is the one who has the calls.
                    return Placement(address: address, holder: me, epoch: parting.epoch, isHere: true)
                }
                let grant = state.grant(of: address.name)
                let holder = grant.flatMap { $0.revoked || !isCurrent ? nil : $0.holder }
                var placement = Placement(
                    address: address, holder: holder, epoch: grant?.epoch ?? .zero,
                    isHere: holder == me && holdings[address.name]?.condition == .held)
                placement.uncovered = uncovered(address.name, holder, spares, view)
                return placement
            },
            members: state.members.filter { $0.isActive && $0.kind == .full }.map(\.holder).sorted(),
            heard: state.members.filter { member in
                member.isActive && member.kind == .full && view.isHeard(member.holder)
            }.map(\.name).sorted(),
            expected: max(state.members.count(where: \.isActive), state.settings.expect),
            hasLease: leaseValidSince != nil, seats: state.seats.map(\.name),
            duty: duty(view))
        survey.asks = view.asks
        survey.partings = partings.map(\.address)
        guard survey != surveyed else { return }
        surveyed = survey
        effects.append(.surveyed(survey))
    }

    /// Why nobody but its holder could bring the calls of an address back; nil when somebody could.
    private func uncovered(
        _ address: String, _ holder: Holder?, _ spares: [Holder], _ view: ClusterView
    ) -> String? {
        guard let holder else { return nil }
        let state = view.state
        var takers = spares.filter { view.blocker(of: $0, for: address, in: state) == nil }
        // Of a drain's calls whoever takes part in it may take care.
        if state.addressesWithLeftCalls.contains(address) {
            takers += view.takersOfLeftCalls(of: address, besides: holder, in: state).filter {
                view.readiness(of: $0, for: address).readiness == .ready
            }
        }
        return takers.contains { $0 != holder }
            ? nil : "no slave stands ready: " + view.whyNoSpare(in: state)
    }

    private func duty(_ view: ClusterView) -> DrainDuty? {
        // Only at the address that is emptied: whoever is free of it, or has a seat again, serves callers.
        guard let drain = view.state.drain, var duty = drain.duty(of: me, at: view.time),
            view.state.grant(of: duty.address)?.holder == me
        else { return nil }
        let receiver = drain.phase.isUndoing ? drain.from : drain.to
        duty.isReceiverUnwell = duty.movesRegistrations && view.load(of: receiver)?.isFit != true
        return duty
    }
}
