// A playbook's steps spread out: every `for-each` becomes its steps for every item, tied by what comes after what.

extension Playbook {
    package struct Obstacle: Error, Hashable, Sendable {
        package var reason: String
    }

    /// The steps of a run that starts now.
    package func expanded(in state: ControlState) throws(Obstacle) -> [RunStep] {
        var expansion = Expansion(state: state)
        _ = try expansion.add(steps, after: [], item: nil, iteration: [], pause: .zero)
        if expansion.steps.isEmpty { throw Obstacle(reason: "it has no step") }
        let text = expansion.steps.reduce(0) { $0 + $1.action.textSize + ($1.undo?.textSize ?? 0) }
        if text > PlaybookLimits.text {
            throw Obstacle(reason: "its steps are longer than \(PlaybookLimits.text) bytes")
        }
        return expansion.steps
    }

    private struct Expansion {
        let state: ControlState
        var steps: [RunStep] = []

        /// Returns the places after which what follows may begin.
        mutating func add(
            _ list: [PlaybookStep], after: [Int], item: String?, iteration: [Int], pause: Duration
        ) throws(Obstacle) -> [Int] {
            var ends = after
            var pause = pause
            for step in list {
                if case .forEach(let items, let atMost, let between, let inner) = step.action {
                    ends = try add(
                        inner, for: try names(items), atMost: max(1, atMost), pause: between, after: ends,
                        first: pause, iteration: iteration)
                } else {
                    guard steps.count < PlaybookLimits.steps else {
                        throw Obstacle(
                            reason: "it has more than \(PlaybookLimits.steps) steps with all its items")
                    }
                    steps.append(
                        RunStep(
                            line: step.line, action: step.action.replacing("${item}", with: item),
                            timeout: step.timeout, undo: step.undo?.replacing("${item}", with: item),
                            after: ends, pause: pause, iteration: iteration))
                    ends = [steps.count - 1]
                }
                pause = .zero
            }
            return ends
        }

        /// Item `n` begins when the one `atMost` before it is through.
        private mutating func add(
            _ inner: [PlaybookStep], for items: [String], atMost: Int, pause: Duration, after: [Int],
            first: Duration, iteration: [Int]
        ) throws(Obstacle) -> [Int] {
            var ends: [[Int]] = []
            for (number, item) in items.enumerated() {
                let before = number >= atMost ? ends[number - atMost] : after
                ends.append(
                    try add(
                        inner, after: before, item: item, iteration: iteration + [number],
                        pause: number >= atMost ? pause : first))
            }
            let last = ends.suffix(atMost).flatMap { $0 }
            return last.isEmpty ? after : Array(Set(last)).sorted()
        }

        private func names(_ items: PlaybookItems) throws(Obstacle) -> [String] {
            switch items {
            case .seats: return state.seats.map(\.name)
            case .nodes: return state.members.filter { $0.isActive && $0.kind == .full }.map(\.name)
            case .named(let names):
                if names.count > PlaybookLimits.steps {
                    throw Obstacle(reason: "a for-each has more than \(PlaybookLimits.steps) items")
                }
                return names
            }
        }
    }
}

extension PlaybookAction {
    /// Every text of it with a word replaced; nothing is when there is nothing to put in its place.
    func replacing(_ word: String, with text: String?) -> PlaybookAction {
        guard let text else { return self }
        func new(_ old: String) -> String { old.replacing(word, with: text) }
        switch self {
        case .drain(let target, let deadline, let onDeadline, let reason):
            return .drain(
                target: new(target), deadline: deadline, onDeadline: onDeadline, reason: new(reason))
        case .undrain(let node): return .undrain(node: new(node))
        case .switchover(let seat, let to): return .switchover(seat: new(seat), to: to.map(new))
        case .lowerTTL, .wait: return self
        case .run(let order): return .run(order.replacing(word, with: text))
        case .check(let check, let interval): return .check(check.mapped(new), interval: interval)
        case .notify(.command(let order)): return .notify(.command(order.replacing(word, with: text)))
        case .notify(.webhook(let url)): return .notify(.webhook(new(url)))
        case .approve(let question): return .approve(new(question))
        case .forEach: return self
        case .fail(let node): return .fail(node: new(node))
        }
    }

    /// What it does, in a few words.
    package var title: String {
        switch self {
        case .drain(let target, _, _, _): "drain \(target)"
        case .undrain(let node): "undrain \(node)"
        case .switchover(let seat, let to): "switch \(seat) over" + (to.map { " to \($0)" } ?? "")
        case .lowerTTL(let ttl): "lower the TTL to \(ttl.span)"
        case .wait(let duration): "wait \(duration.span)"
        case .run(let order): "run \(order.title)"
        case .check(let check, _): "check \(check.title)"
        case .notify(.command(let order)): "notify by \(order.title)"
        case .notify(.webhook(let url)): "notify \(url)"
        case .approve(let question): "approval: \(question)"
        case .forEach: "for each"
        case .fail(let node): "fail \(node)"
        }
    }

    var textSize: Int {
        switch self {
        case .drain(let target, _, _, let reason): target.utf8.count + reason.utf8.count
        case .run(let order), .notify(.command(let order)), .check(.command(let order), _): order.textSize
        case .notify(.webhook(let text)), .approve(let text), .check(.http(let text, _), _),
            .fail(let text), .undrain(let text):
            text.utf8.count
        case .switchover(let seat, let to): seat.utf8.count + (to?.utf8.count ?? 0)
        case .check(.callsBelow(_, let node), _): node?.utf8.count ?? 0
        case .forEach(let items, _, _, let steps): steps.textSize + items.textSize
        case .check, .lowerTTL, .wait: 0
        }
    }

    var holdsNode: Bool { self != replacing("${node}", with: "") }
}

extension PlaybookItems {
    var textSize: Int {
        if case .named(let names) = self { names.reduce(0) { $0 + $1.utf8.count + 8 } } else { 0 }
    }
}

extension [PlaybookStep] {
    var textSize: Int { reduce(0) { $0 + $1.action.textSize + ($1.undo?.textSize ?? 0) } }

    /// Those inside of others counted too.
    var writtenCount: Int {
        reduce(0) { count, step in
            if case .forEach(_, _, _, let steps) = step.action { return count + 1 + steps.writtenCount }
            return count + 1
        }
    }
}

extension PlaybookCheck {
    func mapped(_ new: (String) -> String) -> PlaybookCheck {
        switch self {
        case .http(let url, let status): .http(url: new(url), status: status)
        case .command(let order): .command(order.mapped(new))
        case .callsBelow(let count, let node): .callsBelow(count, node: node.map(new))
        case .options, .tcp, .registrationsConverged, .zoneConverged, .headroom: self
        }
    }

    package var title: String {
        switch self {
        case .options(let endpoint): "SIP OPTIONS at \(endpoint)"
        case .tcp(let endpoint): "TCP at \(endpoint)"
        case .http(let url, let status): "\(url) answers \(status)"
        case .command(let order): order.title
        case .callsBelow(let count, let node): "fewer than \(count) calls" + (node.map { " on \($0)" } ?? "")
        case .registrationsConverged: "registrations are everywhere"
        case .zoneConverged: "DNS is everywhere"
        case .headroom(let slaves): "every seat held and \(slaves) slaves ready"
        }
    }
}

extension CommandOrder {
    func replacing(_ word: String, with text: String?) -> CommandOrder {
        guard let text else { return self }
        return mapped { $0.replacing(word, with: text) }
    }

    var holdsNode: Bool { self != replacing("${node}", with: "") }

    func mapped(_ new: (String) -> String) -> CommandOrder {
        var order = self
        order.node = new(node)
        order.arguments = arguments.map(new)
        order.environment = environment.map { Variable(name: $0.name, value: new($0.value)) }
        return order
    }

    var textSize: Int {
        arguments.reduce(node.utf8.count + program.utf8.count) { $0 + $1.utf8.count }
            + environment.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
    }

    package var title: String {
        let text = ([program] + arguments).joined(separator: " ")
        return text.cut(to: 120) + (node.isEmpty ? "" : " on \(node)")
    }
}

extension Duration {
    /// `45 s`, or `1500 ms` when it is no whole number of seconds.
    var span: String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
    }
}

extension String {
    /// At most so many bytes from its beginning, whole characters only.
    func cut(to bytes: Int) -> String {
        if utf8.count <= bytes { return self }
        var kept = ""
        var size = 0
        for character in self {
            size += character.utf8.count
            if size > bytes - 3 { break }
            kept.append(character)
        }
        return kept + "…"
    }

    /// Without control characters but the ends of lines: a terminal shows it, and it is written in its own length.
    var printable: String {
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
            text.append(isControl && scalar != "\n" ? " " : scalar)
        }
        return String(text)
    }

    /// At most so many bytes from its end, whole characters only.
    func tail(of bytes: Int) -> String {
        if utf8.count <= bytes { return self }
        var start = endIndex
        var size = 0
        while start > startIndex {
            let before = index(before: start)
            size += self[before..<start].utf8.count
            if size > bytes { break }
            start = before
        }
        return String(self[start...])
    }
}
