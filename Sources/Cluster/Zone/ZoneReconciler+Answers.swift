import Primitives

// What the name servers answered, and what follows from it.

extension ZoneReconciler {
    /// - Parameter context: nil while no zone is kept.
    mutating func read(_ id: UInt64, _ readings: [ServerReading], _ context: Context?) -> [Step] {
        guard endReading(id), let context else { return [] }
        let (desired, now) = (context.desired, context.now)
        if self.readings.isEmpty, let records = readings.first?.records,
            !desired.marks(in: records).own.contains(where: { $0.mark.writer == desired.writer })
        {
            rate.noteNoFormerLeader()
        }
        if readings.first?.records != nil, case .failed = self.readings.first?.outcome {
            proof.hurry(at: now)
        }
        // A key that was changed at the server.
        if readings.first?.isUnsigned == true, self.readings.first?.isUnsigned != true {
            proof.hurry(at: now)
        }
        self.readings = readings
        wantsWildcards = desired.needsWildcards(readings.first)
        if wantsWildcards, !askedWildcards {
            nextRead = now
            return []
        }
        noteBehind(desired, at: now)
        rereads += 1
        if found != nil, failures == 0 { problem = nil }
        let isConverged = isTrue(context)
        converged = isConverged ? desired.records : nil
        var steps: [Step] = []
        if let found, let accepted {
            steps = judge(accepted, by: found, at: now)
            if self.accepted != nil { return steps }
        }
        if isConverged {
            // A refused update of nothing but our mark is refused still.
            if failures == 0 || plan(context).update == nil {
                succeeded()
                problem = nil
            }
            // That the epoch record was not taken is not seen in what is compared here.
            if untaken?.hasEpoch == false { untaken = nil }
            adopt = false
            nextRead = now + Self.poll
        } else if case .failed = readings.first?.outcome {
            backOff(at: now)
        } else if untaken != nil || !behind.isEmpty && rereads > 5 {
            nextRead = now + min(Self.poll, Self.pollInTrouble)
        } else {
            nextRead = now + pause(floor: Self.shortestPause)
            limitFailures()
        }
        return steps
    }

    /// Between two looks at a zone that is as it should be.
    private static let poll = Duration.seconds(5)
    /// While a server lacks what was decided and more looks do not help.
    private static let pollInTrouble = Duration.milliseconds(640)
    /// Until the next look at servers that may only be slow; it doubles each time.
    private static let shortestPause = Duration.milliseconds(20)
    /// Until the next try after a failure; it doubles each time.
    private static let shortestRetry = Duration.milliseconds(50)

    /// Whether every server serves what was decided, and the primary has no mark of somebody else.
    private func isTrue(_ context: Context) -> Bool {
        let desired = context.desired
        guard readings.allSatisfy({ desired.problem(of: $0) == nil }), let found else { return false }
        return desired.obstacle(in: desired.marks(in: found), epoch: context.epoch, adopt: false) == nil
    }

    private mutating func noteBehind(_ desired: DesiredZone, at now: Instant) {
        let former = behind
        seenWell = readings.filter { reading in
            desired.problem(of: reading) == nil || seenWell.contains(reading.endpoint)
        }.map(\.endpoint)
        behind = readings.filter { desired.problem(of: $0) != nil }.map { reading in
            former.first { $0.server == reading.endpoint }
                ?? Behind(
                    server: reading.endpoint, since: now, isFound: !seenWell.contains(reading.endpoint))
        }
    }

    private func pause(floor: Duration) -> Duration {
        min(Self.poll, floor * (1 << min(failures + min(rereads, 5), 8)))
    }

    private mutating func backOff(at now: Instant) {
        failed(at: now)
        nextRead = now + pause(floor: Self.shortestRetry)
    }

    // MARK: - Whether it was done

    /// Looks whether an update is really there that the server said it carried out.
    private mutating func judge(_ accepted: Accepted, by records: [ZoneRecord], at now: Instant) -> [Step] {
        let (delete, add) = accepted.update.leftover(in: records)
        if delete.isEmpty, add.isEmpty {
            self.accepted = nil
            untaken = nil
            return [.report(.zoneUpdated, "the zone says what was decided", accepted.epoch)]
        }
        let isEpoch = { (record: ZoneRecord) in
            record.name == accepted.update.epochName && record.type == "TXT"
        }
        let former = untaken
        var left = Untaken(
            add: add.filter { !isEpoch($0) }, delete: delete.filter { !isEpoch($0) },
            hasEpoch: add.contains(where: isEpoch),
            text: untakenText(delete, add, records), lastTry: now, nextTry: now,
            serial: readings.first?.serial)
        let isKnown =
            former.map { former in
                left.add.allSatisfy(former.add.contains) && left.delete.allSatisfy(former.delete.contains)
            } ?? false
        // A server may be slow to answer what it has; only what stays away is not done.
        if !isKnown, accepted.readings < 4 {
            self.accepted?.readings += 1
            nextRead = now + Self.shortestRetry * (1 << accepted.readings)
            return []
        }
        self.accepted = nil
        left.attempts = (isKnown ? former?.attempts ?? 0 : 0) + 1
        left.nextTry = now + min(Untaken.longestPause, Untaken.shortestPause * (1 << min(left.attempts, 9)))
        untaken = left
        if left.hasEpoch || isKnown { return [] }
        return [.report(.zoneUpdated, "the zone says a part of what was decided", accepted.epoch)]
    }

    /// What the server did not do, with what it has instead and the likely cause.
    private func untakenText(_ delete: [ZoneRecord], _ add: [ZoneRecord], _ found: [ZoneRecord]) -> String {
        let reading = readings.first
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

    /// - Parameters:
    ///   - applied: the last decision.
    ///   - server: nil while no zone is kept.
    mutating func updated(
        _ id: UInt64, _ outcome: ZoneUpdateOutcome, _ server: DNSSettings.ServerSettings?, applied: Epoch,
        at now: Instant
    ) -> [Step] {
        guard let update = endUpdate(id), let server else { return [] }
        if proof.isUnderway {
            let wasGuarded = proof.isGuarded
            let isOver = proof.ended(outcome, server, at: now)
            if isOver, isSearching {
                // What it found is told instead; the rest is written at once.
                problem = nil
                if !proof.leftOut.isEmpty {
                    succeeded()
                    nextRead = now
                }
            }
            if isOver, !wasGuarded, case .prerequisiteFailed = outcome { nextRead = now }
            return []
        }
        rereads = 0
        switch outcome {
        case .done:
            isContested = false
            succeeded()
            proof.updated(at: now)
            problem = nil
            nextRead = now
            accepted = Accepted(update: update, epoch: applied)
            return [.wrote]
        case .prerequisiteFailed(let reason):
            problem = ZoneTrouble(
                key: "prerequisite", text: "another hand wrote the zone (\(reason)); it is read again")
            backOff(at: now)
            if failures == 1 { nextRead = now }
            if failures > 3 { problem = ZoneRefusal.otherView(server, reason) }
        case .refused(let reason):
            problem = ZoneRefusal.trouble(reason, server)
            // What was sent without the records that are known to be refused is refused for another reason.
            if ZoneRefusal.dependsOnRecords(reason), proof.leftOut.isEmpty,
                proof.hasPassed || proof.trouble.isEmpty
            {
                problem = ZoneRefusal.part(reason, server)
                proof.due = now
            }
            backOff(at: now)
        case .unknown(let reason):
            isContested = true
            problem = ZoneTrouble(
                key: "unknown", text: "the update may or may not have happened: \(reason)")
            if ZoneRefusal.isNamed(reason) { problem = ZoneRefusal.trouble(reason, server) }
            backOff(at: now)
        }
        return []
    }
}

extension DesiredZone {
    /// What is wrong with one server's answers; nil when it serves what should be served.
    func problem(of reading: ServerReading) -> String? {
        switch reading.outcome {
        case .failed(let reason): return reason
        case .read(_, let records):
            let (delete, add) = difference(from: records)
            if delete.isEmpty && add.isEmpty { return nil }
            return "\(add.count) records to come, \(delete.count) to go"
        }
    }
}
