import Primitives

// What is told about the zone.

extension Node {
    /// What is wrong with one server's answers, and for how long; nil when it serves what should be served.
    func serverProblem(_ reading: ServerReading, _ desired: DesiredZone, at now: Instant) -> String? {
        guard let problem = desired.problem(of: reading) else { return nil }
        guard let behind = zone.behind.first(where: { $0.server == reading.endpoint }),
            now - behind.since >= .seconds(1)
        else { return problem }
        let time = "\((now - behind.since).wholeSeconds) s"
        return "\(problem), for \(time)" + (behind.isFound ? " at least, since \(name) leads" : "")
    }

    /// The largest TTL any server serves now for the records fsdns keeps.
    var largestServedTTL: Duration {
        guard var largest = state?.servedTTL else { return .zero }
        for reading in zone.readings {
            for record in reading.records ?? [] where record.type != "TXT" {
                largest = max(largest, .seconds(Int64(record.ttl)))
            }
        }
        return largest
    }

    /// Why the zone does not say yet what was decided; nil when every server does.
    var zoneObstacle: String? {
        guard let state, let desired = desiredZone(state) else { return nil }
        if zone.converged == desired.records { return nil }
        let behind = zone.readings.compactMap { reading in
            desired.problem(of: reading).map { "\(reading.endpoint): \($0)" }
        }
        let why = (zone.worst.map { [$0.text] } ?? []) + behind
        return "every DNS server to serve the new set"
            + (why.isEmpty ? "" : " (\(why.joined(separator: "; ")))")
    }

    func zoneReport(at now: Instant) -> ZoneReport? {
        guard let state, let desired = desiredZone(state) else { return nil }
        let plan = desired.plan(from: zone.readings.first, epoch: zoneEpoch, adopt: zone.adopt)
        let notices = desired.notices(zone.found ?? []).map(\.text)
        let troubles = zone.troubles(plan, desired).filter { !$0.isNotice }.map(\.text)
        return ZoneReport(
            zone: desired.settings.zone, questions: desired.questions, desired: desired.records,
            readings: zone.readings, steps: plan.steps, update: plan.update,
            held: plan.held ?? zone.problem?.text, troubles: troubles, notices: notices)
    }
}
