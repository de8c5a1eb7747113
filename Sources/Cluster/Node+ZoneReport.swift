import Primitives

// What is told about the zone.

extension Node {
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

    /// The same, with how long it has been so.
    func serverProblem(_ reading: ServerReading, _ desired: DesiredZone, at now: Instant) -> String? {
        guard let problem = serverProblem(reading, desired) else { return nil }
        guard let behind = zoneKeeper.behind.first(where: { $0.server == reading.endpoint }),
            now - behind.since >= .seconds(1)
        else { return problem }
        let time = "\((now - behind.since).wholeSeconds) s"
        return "\(problem), for \(time)" + (behind.isFound ? " at least, since \(name) leads" : "")
    }

    /// The largest TTL any server serves now for the records fsdns keeps.
    var largestServedTTL: Duration {
        guard var largest = state?.servedTTL else { return .zero }
        for reading in zoneKeeper.readings {
            for record in reading.records ?? [] where record.type != "TXT" {
                largest = max(largest, .seconds(Int64(record.ttl)))
            }
        }
        return largest
    }

    /// Why the zone does not say yet what was decided; nil when every server does.
    var zoneObstacle: String? {
        guard let state, let desired = desiredZone(state) else { return nil }
        if zoneKeeper.converged == desired.records { return nil }
        let behind = zoneKeeper.readings.compactMap { reading in
            serverProblem(reading, desired).map { "\(reading.endpoint): \($0)" }
        }
        let why = (zoneKeeper.told.first { !$0.isNotice }.map { [$0.text] } ?? []) + behind
        return "every DNS server to serve the new set"
            + (why.isEmpty ? "" : " (\(why.joined(separator: "; ")))")
    }

    func zoneReport(at now: Instant) -> ZoneReport? {
        guard let state, let desired = desiredZone(state) else { return nil }
        let plan = desired.plan(from: zoneKeeper.readings.first, epoch: zoneEpoch, adopt: zoneKeeper.adopt)
        let notices = desired.notices(zoneKeeper.readings.first?.records ?? []).map(\.text)
        let troubles = zoneTroubles(plan, desired).filter { !$0.isNotice }.map(\.text)
        return ZoneReport(
            zone: desired.settings.zone, questions: desired.questions, desired: desired.records,
            readings: zoneKeeper.readings, steps: plan.steps, update: plan.update,
            held: plan.held ?? zoneKeeper.problem?.text, troubles: troubles, notices: notices)
    }
}
