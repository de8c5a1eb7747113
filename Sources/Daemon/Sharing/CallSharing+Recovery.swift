import Cluster
import EventSocket
import NIOCore
import Primitives
import Replication
import Switch

// Calls of an address that came here, brought to life in the switch here.

extension CallSharing {
    /// The calls of an address as the replica has them.
    func replicated(_ address: String) -> [CallLeg] {
        var legs: [CallLeg] = []
        replica.forEach(in: .address(address)) { record in
            if record.kind == .callLeg, let leg = try? record.callLeg() { legs.append(leg) }
        }
        return legs
    }

    /// Brings the calls of an address that is here into the process that is here, once for each of the two.
    func recover(_ address: String) {
        guard let runtime, var entry = held[address] else { return }
        if entry.run != nil {
            // Another life of the switch amid its work: the run begins anew once it knows what is there.
            if entry.runtime != runtime {
                entry.runtime = runtime
                held[address] = entry
                gather(address)
            }
            return
        }
        guard entry.runtime != runtime || entry.placement.epoch != recoveredEpoch[address] else { return }
        entry.runtime = runtime
        recoveredEpoch[address] = entry.placement.epoch
        let legs = replicated(address).filter {
            $0.runtime != runtime || forgotten.contains($0.uuid, of: address)
        }
        guard !legs.isEmpty else {
            held[address] = entry
            letOn(address, runtime)
            return
        }
        log.notice("recovery", address, "\(legs.count) legs are to be revived")
        var settings = RecoveryRun.Settings(
            plan: RecoveryPlan.Settings(serviceAddress: "\(entry.placement.address.ip)"))
        settings.patience = patience
        let now = Instant.now()
        held[address] = entry
        begin(
            RecoveryRun(
                legs: legs, profile: address, settings: settings,
                silence: forsaken[address].map { now - $0 } ?? .zero, sequence: sequence(of: entry.placement),
                at: now), address)
    }

    private func begin(_ run: RecoveryRun, _ address: String) {
        runs += 1
        held[address]?.number = runs
        held[address]?.run = run
        gather(address)
        // The run asks again as long as it waits.
        wake()
    }

    /// Says `recover` once more for an address held here whose calls are not being revived: no row is staged, so no call
    /// comes of it, and the profile leaves its standby.
    ///
    /// - Returns: false when the switch cannot be told now, or is busy with that address.
    func release(_ address: String) -> Bool {
        guard let runtime, let entry = held[address], entry.run == nil, entry.runtime == runtime,
            recovering[address] == nil
        else { return false }
        letOn(address, runtime)
        return true
    }

    /// Without calls to revive: the profile stops waiting and takes new ones.
    private func letOn(_ address: String, _ runtime: String) {
        guard let table else {
            endStandby()
            return
        }
        // Nobody else's rows may come to life by it.
        table.stage([], profile: address, runtime: runtime, on: loop).assumeIsolated().whenComplete {
            [weak self] result in
            guard let self, held[address] != nil, self.runtime == runtime else { return }
            switch result {
            case .success: link.bgapi("sofia profile \(address) recover") { _ in }
            case .failure(let failure):
                log.warning("recovery-table", address, "\(failure)")
                endStandby()
            }
        }
    }

    /// Without rows to read: profiles take new calls.
    private func endStandby() { link.api("sofia global standby off") { _ in } }

    /// Fresh facts about the switch, for the run.
    func gather(_ address: String) {
        guard let runtime, held[address]?.isGathering == false, recovering[address] == nil,
            !forgotten.isLeaving(address, at: Instant.now())
        else { return }
        held[address]?.isGathering = true
        link.api(SofiaProfile.command) { [weak self] profiles in
            self?.link.api(LocalSwitch.pauseCheck) { [weak self] paused in
                self?.link.api(LocalSwitch.outboundPauseCheck) { [weak self] outbound in
                    // A drain's own pause, which may be about to begin, ends soon.
                    self?.link.api(DrainControl.outboundMarkCheck) { [weak self] drained in
                        self?.gathered(address, runtime, profiles, paused, outbound, drained)
                    }
                }
            }
        }
    }

    private func gathered(
        _ address: String, _ runtime: String, _ profiles: Result<APIResponse, RequestFailure>,
        _ paused: Result<APIResponse, RequestFailure>, _ outbound: Result<APIResponse, RequestFailure>,
        _ drained: Result<APIResponse, RequestFailure>
    ) {
        held[address]?.isGathering = false
        guard self.runtime == runtime else { return }
        do throws(SwitchFailure) {
            let isPaused = try LocalSwitch.isTrue(try body(paused), of: LocalSwitch.pauseCheck)
            let makesNone = try LocalSwitch.isTrue(try body(outbound), of: LocalSwitch.outboundPauseCheck)
            let isDrained = (try? drained.get())?.text.hasPrefix("true") == true
            let local = LocalSwitch(
                coreUUID: runtime, profiles: try SofiaProfile.list(reading: try body(profiles)),
                isPaused: isPaused || makesNone || isDrained, channels: Set(tracker.legs.map(\.uuid)))
            held[address]?.blindSince = nil
            step(address, .local(local))
        } catch {
            guard held[address]?.blindSince == nil else { return }
            log.warning("recovery", address, "the switch cannot be looked at: \(error)")
            held[address]?.blindSince = Instant.now()
            unable?()
        }
    }

    func body(_ result: Result<APIResponse, RequestFailure>) throws(SwitchFailure) -> [UInt8] {
        switch result {
        case .success(let answer): return answer.body
        case .failure(let failure): throw .unreadable("answer", reason: failure.description)
        }
    }

    func step(_ address: String, _ input: RecoveryRun.Input) {
        let waited = held[address]?.run?.waitsFor
        guard let number = held[address]?.number,
            let effects = held[address]?.run?.handle(input, at: Instant.now())
        else { return }
        if let waits = held[address]?.run?.waitsFor, waits != waited, !waits.isOfProfile {
            // Its calls wait; new callers are not to wait with them.
            endStandby()
        }
        if held[address]?.run?.waitsFor != waited { unable?() }
        for effect in effects { perform(effect, address, of: number) }
        wake()
    }

    private func answer(_ input: RecoveryRun.Input, to number: Int, _ address: String) {
        if held[address]?.number == number { step(address, input) }
    }

    private func perform(_ effect: RecoveryRun.Effect, _ address: String, of run: Int) {
        switch effect {
        case .inspect: gather(address)
        case .stage(let stage): self.stage(stage, address, of: run)
        case .command(let number, let text, let isBackground):
            if isBackground { recovering[address, default: 0] += 1 }
            let answer: SwitchLink.Answer = { [weak self] result in
                if isBackground { self?.recoverEnded(address) }
                let output = try? result.get().body
                self?.answer(.answered(number, output), to: run, address)
            }
            if isBackground { link.bgapi(text, answer) } else { link.api(text, answer) }
        case .report(let report): log.notice("recovery", address, "\(report)")
        case .finished(let summary): finish(address, summary)
        }
    }

    private func recoverEnded(_ address: String) {
        let rest = (recovering[address] ?? 1) - 1
        recovering[address] = rest > 0 ? rest : nil
        if rest <= 0, held[address] == nil, elsewhere[address] != nil { forget(address) }
    }

    private func stage(_ stage: RecoveryRun.Stage, _ address: String, of run: Int) {
        guard let table else {
            answer(
                .staged(stage.number, failure: "the switch's core database cannot be used"), to: run, address)
            return
        }
        table.stage(stage.rows, profile: stage.profile, runtime: stage.runtime, on: loop).assumeIsolated()
            .whenComplete { [weak self] result in
                var reason: String?
                if case .failure(let failure) = result { reason = "\(failure)" }
                self?.answer(.staged(stage.number, failure: reason), to: run, address)
            }
    }

    func finish(_ address: String, _ summary: RecoverySummary) {
        guard let entry = held[address] else { return }
        held[address]?.run = nil
        if entry.isTelling {
            held[address]?.isTelling = false
            let what = summary.cutShort.map { "\($0) before all peers of calls that were given up were told" }
            log.notice(
                "recovery", address,
                what ?? "peers of calls that were given up were told, as far as they listen")
            return
        }
        let refused = givenUp(entry, summary)
        let waiting = (summary.lost + summary.left).filter(\.isThere).map(\.uuid)
        for uuid in summary.recovered + waiting {
            if let leg = tracker.leg(uuid) { revived?(leg) }
        }
        // What another switch might still revive stays.
        let untold = replicated(address).filter { refused.contains($0.uuid) }
        let gone = summary.lost.filter { $0.reason.isFinal || refused.contains($0.uuid) }
        replica.write(
            .address(address), gone.map { .remove(.callLeg, key: Record.key(uuid: $0.uuid)) })
        history.add(summary, entry.placement)
        log.notice("recovery", address, "\(summary)")
        let time =
            summary.isOfNothing || !summary.left.isEmpty
            ? "" : " in \(summary.duration.nanoseconds / 1_000_000) ms"
        told?(
            ClusterEvent(
                .recovered, address, "\(summary)\(time)",
                epoch: entry.placement.epoch))
        // Of what is left to the next holder the usage of limits still counts where it did.
        if summary.left.isEmpty { settled?(address) }
        tell(untold, of: address)
    }

    /// What the switch here could not revive in time, nobody will.
    private func givenUp(_ entry: Held, _ summary: RecoverySummary) -> Set<String> {
        guard Instant.now() - entry.since >= patience else { return [] }
        return Set(
            summary.lost.filter { if case .refused = $0.reason { true } else { false } }.map(\.uuid))
    }

    /// Should the switch be able to speak soon, their peers hear BYE.
    private func tell(_ legs: [CallLeg], of address: String) {
        guard !legs.isEmpty, let entry = held[address] else { return }
        held[address]?.isTelling = true
        var settings = RecoveryRun.Settings(
            plan: RecoveryPlan.Settings(serviceAddress: "\(entry.placement.address.ip)"))
        settings.patience = patience
        begin(
            RecoveryRun(
                legs: legs, profile: address, settings: settings, silence: patience,
                sequence: sequence(of: entry.placement), at: Instant.now()), address)
    }

    private func sequence(of placement: Placement) -> RequestSequence {
        RequestSequence(milliseconds: WallClock.milliseconds(), epoch: placement.epoch)
    }

    func wake() {
        guard let due = held.values.compactMap({ $0.run?.nextDeadline }).min() else { return }
        if let timer, timer.due <= due { return }
        timer?.task.cancel()
        let wait = max(.milliseconds(1), due - Instant.now())
        let task = loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [weak self] in
            guard let self else { return }
            timer = nil
            for name in held.keys.sorted() { step(name, .tick) }
            wake()
        }
        timer = (due, task)
    }
}
