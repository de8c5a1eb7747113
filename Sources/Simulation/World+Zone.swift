import Cluster

// Conversations with the name servers, over a network of their own: an isolated machine may still reach them.

extension World {
    mutating func readZone(_ id: UInt64, _ questions: [ZoneQuestion], for machine: Int, life: Int) {
        guard let nameServers else { return }
        asked(id, machine)
        let readings = nameServers.readings(questions)
        let waited = readings.contains { reading in
            if case .failed("no answer") = reading.outcome { true } else { false }
        }
        let took = waited ? NameServers.patience : drawDistance()
        let event = Event.zoneRead(id: id, readings)
        let moment = now.after(nanoseconds: took)
        agenda.add(.event(event, machine: machine, life: life), at: moment)
    }

    mutating func updateZone(_ id: UInt64, _ update: ZoneUpdate, for machine: Int, life: Int) {
        guard let condition = nameServers?.servers[0].condition else { return }
        asked(id, machine)
        judge.updateSent(by: machines[machine].name, now)
        let asker = Asker(machine: machine, life: life, id: id)
        let lost = ZoneUpdateOutcome.unknown("no answer within 500 ms")
        switch condition {
        case .well, .unreadable, .ignoring, .keepingTTL:
            arrive(update, asker, after: drawDistance(), isAnswered: true)
        case .refusing:
            answer(asker, .refused("REFUSED"), after: drawDistance())
        case .silent:
            answer(asker, lost, after: NameServers.patience)
        case .forgetful:
            arrive(update, asker, after: drawDistance(), isAnswered: false)
            answer(asker, lost, after: NameServers.patience)
        case .tardy:
            let late = chance.nameServers.draw(600...4000) * millisecond
            arrive(update, asker, after: late, isAnswered: false)
            answer(asker, lost, after: NameServers.patience)
        }
    }

    private mutating func drawDistance() -> Int64 { chance.nameServers.draw(300...3000) * microsecond }

    private mutating func arrive(
        _ update: ZoneUpdate, _ asker: Asker, after nanoseconds: Int64, isAnswered: Bool
    ) {
        let moment = now.after(nanoseconds: nanoseconds)
        agenda.add(.updateArrives(update, asker, isAnswered: isAnswered), at: moment)
    }

    private mutating func answer(_ asker: Asker, _ outcome: ZoneUpdateOutcome, after nanoseconds: Int64) {
        let event = Event.zoneUpdated(id: asker.id, outcome)
        let moment = now.after(nanoseconds: nanoseconds)
        agenda.add(.event(event, machine: asker.machine, life: asker.life), at: moment)
    }

    mutating func updateArrives(_ update: ZoneUpdate, from asker: Asker, isAnswered: Bool) {
        guard var servers = nameServers else { return }
        let before = servers.primary
        var update = update
        if blueprint.sabotage == .carelessPrimary {
            update.expected = before.records(update.epochName, "TXT").first
        }
        let verdict = servers.servers[0].zone.apply(update, servers.servers[0].condition.manner)
        let name = machines[asker.machine].name
        let outcome: ZoneUpdateOutcome
        switch verdict {
        case .done: outcome = .done
        case .prerequisiteFailed(let code): outcome = .prerequisiteFailed(code)
        case .refused(let code): outcome = .refused(code)
        }
        if !update.isProof || outcome != .done && !update.isGuarded {
            trace.add(now, "zone", "update of \(name): \(Self.text(of: update)): \(outcome)")
        }
        nameServers = servers
        if servers.primary != before {
            judgeZone(before: before, after: servers.primary, update, by: name)
            for server in servers.servers.indices.dropFirst() {
                let lag = chance.nameServers.draw(30...700) * millisecond
                agenda.add(.secondaryRefreshes(server), at: now.after(nanoseconds: lag))
            }
        }
        if isAnswered { answer(asker, outcome, after: drawDistance()) }
    }

    private static func text(of update: ZoneUpdate) -> String {
        let words =
            update.delete.map { "-\($0.name)/\($0.dataText)" }
            + update.add.map { "+\($0.name)/\($0.dataText)" }
        return words.joined(separator: " ")
    }

    mutating func refresh(secondary server: Int) {
        guard let primary = nameServers?.primary else { return }
        nameServers?.servers[server].zone = primary
    }

    mutating func setServer(_ server: Int, _ condition: NameServers.Condition) {
        guard nameServers?.servers.indices.contains(server) == true else { return }
        trace.add(now, "zone", "server \(server + 1) is \(condition)")
        nameServers?.servers[server].condition = condition
    }

    // MARK: - Questions and answers

    private mutating func asked(_ id: UInt64, _ machine: Int) {
        machines[machine].service?.openQuestions.append(id)
        if let open = machines[machine].service?.openQuestions.count, open > Judge.mostZoneQuestions {
            judge.object(now, .bounds, "\(machines[machine].name) has \(open) questions about the zone open")
        }
    }

    // MARK: - Invariant 3

    private mutating func judgeZone(
        before: PretendZone, after: PretendZone, _ update: ZoneUpdate, by name: String
    ) {
        judge.zoneChanged(from: before, to: after, update, by: name, now)
        guard let service = blueprint.serviceName, let state = judge.newestState else { return }
        let served = NameServers.addresses(in: after, of: service)
        let wasServed = NameServers.addresses(in: before, of: service)
        if served.isEmpty, !wasServed.isEmpty {
            for seat in state.seats where liveHolder(of: seat.address) {
                judge.object(now, .emptiedZone, "\(name) emptied \(service) while \(seat.name) is held")
            }
        }
        guard let drain = state.drain, drain.phase == .publishing || drain.phase == .withdrawing,
            let old = state.address(drain.oldAddress)?.ip, let new = state.address(drain.newAddress)?.ip,
            wasServed.contains(old), !served.contains(old), liveHolder(of: drain.oldAddress),
            liveHolder(of: drain.newAddress), let servers = nameServers?.servers
        else { return }
        for server in servers where !NameServers.addresses(in: server.zone, of: service).contains(new) {
            judge.object(
                now, .withdrawnEarly, "\(name) withdrew \(old) before \(server.endpoint) served \(new)")
        }
    }

    private func liveHolder(of address: String) -> Bool {
        machines.contains { $0.isFit && $0.service?.isAsleep == false && $0.keeper.holding(address) != nil }
    }
}
