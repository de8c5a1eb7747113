import Primitives

// Heartbeats in and out, the lease they feed, and the addresses the lease allows.

extension Node {
    mutating func hear(_ heartbeat: Heartbeat, at now: Instant) {
        let sender = heartbeat.sender
        if sender.name == name {
            hearNamesake(heartbeat, at: now)
            return
        }
        hearWord(heartbeat, at: now)
        if case .stopped = membershipPhase { return }
        switch neighbours.heard(
            heartbeat, by: me, patience: timing.proofPatience, silence: timing.deadAfter,
            pace: timing.interval,
            at: now)
        {
        case .stale, .unproven, .rival: return
        case .appeared: report(.nodeHeard, sender.name, "\(sender) is heard (\(heartbeat.role.rawValue))")
        case .again: break
        }
        yield(to: heartbeat)
        if case .stopped = membershipPhase { return }
        leadership?.heard(sender.member)
        hearZoneTurn(heartbeat, at: now)
        if heartbeat.term == raft.term, let leader = raft.leader, heartbeat.leader == leader,
            isLeader || sender.member == leader
        {
            raft.noteAlive(sender.member, at: now)
        }
        if let mine = heartbeat.acknowledgements.first(where: { $0.holder == me }) {
            lease.acknowledged(
                mine.sequence, by: sender.member,
                view: LogView(term: heartbeat.logTerm, fence: heartbeat.fenceEpoch), known: logView)
        }
    }

    /// Somebody else uses our name: the one that came later must go. Frames of a life that just ended may still be
    /// under way, so only a voice that goes on counts.
    private mutating func hearNamesake(_ heartbeat: Heartbeat, at now: Instant) {
        let other = heartbeat.sender
        guard other != me else { return }
        if let known = namesake, known.holder == other, now - known.last < Timers.voicePause {
            namesake?.last = now
        } else {
            namesake = Namesake(holder: other, first: now, last: now)
        }
        if let namesake, other.member == me.member {
            hearTwin(namesake, heartbeat, at: now)
            return
        }
        let established = heartbeat.role != .starting
        let iAmStarting = state.map { !$0.isActive(me) } ?? true
        guard let namesake, now - namesake.first >= Timers.duplicateNamePatience, iAmStarting,
            established || other < me
        else {
            return
        }
        stop(.fatal("another node named \(name) is alive (\(other)); give this one another name"))
    }

    // MARK: - Lease

    /// Until when this node may hold addresses; nil without a lease.
    func leaseEnd(at now: Instant) -> Instant? {
        guard let state, state.isActive(me), !fences.fences(me) else { return nil }
        if state.settings.policy.noQuorum == .hold { return now + timing.holderLease }
        guard
            let since = lease.vouchedSince(voters: raft.membership.voters, me: raft.me, now: now),
            since + timing.holderLease > now
        else { return nil }
        return since + timing.holderLease
    }

    mutating func watchLease(at now: Instant) {
        lease.learned(logView)
        let end = leaseEnd(at: now)
        let isValid = end != nil
        leaseKnownUntil = end
        guard isValid != (leaseValidSince != nil) else { return }
        leaseValidSince = isValid ? now : nil
        if isValid {
            report(.leaseWon, name, "a majority hears this node")
        } else if state != nil {
            leaseLosses.add(now)
            report(.leaseLost, name, "no majority has heard this node for \(timing.lease.milliseconds) ms")
            hold(at: now)
        }
    }

    // MARK: - Addresses

    /// The addresses this node may use now, by agreement alone.
    private var rightful: [Grant] {
        guard let state, membershipPhase == .member, !fences.fences(me) else { return [] }
        return state.grants.filter { grant in
            grant.holder == me && !grant.revoked
                && grant.conditions.allSatisfy { condition in
                    switch condition {
                    case .inEffect(let index): index <= effective.index
                    case .released(let by, let epoch):
                        requests.releases.contains(
                            ReleaseNotice(address: grant.address, holder: by, epoch: epoch))
                    }
                }
        }
    }

    /// Makes the keeper hold exactly what this node may hold, until its lease ends.
    mutating func hold(at now: Instant) {
        let end = leaseEnd(at: now)
        let rightful = end == nil ? [] : rightful
        notePartings(mayHold: end != nil, at: now)
        let grants = rightful + partings.map { $0.grant(of: me) }
        for holding in holdings.all {
            let grant = grants.first { $0.address == holding.address.name }
            if grant == nil, holdings.drop(holding.address.name) {
                effects.append(.release(holding.address, epoch: holding.epoch))
            }
        }
        guard let end, let state else { return }
        for grant in grants {
            guard let address = state.address(grant.address) else { continue }
            // Who says that it leaves with empty hands is believed at once: it may take nothing any more.
            if leaving != nil, holdings[grant.address] == nil { continue }
            if holdings.want(address, epoch: grant.epoch, until: end, step: timing.renewalStep) {
                effects.append(.hold(address, until: end, epoch: grant.epoch))
            }
        }
    }

    mutating func keeperHeld(_ address: String, _ epoch: Epoch) {
        keeperTroubles.forget(address)
        if holdings.held(address, epoch: epoch) {
            report(.addressHeld, address, "\(name) holds \(address)", epoch: epoch)
        }
    }

    mutating func keeperReleased(_ address: String, _ epoch: Epoch, _ cause: String, at now: Instant) {
        if holdings.released(address, epoch: epoch) {
            report(.addressReleased, address, "\(name) let go of \(address): \(cause)")
            plead(at: now, even: true)
        }
    }

    mutating func keeperFailed(_ address: String, _ epoch: Epoch, _ reason: String, at now: Instant) {
        guard let holding = holdings[address], holding.epoch == epoch else { return }
        if holding.trouble != reason { report(.addressFailed, address, reason) }
        holdings.failed(address, epoch: epoch, reason, at: now)
    }

    mutating func switchReported(_ report: SwitchReport, at now: Instant) {
        let before = load
        load = report
        // What moves a seat is told at once.
        if before.blockers != report.blockers || before.complaints != report.complaints {
            nextBeat = min(nextBeat, now)
        }
        // Unknown is no trouble: it holds what it holds, and only takes nothing more.
        guard report.health == .unhealthy, before.health != .unhealthy else { return }
        if before.isFit {
            self.report(.trouble, name, report.illness ?? "FreeSWITCH is \(report.health.rawValue)")
        }
        if before.isFit || !holdings.isEmpty { plead(at: now, even: true) }
    }

    // MARK: - Beat

    var role: Role {
        guard let state, let member = state.member(name), member.holder == me else { return .starting }
        return state.role(of: member)
    }

    /// Whether this node vouches that its machine holds none of the cluster's addresses and could take one.
    private var keeperEmpty: Bool { holdings.isEmpty }

    mutating func beat(at now: Instant) {
        nextBeat = nextBeat + timing.interval
        if nextBeat <= now { nextBeat = now + timing.interval }
        if case .renewing = membershipPhase { return }
        sequence += 1
        lease.beat(sequence, at: now)
        var heartbeat = Heartbeat(
            clusterID: state?.clusterID ?? 0, sender: me, sequence: sequence, kind: kind, role: role,
            settingsVersion: settings.version, term: raft.term, commit: raft.commitIndex,
            leader: raft.leader, fenceEpoch: fenceEpoch, holding: holdings.held,
            leaseValid: leaseEnd(at: now) != nil, keeperEmpty: keeperEmpty, leaving: leaving != nil,
            load: load, founding: foundingDigest(at: now), acknowledgements: acknowledgements(at: now))
        heartbeat.logTerm = raft.lastEpoch.term
        heartbeat.machine = machine
        heartbeat.service = serviceView(at: now)
        heartbeat.paths = pathTroubles
        heartbeat.zone = zoneWord(at: now)
        heartbeat.identity = identityView(at: now)
        if release.formats.upperBound > FormatVersion.oldest {
            heartbeat.release = release
            heartbeat.agreedFormat = state?.format ?? FormatVersion.oldest
        }
        effects.append(.beat(heartbeat))
    }

    /// Everybody heard lately. Who may not be acknowledged is told only that it is heard.
    private func acknowledgements(at now: Instant) -> [Acknowledgement] {
        let iAmOut = doubt != nil || fences.fences(me) || isOut(me)
        var list: [Acknowledgement] = []
        for neighbour in neighbours.all {
            if let rival = neighbour.rival, now - rival.last < Timers.heardLately {
                let age = max(.zero, now - neighbours.lastHeard(rival.holder))
                list.append(Acknowledgement(holder: rival.holder, sequence: 0, age: age))
            }
            if let unproven = neighbour.unproven {
                guard now - unproven.arrived < Timers.heardLately else { continue }
                let age = max(.zero, now - neighbours.lastHeard(unproven.holder))
                list.append(Acknowledgement(holder: unproven.holder, sequence: 0, age: age))
                continue
            }
            guard now - neighbour.received < Timers.heardLately else { continue }
            let isRefused = iAmOut || fences.fences(neighbour.holder) || isOut(neighbour.holder)
            list.append(
                Acknowledgement(
                    holder: neighbour.holder, sequence: isRefused ? 0 : neighbour.heartbeat.sequence,
                    age: now - neighbour.received))
        }
        return Array(list.sorted { $0.holder < $1.holder }.prefix(ClusterLimits.nodes))
    }

    /// Whether it was agreed that this life is over.
    private func isOut(_ holder: Holder) -> Bool {
        guard let member = state?.member(holder.name), member.holder.member == holder.member else {
            return false
        }
        return holder.incarnation < member.holder.incarnation || (holder == member.holder && !member.isActive)
    }
}

extension Duration {
    var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
