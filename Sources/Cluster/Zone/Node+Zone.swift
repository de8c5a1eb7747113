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
        state.address(address).map { zone.serves($0.ip) } ?? false
    }

    // MARK: - Making it so

    /// - Parameter asked: something about the zone itself happened.
    mutating func reconcileZone(at now: Instant, asked: Bool) {
        guard isLeader, let leadership, leadership.committedOwnFirst != nil, let state,
            state.settings.dns != nil
        else { return }
        let look = ZoneReconciler.Look(
            applied: applied, published: state.seats.map { publishedAddresses(of: $0, in: state) })
        guard asked || zone.wantsLook(look, at: now), let context = zoneContext(at: now) else { return }
        perform(zone.reconcile(look, context))
    }

    mutating func zoneRead(_ id: UInt64, _ readings: [ServerReading], at now: Instant) {
        perform(zone.read(id, readings, zoneContext(at: now)))
    }

    mutating func zoneUpdated(_ id: UInt64, _ outcome: ZoneUpdateOutcome, at now: Instant) {
        if zoneTurns.updating == id {
            endZoneTurn(outcome)
        } else {
            perform(
                zone.updated(id, outcome, state?.settings.dns?.servers.first, applied: applied, at: now))
        }
    }

    /// What the epoch record says of an update of now.
    var zoneEpoch: Epoch { Epoch(term: raft.term, index: applied.index) }

    private func zoneContext(at now: Instant) -> ZoneReconciler.Context? {
        guard let state, let desired = desiredZone(state) else { return nil }
        return ZoneReconciler.Context(desired: desired, epoch: zoneEpoch, applied: applied, now: now)
    }

    private mutating func perform(_ steps: [ZoneReconciler.Step]) {
        for step in steps {
            switch step {
            case .read(let id, let questions): effects.append(.readZone(id: id, questions))
            case .update(let id, let update): effects.append(.updateZone(id: id, update))
            case .wrote: endOwnZoneTrouble()
            case .report(let kind, let text, let epoch):
                if let dns = state?.settings.dns { report(kind, dns.zone, text, epoch: epoch) }
            }
        }
    }
}
