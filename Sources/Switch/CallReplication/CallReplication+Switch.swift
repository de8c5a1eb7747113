import EventSocket
import Primitives
import Replication

// What the switch tells of its calls, and what of it replicas are told.

extension CallReplication {
    mutating func up(_ coreUUID: String, _ switchname: String, _ hasTable: Bool, _ turn: inout Turn) {
        self.hasTable = hasTable
        self.coreUUID = coreUUID
        if tracker.runtime != coreUUID {
            forgotten.restarted()
            waiting = [:]
        }
        tracker.began(runtime: coreUUID, switchname: switchname, at: turn.now)
        // Calls of a process that ended are not over: they are to be revived, by whoever holds their address.
        _ = tracker.takeChanges()
        list(&turn)
        for name in held.keys.sorted() { recover(name, &turn) }
    }

    mutating func down() {
        coreUUID = nil
        forgetWaitingAnswers()
        isListed = false
        isListing = false
        isTicking = false
    }

    mutating func take(_ event: SwitchEvent, _ turn: inout Turn) {
        guard let coreUUID, event.coreUUID == nil || event.coreUUID == coreUUID else { return }
        tracker.handle(event, at: turn.now)
        if event.name == "CHANNEL_HANGUP_COMPLETE", let uuid = event.channel {
            turn.effects.append(.ended(uuid: uuid))
        }
        if event.name == "CHANNEL_DESTROY", let uuid = event.channel { destroyed(uuid, &turn) }
        renameWaiting(event)
        restoreMusic(HoldMusic.silent(after: event), at: turn.now)
        for name in held.keys.sorted() where held[name]?.run != nil { step(name, .event(event), &turn) }
        flushSoon(at: turn.now)
    }

    private mutating func restoreMusic(_ uuids: [String], at now: Instant) {
        if uuids.isEmpty { return }
        silenced.append((now + HoldMusic.patience, uuids, coreUUID))
    }

    func playMusic(_ uuids: [String], of coreUUID: String?, _ turn: inout Turn) {
        guard self.coreUUID == coreUUID else { return }
        for uuid in uuids where tracker.leg(uuid)?.partner != nil {
            turn.effects.append(.command(HoldMusic.restoring(uuid), isBackground: false))
        }
    }

    private mutating func destroyed(_ uuid: String, _ turn: inout Turn) {
        // What its end changed is looked at while it still counts as an old channel.
        flush(&turn)
        if let address = forgotten.destroyed(uuid), held[address]?.run != nil { inspect(address, &turn) }
    }

    // MARK: - Rows

    /// Rows of the switch's own table: flags of this version of FreeSWITCH, and whether calls are tracked at all.
    mutating func readRows(_ turn: inout Turn) {
        guard let coreUUID, canReadRows, tracker.count > 0 else { return }
        let number = note(.rows(coreUUID: coreUUID, areAll: true))
        turn.effects.append(.readRows(number: number, coreUUID: coreUUID, legs: nil))
    }

    /// The table is locked as long as the switch revives.
    private var canReadRows: Bool { hasTable && !held.values.contains { $0.run != nil } }

    mutating func read(
        _ rows: [RecoveryRow], _ failure: String?, areAll: Bool, of coreUUID: String, _ turn: inout Turn
    ) {
        guard self.coreUUID == coreUUID else { return }
        guard areAll else {
            guard failure == nil else { return }
            tracker.noteExtensions(rows, at: turn.now)
            flushSoon(at: turn.now)
            return
        }
        if let failure {
            turn.effects.append(.tableWarning(failure))
        } else {
            tracker.noteRows(rows, areAll: true, at: turn.now)
        }
        flush(&turn)
    }

    // MARK: - Channels

    /// Asks the switch for what no event told: the tag of a caller whose ACK came late, and the extension of a leg alone.
    mutating func lookCloser(_ turn: inout Turn) {
        guard let coreUUID, isListed else { return }
        settleWaiting(&turn)
        let wanted = tracker.wanted(limit: settings.lookLimit, at: turn.now)
        dump(wanted.dumps, &turn)
        guard canReadRows, !wanted.rows.isEmpty else { return }
        let number = note(.rows(coreUUID: coreUUID, areAll: false))
        turn.effects.append(.readRows(number: number, coreUUID: coreUUID, legs: wanted.rows))
    }

    private mutating func list(_ turn: inout Turn) {
        tracker.beginListing(at: turn.now)
        isListing = true
        ask(.listing(coreUUID: coreUUID), ChannelListing.command, &turn)
    }

    mutating func listed(
        _ result: Result<APIResponse, RequestFailure>, of coreUUID: String?, _ turn: inout Turn
    ) {
        guard self.coreUUID == coreUUID else { return }
        isListing = false
        guard case .success(let answer) = result else { return }
        do throws(SwitchFailure) {
            let listing = try ChannelListing(reading: answer.body)
            dump(tracker.finishListing(listing, at: turn.now), &turn)
            isListed = true
            for name in elsewhere.keys.sorted() { forget(name, &turn) }
            for name in held.keys.sorted() { dropEnded(name, &turn) }
        } catch {
            turn.effects.append(.warning(area: "switch", subject: "show channels", "\(error)"))
        }
        flush(&turn)
    }

    mutating func dump(_ uuids: [String], _ turn: inout Turn) {
        for uuid in uuids { ask(.dump(uuid), ChannelDump.command(uuid), &turn) }
    }

    mutating func dumped(
        _ uuid: String, _ result: Result<APIResponse, RequestFailure>, _ turn: inout Turn
    ) {
        guard case .success(let answer) = result else { return }
        do throws(SwitchFailure) {
            if let event = try ChannelDump.read(answer.body) {
                tracker.handle(event, at: turn.now)
                noteWaiting(event)
                // The connection may have ended before it was told. Before its bridge stands it is too early.
                if HoldMusic.isSilent(event), let leg = tracker.leg(uuid), held[leg.profile]?.run == nil {
                    restoreMusic([uuid], at: turn.now)
                }
            } else {
                tracker.gone(uuid, at: turn.now)
            }
        } catch {
            turn.effects.append(
                .warning(area: "switch", subject: uuid, "its dump cannot be used: \(error)"))
        }
        flushSoon(at: turn.now)
    }

    // MARK: - To the replicas

    private mutating func flushSoon(at now: Instant) {
        if flushDue == nil, tracker.hasChanges { flushDue = now + settings.flushDelay }
    }

    mutating func flush(_ turn: inout Turn) {
        var writes: [String: [Write]] = [:]
        var removed: [String: [String]] = [:]
        for change in tracker.takeChanges() {
            switch change {
            case .put(let leg):
                guard held[leg.profile] != nil, !forgotten.isLeaving(leg.uuid, of: leg.profile),
                    !isWaiting(leg.uuid, of: leg.profile)
                else { continue }
                do throws(RecordFailure) {
                    writes[leg.profile, default: []].append(.put(try Record(leg)))
                } catch {
                    turn.effects.append(
                        .warning(area: "call", subject: leg.uuid, "is not replicated: \(error)"))
                }
            case .removed(let uuid, let profile):
                guard held[profile] != nil, !forgotten.isLeaving(uuid, of: profile) else { continue }
                writes[profile, default: []].append(.remove(.callLeg, key: Record.key(uuid: uuid)))
                removed[profile, default: []].append(uuid)
            }
        }
        for profile in writes.keys.sorted() {
            turn.write(profile, writes[profile] ?? [], removing: removed[profile] ?? [])
        }
    }
}
