import Primitives

// What the name servers answered, and what follows from it.

extension Node {
    mutating func zoneRead(_ id: UInt64, _ readings: [ServerReading], at now: Instant) {
        guard zoneKeeper.reading == id else { return }
        zoneKeeper.reading = nil
        zoneKeeper.answerDue = nil
        if zoneKeeper.isOutdated {
            zoneKeeper.isOutdated = false
            return
        }
        guard let state, let desired = desiredZone(state) else { return }
        if zoneKeeper.readings.isEmpty, let records = readings.first?.records,
            !desired.marks(in: records).own.contains(where: { $0.mark.writer == desired.writer })
        {
            zoneKeeper.rate.noteNoFormerLeader()
        }
        if readings.first?.records != nil, case .failed = zoneKeeper.readings.first?.outcome {
            zoneKeeper.proof.hurry(at: now)
        }
        zoneKeeper.readings = readings
        zoneKeeper.wantsWildcards = desired.needsWildcards(readings.first)
        if zoneKeeper.wantsWildcards, !zoneKeeper.askedWildcards {
            zoneKeeper.nextRead = now
            return
        }
        noteBehind(desired, at: now)
        zoneKeeper.rereads += 1
        if readings.first?.records != nil, zoneKeeper.failures == 0 { zoneKeeper.problem = nil }
        let isConverged = isZoneTrue(readings, desired)
        zoneKeeper.converged = isConverged ? desired.records : nil
        if let records = readings.first?.records, let accepted = zoneKeeper.accepted {
            judge(accepted, by: records, at: now)
            if zoneKeeper.accepted != nil { return }
        }
        if isConverged {
            // A refused update of nothing but our mark is refused still.
            if zoneKeeper.failures == 0 || !isUpdateWanted(desired) {
                zoneKeeper.succeeded()
                zoneKeeper.problem = nil
            }
            // That the epoch record was not taken is not seen in what is compared here.
            if zoneKeeper.untaken?.hasEpoch == false { zoneKeeper.untaken = nil }
            zoneKeeper.adopt = false
            zoneKeeper.nextRead = now + Self.zonePoll
        } else if case .failed = readings.first?.outcome {
            backOff(at: now)
        } else if zoneKeeper.untaken != nil || !zoneKeeper.behind.isEmpty && zoneKeeper.rereads > 5 {
            zoneKeeper.nextRead = now + min(Self.zonePoll, .milliseconds(640))
        } else {
            zoneKeeper.nextRead = now + pause(floor: .milliseconds(20))
            zoneKeeper.limitFailures()
        }
    }

    private func isUpdateWanted(_ desired: DesiredZone) -> Bool {
        desired.plan(
            from: zoneKeeper.readings.first, epoch: zoneEpoch, adopt: zoneKeeper.adopt,
            isContested: zoneKeeper.isContested
        ).update != nil
    }

    /// Between two looks at a zone that is as it should be.
    private static let zonePoll = Duration.seconds(5)

    /// Whether every server serves what was decided, and the primary has no mark of somebody else.
    private func isZoneTrue(_ readings: [ServerReading], _ desired: DesiredZone) -> Bool {
        guard readings.allSatisfy({ serverProblem($0, desired) == nil }),
            let records = readings.first?.records
        else { return false }
        return desired.obstacle(in: desired.marks(in: records), epoch: zoneEpoch, adopt: false) == nil
    }

    private mutating func noteBehind(_ desired: DesiredZone, at now: Instant) {
        let former = zoneKeeper.behind
        zoneKeeper.seenWell = zoneKeeper.readings.filter { reading in
            serverProblem(reading, desired) == nil || zoneKeeper.seenWell.contains(reading.endpoint)
        }.map(\.endpoint)
        zoneKeeper.behind = zoneKeeper.readings.filter { serverProblem($0, desired) != nil }.map { reading in
            former.first { $0.server == reading.endpoint }
                ?? ZoneKeeper.Behind(
                    server: reading.endpoint, since: now,
                    isFound: !zoneKeeper.seenWell.contains(reading.endpoint))
        }
    }

    private func pause(floor: Duration) -> Duration {
        min(Self.zonePoll, floor * (1 << min(zoneKeeper.failures + min(zoneKeeper.rereads, 5), 8)))
    }

    private mutating func backOff(at now: Instant) {
        zoneKeeper.failed(at: now)
        zoneKeeper.nextRead = now + pause(floor: .milliseconds(50))
    }

    // MARK: - Whether it was done

    /// Looks whether an update is really there that the server said it carried out.
    private mutating func judge(
        _ accepted: ZoneKeeper.Accepted, by records: [ZoneRecord], at now: Instant
    ) {
        guard let zone = state?.settings.dns?.zone else { return }
        let (delete, add) = accepted.update.leftover(in: records)
        if delete.isEmpty, add.isEmpty {
            zoneKeeper.accepted = nil
            zoneKeeper.untaken = nil
            report(.zoneUpdated, zone, "the zone says what was decided", epoch: accepted.epoch)
            return
        }
        let isEpoch = { (record: ZoneRecord) in
            record.name == accepted.update.epochName && record.type == "TXT"
        }
        let former = zoneKeeper.untaken
        var untaken = Untaken(
            add: add.filter { !isEpoch($0) }, delete: delete.filter { !isEpoch($0) },
            hasEpoch: add.contains(where: isEpoch),
            text: untakenText(delete, add, records), lastTry: now, nextTry: now,
            serial: zoneKeeper.readings.first?.serial)
        let isKnown =
            former.map { former in
                untaken.add.allSatisfy(former.add.contains)
                    && untaken.delete.allSatisfy(former.delete.contains)
            } ?? false
        // A server may be slow to answer what it has; only what stays away is not done.
        if !isKnown, accepted.readings < 4 {
            zoneKeeper.accepted?.readings += 1
            zoneKeeper.nextRead = now + .milliseconds(50) * (1 << accepted.readings)
            return
        }
        zoneKeeper.accepted = nil
        untaken.attempts = (isKnown ? former?.attempts ?? 0 : 0) + 1
        untaken.nextTry = now + min(Untaken.longestPause, .seconds(1) * (1 << min(untaken.attempts, 9)))
        zoneKeeper.untaken = untaken
        if !untaken.hasEpoch, !isKnown {
            report(.zoneUpdated, zone, "the zone says a part of what was decided", epoch: accepted.epoch)
        }
    }

    /// What the server did not do, with what it has instead and the likely cause.
    private func untakenText(_ delete: [ZoneRecord], _ add: [ZoneRecord], _ found: [ZoneRecord]) -> String {
        let reading = zoneKeeper.readings.first
        var parts: [String] = add.prefix(2).map { record in
            let what = "\(record.name) \(record.type) \(record.dataText)"
            if let alias = reading?.aliases?.first(where: { $0.name == record.name }) {
                return "\(what) is not there: the name is a CNAME to \(alias.target); remove the CNAME"
            }
            if let there = found.first(where: { $0.name == record.name && $0.content == record.content }) {
                return "\(what) has the TTL \(there.ttl) there, not \(record.ttl): "
                    + (there.ttl < record.ttl
                        ? "a limit (BIND: max-zone-ttl), or it kept the former one"
                        : "the server kept the former one")
            }
            return
                "\(what) is not there: something else at that name (a CNAME), or a rule, makes it ignore the record"
        }
        parts += delete.prefix(max(0, 2 - parts.count)).map {
            "\($0.name) \($0.type) \($0.dataText) is still there"
        }
        let more = add.count + delete.count - parts.count
        return "\(reading.map { "\($0.endpoint)" } ?? "the primary") said NOERROR but did not do all of it: "
            + parts.joined(separator: "; ") + (more > 0 ? "; and \(more) more" : "")
    }

    mutating func zoneUpdated(_ id: UInt64, _ outcome: ZoneUpdateOutcome, at now: Instant) {
        if zoneTurns.updating == id {
            endZoneTurn(outcome)
            return
        }
        guard zoneKeeper.updating == id else { return }
        zoneKeeper.updating = nil
        zoneKeeper.answerDue = nil
        let update = zoneKeeper.underway
        zoneKeeper.underway = nil
        if zoneKeeper.isOutdated {
            zoneKeeper.isOutdated = false
            return
        }
        guard let server = state?.settings.dns?.servers.first else { return }
        if zoneKeeper.proof.isUnderway {
            let wasGuarded = zoneKeeper.proof.isGuarded
            let isOver = zoneKeeper.proof.ended(outcome, server, at: now)
            if isOver, !wasGuarded, case .prerequisiteFailed = outcome { zoneKeeper.nextRead = now }
            return
        }
        zoneKeeper.rereads = 0
        switch outcome {
        case .done:
            zoneKeeper.isContested = false
            zoneKeeper.succeeded()
            endOwnZoneTrouble()
            zoneKeeper.proof.updated(at: now)
            zoneKeeper.problem = nil
            zoneKeeper.nextRead = now
            zoneKeeper.accepted = update.map { ZoneKeeper.Accepted(update: $0, epoch: applied) }
        case .prerequisiteFailed(let reason):
            zoneKeeper.problem = ZoneTrouble(
                key: "prerequisite", text: "another hand wrote the zone (\(reason)); it is read again")
            backOff(at: now)
            if zoneKeeper.failures == 1 { zoneKeeper.nextRead = now }
            if zoneKeeper.failures > 3 { zoneKeeper.problem = ZoneRefusal.otherView(server, reason) }
        case .refused(let reason):
            zoneKeeper.problem = ZoneRefusal.trouble(reason, server)
            // Which record it is that is refused, if not all are.
            if ZoneRefusal.dependsOnRecords(reason), zoneKeeper.proof.trouble.isEmpty {
                zoneKeeper.proof.due = now
            }
            backOff(at: now)
        case .unknown(let reason):
            zoneKeeper.isContested = true
            zoneKeeper.problem = ZoneTrouble(
                key: "unknown", text: "the update may or may not have happened: \(reason)")
            if ZoneRefusal.isNamed(reason) { zoneKeeper.problem = ZoneRefusal.trouble(reason, server) }
            backOff(at: now)
        }
    }

    /// An operator wants it done now, whatever went wrong before.
    mutating func hurryZone(adopt: Bool, at now: Instant) {
        if adopt { zoneKeeper.adopt = true }
        zoneKeeper.nextRead = now
        zoneKeeper.forgetFailures()
        zoneKeeper.untaken?.nextTry = now
        zoneKeeper.proof.due = now
    }
}
