import Calendar
import Cluster

// Playbooks people schedule, run, cancel and approve in a storm: small ones, with steps that soon give up.

extension World {
    /// Whoever stands behind every playbook of a world: its drains are told from people's by that.
    static let planner = "planner@simulation"

    mutating func beginPlaybooks() {
        useCalendar()
        usesPlaybooks = true
        agenda.add(.plannerActs, at: now.after(nanoseconds: 300 * millisecond))
    }

    mutating func plannerActs() {
        guard isStormy else { return }
        agenda.add(.plannerActs, at: now.after(nanoseconds: 200 * millisecond))
        if chance.playbooks.happens(perMille: 40) {
            let machine = chance.playbooks.draw(0...(machines.count - 1))
            setClock(machine, error: chance.playbooks.pick([-3600, 0, 0, 40, 3600]))
        }
        guard chance.playbooks.happens(perMille: 500) else { return }
        let machine = chance.playbooks.draw(0...(machines.count - 1))
        guard machines[machine].isUp else { return }
        let who = Self.planner
        let request: PlaybookRequest
        switch chance.playbooks.draw(0...11) {
        case 0...4:
            request = .run(
                drawPlaybook(), who: who, dryRun: chance.playbooks.happens(perMille: 50),
                ignoresWindow: chance.playbooks.happens(perMille: 300))
        case 5...7:
            var playbook = drawPlaybook()
            playbook.schedule = drawSchedule(machine)
            request = .schedule(playbook, who: who)
        case 8: request = .cancel(who: who)
        case 9...10: request = .approve(who: who)
        default: request = chance.playbooks.pick([.list, .history, .unschedule(name: "p1", who: who)])
        }
        ask(.playbook(request), of: machine)
    }

    private mutating func drawSchedule(_ machine: Int) -> PlaybookSchedule {
        let wall = calendar.wall(machine, at: now)
        if chance.playbooks.happens(perMille: 400), let line = try? CronLine(parsing: "* * * * *") {
            return .cron(line, zone: "UTC")
        }
        return .once(WallTime(seconds: wall.seconds + chance.playbooks.draw(1...4)))
    }

    private mutating func drawPlaybook() -> Playbook {
        let count = chance.playbooks.draw(1...4)
        var steps: [PlaybookStep] = []
        for line in 1...count { steps.append(drawStep(line, inner: false)) }
        if chance.playbooks.happens(perMille: 400) {
            let items = chance.playbooks.pick([PlaybookItems.seats, .nodes])
            let inner = [
                step(5, drawDrain("${item}")), drawStep(6, inner: true),
                step(7, .undrain(node: items == .seats ? "${node}" : "${item}")),
            ]
            let pause = Duration.milliseconds(chance.playbooks.draw(0...200))
            let all = PlaybookAction.forEach(
                items, atMost: chance.playbooks.draw(1...2), pause: pause, steps: inner)
            steps.append(step(4, all))
        }
        let aborts = PlaybookAborts(
            slavesBelow: chance.playbooks.happens(perMille: 300) ? 1 : nil,
            onNodeFailure: chance.playbooks.happens(perMille: 300),
            onThinQuorum: chance.playbooks.happens(perMille: 300))
        let minute = chance.playbooks.happens(perMille: 500) ? 119 : 60
        return Playbook(
            name: chance.playbooks.pick(["p1", "p2"]), summary: "practice", steps: steps,
            window: chance.playbooks.happens(perMille: 150)
                ? PlaybookWindow(from: minute, to: 180, zone: "UTC") : nil,
            aborts: aborts, rollsBack: chance.playbooks.happens(perMille: 800))
    }

    private mutating func step(_ line: Int, _ action: PlaybookAction) -> PlaybookStep {
        var undo: CommandOrder?
        if case .run = action, chance.playbooks.happens(perMille: 600) { undo = drawOrder() }
        return PlaybookStep(
            line: line, action: action, timeout: .milliseconds(chance.playbooks.draw(800...3000)), undo: undo)
    }

    private mutating func drawDrain(_ target: String) -> PlaybookAction {
        .drain(
            target: target, deadline: .milliseconds(chance.playbooks.draw(200...2500)),
            onDeadline: chance.playbooks.pick([.wait, .hangup, .abort]), reason: "")
    }

    private mutating func drawOrder() -> CommandOrder {
        let program = chance.playbooks.pick([
            "/bin/true", "/bin/true", "/bin/true", "/bin/sleep", "/bin/sleep", "/bin/sleep", "/bin/sleep",
            "/bin/false", "/bin/hang", "/bin/kill",
        ])
        return CommandOrder(
            node: chance.playbooks.happens(perMille: 300) ? "" : chance.playbooks.pick(machines).name,
            program: program, arguments: ["\(chance.playbooks.draw(1...1500))"],
            timeout: .milliseconds(chance.playbooks.draw(500...2000)))
    }

    private mutating func drawStep(_ line: Int, inner: Bool) -> PlaybookStep {
        let seat = chance.playbooks.pick(blueprint.settings.seats).name
        let node = chance.playbooks.pick(machines).name
        let endpoint = blueprint.settings.dns?.servers.first?.endpoint
        let actions: [PlaybookAction] = [
            drawDrain(chance.playbooks.happens(perMille: 500) ? seat : node), drawDrain(seat),
            .undrain(node: node),
            .switchover(seat: seat, to: chance.playbooks.happens(perMille: 500) ? node : nil),
            .lowerTTL(.seconds(1)), .wait(.milliseconds(chance.playbooks.draw(0...600))), .run(drawOrder()),
            .run(drawOrder()), .notify(.webhook("http://pager/")), .notify(.command(drawOrder())),
            .approve("go on?"), .fail(node: node),
            .check(
                endpoint.map { chance.playbooks.happens(perMille: 500) ? .tcp($0) : .registrationsConverged }
                    ?? .zoneConverged, interval: .milliseconds(150)),
            .check(
                chance.playbooks.pick([.zoneConverged, .headroom(slaves: 0), .callsBelow(5, node: nil)]),
                interval: .milliseconds(100)),
        ]
        let number = inner ? chance.playbooks.draw(4...9) : chance.playbooks.draw(0...(actions.count - 1))
        return step(line, actions[number])
    }

    static func text(of request: PlaybookRequest) -> String {
        switch request {
        case .run(let playbook, _, let dryRun, _):
            "run \(playbook.name) (\(playbook.steps.map(\.action.title).joined(separator: ", ")))"
                + (dryRun ? " --dry-run" : "")
        case .schedule(let playbook, _):
            "schedule \(playbook.name) (\(playbook.steps.map(\.action.title).joined(separator: ", ")))"
        case .unschedule(let name, _): "unschedule \(name)"
        case .cancel: "cancel"
        case .approve: "approve"
        case .list: "list"
        case .history: "history"
        case .unknown(let kind): kind
        }
    }

    static func text(of report: PlaybookReport) -> String {
        let schedules = report.schedules.map { "\($0.name) next \($0.next?.text ?? "never")" }
        return "\(schedules.joined(separator: ", ")); "
            + (report.run.map { "\($0.name) is \($0.phase)" } ?? "nothing runs")
            + "; \(report.finished.count) finished, \(report.audit.count) deeds"
    }
}
