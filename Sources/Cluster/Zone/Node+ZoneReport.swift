import Primitives

// What is told about the zone.

extension Node {
    /// What is wrong with one server's answers, and for how long; nil when it serves what should be served.
    func serverProblem(_ reading: ServerReading, _ desired: DesiredZone, at now: Instant) -> String? {
        guard let problem = desired.problem(of: reading) else { return nil }
        guard let behind = zone.behind.first(where: { $0.server == reading.endpoint }),
            now - behind.since >= Timers.troubleTold
        else { return problem }
        let time = "\((now - behind.since).wholeSeconds) s"
        return "\(problem), for \(time)" + (behind.isFound ? " at least, since \(name) leads" : "")
    }

    func zoneReport(at now: Instant) -> ZoneReport? {
        guard let desired = view(at: now)?.desiredZone else { return nil }
        let plan = desired.plan(from: zone.readings.first, epoch: zoneEpoch, adopt: zone.adopt)
        let notices = desired.notices(zone.found ?? []).map(\.text)
        let troubles = zone.troubles(plan, desired).filter { !$0.isNotice }.map(\.text)
        return ZoneReport(
            zone: desired.settings.zone, questions: desired.questions, desired: desired.records,
            readings: zone.readings, steps: plan.steps, update: plan.update,
            held: plan.held ?? zone.problem?.text, troubles: troubles, notices: notices)
    }
}
