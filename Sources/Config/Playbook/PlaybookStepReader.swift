import Cluster
import XML

/// The steps, each with what it takes when it does not say.
extension PlaybookReader {
    static let stepNames = [
        "drain", "undrain", "switchover", "lower-ttl", "wait", "run", "check", "notify", "approve",
        "for-each", "fail",
    ]
    private static let textLimit = 200
    private static let longest = Duration.seconds(365 * 86_400)
    private static let timeouts = Duration.seconds(1) ... .seconds(7 * 86_400)

    /// The steps among the children of an element.
    ///
    /// - Parameter others: children that are read elsewhere.
    mutating func steps(of element: Element, besides others: [String] = []) -> [PlaybookStep] {
        var steps: [PlaybookStep] = []
        for child in element.children where !others.contains(child.name) {
            guard Self.stepNames.contains(child.name) else {
                findings.error(
                    "unknown step \(child.tag) in \(element.tag); the steps are: "
                        + Self.stepNames.joined(separator: ", "), at: child.place)
                continue
            }
            stepCount += 1
            if stepCount == PlaybookFile.stepLimit + 1 {
                findings.error("more than \(PlaybookFile.stepLimit) steps", at: child.place)
            }
            // A deeper tree than any step may have is not followed.
            if stepCount > PlaybookFile.stepLimit { continue }
            if let step = step(child) { steps.append(step) }
        }
        return steps
    }

    private mutating func step(_ element: Element) -> PlaybookStep? {
        if element.name == "for-each" { return forEach(element) }
        let holds = ["run": ["argument", "environment"], "check": ["run"], "notify": ["run"]]
        allow(element, children: (holds[element.name] ?? []) + ["undo"])
        refuseText(in: element)
        guard let (action, timeout) = action(element) else {
            _ = undo(element)
            return nil
        }
        // Its own drain is one that comes before its undo.
        if case .drain = action { hasDrained = true }
        return PlaybookStep(line: element.place.line, action: action, timeout: timeout, undo: undo(element))
    }

    private mutating func action(_ element: Element) -> (PlaybookAction, Duration)? {
        switch element.name {
        case "drain": drain(element)
        case "undrain": undrain(element)
        case "switchover": switchover(element)
        case "lower-ttl": lowerTTL(element)
        case "wait": wait(element)
        case "run": run(element)
        case "check": playbookCheck(element)
        case "notify": notify(element)
        case "approve": approve(element)
        default: fail(element)
        }
    }

    mutating func timeout(_ element: Element, otherwise: Duration) -> Duration? {
        if element.value("timeout") == nil { return otherwise }
        return duration(element, "timeout", in: Self.timeouts)
    }

    private mutating func undo(_ element: Element) -> CommandOrder? {
        let undos = children(element, named: "undo", limit: 1)
        guard let undo = undos.first else { return nil }
        check(undo, required: [])
        allow(undo, children: ["run"])
        refuseText(in: undo)
        return onlyRun(undo)
    }

    /// The one `<run>` inside an element.
    mutating func onlyRun(_ element: Element) -> CommandOrder? {
        let runs = children(element, named: "run", limit: 1)
        guard let run = runs.first else {
            findings.error("\(element.tag) needs a <run>", at: element.place)
            return nil
        }
        allow(run, children: ["argument", "environment"])
        return order(run)
    }

    // MARK: - Kinds

    private mutating func drain(_ written: Element) -> (PlaybookAction, Duration)? {
        // A drain that cannot be read is still one, for those that come after it.
        defer { hasDrained = true }
        let element = opened(
            written, required: ["target"], optional: ["deadline", "on-deadline", "reason", "timeout"],
            runtime: ["target", "reason"])
        let target = clusterName(element, "target", .target)
        let deadline = duration(element, "deadline", in: .zero ... .seconds(86_400))
        let choices = Drain.OnDeadline.allCases.map { (name: $0.rawValue, value: $0) }
        let onDeadline = choice(element, "on-deadline", choices, otherwise: .wait)
        checkText(element, "reason", limit: Self.textLimit)
        if let onDeadline, onDeadline != .wait, written.value("deadline") == nil {
            findings.error(
                "<drain> on-deadline=\(quoted(onDeadline.rawValue)) needs a deadline=, for example "
                    + "deadline=\"45m\"", at: element.place)
        }
        // Handed over calls end at their own time, and until then there is no maintenance address for another drain.
        let patience: Duration = onDeadline == .handover ? .seconds(4 * 3600) : .seconds(900)
        let usual = deadline.map { $0 + patience } ?? .seconds(4 * 3600)
        guard let target, let onDeadline, let timeout = timeout(element, otherwise: usual) else { return nil }
        if let deadline, timeout <= deadline {
            refuse(
                element, "timeout",
                "must be longer than deadline=\(DurationText.text(deadline)), or the step fails before it")
            return nil
        }
        let reason = element.value("reason") ?? ""
        return (
            .drain(target: target, deadline: deadline, onDeadline: onDeadline, reason: reason), timeout
        )
    }

    private mutating func undrain(_ written: Element) -> (PlaybookAction, Duration)? {
        let element = opened(written, required: ["node"], optional: ["timeout"], runtime: ["node"])
        let timeout = timeout(element, otherwise: .seconds(300))
        guard let node = clusterName(element, "node", .node), let timeout else { return nil }
        return (.undrain(node: node), timeout)
    }

    private mutating func switchover(_ written: Element) -> (PlaybookAction, Duration)? {
        let element = opened(
            written, required: ["seat"], optional: ["to", "timeout"], runtime: ["seat", "to"])
        let seat = clusterName(element, "seat", .target)
        let to = clusterName(element, "to", .node)
        let timeout = timeout(element, otherwise: .seconds(300))
        guard let seat, let timeout, to != nil || element.value("to") == nil else { return nil }
        return (.switchover(seat: seat, to: to), timeout)
    }

    private mutating func lowerTTL(_ written: Element) -> (PlaybookAction, Duration)? {
        let element = opened(written, required: ["to"], optional: ["timeout"])
        let ttl = duration(element, "to", in: .seconds(1) ... .seconds(3600))
        let timeout = timeout(element, otherwise: .seconds(3600))
        guard let ttl, let timeout else { return nil }
        if ttl.components.attoseconds != 0 {
            refuse(element, "to", "must be whole seconds, as DNS counts them")
            return nil
        }
        guard let cluster else { return (.lowerTTL(ttl), timeout) }
        guard let former = cluster.dns?.ttl else {
            findings.error("<lower-ttl> means nothing to a cluster that keeps no DNS zone", at: element.place)
            return nil
        }
        if ttl > former {
            refuse(element, "to", "is longer than the zone's TTL, \(DurationText.text(former))")
        } else if ttl == former {
            findings.warn(
                "<lower-ttl> to=\(DurationText.text(ttl)) is the zone's TTL already", at: element.place)
        }
        if timeout <= former {
            findings.error(
                "<lower-ttl> waits until the zone's TTL of \(DurationText.text(former)) is forgotten; its "
                    + "timeout=\(DurationText.text(timeout)) must be longer", at: element.place)
        }
        return (.lowerTTL(ttl), timeout)
    }

    private mutating func wait(_ written: Element) -> (PlaybookAction, Duration)? {
        let element = opened(written, required: ["for"], optional: ["timeout"])
        guard let time = duration(element, "for", in: Self.timeouts),
            let timeout = timeout(element, otherwise: time + .seconds(60))
        else { return nil }
        if timeout <= time {
            refuse(element, "timeout", "must be longer than for=\(DurationText.text(time))")
            return nil
        }
        return (.wait(time), timeout)
    }

    private mutating func approve(_ written: Element) -> (PlaybookAction, Duration)? {
        let element = opened(written, required: ["ask"], optional: ["timeout"], runtime: ["ask"])
        checkText(element, "ask", limit: Self.textLimit)
        let timeout = timeout(element, otherwise: .seconds(3600))
        guard let ask = element.value("ask"), let timeout else { return nil }
        return (.approve(ask), timeout)
    }

    private mutating func fail(_ written: Element) -> (PlaybookAction, Duration)? {
        let element = opened(written, required: ["node"], optional: ["timeout"], runtime: ["node"])
        let timeout = timeout(element, otherwise: .seconds(60))
        guard let node = clusterName(element, "node", .node), let timeout else { return nil }
        return (.fail(node: node), timeout)
    }

    // MARK: - For each

    private mutating func forEach(_ written: Element) -> PlaybookStep? {
        let element = opened(written, required: ["over"], optional: ["at-most", "pause"])
        refuseText(in: element)
        let items = items(element)
        let atMost = element.value("at-most") == nil ? 1 : number(element, "at-most", in: 1...64)
        let pause =
            element.value("pause") == nil ? .zero : duration(element, "pause", in: .zero ... .seconds(86_400))
        if scope.depth >= PlaybookFile.depthLimit {
            findings.error(
                "<for-each> inside each other more than \(PlaybookFile.depthLimit) deep", at: element.place)
            return nil
        }
        let outer = scope
        // Of items that were not understood only their names are unknown.
        scope = Scope(items: items ?? .named([]), depth: outer.depth + 1)
        let steps = steps(of: element)
        scope = outer
        if element.children.isEmpty { findings.error("<for-each> has no steps", at: element.place) }
        guard let items, let atMost, let pause else { return nil }
        let count = facts.names(of: items)?.count ?? ClusterReader.nodeLimit
        let rounds = (count + atMost - 1) / atMost
        let each = steps.reduce(pause) { $0 + $1.timeout }
        // What its steps may need for all items: it has no clock of its own.
        let timeout = min(max(each * rounds, .seconds(1)), Self.longest)
        return PlaybookStep(
            line: element.place.line,
            action: .forEach(items, atMost: atMost, pause: pause, steps: steps), timeout: timeout)
    }

    /// `seats`, `nodes`, or names with blanks between.
    private mutating func items(_ element: Element) -> PlaybookItems? {
        guard let text = element.value("over") else { return nil }
        if text == "seats" { return .seats }
        if text == "nodes" { return .nodes }
        let names = text.split { $0.isWhitespace || $0 == "," }.map(String.init)
        guard (1...64).contains(names.count) else {
            refuse(element, "over", "must be seats, nodes, or 1 to 64 names of either with blanks between")
            return nil
        }
        var seen: Set<String> = []
        var isGood = true
        for name in names {
            let reason: String? =
                !Name.isValid(name)
                ? "is no name; a name is \(Name.rule)"
                : !seen.insert(name).inserted ? "stands there twice" : unknown(name, .target)
            if let reason {
                findings.error(
                    "<for-each> over=\(quoted(text)): \(quoted(name)) \(reason)", at: element.place)
                isGood = false
            }
        }
        return isGood ? .named(names) : nil
    }
}
