import Primitives

// Who could serve callers, who does, and what a leader does when nobody is served where a seat is.

extension Node {
    // MARK: - What this node knows of itself

    /// As the heartbeat carries it.
    func serviceView(at now: Instant) -> ServiceView {
        var machine = diskTrouble.map { [$0] } ?? []
        machine += ownWords.map { Blocker(.room, nil, $0) }
        guard kind == .full else { return ServiceView(blockers: machine) }
        if let vacating, now < vacating.until { machine.append(Blocker(.health, nil, vacating.text(name))) }
        if holdings.isKeeperMissing(at: now) {
            machine.append(
                Blocker(.room, nil, "no keeper runs there: it holds nothing, and can take nothing"))
        }
        let stations = holdings.held.compactMap { held in
            network[held.address]?.hardware.map { Station(address: held.address, hardware: $0) }
        }
        // Where nobody at all is heard, that one address is silent says nothing about its holder.
        var sights = load.sights.filter { sight in
            let company = network[sight.address]?.company
            return sight.verdict != .silent || (company != .quiet && company != .missing)
        }
        for at in sights.indices { sights[at].isSure = network[sights[at].address]?.company == .heard }
        sights =
            claims.filter { $0.counts(at: now) }.map { claim in
                Sight(address: claim.address, epoch: claim.epoch, verdict: .served, station: claim.hardware)
            } + sights
        return ServiceView(
            blockers: machine + load.blockers + network.blockers(at: now) + keeperTroubles.blockers(at: now),
            sights: sights, stations: stations, reviving: load.reviving
        ).abridged
    }

    /// What only this node knows and every node's status is to say.
    private var ownWords: [String] {
        (obstacleTold.map { [Self.text(obstacle: $0)] } ?? [])
            + (unknownTold.isEmpty ? [] : [Self.text(unknown: unknownTold)])
    }

    /// A node that holds an address needs no disk to go on holding it; it is only chosen last for another one.
    mutating func diskSeen(_ trouble: Blocker?, at now: Instant) {
        guard trouble != diskTrouble else { return }
        defer { diskTrouble = trouble }
        report(.trouble, name, trouble?.text ?? "no longer: \(diskTrouble?.text ?? "")")
        nextBeat = min(nextBeat, now)
    }

    mutating func networkSeen(_ sights: [NetworkSight], at now: Instant) {
        let before = network.blockers(at: now).map(\.text)
        guard network.seen(sights, at: now) else { return }
        for sight in sights where sight.condition == .well { keeperTroubles.forget(sight.address) }
        let blockers = network.blockers(at: now)
        for blocker in blockers where blocker.kind != .unsettled && !before.contains(blocker.text) {
            report(.trouble, name, blocker.text)
        }
        nextBeat = min(nextBeat, now)
    }

    /// What the keeper fails to hold for a while is asked of others.
    mutating func watchKeeper(at now: Instant) {
        for gone in holdings.outlived(at: now) {
            keeperReleased(
                gone.address.name, gone.epoch, "its keeper is gone, and the kernel dropped it", at: now)
        }
        for holding in holdings.all {
            guard let since = holding.troubleSince, now - since > KeeperTroubles.patience else { continue }
            keeperTroubles.failed(holding.address.name, holding.trouble ?? "", at: now)
        }
    }

    /// The keeper heard from the network that somebody else has what is held here.
    mutating func keeperContested(_ address: String, _ epoch: Epoch, _ hardware: UInt64, at now: Instant) {
        guard holdings.held.contains(where: { $0.address == address && $0.epoch == epoch }) else { return }
        claims.removeAll { $0.isOver(at: now) }
        if let place = claims.firstIndex(where: { $0.address == address && $0.epoch == epoch }) {
            claims[place].hardware = hardware
            claims[place].last = now
        } else {
            claims.append(
                Claim(address: address, epoch: epoch, hardware: hardware, first: now, last: now))
        }
    }

    /// Another machine said that it has an address that is held here.
    struct Claim: Hashable, Sendable {
        /// One word may have been under way while the address moved.
        static let patience: Duration = .seconds(1)
        /// The keeper asks every 2 s; an answer may be lost.
        static let memory: Duration = .seconds(5)
        var address: String
        var epoch: Epoch
        var hardware: UInt64
        var first: Instant
        var last: Instant

        func counts(at now: Instant) -> Bool { last - first >= Self.patience && !isOver(at: now) }
        func isOver(at now: Instant) -> Bool { now - last >= Self.memory }
    }

    /// Somebody else answers for an address that is held here: the network is told again whose it is.
    mutating func contradict(at now: Instant) {
        for held in holdings.held {
            guard let own = network[held.address]?.hardware, let address = state?.address(held.address),
                let (asker, other, isSure) = strangeStation(of: held, own: own, at: now)
            else {
                strangers.removeAll { $0.address == held.address }
                continue
            }
            guard let at = strangers.firstIndex(where: { $0.address == held.address }) else {
                strangers.append(Stranger(address: held.address, hardware: other, asker: asker, since: now))
                // At once: what others remember of a former holder ends with it.
                effects.append(.announce(address))
                continue
            }
            strangers[at].hardware = other
            strangers[at].asker = asker
            guard now - strangers[at].since >= Stranger.patience else { continue }
            if isSure, !strangers[at].isReported {
                strangers[at].isReported = true
                report(.trouble, held.address, strangers[at].text(address))
            }
            if strangers[at].told.map({ now - $0 >= Stranger.pause }) ?? true {
                strangers[at].told = now
                effects.append(.announce(address))
            }
        }
        strangers.removeAll { stranger in !holdings.held.contains { $0.address == stranger.address } }
    }

    private func strangeStation(
        of held: HeldAddress, own: UInt64, at now: Instant
    ) -> (asker: String, UInt64, isSure: Bool)? {
        let claim = claims.first {
            $0.address == held.address && $0.epoch == held.epoch && $0.counts(at: now)
        }
        if let claim { return (name, claim.hardware, true) }
        for neighbour in neighbours.all where now - neighbour.received < timing.deadAfter {
            let sight = neighbour.heartbeat.service?.sight(of: held.address, epoch: held.epoch)
            // Who got no answer may only remember a former holder.
            if let sight, let station = sight.station, station != own {
                return (neighbour.holder.name, station, sight.verdict != .silent)
            }
        }
        return nil
    }

    /// Another machine answers for an address that is held here.
    struct Stranger: Hashable, Sendable {
        static let patience: Duration = .seconds(1)
        static let pause: Duration = .seconds(2)
        var address: String
        var hardware: UInt64
        /// Who sees it.
        var asker: String
        var since: Instant
        var told: Instant?
        var isReported = false

        func text(_ address: ServiceAddress) -> String {
            "somebody else answers for \(address.ip): \(Station.text(hardware)) is what \(asker) finds in its network"
        }
    }

    // MARK: - Where nobody is served

    struct Cause: Hashable {
        var text: String
        var isSeenFromOutside: Bool
    }
}

/// An address of another holder that is to be asked by SIP OPTIONS.
package struct Ask: Hashable, Sendable {
    package var address: ServiceAddress
    package var epoch: Epoch

    package init(address: ServiceAddress, epoch: Epoch) {
        self.address = address
        self.epoch = epoch
    }
}
