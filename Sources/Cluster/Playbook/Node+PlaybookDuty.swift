import Calendar
import Primitives

// What a node does for a run: executes what it was given, at most once, and looks at checks as often as it takes.

extension Node {
    /// Looks at what was agreed and does this node's part of it.
    mutating func performDuties(at now: Instant) {
        tellCalendar()
        guard let state else { return }
        if state.audit.count > duty.auditTold {
            effects.append(.audited(state.audit.entries(after: duty.auditTold)))
            duty.auditTold = state.audit.count
        }
        duty.forget(besides: state.playbooks.run)
        guard let run = state.playbooks.run else { return }
        for at in run.steps.indices {
            guard let beginning = run.steps[at].undoBeginning ?? run.steps[at].beginning,
                let id = run.id(of: at)
            else { continue }
            if let executor = beginning.executor {
                stopIfAbandoned(id, at, of: run)
                if executor == me { execute(id, at, of: run, at: now) }
            } else if case .check(let check, let interval) = run.steps[at].action {
                look(at: check, every: interval, id, of: run, at: now)
            }
        }
        if !duty.ended.isEmpty, now >= duty.nextTelling ?? now {
            duty.nextTelling = now + timing.reminder
            for notice in duty.ended { tellLeader(.stepNoticed(notice), at: now) }
        }
    }

    private func context(_ at: Int, of run: PlaybookRun) -> PlaybookContext {
        PlaybookContext(
            playbook: run.name, run: run.id, step: at + 1, steps: run.steps.count,
            title: run.steps[at].action.title, who: run.who, isUndoing: run.steps[at].undoBeginning != nil)
    }

    // MARK: - Executing

    /// Only this life was told to, and it remembers that it did: whatever becomes of it, nobody does it again.
    private mutating func execute(_ id: StepID, _ at: Int, of run: PlaybookRun, at now: Instant) {
        guard !duty.started.contains(where: { $0.id == id }), isCurrent(at: now) else { return }
        duty.started.append(PlaybookDuty.Started(id: id, by: me))
        let step = run.steps[at]
        let context = context(at, of: run)
        if var order = step.order {
            order.node = name
            if step.undoBeginning == nil { order.timeout = min(order.timeout, step.timeout) }
            effects.append(.runCommand(id, order, context))
        } else if case .notify(.webhook(let url)) = step.action {
            effects.append(.notify(id, url: url, context))
        } else if case .fail = step.action {
            report(.playbookStep, run.name, "this node fails on purpose: step \(at + 1)")
            effects.append(.failNode(id))
        }
    }

    /// Who lags behind might begin what was given up long ago.
    private func isCurrent(at now: Instant) -> Bool {
        guard leaseValidSince != nil, membershipPhase == .member, leaving == nil else { return false }
        if isLeader { return true }
        guard let leader = raft.leader, let neighbour = neighbours[leader],
            now - neighbour.received < timing.deadAfter
        else { return false }
        return neighbour.heartbeat.term == raft.term && neighbour.heartbeat.commit <= applied.index
    }

    private mutating func stopIfAbandoned(_ id: StepID, _ at: Int, of run: PlaybookRun) {
        guard !run.isRunning, run.steps[at].undoBeginning == nil,
            let mine = duty.started.firstIndex(where: { $0.id == id && !$0.isStopped }),
            !duty.ended.contains(where: { $0.id == id })
        else { return }
        duty.started[mine].isStopped = true
        effects.append(.stopCommand(id))
    }

    mutating func executed(_ id: StepID, _ outcome: StepOutcome, at now: Instant) {
        guard let started = duty.started.first(where: { $0.id == id }),
            !duty.ended.contains(where: { $0.id == id })
        else { return }
        var outcome = outcome
        outcome.output = outcome.output.tail(of: PlaybookLimits.stepOutput)
        duty.ended.append(StepNotice(id: id, from: started.by, body: .ended(outcome)))
        duty.nextTelling = nil
        performDuties(at: now)
    }

    // MARK: - Looking

    private mutating func look(
        at check: PlaybookCheck, every interval: Duration, _ id: StepID, of run: PlaybookRun, at now: Instant
    ) {
        guard let view = view(at: now), view.checkers(of: check, in: view.state).contains(me) else { return }
        if !duty.looking.contains(where: { $0.id == id }) {
            duty.looking.append(PlaybookDuty.Looking(id: id, next: now))
        }
        guard let mine = duty.looking.firstIndex(where: { $0.id == id }), now >= duty.looking[mine].next
        else { return }
        // An answer that never comes is not waited for for ever.
        if let asked = duty.looking[mine].asked, now - asked < Timers.checkPatience { return }
        duty.looking[mine].asked = now
        effects.append(.check(id, check, context(id.step, of: run)))
    }

    mutating func checked(_ id: StepID, _ result: CheckResult, at now: Instant) {
        guard let mine = duty.looking.firstIndex(where: { $0.id == id }), duty.looking[mine].asked != nil,
            let run = state?.playbooks.run, let at = run.place(of: id),
            case .check(_, let interval) = run.steps[at].action
        else { return }
        duty.looking[mine].asked = nil
        duty.looking[mine].next = now + max(Timers.checkPause, interval)
        var result = result
        result.text = result.text.cut(to: PlaybookLimits.reason)
        tellLeader(.stepNoticed(StepNotice(id: id, from: me, body: .checked(result))), at: now)
    }

    // MARK: - The calendar

    mutating func calendarRead(_ reading: CalendarReading, at now: Instant) {
        duty.reading = reading
        duty.readAt = now
        takeAsked(at: now)
    }

    /// The wall clock as this machine's was last read; nil before.
    func wallTime(at now: Instant) -> WallTime? {
        guard let reading = duty.reading, let readAt = duty.readAt else { return nil }
        return reading.now + max(.zero, now - readAt)
    }

    private mutating func tellCalendar() {
        var questions =
            state?.playbooks.schedules.map { schedule in
                CalendarQuestion(
                    subject: .schedule(schedule.id), schedule: schedule.playbook.schedule,
                    window: schedule.playbook.window, after: schedule.considered)
            } ?? []
        questions += duty.asked.map { asked in
            CalendarQuestion(
                subject: .asked(asked.number), schedule: nil, window: asked.playbook.window, after: nil)
        }
        guard questions != duty.told else { return }
        duty.told = questions
        effects.append(.watchCalendar(questions))
    }
}
