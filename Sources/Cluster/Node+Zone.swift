import Primitives

extension Node {
    // MARK: - What should be there

    /// The zone as the control state wants it; nil without DNS.
    func desiredZone(_ state: ControlState) -> DesiredZone? {
        guard let dns = state.settings.dns else { return nil }
        let ttl = UInt32(clamping: (state.ttl?.value ?? dns.ttl).nanoseconds / 1_000_000_000)
        let writer = "\(state.settings.cluster)/\(String(state.clusterID, radix: 16))"
        var desired = DesiredZone(
            settings: dns, writer: writer, records: [], ours: state.settings.addresses.map(\.ip),
            seats: state.seats.map(\.name))
        var records: [ZoneRecord] = []
        for seat in state.seats {
            let addresses = publishedAddresses(of: seat, in: state)
            for ip in addresses {
                records += dns.services.map {
                    ZoneRecord(name: desired.serviceName($0), ttl: ttl, content: .address(ip))
                }
                if dns.seatNames {
                    records.append(
                        ZoneRecord(name: "\(seat.name).\(dns.zone)", ttl: ttl, content: .address(ip)))
                }
            }
            guard !addresses.isEmpty else { continue }
            for srv in dns.srv {
                let target =
                    dns.seatNames ? "\(seat.name).\(dns.zone)" : desired.serviceName(dns.services.first ?? "")
                let record = ZoneRecord(
                    name: "\(srv.service).\(dns.zone)", ttl: ttl,
                    content: .srv(priority: srv.priority, weight: srv.weight, port: srv.port, target: target))
                if !records.contains(record) { records.append(record) }
            }
        }
        desired.records = records.sorted()
        return desired
    }

    /// A seat is published while a live node has its address, or is about to; with a drain, both addresses while the
    /// new one is spread.
    private func publishedAddresses(of seat: Seat, in state: ControlState) -> [IPAddress] {
        var names: [String] = []
        if isPublishable(seat.address, in: state) { names.append(seat.address) }
        if let drain = state.drain, drain.seat == seat.name, drain.phase.servesBoth,
            isPublishable(drain.newAddress, in: state)
        {
            names.append(drain.newAddress)
        }
        return names.compactMap { state.address($0)?.ip }
    }

    private func isPublishable(_ address: String, in state: ControlState) -> Bool {
        guard let grant = state.grant(of: address), !grant.revoked, state.isActive(grant.holder) else {
            return state.settings.policy.onExhaustion == .keep && isServed(address, in: state)
        }
        return holds(grant.holder, address) || isServed(address, in: state)
    }

    /// Whether the primary serves the address already: a move or takeover in progress does not withdraw it.
    private func isServed(_ address: String, in state: ControlState) -> Bool {
        guard let ip = state.address(address)?.ip, let records = zoneKeeper.readings.first?.records
        else { return false }
        return records.contains { $0.content == .address(ip) && !$0.name.hasPrefix("*.") }
    }

    // MARK: - Making it so

    /// - Parameter asked: something about the zone itself happened.
    mutating func keepZone(at now: Instant, asked: Bool) {
        guard isLeader, let leadership, leadership.committedOwnFirst != nil, let state,
            state.settings.dns != nil
        else { return }
        let look = ZoneKeeper.Look(
            applied: applied, published: state.seats.map { publishedAddresses(of: $0, in: state) })
        if !asked, look == zoneKeeper.looked, !zoneKeeper.isDue(at: now) { return }
        zoneKeeper.looked = look
        guard let desired = desiredZone(state) else { return }
        if let due = zoneKeeper.answerDue, now >= due { forgetZoneQuestions() }
        guard zoneKeeper.reading == nil, zoneKeeper.updating == nil else { return }
        if zoneKeeper.readings.isEmpty || now >= zoneKeeper.nextRead ?? now {
            readZone(desired, at: now)
            return
        }
        zoneKeeper.sendAt = nil
        let plan = desired.plan(
            from: zoneKeeper.readings.first, epoch: zoneEpoch, adopt: zoneKeeper.adopt,
            isContested: zoneKeeper.isContested)
        tell(zoneTroubles(plan, desired))
        if let update = plan.update, zoneKeeper.accepted == nil,
            zoneKeeper.failures == 0 || zoneKeeper.rereads > 0
        {
            let allowed = max(zoneKeeper.rate.next(at: now), postponement(of: update) ?? now)
            if now >= allowed {
                zoneKeeper.rereads = 0
                send(update, at: now)
                return
            }
            zoneKeeper.sendAt = allowed
        }
        proveZone(desired, at: now)
    }

    /// What the epoch record says of an update of now.
    var zoneEpoch: Epoch { Epoch(term: raft.term, index: applied.index) }

    private mutating func forgetZoneQuestions() {
        zoneKeeper.reading = nil
        zoneKeeper.updating = nil
        zoneKeeper.answerDue = nil
        zoneKeeper.underway = nil
        zoneKeeper.proof.asked = []
        zoneKeeper.isOutdated = false
    }

    /// Until when an update waits that would only repeat what the server did not do before.
    private func postponement(of update: ZoneUpdate) -> Instant? {
        guard let untaken = zoneKeeper.untaken else { return nil }
        return untaken.postpones(update, serial: zoneKeeper.readings.first?.serial)
    }

    private mutating func readZone(_ desired: DesiredZone, at now: Instant) {
        let id = zoneKeeper.nextID
        zoneKeeper.nextID += 1
        zoneKeeper.reading = id
        zoneKeeper.answerDue = now + .seconds(10)
        zoneKeeper.askedWildcards = zoneKeeper.wantsWildcards
        let wildcards = zoneKeeper.wantsWildcards ? desired.wildcardQuestions : []
        effects.append(.readZone(id: id, wildcards + desired.questions))
    }

    private mutating func send(_ update: ZoneUpdate, at now: Instant) {
        let id = zoneKeeper.nextID
        zoneKeeper.nextID += 1
        zoneKeeper.updating = id
        zoneKeeper.underway = update
        zoneKeeper.answerDue = now + .seconds(10)
        zoneKeeper.rate.note(at: now)
        effects.append(.updateZone(id: id, update))
    }

    /// Tries every minute whether the primary would take what we may have to write, while nothing else is to be sent.
    private mutating func proveZone(_ desired: DesiredZone, at now: Instant) {
        guard now >= zoneKeeper.proof.due, zoneKeeper.rate.isIdle(at: now),
            let found = zoneKeeper.readings.first?.records
        else { return }
        if zoneKeeper.proof.waiting.isEmpty { zoneKeeper.proof.begin(desired.writtenSets, in: found) }
        guard let sets = zoneKeeper.proof.next() else { return }
        send(desired.proof(of: sets, in: found, guarded: zoneKeeper.proof.isGuarded), at: now)
    }

    /// Tells what began and what ended; nothing is told again because its text changed.
    private mutating func tell(_ troubles: [ZoneTrouble]) {
        guard let zone = state?.settings.dns?.zone else { return }
        let told = zoneKeeper.told
        zoneKeeper.told = troubles
        for trouble in troubles where !told.contains(where: { $0.key == trouble.key }) {
            report(.zoneTrouble, zone, trouble.text)
        }
        for trouble in told where !troubles.contains(where: { $0.key == trouble.key }) {
            report(.zoneUpdated, zone, "no longer: \(trouble.text)")
        }
    }

    /// All that is wrong with the zone or the way to it, the worst first, and what is perhaps not meant.
    func zoneTroubles(_ plan: ZonePlan, _ desired: DesiredZone) -> [ZoneTrouble] {
        var troubles: [ZoneTrouble] = []
        if let held = plan.held {
            // Numbers in it change from one moment to the next.
            let key = String(held.filter { !$0.isNumber })
            troubles.append(ZoneTrouble(key: "held \(key)", text: held))
        }
        if let problem = zoneKeeper.problem { troubles.append(problem) }
        troubles += plan.blocked.map { ZoneTrouble(key: $0, text: $0) }
        if let untaken = zoneKeeper.untaken, plan.blocked.isEmpty {
            troubles.append(ZoneTrouble(key: "untaken", text: untaken.text))
        }
        troubles += zoneKeeper.proof.trouble.filter { trouble in
            !troubles.contains { $0.key == trouble.key }
        }
        let found = zoneKeeper.readings.first?.records ?? []
        troubles += desired.notices(found).filter { !$0.isQuiet }.map {
            ZoneTrouble(key: $0.key, text: $0.text, isNotice: true)
        }
        return troubles
    }
}
