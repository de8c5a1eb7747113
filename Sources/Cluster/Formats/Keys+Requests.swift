// The JSON keys of operators' requests and the answers to them.
//
// They are the format: a property or case that gets another name keeps its key, as in `case newName = "oldName"`.

extension DrainRequest {
    enum CodingKeys: String, CodingKey {
        case target, deadline, onDeadline, reason, dryRun, who, force, returnAfter
    }
}

extension PlaybookReport {
    enum CodingKeys: String, CodingKey { case schedules, run, finished, audit }
}

extension PlaybookReport.Schedule {
    enum CodingKeys: String, CodingKey { case name, summary, who, schedule, window, next, note }
}

extension PlaybookReport.Step {
    enum CodingKeys: String, CodingKey { case line, title, outcome, waitingFor, undone, node, output }
}

extension PlaybookReport.Run {
    enum CodingKeys: String, CodingKey {
        case id, name, summary, who, due, wall, age, remaining, phase, trouble, steps
    }
}

extension StatusReport.PlaybookLine {
    enum CodingKeys: String, CodingKey { case name, step, of, title, phase, waitingFor, who }
}

extension StatusReport {
    enum CodingKeys: String, CodingKey {
        case cluster, node, leader, term, epoch, quorum, nodes, seats, maintenance, dns, warnings, forming,
            playbook, paths, format
    }
}

extension StatusReport.Quorum {
    enum CodingKeys: String, CodingKey { case votes, needed, have }
}

extension StatusReport.NodeLine {
    enum CodingKeys: String, CodingKey {
        case name, role, position, seat, addresses, lease, freeswitch, calls, registrations, lastHeardMs,
            voter, incarnation, configurationDiffers, note, ready, blockers, heardBy, release, newestFormat
    }
}

extension StatusReport.HearingLine {
    enum CodingKeys: String, CodingKey { case node, ms }
}

extension StatusReport.SeatLine {
    enum CodingKeys: String, CodingKey {
        case name, address, addressName, holder, state, published, isPublicationKnown, epoch, trouble, seen,
            heardBy, unheardBy, isStateKnown
    }
}

extension StatusReport.SightLine {
    enum CodingKeys: String, CodingKey { case node, verdict, station }
}

extension StatusReport.MaintenanceLine {
    enum CodingKeys: String, CodingKey { case addresses, drain, names }
}

extension StatusReport.DrainLine {
    enum CodingKeys: String, CodingKey {
        case seat, from, to, phase, oldAddress, newAddress, callsLeft, registrationsLeft, deadlineSeconds,
            onDeadline, owner, reason, waitingFor, recoverable, callsPerMinute, estimateSeconds,
            standstillSeconds, phaseSeconds, returnAfterSeconds, drain
    }
}

extension StatusReport.DNSLine {
    enum CodingKeys: String, CodingKey { case zone, converged, epoch, servers, problem, ttl }
}

extension StatusReport.DNSLine.Server {
    enum CodingKeys: String, CodingKey { case address, serial, converged, problem }
}

extension StatusReport.PathLine {
    enum CodingKeys: String, CodingKey { case node, kind, ring, peers }
}

extension ZoneRecord {
    enum CodingKeys: String, CodingKey { case name, ttl, content }
}

extension ZoneRecord.Content {
    enum CodingKeys: String, CodingKey { case address, srv, txt }
    enum AddressCodingKeys: String, CodingKey { case _0 }
    enum SrvCodingKeys: String, CodingKey { case priority, weight, port, target }
    enum TxtCodingKeys: String, CodingKey { case _0 }
}

extension ZoneQuestion {
    enum CodingKeys: String, CodingKey { case name, type }
}

extension ServerReading {
    enum CodingKeys: String, CodingKey { case endpoint, outcome, aliases, isUnsigned }
}

extension ServerReading.Outcome {
    enum CodingKeys: String, CodingKey { case read, failed }
    enum ReadCodingKeys: String, CodingKey { case serial, records }
    enum FailedCodingKeys: String, CodingKey { case _0 }
}

extension ZoneAlias {
    enum CodingKeys: String, CodingKey { case name, target }
}

extension ZoneUpdate {
    enum CodingKeys: String, CodingKey { case zone, expected, required, epochName, delete, add }
}

extension ZoneUpdateOutcome {
    enum CodingKeys: String, CodingKey { case done, prerequisiteFailed, refused, unknown }
    enum PrerequisiteFailedCodingKeys: String, CodingKey { case _0 }
    enum RefusedCodingKeys: String, CodingKey { case _0 }
    enum UnknownCodingKeys: String, CodingKey { case _0 }
}

extension ZoneReport {
    enum CodingKeys: String, CodingKey {
        case zone, questions, desired, readings, steps, update, held, troubles, notices
    }
}

extension ClusterEvent {
    enum CodingKeys: String, CodingKey { case kind, subject, text, epoch }
}
