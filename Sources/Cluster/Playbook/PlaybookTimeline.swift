/// What a run of a playbook does and when, as far as it can be told before: for those who approve it.
///
/// Offsets count from the start of the run. The earliest is reached when everything that can be done at once is; the
/// latest when every step needs all of its time.
package struct PlaybookTimeline: Hashable, Sendable {
    package struct Line: Hashable, Sendable {
        /// `3.2` is the second step of the third, which is a `for-each`.
        package var number: String
        /// Where the step begins in its file.
        package var line: Int
        /// 0 is a step of the playbook itself.
        package var depth: Int
        /// Of the nearest `for-each`; nil outside, and where its items are not known yet.
        package var item: String?
        package var earliest: Duration
        package var latest: Duration
        package var text: String
        package var timeout: Duration
        /// What takes it back; nil when there is nothing to take back.
        package var undo: String?
        package var waitsForApproval: Bool
    }

    /// More than anybody approves line by line.
    package static let lineLimit = 2000

    package private(set) var lines: [Line] = []
    /// Of the whole run.
    package private(set) var earliestEnd = Duration.zero
    package private(set) var latestEnd = Duration.zero
    /// There are more than `lineLimit` steps; offsets are right all the same.
    package private(set) var isCut = false

    private let facts: Facts
    /// The node the newest drain so far puts into maintenance, in words.
    private var drained: String?

    /// What is known of the cluster; nil is not known.
    package struct Facts: Hashable, Sendable {
        package var seats: [String]?
        /// Without witnesses.
        package var nodes: [String]?
        /// The TTL served before the run.
        package var ttl: Duration?

        package init(seats: [String]? = nil, nodes: [String]? = nil, ttl: Duration? = nil) {
            self.seats = seats
            self.nodes = nodes
            self.ttl = ttl
        }

        package init(_ settings: ClusterSettings) {
            seats = settings.seats.map(\.name)
            let full = settings.nodes.filter { $0.kind == .full }.map(\.name).sorted()
            nodes = full.isEmpty ? nil : full
            ttl = settings.dns?.ttl
        }

        /// Nil when they are not known yet.
        package func names(of items: PlaybookItems) -> [String]? {
            switch items {
            case .seats: seats
            case .nodes: nodes
            case .named(let names): names
            }
        }
    }

    /// What stands for `${item}` and `${node}`; nil leaves them as they are.
    fileprivate struct Names {
        var item: String?
        var drained: String?
    }

    fileprivate init(_ steps: [PlaybookStep], facts: Facts) {
        self.facts = facts
        add(steps, prefix: "", depth: 0, item: nil, earliest: .zero, latest: .zero)
        earliestEnd = steps.reduce(.zero) { $0 + $1.shortest(facts) }
        latestEnd = steps.reduce(.zero) { $0 + $1.longest(facts) }
    }

    private mutating func add(
        _ steps: [PlaybookStep], prefix: String, depth: Int, item: String?, earliest: Duration,
        latest: Duration
    ) {
        var (earliest, latest) = (earliest, latest)
        for (index, step) in steps.enumerated() {
            if lines.count >= Self.lineLimit {
                isCut = true
                return
            }
            let number = "\(prefix)\(index + 1)"
            if case .drain(let target, _, _, _) = step.action {
                let name = target.naming(Names(item: item))
                drained = facts.nodes?.contains(name) == true ? name : "the node drained of \(name)"
            }
            let names = Names(item: item, drained: drained)
            lines.append(
                Line(
                    number: number, line: step.line, depth: depth, item: item, earliest: earliest,
                    latest: latest, text: step.action.text(names), timeout: step.timeout,
                    undo: step.undoText(names), waitsForApproval: step.action.waitsForApproval))
            if case .forEach(let items, let atMost, let pause, let inner) = step.action {
                let shortest = inner.reduce(Duration.zero) { $0 + $1.shortest(facts) } + pause
                let longest = inner.reduce(Duration.zero) { $0 + $1.longest(facts) } + pause
                // Unknown items are shown once, as what happens to each.
                let names: [String?] = facts.names(of: items) ?? [nil]
                for (turn, name) in names.enumerated() {
                    let round = turn / max(1, atMost)
                    add(
                        inner, prefix: "\(number).", depth: depth + 1, item: name,
                        earliest: earliest + shortest * round,
                        latest: min(latest + longest * round, latest + step.timeout))
                }
            }
            earliest += step.shortest(facts)
            latest += step.longest(facts)
        }
    }
}

extension Playbook {
    /// - Parameters:
    ///   - seats: in the order of the cluster file; nil when they are not known.
    ///   - nodes: without witnesses, sorted; nil when they are not known.
    ///   - ttl: served before the run; nil when it is not known.
    package func timeline(seats: [String]?, nodes: [String]?, ttl: Duration? = nil) -> PlaybookTimeline {
        timeline(.init(seats: seats, nodes: nodes, ttl: ttl))
    }

    package func timeline(_ facts: PlaybookTimeline.Facts) -> PlaybookTimeline {
        PlaybookTimeline(steps, facts: facts)
    }

    /// No run takes less: waits, pauses and forgotten TTLs; a drain or a program can be done at once.
    package func minimum(_ facts: PlaybookTimeline.Facts) -> Duration {
        steps.reduce(.zero) { $0 + $1.shortest(facts) }
    }
}

extension PlaybookStep {
    /// No run of this step takes less.
    package func shortest(_ facts: PlaybookTimeline.Facts) -> Duration {
        switch action {
        case .wait(let duration): return duration
        case .lowerTTL: return facts.ttl ?? .zero
        case .forEach(let items, let atMost, let pause, let steps):
            let count = facts.names(of: items)?.count ?? 1
            let rounds = (count + max(1, atMost) - 1) / max(1, atMost)
            let each = steps.reduce(Duration.zero) { $0 + $1.shortest(facts) }
            return rounds == 0 ? .zero : each * rounds + pause * (rounds - 1)
        default: return .zero
        }
    }

    /// A step that is not done by then has failed.
    fileprivate func longest(_ facts: PlaybookTimeline.Facts) -> Duration {
        guard case .forEach(let items, let atMost, let pause, let steps) = action,
            let count = facts.names(of: items)?.count
        else { return timeout }
        let rounds = (count + max(1, atMost) - 1) / max(1, atMost)
        let each = steps.reduce(Duration.zero) { $0 + $1.longest(facts) } + pause
        return min(timeout, each * rounds)
    }

    fileprivate func undoText(_ names: PlaybookTimeline.Names) -> String? {
        let own: String? =
            switch action {
            case .drain: "undrain the node it put into maintenance"
            case .switchover(let seat, _): "move \(seat.naming(names)) back"
            case .lowerTTL: "serve the former TTL again"
            default: nil
            }
        let parts = [own, undo.map { $0.text(names) }].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }
}

extension PlaybookAction {
    package var waitsForApproval: Bool {
        if case .approve = self { return true }
        return false
    }

    /// One line, for people.
    fileprivate func text(_ names: PlaybookTimeline.Names) -> String {
        let text: String =
            switch self {
            case .drain(let target, let deadline, let onDeadline, let reason):
                "drain \(target)"
                    + (deadline.map {
                        ($0 == .zero
                            ? ", calls are not waited for: " : ", calls have \($0.timelineText), then ")
                            + onDeadline.rawValue
                    } ?? ", calls have as long as they need")
                    + (reason.isEmpty ? "" : " (\(reason))")
            case .undrain(let node): "undrain \(node)"
            case .switchover(let seat, let to): "switch \(seat) over to \(to ?? "the next slave")"
            case .lowerTTL(let ttl):
                "serve every record with a TTL of \(ttl.timelineText), wait until the former one is forgotten"
            case .wait(let duration): "wait \(duration.timelineText)"
            case .run(let order): "run \(order.text(names))"
            case .check(let check, let interval):
                "check that \(check.text(names)), every \(interval.timelineText)"
            case .notify(.command(let order)): "notify: run \(order.text(names))"
            case .notify(.webhook(let url)): "notify \(url)"
            case .approve(let question): "WAITS FOR APPROVAL: \(question)"
            case .forEach(let items, let atMost, let pause, _):
                "for each of \(items.text), \(atMost == 1 ? "one at a time" : "at most \(atMost) at once")"
                    + (pause == .zero ? "" : ", a pause of \(pause.timelineText) after each")
            case .fail(let node): "END THE NODE SERVICE of \(node) on purpose"
            }
        return text.naming(names)
    }
}

extension PlaybookItems {
    fileprivate var text: String {
        switch self {
        case .seats: "the seats"
        case .nodes: "the nodes"
        case .named(let names): names.joined(separator: ", ")
        }
    }
}

extension PlaybookCheck {
    fileprivate func text(_ names: PlaybookTimeline.Names) -> String {
        switch self {
        case .options(let endpoint): "\(endpoint) answers OPTIONS"
        case .tcp(let endpoint): "\(endpoint) accepts TCP"
        case .http(let url, let status): "\(url) answers \(status)"
        case .command(let order): "\(order.text(names)) succeeds"
        case .callsBelow(let count, let node): "\(node ?? "the cluster") has fewer than \(count) calls"
        case .registrationsConverged: "every switch has every registration"
        case .zoneConverged: "every DNS server serves what was decided"
        case .headroom(let slaves):
            "every seat is held and published, and \(slaves) slave\(slaves == 1 ? " is" : "s are") ready"
        }
    }
}

extension CommandOrder {
    fileprivate func text(_ names: PlaybookTimeline.Names) -> String {
        let words = [program] + arguments.map { $0.contains(" ") || $0.isEmpty ? "\"\($0)\"" : $0 }
        return "\(words.joined(separator: " ")) on \(node.isEmpty ? "the leader" : node)".naming(names)
    }
}

extension String {
    fileprivate func naming(_ names: PlaybookTimeline.Names) -> String {
        let named = names.item.map { replacing("${item}", with: $0) } ?? self
        return names.drained.map { named.replacing("${node}", with: $0) } ?? named
    }
}

extension Duration {
    /// `1h30m`, `250ms`.
    package var timelineText: String {
        let seconds = wholeSeconds
        let milliseconds = nanoseconds / 1_000_000 % 1000
        let parts = [
            (seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
            (milliseconds, "ms"),
        ]
        let text = parts.filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }.joined()
        return text.isEmpty ? "0s" : text
    }
}
