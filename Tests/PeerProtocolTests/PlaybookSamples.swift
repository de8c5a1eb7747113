import Calendar
import Cluster
import Primitives

// Playbooks, their runs and what is said about them.

extension FrameSamples {
    mutating func playbook() -> Playbook {
        Playbook(
            name: name(), summary: name(), steps: list(1...4) { $0.playbookStep(depth: 0) },
            schedule: flag() ? .once(WallTime(seconds: Int64(int(0...1_000_000)))) : nil,
            window: flag()
                ? PlaybookWindow(from: int(0...1439), to: int(0...1440), zone: "Europe/Berlin") : nil,
            aborts: PlaybookAborts(
                slavesBelow: flag() ? 1 : nil, onNodeFailure: flag(), onThinQuorum: flag()),
            rollsBack: flag())
    }

    private mutating func duration() -> Duration { .milliseconds(int(0...100_000)) }

    private mutating func order() -> CommandOrder {
        CommandOrder(
            node: name(), program: "/bin/\(name())", arguments: list(0...2) { $0.name() },
            environment: list(0...2) { CommandOrder.Variable(name: $0.name(), value: $0.name()) },
            timeout: duration())
    }

    private mutating func playbookStep(depth: Int) -> PlaybookStep {
        var actions: [PlaybookAction] = [
            .drain(
                target: name(), deadline: flag() ? duration() : nil, onDeadline: .handover, reason: name()),
            .undrain(node: name()), .switchover(seat: name(), to: flag() ? name() : nil),
            .lowerTTL(duration()), .wait(duration()), .run(order()), .notify(.command(order())),
            .notify(.webhook(name())), .approve(name()), .fail(node: name()),
            .check(.tcp(Endpoint(ip: ip(), port: 80)), interval: duration()),
            .check(.http(url: name(), status: 200), interval: duration()),
            .check(.command(order()), interval: duration()),
            .check(.callsBelow(int(0...9), node: flag() ? name() : nil), interval: duration()),
            .check(.headroom(slaves: 1), interval: duration()),
        ]
        if depth < 2 {
            actions.append(
                .forEach(
                    one(of: [.seats, .nodes, .named([name()])]), atMost: int(1...3), pause: duration(),
                    steps: list(1...2) { $0.playbookStep(depth: depth + 1) }))
        }
        return PlaybookStep(
            line: int(1...99), action: one(of: actions), timeout: duration(), undo: flag() ? order() : nil)
    }

    mutating func stepID() -> StepID { StepID(run: epoch(), step: int(0...99), begun: epoch()) }

    mutating func outcome() -> StepOutcome {
        StepOutcome(one(of: [.done(nil), .done(name()), .failed(name()), .unknown(name())]), output: name())
    }

    mutating func stepNotice() -> StepNotice {
        let check = CheckResult(holds: flag(), text: name())
        return StepNotice(
            id: stepID(), from: holder(), body: one(of: [.ended(outcome()), .checked(check)]))
    }

    mutating func playbookCommand() -> PlaybookCommand {
        let time = WallTime(seconds: Int64(int(0...1_000_000)))
        return one(of: [
            .schedule(playbook(), who: name(), considered: time), .unschedule(name: name(), who: name()),
            .consider(schedule: epoch(), through: time, reason: name()),
            .start(PlaybookStart(playbook: playbook(), who: name(), remaining: flag() ? duration() : nil)),
            .start(PlaybookStart(playbook: nil, schedule: epoch(), due: time, who: name())),
            .begin(run: epoch(), step: 1), .assign(stepID(), holder()), .drain(stepID(), drain()),
            .rest(stepID(), holder(), reason: name()), .undrain(stepID()), .lowerTTL(stepID()),
            .move(stepID(), Move(address: name(), from: holder(), to: holder(), reason: name())),
            .outcome(stepID(), outcome()), .approve(run: epoch(), step: 1, who: name()),
            .abandon(run: epoch(), reason: name(), undoes: flag()), .beginUndo(run: epoch(), step: 1),
            .finish(run: epoch()),
        ])
    }

    mutating func playbookRequest() -> PlaybookRequest {
        one(of: [
            .run(playbook(), who: name(), dryRun: flag(), ignoresWindow: flag()),
            .schedule(playbook(), who: name()), .unschedule(name: name(), who: name()), .cancel(who: name()),
            .approve(who: name()), .list, .history,
        ])
    }

    /// With a schedule, a run under way and what people did.
    mutating func addPlaybooks(to state: inout ControlState) {
        var scheduled = playbook()
        scheduled.schedule = .once(WallTime(seconds: 100))
        let deed = AskedCommand(
            who: name(), what: name(), why: name(),
            command: .playbook(.schedule(scheduled, who: name(), considered: WallTime(seconds: 1))))
        let commands: [ControlCommand] = [
            .asked(deed), .playbook(.start(PlaybookStart(playbook: playbook(), who: name()))),
        ]
        for (number, command) in commands.enumerated() {
            let stamped = StampedCommand(time: state.time, command: command, wall: WallTime(seconds: 5))
            _ = state.apply(stamped, at: Epoch(term: 1, index: UInt64(number + 1)))
        }
        guard let run = state.playbooks.run else { return }
        let begin = StampedCommand(time: state.time, command: .playbook(.begin(run: run.id, step: 0)))
        _ = state.apply(begin, at: Epoch(term: 1, index: 9))
    }
}
