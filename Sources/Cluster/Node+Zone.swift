import Consensus

/// What the leader knows of the zone, and what it waits for.
struct ZoneKeeper: Hashable, Sendable {
    var readings: [ServerReading] = []
    var reading: UInt64?
    var updating: UInt64?
    var nextID: UInt64 = 1
    /// Nil reads at once.
    var nextRead: Instant?
    /// Readings are older than the newest decision until then.
    var readSince: Epoch?
    var problem: String?
    var failures = 0
    var adopt = false
    /// An update of ours with unknown end may still arrive.
    var isContested = false
    /// What was wanted when the readings were found to agree with it.
    var converged: [ZoneRecord]?
    var told: String?
    /// Deadlines of an answer that may never come.
    var answerDue: Instant?
    var rereads = 0
    /// What there was to publish when the zone was last looked at.
    var looked: Look?
    /// Questions of an earlier leadership are waited for (one of each kind at most), and their answers not believed.
    var isOutdated = false

    struct Look: Hashable, Sendable {
        var applied: Epoch
        /// Of each seat.
        var published: [[IPAddress]]
    }

    /// Whether time alone makes it worth another look.
    func isDue(at now: Instant) -> Bool {
        if let answerDue { return now >= answerDue }
        return now >= nextRead ?? now
    }

    /// Another term knows nothing of the zone yet.
    mutating func startOver() {
        var fresh = ZoneKeeper()
        fresh.nextID = nextID
        fresh.reading = reading
        fresh.updating = updating
        fresh.answerDue = answerDue
        fresh.isOutdated = reading != nil || updating != nil
        self = fresh
    }
}

extension Node {
    // MARK: - What should be there

    /// The zone as the control state wants it; nil without DNS.
    func desiredZone(_ state: ControlState) -> DesiredZone? {
        guard let dns = state.settings.dns else { return nil }
        let ttl = UInt32(clamping: (state.ttl?.value ?? dns.ttl).nanoseconds / 1_000_000_000)
        let writer = "\(state.settings.cluster)/\(String(state.clusterID, radix: 16))"
        var desired = DesiredZone(
            settings: dns, writer: writer, records: [], ours: state.settings.addresses.map(\.ip))
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
        guard let ip = state.address(address)?.ip, let first = zoneKeeper.readings.first,
            case .read(_, let records) = first.outcome
        else { return false }
        return records.contains { $0.content == .address(ip) }
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
        if let due = zoneKeeper.answerDue, now >= due {
            zoneKeeper.reading = nil
            zoneKeeper.updating = nil
            zoneKeeper.answerDue = nil
            zoneKeeper.isOutdated = false
        }
        guard zoneKeeper.reading == nil, zoneKeeper.updating == nil else { return }
        if zoneKeeper.readings.isEmpty || now >= zoneKeeper.nextRead ?? now {
            readZone(desired, state, at: now)
            return
        }
        let epoch = Epoch(term: raft.term, index: applied.index)
        let plan = desired.plan(
            from: zoneKeeper.readings.first, epoch: epoch, adopt: zoneKeeper.adopt,
            isContested: zoneKeeper.isContested)
        note(plan)
        guard let update = plan.update, zoneKeeper.failures == 0 || zoneKeeper.rereads > 0 else { return }
        zoneKeeper.rereads = 0
        let id = zoneKeeper.nextID
        zoneKeeper.nextID += 1
        zoneKeeper.updating = id
        zoneKeeper.answerDue = now + .seconds(10)
        effects.append(.updateZone(id: id, update))
    }

    private mutating func readZone(_ desired: DesiredZone, _ state: ControlState, at now: Instant) {
        let id = zoneKeeper.nextID
        zoneKeeper.nextID += 1
        zoneKeeper.reading = id
        zoneKeeper.answerDue = now + .seconds(10)
        effects.append(.readZone(id: id, desired.questions(seats: state.seats.map(\.name))))
    }

    private mutating func note(_ plan: ZonePlan) {
        let trouble = plan.held ?? zoneKeeper.problem
        if trouble != zoneKeeper.told {
            zoneKeeper.told = trouble
            if let trouble, let zone = state?.settings.dns?.zone { report(.zoneTrouble, zone, trouble) }
        }
    }

    mutating func zoneRead(_ id: UInt64, _ readings: [ServerReading], at now: Instant) {
        guard zoneKeeper.reading == id else { return }
        zoneKeeper.reading = nil
        zoneKeeper.answerDue = nil
        if zoneKeeper.isOutdated {
            zoneKeeper.isOutdated = false
            return
        }
        guard let state, let desired = desiredZone(state) else { return }
        zoneKeeper.readings = readings
        zoneKeeper.rereads += 1
        let isConverged = readings.allSatisfy { serverProblem($0, desired) == nil }
        if case .read = readings.first?.outcome, zoneKeeper.failures == 0 { zoneKeeper.problem = nil }
        zoneKeeper.converged = isConverged ? desired.records : nil
        if isConverged {
            zoneKeeper.failures = 0
            zoneKeeper.problem = nil
            zoneKeeper.adopt = false
            zoneKeeper.nextRead = now + .seconds(5)
        } else if case .failed = readings.first?.outcome {
            backOff(at: now)
        } else {
            zoneKeeper.nextRead = now + pause(floor: .milliseconds(20))
            zoneKeeper.failures = min(zoneKeeper.failures, 8)
        }
    }

    private func pause(floor: Duration) -> Duration {
        min(.seconds(5), floor * (1 << min(zoneKeeper.failures + min(zoneKeeper.rereads, 5), 8)))
    }

    private mutating func backOff(at now: Instant) {
        zoneKeeper.failures += 1
        zoneKeeper.nextRead = now + pause(floor: .milliseconds(50))
    }

    mutating func zoneUpdated(_ id: UInt64, _ outcome: ZoneUpdateOutcome, at now: Instant) {
        guard zoneKeeper.updating == id else { return }
        zoneKeeper.updating = nil
        zoneKeeper.answerDue = nil
        if zoneKeeper.isOutdated {
            zoneKeeper.isOutdated = false
            return
        }
        guard let zone = state?.settings.dns?.zone else { return }
        zoneKeeper.rereads = 0
        switch outcome {
        case .done:
            zoneKeeper.isContested = false
            zoneKeeper.failures = 0
            zoneKeeper.problem = nil
            zoneKeeper.nextRead = now
            report(.zoneUpdated, zone, "the zone says what was decided", epoch: applied)
        case .prerequisiteFailed(let reason):
            zoneKeeper.problem = "another hand wrote the zone (\(reason)); it is read again"
            backOff(at: now)
            if zoneKeeper.failures == 1 { zoneKeeper.nextRead = now }
        case .refused(let reason):
            zoneKeeper.problem = "the primary refused the update: \(reason)"
            backOff(at: now)
        case .unknown(let reason):
            zoneKeeper.isContested = true
            zoneKeeper.problem = "the update may or may not have happened: \(reason)"
            backOff(at: now)
        }
    }

    /// What is wrong with one server's answers; nil when it serves what should be served.
    func serverProblem(_ reading: ServerReading, _ desired: DesiredZone) -> String? {
        switch reading.outcome {
        case .failed(let reason): return reason
        case .read(_, let records):
            let (delete, add) = desired.difference(from: records)
            if delete.isEmpty && add.isEmpty { return nil }
            return "\(add.count) records to come, \(delete.count) to go"
        }
    }

    /// The largest TTL any server serves now for the records fsdns keeps.
    var largestServedTTL: Duration {
        guard var largest = state?.servedTTL else { return .zero }
        for reading in zoneKeeper.readings {
            guard case .read(_, let records) = reading.outcome else { continue }
            for record in records where record.type != "TXT" {
                largest = max(largest, .seconds(Int64(record.ttl)))
            }
        }
        return largest
    }

    /// Why the zone does not say yet what was decided; nil when every server does.
    var zoneObstacle: String? {
        guard let state, let desired = desiredZone(state) else { return nil }
        if zoneKeeper.converged == desired.records { return nil }
        return "every DNS server to serve the new set" + (zoneKeeper.problem.map { " (\($0))" } ?? "")
    }

    func zoneReport(at now: Instant) -> ZoneReport? {
        guard let state, let desired = desiredZone(state) else { return nil }
        let plan = desired.plan(
            from: zoneKeeper.readings.first, epoch: Epoch(term: raft.term, index: applied.index))
        return ZoneReport(
            zone: desired.settings.zone, questions: desired.questions(seats: state.seats.map(\.name)),
            desired: desired.records, readings: zoneKeeper.readings, steps: plan.steps, update: plan.update,
            held: plan.held ?? zoneKeeper.problem)
    }
}
