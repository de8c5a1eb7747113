import EventSocket
import Primitives

extension RecoveryRun {
    mutating func answered(_ number: Int, _ output: [UInt8]?, at now: Instant, _ effects: inout [Effect]) {
        switch phase {
        case .recovering(command: number): recovered(output, at: now, &effects)
        case .checking(command: number):
            guard let listing = output.flatMap({ try? ChannelListing(reading: $0) }) else {
                return overdue(at: now, &effects)
            }
            check(listing, at: now, &effects)
        case .sweeping(command: number):
            guard let listing = output.flatMap({ try? ChannelListing(reading: $0) }) else {
                return overdue(at: now, &effects)
            }
            sweep(listing, at: now, &effects)
        case .asking: told(number, output, at: now, &effects)
        default: break
        }
    }

    /// Whatever the switch says of numbers, the channels are the proof; but a profile that went away ends it.
    private mutating func recovered(_ output: [UInt8]?, at now: Instant, _ effects: inout [Effect]) {
        lastRecover = now
        let line = output.map { LocalSwitch.line($0) } ?? ""
        isTableClean = line.hasPrefix("Recovered ") || line.hasPrefix("No sessions")
        if line.hasPrefix("Invalid Profile") {
            let loss = RecoveryLoss.refused(.profileMissing(profile))
            for (uuid, fate) in fates where fate == .waiting || fate == .staged { fates[uuid] = .lost(loss) }
            batches = []
        }
        next(at: now, &effects)
    }

    mutating func take(_ event: SwitchEvent, at now: Instant, _ effects: inout [Effect]) {
        if let runtime = event.coreUUID, let local, runtime != local.coreUUID {
            return restart(at: now, &effects)
        }
        guard let uuid = event.channel, let fate = fates[uuid] else { return }
        switch event.name {
        case "CHANNEL_CREATE":
            if fate == .staged || fate == .waiting || fate == .lost(.notRevived) {
                fates[uuid] = .alive
                lastRevival = now
                answered.remove(uuid)
            }
        case "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY":
            guard fate == .alive || fate == .staged else { return }
            let cause = event["Hangup-Cause"] ?? ""
            fates[uuid] = cause == "NORMAL_CLEARING" ? .ended(cause) : .lost(.ended(cause))
        default:
            if fate == .alive { noteSequence(event["variable_\(Self.sequence)"], of: uuid) }
            return
        }
        if phase == .confirming { confirmed(at: now) }
    }

    /// Goes on as soon as nothing is missing.
    mutating func confirmed(at now: Instant) {
        if !fates.values.contains(.staged) { settle(at: now) }
    }

    private mutating func settle(at now: Instant) {
        phase = .settling
        deadline = (lastRecover ?? now) + settings.settleDelay
    }

    private mutating func check(_ listing: ChannelListing, at now: Instant, _ effects: inout [Effect]) {
        for channel in listing.channels where fates[channel.uuid] == .staged {
            fates[channel.uuid] = .alive
            lastRevival = now
        }
        let missing = legs.filter { fates[$0.uuid] == .staged }
        if missing.isEmpty { return settle(at: now) }
        if isSecondTry {
            for leg in missing { fates[leg.uuid] = .lost(.notRevived) }
            return settle(at: now)
        }
        isSecondTry = true
        guard var local else { return }
        local.channels = Set(listing.channels.map(\.uuid)).union(
            fates.compactMap { $0.value == .alive ? $0.key : nil })
        self.local = local
        // Whole calls only: one leg beside a living other one would not find it. The rest is not revived.
        let plan = try? RecoveryPlan(
            legs: legs.filter { fates[$0.uuid] == .staged || fates[$0.uuid] == .alive },
            profile: profile, local: local, settings: settings.plan)
        batches = plan?.batches ?? []
        let again = Set(batches.flatMap { $0.flatMap { $0.legs.map(\.uuid) } })
        for leg in missing { fates[leg.uuid] = again.contains(leg.uuid) ? .waiting : .lost(.notRevived) }
        if batches.isEmpty { return settle(at: now) }
        effects.append(.report(.again(legs: again.count)))
        next(at: now, &effects)
    }

    private mutating func sweep(_ listing: ChannelListing, at now: Instant, _ effects: inout [Effect]) {
        let states = Dictionary(listing.channels.map { ($0.uuid, $0.state) }) { first, _ in first }
        var stuck: [String] = []
        for leg in legs {
            guard let fate = fates[leg.uuid], fate == .alive || fate == .staged else { continue }
            switch states[leg.uuid] {
            case "CS_RESET":
                stuck.append(leg.uuid)
                fates[leg.uuid] = .lost(.stuck)
                number += 1
                effects.append(.command(number: number, "uuid_kill \(leg.uuid)", isBackground: false))
            case nil: fates[leg.uuid] = .lost(fate == .staged ? .notRevived : .vanished)
            default: fates[leg.uuid] = .alive
            }
        }
        if !stuck.isEmpty { effects.append(.report(.stuck(stuck))) }
        unasked = legs.map(\.uuid).filter { fates[$0] == .alive && !answered.contains($0) }
        phase = .asking
        deadline = now + settings.commandTimeout
        askNext(at: now, &effects)
    }

    // MARK: - Peers

    /// The variable with the number of the dialog's newest request: not in the rows that are staged, and set by the answer to the
    /// re-INVITE (sofia.c: extract_vars).
    static let sequence = "sip_cseq"
    private static let questions = 64

    /// A channel is there before its peer has said anything.
    private mutating func noteSequence(_ value: String?, of uuid: String) {
        guard let value, !value.isEmpty, value.utf8.allSatisfy({ (48...57).contains($0) }) else { return }
        answered.insert(uuid)
    }

    private mutating func askNext(at now: Instant, _ effects: inout [Effect]) {
        while asked.count < Self.questions, let uuid = unasked.popLast() {
            number += 1
            asked[number] = uuid
            effects.append(
                .command(number: number, "uuid_getvar \(uuid) \(Self.sequence)", isBackground: false))
        }
        if asked.isEmpty { finish(at: now, &effects) }
    }

    private mutating func told(_ number: Int, _ output: [UInt8]?, at now: Instant, _ effects: inout [Effect])
    {
        guard let uuid = asked.removeValue(forKey: number) else { return }
        if let output { noteSequence(LocalSwitch.line(output), of: uuid) }
        deadline = now + settings.commandTimeout
        askNext(at: now, &effects)
    }

    /// The time of the phase is over.
    mutating func overdue(at now: Instant, _ effects: inout [Effect]) {
        switch phase {
        case .waiting:
            if now < patienceEnds {
                deadline = min(patienceEnds, now + settings.inspectInterval)
                return effects.append(.inspect)
            }
            let loss =
                refusal.map { RecoveryLoss.refused($0) } ?? .abandoned("nothing is known of the switch")
            for (uuid, fate) in fates where fate == .waiting { fates[uuid] = .lost(loss) }
            if lastRecover == nil { return finish(at: now, &effects) }
            // What is up already is seen to the end.
            batches = []
            next(at: now, &effects)
        case .staging(let number):
            staged(number, "no answer in time", at: now, &effects)
        case .recovering:
            // The answer is lost or late; what came will be seen.
            lastRecover = now
            next(at: now, &effects)
        case .confirming: ask(at: now, &effects) { .checking(command: $0) }
        case .checking:
            // Unseen, nothing is tried again: it may be there.
            settle(at: now)
        case .settling: ask(at: now, &effects) { .sweeping(command: $0) }
        case .sweeping:
            sweeps += 1
            if sweeps >= settings.sweeps { return finish(at: now, &effects) }
            phase = .settling
            deadline = now + .seconds(1)
        case .asking: finish(at: now, &effects)
        case .finished: break
        }
    }

    private mutating func ask(at now: Instant, _ effects: inout [Effect], _ phase: (Int) -> Phase) {
        number += 1
        self.phase = phase(number)
        deadline = now + settings.commandTimeout
        effects.append(.command(number: number, ChannelListing.command, isBackground: false))
    }
}
