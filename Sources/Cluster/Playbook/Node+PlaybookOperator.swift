import Calendar
import Primitives

// What operators ask about playbooks: refused with every reason, or proposed and answered when it is agreed.

extension Node {
    mutating func take(_ request: PlaybookRequest, from asker: PendingRequests.Asker, at now: Instant) {
        guard let state else { return }
        switch request {
        case .run(let playbook, let who, let dryRun, let ignoresWindow):
            if playbook.window == nil || ignoresWindow {
                start(playbook, who: who, dryRun: dryRun, opening: .always, from: asker, at: now)
            } else {
                askCalendar(playbook, who: who, dryRun: dryRun, from: asker, at: now)
            }
        case .schedule(let playbook, let who): schedule(playbook, who: who, from: asker, at: now)
        case .unschedule(let name, let who):
            let names = state.playbooks.schedules.map(\.playbook.name).joined(separator: ", ")
            guard state.playbooks.schedule(name) != nil else {
                let known = names.isEmpty ? "none is" : "scheduled are \(names)"
                return answer(asker, .refused(["no playbook \(name) is scheduled; \(known)"]))
            }
            propose(
                .playbook(.unschedule(name: name, who: who)), for: asker,
                ["\(name) is not scheduled any more"], at: now)
        case .cancel(let who):
            guard let run = state.playbooks.run else {
                return answer(asker, .refused(["no playbook is running"]))
            }
            let abandon = PlaybookCommand.abandon(run: run.id, reason: "cancelled by \(who)", undoes: true)
            propose(
                .playbook(abandon), for: asker, ["\(run.name) is being undone, newest step first"], at: now)
        case .approve(let who): approve(who, from: asker, at: now)
        case .list: answer(asker, .playbooks(playbookReport(withHistory: false, at: now)))
        case .history: answer(asker, .playbooks(playbookReport(withHistory: true, at: now)))
        case .unknown: break
        }
    }

    // MARK: - Running by hand

    /// Whether its window is open only the calendar knows.
    private mutating func askCalendar(
        _ playbook: Playbook, who: String, dryRun: Bool, from asker: PendingRequests.Asker, at now: Instant
    ) {
        guard duty.asked.count < PlaybookLimits.schedules else {
            return answer(asker, .unavailable("too many runs are asked for; nothing was changed"))
        }
        duty.asked.append(
            PlaybookDuty.Asked(
                number: duty.nextNumber, playbook: playbook, who: who, dryRun: dryRun, asker: asker,
                since: now))
        duty.nextNumber += 1
    }

    /// The calendar spoke: those whose window was looked up go on.
    mutating func takeAsked(at now: Instant) {
        for asked in duty.asked {
            guard let answer = duty.reading?.answer(.asked(asked.number)), let reading = duty.reading else {
                continue
            }
            duty.asked.removeAll { $0.number == asked.number }
            guard isLeader, effective.isLeadershipCommitted else {
                self.answer(asked.asker, .unavailable("leadership moved; nothing was changed"))
                continue
            }
            let request = PlaybookRequest.run(
                asked.playbook, who: asked.who, dryRun: asked.dryRun, ignoresWindow: false)
            deed = OperatorRequest.playbook(request).deed
            defer { deed = nil }
            start(
                asked.playbook, who: asked.who, dryRun: asked.dryRun, opening: answer.opening,
                remaining: answer.opening.remaining(at: reading.now), from: asked.asker, at: now)
        }
    }

    mutating func endAsking(at now: Instant) {
        for asked in duty.asked where now - asked.since >= Timers.calendarPatience {
            duty.asked.removeAll { $0.number == asked.number }
            answer(
                asked.asker, .unavailable("the calendar could not be asked whether the window is open"))
        }
    }

    private mutating func start(
        _ playbook: Playbook, who: String, dryRun: Bool, opening: CalendarAnswer.Opening,
        remaining: Duration? = nil, from asker: PendingRequests.Asker, at now: Instant
    ) {
        guard let view = view(at: now) else { return }
        let state = view.state
        var reasons = view.obstacles(to: playbook, opening: opening, in: state)
        if case .closed = opening { reasons.append("`--now` does not wait for the window") }
        guard reasons.isEmpty else { return answer(asker, .refused(reasons)) }
        let lines = timeline(of: playbook, in: state)
        if dryRun { return answer(asker, .plan(lines)) }
        let start = PlaybookStart(playbook: playbook, who: who, remaining: remaining)
        propose(.playbook(.start(start)), for: asker, lines, at: now)
    }

    /// Every step of a run that would start now.
    private func timeline(of playbook: Playbook, in state: ControlState) -> [String] {
        guard let steps = try? playbook.expanded(in: state) else { return [] }
        return steps.enumerated().map { number, step in
            var line = "step \(number + 1), \(step.action.title): at most \(step.timeout.span)"
            let before = step.after.map { "\($0 + 1)" }.joined(separator: ", ")
            if !before.isEmpty, step.after != [number - 1] { line += ", after step \(before)" }
            if step.pause > .zero { line += ", \(step.pause.span) later" }
            if let undo = step.undo { line += "; undone by \(undo.title)" }
            return line
        }
    }

    // MARK: - Schedules and approval

    private mutating func schedule(
        _ playbook: Playbook, who: String, from asker: PendingRequests.Asker, at now: Instant
    ) {
        guard let state else { return }
        var reasons: [String] = []
        if playbook.schedule == nil { reasons.append("\(playbook.name) has no schedule") }
        if let reason = playbook.implausibility { reasons.append(reason) }
        do {
            reasons += try playbook.expanded(in: state).compactMap { state.unknownName(in: $0) }
        } catch {
            reasons.append(error.reason)
        }
        guard let wall = wallTime(at: now) else {
            return answer(asker, .unavailable("the leader has not read its calendar yet; try again"))
        }
        if case .once(let time) = playbook.schedule, time <= wall {
            reasons.append("\(time.text) is over")
        }
        guard reasons.isEmpty else { return answer(asker, .refused(reasons)) }
        propose(
            .playbook(.schedule(playbook, who: who, considered: wall)), for: asker,
            ["\(playbook.name) is scheduled"], at: now)
    }

    private mutating func approve(_ who: String, from asker: PendingRequests.Asker, at now: Instant) {
        let run = state?.playbooks.run
        let at = run?.steps.firstIndex { step in
            if case .approve = step.action { step.beginning != nil } else { false }
        }
        guard let run, let at else {
            return answer(asker, .refused(["no playbook waits for approval"]))
        }
        propose(
            .playbook(.approve(run: run.id, step: at, who: who)), for: asker,
            ["\(run.name) goes on: \(run.steps[at].action.title)"], at: now)
    }

    // MARK: - Reports

    func playbookReport(withHistory: Bool, at now: Instant) -> PlaybookReport {
        guard let state else { return PlaybookReport(schedules: [], run: nil, finished: [], audit: []) }
        let schedules = state.playbooks.schedules.map { schedule in
            let answer = duty.reading?.answer(.schedule(schedule.id))
            var note: String?
            if let wall = wallTime(at: now), wall + Timers.clockTolerance < schedule.considered {
                note = "the clock was set back: nothing is due until \(schedule.considered.text)"
            }
            return PlaybookReport.Schedule(
                name: schedule.playbook.name, summary: schedule.playbook.summary, who: schedule.who,
                schedule: schedule.playbook.schedule, window: schedule.playbook.window, next: answer?.next,
                note: note)
        }
        return PlaybookReport(
            schedules: schedules, run: state.playbooks.run.map { report(of: $0, at: now) },
            finished: state.playbooks.finished, audit: withHistory ? state.audit.entries : [])
    }

    private func report(of run: PlaybookRun, at now: Instant) -> PlaybookReport.Run {
        let time = clusterTime(at: now)
        return PlaybookReport.Run(
            id: run.id, name: run.name, summary: run.summary, who: run.who, due: run.due, wall: run.wall,
            age: Int((time - run.began).milliseconds / 1000),
            remaining: run.until.map { Int(($0 - time).milliseconds / 1000) }, phase: run.phase.word,
            trouble: run.trouble,
            steps: run.steps.enumerated().map { number, step in
                PlaybookReport.Step(
                    line: step.line, title: step.action.title, outcome: step.condition.text,
                    waitingFor: duty.waits.first { $0.step == number }?.reason, undone: step.undoing?.text,
                    node: (step.undoBeginning ?? step.beginning)?.executor?.name
                        ?? step.traces.drained?.node.name, output: step.output)
            })
    }

    var playbookLine: StatusReport.PlaybookLine? {
        guard let run = state?.playbooks.run else { return nil }
        let at =
            run.steps.firstIndex { $0.undoBeginning != nil || $0.beginning != nil }
            ?? run.steps.firstIndex { $0.condition == .waiting } ?? run.steps.count - 1
        return StatusReport.PlaybookLine(
            name: run.name, step: at + 1, of: run.steps.count, title: run.steps[at].action.title,
            phase: run.phase.word, waitingFor: duty.waits.first { $0.step == at }?.reason, who: run.who)
    }
}

extension PlaybookRun.Phase {
    /// For people and programs.
    package var word: String {
        switch self {
        case .running: "running"
        case .undoing: "undoing"
        case .stopping: "stopping"
        }
    }
}
