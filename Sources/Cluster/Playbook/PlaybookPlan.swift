import Calendar
import Primitives

// What a leader does about playbooks: one pass, level-triggered; any leader carries a run on from what was agreed.

extension LeaderPass {
    mutating func advancePlaybooks() {
        considerSchedules()
        if let ttl = scratch.ttl, ttl.forgottenAt == nil, ttl == view.state.ttl, view.zoneObstacle == nil {
            propose(.ttlServed)
        }
        duty.waits = []
        guard let run = scratch.playbooks.run else { return }
        guard run.isRunning else {
            windUp()
            return
        }
        if let reason = reasonToAbandon(run) {
            let abandon = PlaybookCommand.abandon(run: run.id, reason: reason, undoes: run.rollsBack)
            propose(.playbook(abandon))
            return
        }
        for at in run.steps.indices where scratch.playbooks.run?.isRunning == true {
            pursue(at)
        }
        beginSteps()
        if let run = scratch.playbooks.run, run.steps.allSatisfy(\.isDone) {
            propose(.playbook(.finish(run: run.id)))
        }
    }

    private mutating func beginSteps() {
        guard let run = scratch.playbooks.run, run.isRunning else { return }
        for at in run.steps.indices where run.isReady(at, at: time) {
            // There is one drain at a time: the others' patience begins with their turn.
            if case .drain = run.steps[at].action,
                scratch.playbooks.run?.steps.contains(where: { $0.isDraining }) ?? false
            {
                continue
            }
            propose(.playbook(.begin(run: run.id, step: at)))
        }
    }

    private mutating func considerSchedules() {
        // A leader that has just begun has not heard everybody yet.
        guard let leadership = view.leadership, now - leadership.since >= Timers.settling,
            let reading = duty.reading,
            let readAt = duty.readAt, now - readAt < Timers.calendarMemory
        else { return }
        let lateness = scratch.settings.policy.playbookLateness ?? PlaybookLimits.lateness
        for schedule in scratch.playbooks.schedules {
            guard let answer = reading.answer(.schedule(schedule.id)) else { continue }
            let dues = answer.dues.filter { $0 > schedule.considered && $0 <= reading.now }
            guard let newest = dues.last else { continue }
            if newest + lateness < reading.now {
                lose(schedule, dues, "nobody could start it until \(reading.now.text)")
                continue
            }
            if dues.count > 1 {
                let older = Array(dues.dropLast())
                lose(schedule, older, "nobody could start it until \(newest.text)")
            }
            let reasons = view.obstacles(to: schedule.playbook, opening: answer.opening, in: scratch)
            if reasons.isEmpty {
                let start = PlaybookStart(
                    playbook: nil, schedule: schedule.id, due: newest, who: schedule.who,
                    remaining: answer.opening.remaining(at: reading.now))
                propose(.playbook(.start(start)))
            } else {
                lose(schedule, [newest], reasons.joined(separator: "; "))
            }
        }
    }

    private mutating func lose(_ schedule: ScheduledPlaybook, _ dues: [WallTime], _ reason: String) {
        guard let last = dues.last, let first = dues.first else { return }
        let reason = first < last ? "every run since \(first.text) was missed: \(reason)" : reason
        propose(.playbook(.consider(schedule: schedule.id, through: last, reason: reason)))
    }

    private mutating func reasonToAbandon(_ run: PlaybookRun) -> String? {
        if let until = run.until, time >= until { return "its window is over" }
        let reason = view.uneasiness(run.aborts, ownNodes: run.ownNodes(in: scratch), in: scratch)
        guard let reason else {
            duty.uneasiness = nil
            return nil
        }
        // A node that has just come back, or a leader that has just begun, needs a moment.
        let since = max(duty.uneasiness?.since ?? now, view.leadership?.since ?? now)
        duty.uneasiness = PlaybookDuty.Uneasiness(reason: reason, since: since)
        return now - since >= Timers.settling ? reason : nil
    }

    /// Nothing begins any more: what executes is waited for, then what was done is undone, newest first.
    private mutating func windUp() {
        guard let run = scratch.playbooks.run else { return }
        let isDraining = run.steps.contains { $0.traces.drained?.isUnderWay == true }
        if isDraining, scratch.drain != nil, let reason = run.trouble {
            let abort = DrainCommand.abort(reason: "\(run.name) is given up: \(reason)")
            propose(.drain(abort))
        }
        for at in run.steps.indices where run.steps[at].beginning != nil { pursue(at) }
        guard let current = scratch.playbooks.run, !current.steps.contains(where: { $0.beginning != nil })
        else { return }
        if let at = current.steps.firstIndex(where: { $0.undoBeginning != nil }) {
            pursueUndo(at)
        } else if let at = current.nextToUndo {
            propose(.playbook(.beginUndo(run: current.id, step: at)))
        } else {
            propose(.playbook(.finish(run: current.id)))
        }
    }
}

extension ClusterView {
    /// Every reason why a run cannot begin now.
    func obstacles(
        to playbook: Playbook, opening: CalendarAnswer.Opening, in state: ControlState
    ) -> [String] {
        var reasons: [String] = []
        if let run = state.playbooks.run {
            let since = (time - run.began).milliseconds / 1000
            reasons.append("\(run.who) runs \(run.name) since \(since) s; `fsdns playbook cancel` undoes it")
        }
        if case .closed(let next) = opening {
            let text = next.map { "; it opens at \($0.text)" } ?? ""
            reasons.append("its window is closed\(text)")
        }
        do {
            let steps = try playbook.expanded(in: state)
            reasons += steps.compactMap { state.unknownName(in: $0) }
        } catch {
            reasons.append(error.reason)
        }
        if let reason = playbook.implausibility { reasons.append(reason) }
        if let reason = uneasiness(playbook.aborts, ownNodes: [], in: state) {
            reasons.append(reason)
        }
        return reasons
    }

    /// What would end a run if it lasted; nil when nothing would.
    func uneasiness(_ aborts: PlaybookAborts, ownNodes: [String], in state: ControlState) -> String? {
        if aborts.onThinQuorum {
            let voters = agreement.membership.voters
            // Nodes the run took out of service are no failures.
            let have = voters.count { voter in
                ownNodes.contains(voter.name) || hasVote(voter)
            }
            if have <= agreement.membership.majority {
                return "one more failure would lose the quorum (\(have) votes, "
                    + "\(agreement.membership.majority) needed)"
            }
        }
        if let least = aborts.slavesBelow, ownNodes.isEmpty {
            let ready = spares(in: state).count
            if ready < least { return "\(ready) slaves are ready, \(least) are wanted" }
        }
        return nil
    }
}

extension RunStep {
    /// A drain step that has begun and not ended.
    var isDraining: Bool {
        if case .drain = action { beginning != nil } else { false }
    }
}

extension CalendarAnswer.Opening {
    func remaining(at now: WallTime) -> Duration? {
        guard case .open(let until) = self else { return nil }
        return .seconds(max(0, until.seconds - now.seconds))
    }
}

extension ControlState {
    /// The first seat whose address that node has the right to.
    func seat(heldBy node: String) -> Seat? {
        seats.first { seat in grant(of: seat.address).map { $0.holder.name == node && !$0.revoked } ?? false }
    }

    /// What a step names and the cluster does not have; nil when it has everything.
    func unknownName(in step: RunStep) -> String? {
        func seatOrNode(_ name: String) -> String? {
            seat(name) == nil && node(name) != nil ? "no seat or node \(name)" : nil
        }
        func node(_ name: String) -> String? {
            name.isEmpty || name.contains("${node}") || member(name) != nil ? nil : "no node \(name)"
        }
        let reason: String?
        switch step.action {
        case .drain(let target, _, _, _): reason = seatOrNode(target)
        case .undrain(let name), .fail(let name): reason = node(name)
        case .switchover(let name, let to):
            reason = seatOrNode(name) ?? to.flatMap(node)
        case .run(let order), .notify(.command(let order)), .check(.command(let order), _):
            reason = node(order.node)
        case .check(.callsBelow(_, let name), _): reason = name.flatMap(node)
        case .check, .notify, .approve, .wait, .forEach: reason = nil
        case .lowerTTL(let ttl):
            let highest = settings.dns?.ttl
            reason =
                highest.map { ttl > $0 ? "the TTL is \($0.milliseconds / 1000) s already" : nil }
                ?? "the cluster file names no DNS zone"
        }
        return (reason ?? step.undo.flatMap { node($0.node) }).map { "line \(step.line): \($0)" }
    }
}
