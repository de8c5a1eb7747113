import Primitives

// Who could take an address, and how well.

extension ClusterView {
    /// Spares that could take an address now, in the order of the slave list.
    ///
    /// One that has read another cluster file comes last, and is no reason to leave a seat uncovered: what it is
    /// asked for is what the agreed file says.
    func spares(in scratch: ControlState) -> [Holder] {
        let ready = scratch.slaves.compactMap { scratch.member($0)?.holder }.filter { holder in
            unreadiness(of: holder, in: scratch) == nil
        }
        func hasAgreedFile(_ holder: Holder) -> Bool {
            let version = holder == me ? settings.version : neighbours[holder]?.heartbeat.settingsVersion
            return version == scratch.settings.version
        }
        return ready.filter(hasAgreedFile) + ready.filter { !hasAgreedFile($0) }
            + [lingerer(in: scratch)].compactMap { $0 }
    }

    /// Whoever has nothing but the calls that a drain handed over has no seat, and could take one beside them.
    func lingerer(in scratch: ControlState) -> Holder? {
        guard let drain = scratch.drain, drain.phase == .lingering,
            let grant = scratch.grant(of: drain.oldAddress), !grant.revoked,
            !scratch.grants.contains(where: { $0.holder == grant.holder && $0.address != grant.address }),
            unreadiness(of: grant.holder, in: scratch, mayHold: true) == nil
        else { return nil }
        return grant.holder
    }

    /// Why a spare could not take an address now; nil when it could.
    ///
    /// - Parameter mayHold: it may have an address already.
    func unreadiness(of holder: Holder, in scratch: ControlState, mayHold: Bool = false) -> String? {
        if let unfitness = scratch.unfitness(of: holder) { return unfitness }
        if !mayHold, scratch.grants.contains(where: { $0.holder == holder }) {
            return "\(holder.name) holds an address"
        }
        if holder == me {
            if isLeaving { return "\(name) is stopping" }
            if !load.isFit { return Self.unfitText(name, load) }
            if !mayHold, !holdings.isEmpty { return "the keeper on \(name) is not ready" }
            if leaseValidSince == nil { return "\(name) has no lease" }
            return nil
        }
        guard let neighbour = neighbours[holder] else { return "\(holder.name) was not heard yet" }
        let heartbeat = neighbour.heartbeat
        if now - neighbour.received >= timing.spareSilence {
            return "\(holder.name) is silent"
        }
        if heartbeat.leaving { return "\(holder.name) is stopping" }
        if !heartbeat.load.isFit { return Self.unfitText(holder.name, heartbeat.load) }
        if !mayHold, !heartbeat.keeperEmpty { return "the keeper on \(holder.name) is not ready" }
        if !heartbeat.leaseValid { return "\(holder.name) has no lease" }
        return nil
    }

    static func unfitText(_ node: String, _ load: SwitchReport) -> String {
        "FreeSWITCH on \(node) is \(load.health.rawValue)"
    }

    /// How well a node could serve callers at an address; one that tells nothing counts as ready.
    func readiness(of holder: Holder, for address: String) -> (readiness: Readiness, text: String?) {
        readiness(of: holder, service(of: holder), for: address)
    }

    private func readiness(
        of holder: Holder, _ view: ServiceView?, for address: String
    ) -> (readiness: Readiness, text: String?) {
        let (readiness, blocker) = view?.readiness(for: address) ?? (.ready, nil)
        let text = blocker.map { "\(holder.name): \($0.text)" }
        if readiness < .unsettled, leadership?.isShunned(holder, address, at: now) ?? false {
            return (.unsettled, "\(holder.name): callers of \(address) could not reach it a moment ago")
        }
        return (readiness, text)
    }

    /// Spares for one address, those that could serve it best first, in the order of the slave list; whoever could not
    /// even hold it is left out.
    package func takers(
        for address: String, upTo worst: Readiness = .unserving, in scratch: ControlState
    ) -> [Holder] {
        let spares = spares(in: scratch).map { holder in
            (holder, readiness(of: holder, for: address).readiness)
        }
        var ordered: [Holder] = []
        for level in [Readiness.ready, .degraded, .unsettled, .unserving] where level <= worst {
            ordered += spares.filter { $0.1 == level }.map(\.0)
        }
        return ordered
    }

    /// Spares that stand ready for one address, or for all there are.
    func readySpares(for address: String?, in scratch: ControlState) -> [Holder] {
        spares(in: scratch).filter { blocker(of: $0, for: address, in: scratch) == nil }
    }

    /// What keeps a node from standing ready for one address, or for any there is, in words; nil when nothing does.
    func blocker(of holder: Holder, for address: String?, in scratch: ControlState) -> String? {
        let addresses = address.map { [$0] } ?? scratch.settings.addresses.map(\.name)
        let view = service(of: holder)
        let found = addresses.map { readiness(of: holder, view, for: $0) }
        return found.max { $0.readiness < $1.readiness }?.text
    }

    /// Everything that keeps a node from standing ready, in words, the gravest first; what is true of several addresses once.
    func blockers(of holder: Holder) -> [String] {
        var texts: [String] = []
        for blocker in service(of: holder)?.abridged.blockers ?? [] where !texts.contains(blocker.text) {
            texts.append(blocker.text)
        }
        return texts
    }

    func whyNoSpare(in state: ControlState) -> String {
        if state.slaves.isEmpty { return "there is none" }
        return state.slaves.compactMap { state.member($0)?.holder }.compactMap { holder in
            unreadiness(of: holder, in: state) ?? blocker(of: holder, for: nil, in: state)
        }.joined(separator: "; ")
    }

    /// Whether a spare stands ready for any address; nil for who is no spare.
    func isReady(_ member: Member) -> Bool? {
        guard state.slaves.contains(member.name) else { return nil }
        return unreadiness(of: member.holder, in: state) == nil
            && blocker(of: member.holder, for: nil, in: state) == nil
    }
}
