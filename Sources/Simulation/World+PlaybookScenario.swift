import Calendar
import Cluster

// The verbs of a scenario that are about playbooks.

extension World {
    /// Who runs the playbooks of a story.
    private static let who = "ops@console"

    /// Whether the act was about playbooks.
    mutating func playPlaybook(_ act: Scenario.Act) throws(Scenario.Failure) -> Bool {
        switch act.words[0] {
        case "playbook":
            let playbook = try Self.playbook(act)
            shelf.removeAll { $0.name == playbook.name }
            shelf.append(playbook)
            return true
        case "clock":
            for machine in machines.indices { setClock(machine, error: Int64(try act.number(1))) }
        case "checks": checksHold = try act.word(1) == "hold"
        case "until-step": try waitForStep(act)
        case "bounce": kill(try machine(act, 1), restartAfter: 300 * millisecond)
        case "run-playbook", "dry-run", "schedule-playbook", "unschedule", "cancel", "approve", "playbooks":
            try askAboutPlaybook(act)
        default: return false
        }
        useCalendar()
        usesPlaybooks = true
        return true
    }

    private mutating func askAboutPlaybook(_ act: Scenario.Act) throws(Scenario.Failure) {
        useCalendar()
        guard let asked = machines.indices.first(where: { machines[$0].service?.isAsleep == false }) else {
            throw Scenario.Failure(line: act.line, text: "no node runs")
        }
        let who = Self.who
        let request: PlaybookRequest
        switch act.words[0] {
        case "run-playbook", "dry-run":
            request = .run(
                try shelved(act), who: who, dryRun: act.words[0] == "dry-run",
                ignoresWindow: act.words.last == "--now")
        case "schedule-playbook":
            var playbook = try shelved(act)
            if try act.word(2) == "in" {
                let seconds = try act.nanoseconds(3) / 1_000_000_000
                playbook.schedule = .once(
                    WallTime(seconds: calendar.wall(asked, at: now).seconds + seconds))
            } else {
                let text = act.words.dropFirst(2).joined(separator: " ")
                guard let line = try? CronLine(parsing: text) else {
                    throw Scenario.Failure(line: act.line, text: "\"\(text)\" is no cron line")
                }
                playbook.schedule = .cron(line, zone: "UTC")
            }
            request = .schedule(playbook, who: who)
        case "unschedule": request = .unschedule(name: try act.word(1), who: who)
        case "cancel": request = .cancel(who: who)
        case "approve": request = .approve(who: who)
        default: request = .list
        }
        ask(.playbook(request), of: asked)
    }

    private func shelved(_ act: Scenario.Act) throws(Scenario.Failure) -> Playbook {
        let name = try act.word(1)
        guard let playbook = shelf.first(where: { $0.name == name }) else {
            throw Scenario.Failure(line: act.line, text: "no playbook \(name) was written")
        }
        return playbook
    }

    /// Lets time pass until the step has begun, at most half a minute.
    private mutating func waitForStep(_ act: Scenario.Act) throws(Scenario.Failure) {
        let step = try act.number(1) - 1
        let end = now + .seconds(30)
        while judge.violation == nil {
            let steps = judge.newestState?.playbooks.run?.steps ?? []
            if steps.indices.contains(step), steps[step].condition != .waiting { return }
            guard now < end else {
                throw Scenario.Failure(line: act.line, text: "step \(step + 1) never began")
            }
            run(for: .milliseconds(1))
        }
    }

    // MARK: - Writing playbooks

    /// `playbook NAME WORD…`, each word a step such as `drain:master2`, `run:fs2:/bin/sleep,300`, `wait:300ms`, with
    /// `@2s` behind it for another timeout and `!/bin/true` for an undo; `each:seats … end` is a for-each.
    private static func playbook(_ act: Scenario.Act) throws(Scenario.Failure) -> Playbook {
        var playbook = Playbook(name: try act.word(1), summary: "practice", steps: [])
        playbook.aborts = PlaybookAborts(slavesBelow: nil, onNodeFailure: true, onThinQuorum: false)
        var words = act.words.dropFirst(2)
        while let word = words.first, word.hasPrefix("--") {
            words = words.dropFirst()
            switch word {
            case "--stays": playbook.rollsBack = false
            case "--bears-failures": playbook.aborts.onNodeFailure = false
            case "--thin": playbook.aborts.onThinQuorum = true
            case "--window-0100-0200": playbook.window = PlaybookWindow(from: 60, to: 120, zone: "UTC")
            case "--window-0200-0300": playbook.window = PlaybookWindow(from: 120, to: 180, zone: "UTC")
            default: throw Scenario.Failure(line: act.line, text: "\(word) is no option of a playbook")
            }
        }
        var rest = Array(words)
        playbook.steps = try steps(&rest, act)
        return playbook
    }

    private static func steps(
        _ words: inout [String], _ act: Scenario.Act
    ) throws(Scenario.Failure) -> [PlaybookStep] {
        var steps: [PlaybookStep] = []
        while let word = words.first {
            words.removeFirst()
            if word == "end" { break }
            let parts = word.split(separator: ":").map(String.init)
            if parts[0] == "each" {
                let items: PlaybookItems =
                    parts[1] == "seats"
                    ? .seats
                    : parts[1] == "nodes" ? .nodes : .named(parts[1].split(separator: ",").map(String.init))
                let inner = try self.steps(&words, act)
                let atMost = parts.count > 2 ? Int(parts[2]) ?? 1 : 1
                steps.append(
                    PlaybookStep(
                        line: steps.count + 1,
                        action: .forEach(items, atMost: atMost, pause: .milliseconds(100), steps: inner),
                        timeout: .seconds(60)))
            } else {
                steps.append(try step(word, line: steps.count + 1, act))
            }
        }
        return steps
    }

    private static func step(
        _ word: String, line: Int, _ act: Scenario.Act
    ) throws(Scenario.Failure) -> PlaybookStep {
        var text = word
        var undo: CommandOrder?
        var timeout = Duration.seconds(8)
        if let mark = text.firstIndex(of: "!") {
            undo = order("${node}", String(text[text.index(after: mark)...]))
            text = String(text[..<mark])
        }
        if let mark = text.firstIndex(of: "@") {
            timeout = .nanoseconds(try act.nanoseconds(in: String(text[text.index(after: mark)...])))
            text = String(text[..<mark])
        }
        let parts = text.split(separator: ":").map(String.init)
        let first = parts.count > 1 ? parts[1] : ""
        let second = parts.count > 2 ? parts[2] : ""
        let action: PlaybookAction
        switch parts[0] {
        case "drain":
            action = .drain(target: first, deadline: .seconds(3), onDeadline: .hangup, reason: "practice")
        case "undrain": action = .undrain(node: first)
        case "switchover": action = .switchover(seat: first, to: second.isEmpty ? nil : second)
        case "wait": action = .wait(.nanoseconds(try act.nanoseconds(in: first)))
        case "run":
            action = .run(order(first == "leader" ? "" : first, second))
            if undo?.node == "${node}", first != "${node}" { undo?.node = first }
        case "check":
            action = .check(.http(url: "http://\(first)/", status: 200), interval: .milliseconds(200))
        case "registrations": action = .check(.registrationsConverged, interval: .milliseconds(200))
        case "headroom":
            action = .check(.headroom(slaves: Int(first) ?? 1), interval: .milliseconds(100))
        case "notify": action = .notify(.webhook("http://pager/"))
        case "approve": action = .approve("go on?")
        case "fail": action = .fail(node: first)
        case "ttl": action = .lowerTTL(.seconds(Int64(first) ?? 1))
        default: throw Scenario.Failure(line: act.line, text: "\"\(word)\" is no step")
        }
        return PlaybookStep(line: line, action: action, timeout: timeout, undo: undo)
    }

    private static func order(_ node: String, _ text: String) -> CommandOrder {
        let words = text.split(separator: ",").map(String.init)
        return CommandOrder(
            node: node, program: words.first ?? "/bin/true", arguments: Array(words.dropFirst()),
            timeout: .seconds(2))
    }

    // MARK: - Expecting

    /// Why things are not as the scenario says; nil when they are, or when it says nothing of playbooks.
    func objectionToPlaybooks(
        _ act: Scenario.Act, _ state: ControlState
    ) throws(Scenario.Failure) -> String?? {
        switch try act.word(1) {
        case "run":
            let phase = state.playbooks.run?.phase.word ?? "none"
            return .some(try act.word(2) == phase ? nil : "the run is \(phase)")
        case "ended":
            let name = try act.word(2)
            guard let last = state.playbooks.finished.last(where: { $0.name == name }) else {
                return "\(name) has not ended"
            }
            let text = act.words.dropFirst(3).joined(separator: " ")
            return .some(last.outcome.text.hasPrefix(text) ? nil : "\(name) ended: \(last.outcome.text)")
        case "runs":
            let name = try act.word(2)
            let wanted = try act.number(3)
            let count = state.playbooks.finished.count { finished in
                if case .skipped = finished.outcome { false } else { finished.name == name }
            }
            return .some(wanted == count ? nil : "\(name) ran \(count) times")
        case "step":
            let number = try act.number(2)
            let steps = state.playbooks.finished.last?.steps ?? []
            guard steps.indices.contains(number - 1) else { return "there is no step \(number)" }
            let step = steps[number - 1]
            let text = act.words.dropFirst(3).joined(separator: " ")
            let told = step.outcome + (step.undone.map { ", \($0)" } ?? "")
            return .some(told.hasPrefix(text) ? nil : "step \(number) is \(told)")
        case "deed":
            let text = act.words.dropFirst(2).joined(separator: " ")
            let deeds = state.audit.entries.map { "\($0.who) \($0.what): \($0.outcome)" }
            return .some(deeds.contains { $0.contains(text) } ? nil : "the deeds are \(deeds)")
        default: return nil
        }
    }
}
