import EventSocket
import Primitives
import Replication

// Calls of an address that came here, brought to life in the switch here.

extension CallReplication {
    /// Brings the calls of an address that is here into the process that is here, once for each of the two.
    mutating func recover(_ address: String, _ turn: inout Turn) {
        guard let coreUUID, let entry = held[address] else { return }
        if entry.run != nil {
            // What it asked before is not answered any more. In another life of the switch it begins anew once it knows what is
            // there; in the same one it goes on by itself, which an event might be long in coming to make it do.
            if entry.coreUUID == coreUUID { isTicking = true }
            held[address]?.coreUUID = coreUUID
            return inspect(address, &turn)
        }
        guard entry.coreUUID != coreUUID || entry.placement.epoch != recoveredEpoch[address] else { return }
        held[address]?.coreUUID = coreUUID
        recoveredEpoch[address] = entry.placement.epoch
        let legs = turn.legs(of: address).filter {
            $0.runtime != coreUUID || forgotten.contains($0.uuid, of: address)
        }
        guard !legs.isEmpty else { return releaseStandby(address, coreUUID, &turn) }
        turn.effects.append(
            .notice(area: "recovery", subject: address, "\(legs.count) legs are to be revived"))
        let silence = forsaken[address].map { turn.now - $0 } ?? .zero
        begin(legs, silence: silence, of: entry.placement, &turn)
    }

    private mutating func begin(
        _ legs: [CallLeg], silence: Duration, of placement: AddressPlacement, _ turn: inout Turn
    ) {
        var run = RecoveryRun.Settings(plan: RecoveryPlan.Settings(serviceAddress: "\(placement.ip)"))
        run.patience = settings.patience
        runs += 1
        held[placement.name]?.number = runs
        held[placement.name]?.run = RecoveryRun(
            legs: legs, profile: placement.name, settings: run, silence: silence,
            sequence: RequestSequence(milliseconds: turn.view.wallMilliseconds, epoch: placement.epoch),
            at: turn.now)
        inspect(placement.name, &turn)
        // The run asks again as long as it waits.
        isTicking = true
    }

    // MARK: - Standby

    /// Without calls to revive: the profile stops waiting and takes new ones.
    mutating func releaseStandby(_ address: String, _ coreUUID: String, _ turn: inout Turn) {
        guard hasTable else { return endStandby(&turn) }
        // Nobody else's rows may come to life by it.
        let number = note(.releaseStage(address: address, coreUUID: coreUUID))
        turn.effects.append(
            .stage(RecoveryRun.Stage(number: number, profile: address, runtime: coreUUID, rows: [])))
    }

    func releaseStaged(_ address: String, _ coreUUID: String, _ failure: String?, _ turn: inout Turn) {
        guard held[address] != nil, self.coreUUID == coreUUID else { return }
        if let failure {
            turn.effects.append(.warning(area: "recovery-table", subject: address, failure))
            endStandby(&turn)
        } else {
            turn.effects.append(.command("sofia profile \(address) recover", isBackground: true))
        }
    }

    /// Without rows to read: profiles take new calls.
    private func endStandby(_ turn: inout Turn) {
        turn.effects.append(.command("sofia global standby off", isBackground: false))
    }

    // MARK: - Facts

    /// Fresh facts about the switch, for the run.
    mutating func inspect(_ address: String, _ turn: inout Turn) {
        guard let coreUUID, held[address]?.isInspecting == false, recovering[address] == nil,
            !forgotten.isLeaving(address, at: turn.now)
        else { return }
        held[address]?.isInspecting = true
        askNext(Inspection(of: address, coreUUID), &turn)
    }

    private mutating func askNext(_ inspection: Inspection, _ turn: inout Turn) {
        if let command = inspection.command { ask(.inspection(inspection), command, &turn) }
    }

    mutating func inspected(
        _ inspection: Inspection, _ result: Result<APIResponse, RequestFailure>, _ turn: inout Turn
    ) {
        var inspection = inspection
        inspection.add(result)
        guard inspection.command == nil else { return askNext(inspection, &turn) }
        let address = inspection.address
        held[address]?.isInspecting = false
        guard coreUUID == inspection.coreUUID else { return }
        do throws(SwitchFailure) {
            let local = try inspection.facts(channels: Set(tracker.legs.map(\.uuid)))
            held[address]?.blindSince = nil
            step(address, .local(local), &turn)
        } catch {
            // It is asked again as long as the run waits.
            if held[address]?.run != nil { isTicking = true }
            guard held[address]?.blindSince == nil else { return }
            turn.effects.append(
                .warning(
                    area: "recovery", subject: address, "the switch cannot be looked at: \(error)"))
            held[address]?.blindSince = turn.now
            turn.effects.append(.abilityChanged)
        }
    }

    // MARK: - The run

    mutating func step(_ address: String, _ input: RecoveryRun.Input, _ turn: inout Turn) {
        let waited = held[address]?.run?.waitsFor
        guard let number = held[address]?.number,
            let effects = held[address]?.run?.handle(input, at: turn.now)
        else { return }
        let waits = held[address]?.run?.waitsFor
        // Its calls wait; new callers are not to wait with them.
        if let waits, waits != waited, !waits.isOfProfile { endStandby(&turn) }
        if waits != waited { turn.effects.append(.abilityChanged) }
        for effect in effects { perform(effect, address, of: number, &turn) }
        isTicking = true
    }

    mutating func answer(
        _ input: RecoveryRun.Input, to run: Int, _ address: String, _ turn: inout Turn
    ) {
        if held[address]?.number == run { step(address, input, &turn) }
    }

    private mutating func perform(
        _ effect: RecoveryRun.Effect, _ address: String, of run: Int, _ turn: inout Turn
    ) {
        switch effect {
        case .inspect: inspect(address, &turn)
        case .stage(var stage):
            guard hasTable else {
                return answer(
                    .staged(stage.number, failure: "the switch's core database cannot be used"), to: run,
                    address, &turn)
            }
            stage.number = note(.stage(run: run, number: stage.number, address: address))
            turn.effects.append(.stage(stage))
        case .command(let number, let text, let isBackground):
            if isBackground { recovering[address, default: 0] += 1 }
            ask(
                .command(run: run, number: number, address: address, isBackground: isBackground), text,
                isBackground: isBackground, &turn)
        case .report(let report):
            turn.effects.append(.notice(area: "recovery", subject: address, "\(report)"))
        case .finished(let summary): finish(address, summary, &turn)
        }
    }

    mutating func recoverEnded(_ address: String, _ turn: inout Turn) {
        let rest = (recovering[address] ?? 1) - 1
        recovering[address] = rest > 0 ? rest : nil
        if rest <= 0, held[address] == nil, elsewhere[address] != nil { forget(address, &turn) }
    }

    // MARK: - Its end

    private mutating func finish(_ address: String, _ summary: RecoverySummary, _ turn: inout Turn) {
        guard let entry = held[address] else { return }
        held[address]?.run = nil
        if entry.isTelling {
            held[address]?.isTelling = false
            let what = summary.cutShort.map { "\($0) before all peers of calls that were given up were told" }
            turn.effects.append(
                .notice(
                    area: "recovery", subject: address,
                    what ?? "peers of calls that were given up were told, as far as they listen"))
            return
        }
        let refused = givenUp(entry, summary, at: turn.now)
        let waiting = (summary.lost + summary.left).filter(\.isThere).map(\.uuid)
        turn.effects += (summary.recovered + waiting).compactMap(tracker.leg).map(Effect.revived)
        // What another switch might still revive stays.
        let untold = turn.legs(of: address).filter { refused.contains($0.uuid) }
        let gone = summary.lost.filter { $0.reason.isFinal || refused.contains($0.uuid) }
        turn.remove(gone.map(\.uuid), of: address)
        turn.effects.append(.finished(summary, epoch: entry.placement.epoch))
        turn.effects.append(.notice(area: "recovery", subject: address, "\(summary)"))
        let time =
            summary.isOfNothing || !summary.left.isEmpty
            ? "" : " in \(summary.duration.nanoseconds / 1_000_000) ms"
        turn.effects.append(
            .tell(.recovered, address: address, "\(summary)\(time)", epoch: entry.placement.epoch))
        // Of what is left to the next holder the usage of limits still counts where it did.
        if summary.left.isEmpty { turn.effects.append(.settled(address)) }
        tell(untold, of: entry.placement, &turn)
    }

    /// What the switch here could not revive in time, nobody will.
    private func givenUp(_ entry: CallRecovery, _ summary: RecoverySummary, at now: Instant) -> Set<String> {
        guard now - entry.since >= settings.patience else { return [] }
        return Set(
            summary.lost.filter { if case .refused = $0.reason { true } else { false } }.map(\.uuid))
    }

    /// Should the switch be able to speak soon, their peers hear BYE.
    private mutating func tell(_ legs: [CallLeg], of placement: AddressPlacement, _ turn: inout Turn) {
        guard !legs.isEmpty else { return }
        held[placement.name]?.isTelling = true
        begin(legs, silence: settings.patience, of: placement, &turn)
    }
}
