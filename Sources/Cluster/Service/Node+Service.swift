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

    // MARK: - What it knows of others

    /// Nil for a node of an earlier release, which tells nothing of it.
    func view(of holder: Holder, at now: Instant) -> ServiceView? {
        holder == me ? serviceView(at: now) : neighbours[holder]?.heartbeat.service
    }

    /// How well a node could serve callers at an address; one that tells nothing counts as ready.
    func readiness(
        of holder: Holder, for address: String, at now: Instant
    ) -> (readiness: Readiness, text: String?) {
        readiness(of: holder, view(of: holder, at: now), for: address, at: now)
    }

    private func readiness(
        of holder: Holder, _ view: ServiceView?, for address: String, at now: Instant
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
        for address: String, upTo worst: Readiness = .unserving, in scratch: ControlState, at now: Instant
    ) -> [Holder] {
        let spares = spares(in: scratch, at: now).map { holder in
            (holder, readiness(of: holder, for: address, at: now).readiness)
        }
        var ordered: [Holder] = []
        for level in [Readiness.ready, .degraded, .unsettled, .unserving] where level <= worst {
            ordered += spares.filter { $0.1 == level }.map(\.0)
        }
        return ordered
    }

    /// Spares that stand ready for one address, or for all there are.
    func readySpares(for address: String?, in scratch: ControlState, at now: Instant) -> [Holder] {
        spares(in: scratch, at: now).filter { blocker(of: $0, for: address, in: scratch, at: now) == nil }
    }

    /// What keeps a node from standing ready for one address, or for any there is, in words; nil when nothing does.
    func blocker(
        of holder: Holder, for address: String?, in scratch: ControlState, at now: Instant
    ) -> String? {
        let addresses = address.map { [$0] } ?? scratch.settings.addresses.map(\.name)
        let view = view(of: holder, at: now)
        let found = addresses.map { readiness(of: holder, view, for: $0, at: now) }
        return found.max { $0.readiness < $1.readiness }?.text
    }

    /// Everything that keeps a node from standing ready, in words, the gravest first; what is true of several addresses once.
    func blockers(of holder: Holder, at now: Instant) -> [String] {
        var texts: [String] = []
        for blocker in view(of: holder, at: now)?.abridged.blockers ?? [] where !texts.contains(blocker.text)
        {
            texts.append(blocker.text)
        }
        return texts
    }

    // MARK: - Who takes what

    /// Which spare takes which address: the hardest to place first, each the one that could serve it best.
    func assign(
        _ addresses: [String], to free: [Holder], in scratch: ControlState, at now: Instant
    ) -> [Succession] {
        var free = free
        func takers(_ address: String) -> [Holder] {
            self.takers(for: address, in: scratch, at: now).filter { free.contains($0) }
        }
        func choices(_ address: String) -> Int {
            takers(address).count { readiness(of: $0, for: address, at: now).readiness == .ready }
        }
        let counted = addresses.enumerated().map {
            (place: $0.offset, address: $0.element, choices($0.element))
        }
        var successions: [Succession] = []
        for (_, address, _) in counted.sorted(by: { ($0.2, $0.place) < ($1.2, $1.place) }) {
            guard let to = takers(address).first else { continue }
            successions.append(Succession(address: address, to: to))
            free.removeAll { $0 == to }
        }
        return successions
    }

    // MARK: - Where nobody is served

    /// A leader moves what is not served where it is, if somebody else stands ready: the holder lets go first, and nothing
    /// is waited for. When nobody would be better, nothing moves.
    mutating func relieveUnserved(_ scratch: inout ControlState, at now: Instant) {
        let askers = askers(at: now)
        for grant in seatsFirst(scratch.grants, scratch)
        where !grant.revoked && grant.conditions.allSatisfy(isMet) {
            let isSeat = scratch.seat(at: grant.address) != nil
            guard isSeat || scratch.addressesWithLeftCalls.contains(grant.address),
                isHeard(grant.holder, at: now),
                let cause = whyUnserved(grant, by: askers, at: now),
                let to = nextHolder(
                    of: grant.address, besides: grant.holder, upTo: .degraded, withCallsUpTo: .degraded,
                    in: scratch, at: now)
            else { continue }
            if mustWithhold(in: scratch) {
                withhold(scratch, at: now)
                return
            }
            if relieveDrain(of: grant.holder, cause.text, &scratch, at: now) { continue }
            var move = Move(address: grant.address, from: grant.holder, to: to, reason: cause.text)
            move.isAutomatic = true
            if propose(.move(move), &scratch, at: now) != nil, cause.isSeenFromOutside {
                leadership?.shun(grant.holder, grant.address, until: now + Leadership.shunned)
            }
        }
    }

    mutating func withhold(_ scratch: ControlState, at now: Instant) {
        guard leadership?.withheldTold.map({ now - $0 >= .seconds(60) }) ?? true else { return }
        leadership?.withheldTold = now
        reportWithheld(name, in: scratch)
    }

    struct Cause: Hashable {
        var text: String
        var isSeenFromOutside: Bool
    }

    /// Why callers at a granted address are served by nobody, by the holder's own word or by that of those who ask it;
    /// nil when they are, or when that is not known.
    func whyUnserved(
        _ grant: Grant, by askers: [(Holder, ServiceView)], at now: Instant
    ) -> Cause? {
        guard let view = view(of: grant.holder, at: now) else { return nil }
        let (readiness, blocker) = view.readiness(for: grant.address)
        if readiness >= .unserving, let blocker {
            return Cause(text: "\(grant.holder.name): \(blocker.text)", isSeenFromOutside: false)
        }
        guard holds(grant.holder, grant.address), !view.reviving.contains(grant.address),
            load(of: grant.holder).map({ $0.health != .none }) ?? true
        else { return nil }
        return unreachedText(grant, by: askers).map { Cause(text: $0, isSeenFromOutside: true) }
    }

    /// That most of those who ask an address over the network reach nobody there; nil when that is not so, or not sure.
    func unreachedText(_ grant: Grant, by askers: [(Holder, ServiceView)]) -> String? {
        let (unreached, asked, isSure) = unreached(grant, by: askers)
        guard unreached.count * 2 > asked, asked > 1 || isSure else { return nil }
        return "\(unreached.joined(separator: " and ")) cannot reach \(grant.address) at \(grant.holder.name)"
    }

    /// Those who ask an address over the network: who got no good answer, of how many, and whether that is beyond doubt.
    func unreached(
        _ grant: Grant, by askers: [(Holder, ServiceView)]
    ) -> (names: [String], asked: Int, isSure: Bool) {
        var names: [String] = []
        var asked = 0
        var isSure = false
        let view = askers.first { $0.0 == grant.holder }?.1
        let own = view?.stations.first { $0.address == grant.address }
        let rival = view?.sight(of: grant.address, epoch: grant.epoch)?.station
        for (holder, view) in askers where holder != grant.holder && view.canJudge(grant.address) {
            guard let sight = view.sight(of: grant.address, epoch: grant.epoch) else { continue }
            // Who asked another machine, which has the address too, says nothing about the holder. Who got no answer may only
            // remember a former holder, unless this one hears of the other itself.
            if let station = sight.station, let own, station != own.hardware,
                sight.verdict != .silent || station == rival
            {
                continue
            }
            asked += 1
            guard sight.verdict != .served else { continue }
            names.append(holder.name)
            // Who was refused did reach it.
            isSure = isSure || sight.isSure || sight.verdict == .refused
        }
        return (names, asked, isSure)
    }

    /// Everybody heard now who tells what it sees, sorted.
    func askers(at now: Instant) -> [(Holder, ServiceView)] {
        var askers = neighbours.all.compactMap { neighbour -> (Holder, ServiceView)? in
            guard now - neighbour.received < timing.deadAfter else { return nil }
            return neighbour.heartbeat.service.map { (neighbour.holder, $0) }
        }
        askers.append((me, serviceView(at: now)))
        return askers.sorted { $0.0 < $1.0 }
    }

    // MARK: - Whom this node asks

    /// Addresses of other holders that this node asks: each has two askers, chosen so that all have as much to do.
    func asks(in state: ControlState, at now: Instant) -> [Ask] {
        guard kind == .full, state.isActive(me) else { return [] }
        let views = askers(at: now)
        var asks: [Ask] = []
        for (place, address) in state.settings.addresses.enumerated() {
            guard let grant = state.grant(of: address.name), !grant.revoked, grant.holder != me,
                holds(grant.holder, address.name)
            else { continue }
            let able = views.filter { holder, view in
                holder != grant.holder
                    && state.member(holder.name).map { $0.kind == .full && $0.isActive } ?? false
                    && view.canJudge(address.name)
            }.map(\.0)
            guard let mine = able.firstIndex(of: me) else { continue }
            let chosen = [2 * place % able.count, (2 * place + 1) % able.count]
            if chosen.contains(mine) { asks.append(Ask(address: address, epoch: grant.epoch)) }
        }
        return asks
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
