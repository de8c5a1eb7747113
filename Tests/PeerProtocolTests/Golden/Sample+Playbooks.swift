import Calendar
import Primitives

@testable import Cluster

// Playbooks, their runs, and what is said about them.

extension Sample {
    static let order = CommandOrder(
        node: "fs2", program: "/usr/local/bin/upgrade", arguments: ["--to", "6.12", "a \"word\""],
        environment: [CommandOrder.Variable(name: "CHANNEL", value: "stable")], timeout: .seconds(300))

    static let cron = PlaybookSchedule.cron(
        CronLine(
            minutes: 1 << 30 | 1, hours: 1 << 3, days: 0xFFFE, months: 0x1FFE, weekdays: 1 << 6,
            text: "0,30 3 1-15 * sat", isEitherDay: true), zone: "Europe/Berlin")

    static var playbook: Playbook {
        Playbook(
            name: "upgrade", summary: "Brings every node to 6.12.", steps: steps, schedule: cron,
            window: PlaybookWindow(from: 60, to: 1380, weekdays: 0x60, zone: "Europe/Berlin"),
            aborts: PlaybookAborts(slavesBelow: 1), rollsBack: true)
    }

    /// Without anything that may be left out.
    static let plainPlaybook = Playbook(
        name: "wait", summary: "",
        steps: [PlaybookStep(line: 2, action: .wait(.seconds(1)), timeout: .seconds(9))],
        schedule: .once(wall(60)), aborts: PlaybookAborts(onNodeFailure: false, onThinQuorum: false),
        rollsBack: false)

    /// Every action, check, notice and list.
    private static var steps: [PlaybookStep] {
        let checks: [PlaybookCheck] = [
            .options(endpoint("10.77.0.11:5060")), .tcp(endpoint("[2001:db8::12]:5061")),
            .http(url: "http://fs1:8080/health", status: 204), .command(order),
            .callsBelow(10, node: "fs2"), .callsBelow(20, node: nil), .registrationsConverged,
            .zoneConverged, .headroom(slaves: 2),
        ]
        let actions: [PlaybookAction] = [
            .drain(
                target: "${item}", deadline: .seconds(1800), onDeadline: .hangup, reason: "to 6.12"),
            .drain(target: "master2", deadline: nil, onDeadline: .abort, reason: ""),
            .undrain(node: "${node}"), .switchover(seat: "master1", to: "fs3"),
            .switchover(seat: "master2", to: nil), .lowerTTL(.seconds(5)), .wait(.milliseconds(1500)),
            .run(order), .notify(.command(order)), .notify(.webhook("http://ops.example.net/hook")),
            .approve("Go on?"), .fail(node: "fs3"),
            .forEach(.nodes, atMost: 1, pause: .zero, steps: []),
            .forEach(.named(["fs1", "fs2"]), atMost: 3, pause: .seconds(1), steps: []),
        ]
        let inner = (actions + checks.map { .check($0, interval: .seconds(2)) }).enumerated().map {
            PlaybookStep(line: 10 + $0, action: $1, timeout: .seconds(3600), undo: $0 == 0 ? order : nil)
        }
        return [
            PlaybookStep(
                line: 4, action: .forEach(.seats, atMost: 2, pause: .seconds(30), steps: inner),
                timeout: .seconds(86_400))
        ]
    }

    static let step = StepID(run: epoch(50), step: 2, begun: epoch(53))

    static func outcome(_ verdict: StepOutcome.Verdict) -> StepOutcome {
        StepOutcome(verdict, output: "upgraded\nto 6.12\n")
    }

    static let start = PlaybookStart(
        playbook: playbook, schedule: epoch(30), due: wall(0), who: "ann@ops", remaining: .seconds(5400))
}

// MARK: - In the agreed state

extension Sample {
    static var book: PlaybookBook {
        var book = PlaybookBook()
        book.schedules = [
            ScheduledPlaybook(
                id: epoch(30), playbook: playbook, who: "ann@ops", since: time(30), considered: wall(-60)),
            ScheduledPlaybook(
                id: epoch(31), playbook: plainPlaybook, who: "bob@ops", since: time(31),
                considered: wall(-30)),
        ]
        book.run = run(.undoing("step 3 failed"))
        book.finished = [
            FinishedRun.Outcome.done, .rolledBack("no"), .rolledBackPartly("no"), .failed("no"),
            .skipped("late"),
        ].enumerated().map { finished($1, number: UInt64($0)) }
        return book
    }

    static func run(_ phase: PlaybookRun.Phase) -> PlaybookRun {
        PlaybookRun(
            id: epoch(50), name: "upgrade", summary: "Brings every node to 6.12.", who: "ann@ops",
            schedule: epoch(30), due: wall(0), began: time(50), wall: wall(2), until: time(9000),
            aborts: PlaybookAborts(slavesBelow: 1), rollsBack: true, phase: phase, steps: runSteps)
    }

    private static var runSteps: [RunStep] {
        let conditions: [RunStep.Condition] = [
            .waiting, .begun(beginning), .done(nil), .done("it was there"), .failed("exited with 1"),
            .unknown("fs2 failed"), .skipped("the run ended"),
        ]
        let undoings: [RunStep.Undoing?] = [
            nil, .begun(beginning), .done("back"), .failed("no"), nil, nil, nil,
        ]
        return zip(conditions, undoings).enumerated().map { place, both in
            var step = RunStep(
                line: 4 + place, action: .run(order), timeout: .seconds(60), undo: order,
                after: Array(0..<place), pause: .seconds(30), iteration: [place, 1])
            step.condition = both.0
            step.undoing = both.1
            if case .waiting = both.0 { return step }
            step.ended = time(80)
            step.output = "upgraded\n"
            step.traces = traces
            return step
        }
    }

    private static let beginning = RunStep.Beginning(epoch: epoch(53), time: time(55), executor: two)

    private static var traces: StepTraces {
        var traces = StepTraces()
        traces.drained = StepTraces.Drained(
            seat: "master1", drain: epoch(40), node: one, isUnderWay: true, maintenance: maintenance)
        traces.moved = StepTraces.Moved(seat: "master2", from: "fs2", to: "fs3", isReturned: true)
        traces.lowered = StepTraces.Lowered(former: .seconds(60), isRestored: true)
        traces.undrained = "fs1"
        return traces
    }

    static func finished(_ outcome: FinishedRun.Outcome, number: UInt64) -> FinishedRun {
        FinishedRun(
            id: epoch(20 + number), name: "upgrade", who: "ann@ops", due: wall(-7200), began: time(10),
            ended: time(20), wall: wall(-7000), outcome: outcome,
            steps: [
                FinishedRun.Step(
                    line: 4, title: "drain master1", outcome: "done", undone: "fs1 is back", output: "ok\n")
            ])
    }
}
