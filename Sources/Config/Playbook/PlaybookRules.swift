import Calendar
import Cluster
import Primitives
import XML

/// The rules between elements of a playbook, and between it and the cluster.
extension PlaybookReader {
    /// Tells unknown and missing attributes, and gives back the element without those that hold a name only a run
    /// knows where that means nothing.
    ///
    /// - Parameter runtime: attributes that may hold `${item}` and `${node}`.
    mutating func opened(
        _ element: Element, required: [String], optional: [String] = [], runtime: [String] = []
    ) -> Element {
        check(element, required: required, optional: optional)
        var element = element
        let written = element.attributes
        element.attributes = []
        for attribute in written {
            guard attribute.value.contains("${") else {
                element.attributes.append(attribute)
                continue
            }
            // A parameter without a value was told already.
            if Self.hasLeftover(attribute.value) { continue }
            let reasons =
                runtime.contains(attribute.name)
                ? obstacles(attribute.value)
                : ["must be known before a run; ${item} and ${node} are known only to one"]
            for reason in reasons {
                findings.error(
                    "\(element.tag) \(attribute.name)=\(quoted(attribute.value)) \(reason)", at: element.place
                )
            }
            if reasons.isEmpty { element.attributes.append(attribute) }
        }
        return element
    }

    /// Why `${item}` or `${node}` means nothing here; each the rest of a sentence.
    func obstacles(_ text: String) -> [String] {
        var reasons: [String] = []
        if text.contains("${item}"), scope.items == nil {
            reasons.append("means the item of a <for-each>, and there is none about it")
        }
        if text.contains("${node}"), !hasDrained {
            reasons.append("means the node a drain put into maintenance, and no <drain> comes before it")
        }
        return reasons
    }

    /// Whether references are left when those of a run are gone: a parameter without a value.
    static func hasLeftover(_ text: String) -> Bool {
        text.replacing("${item}", with: "").replacing("${node}", with: "").contains("${")
    }

    // MARK: - Names

    enum Kind: String {
        case node
        case target = "seat or node"
    }

    /// A name of the cluster; it may hold `${item}` and `${node}`.
    mutating func clusterName(_ element: Element, _ attribute: String, _ kind: Kind) -> String? {
        guard let text = element.value(attribute) else { return nil }
        let shape = text.replacing("${item}", with: "x").replacing("${node}", with: "x")
        guard Name.isValid(shape) else {
            refuse(element, attribute, "is no name; a name is \(Name.rule)")
            return nil
        }
        for name in expansions(text) {
            if let reason = unknown(name, kind) {
                let item = name == text ? "" : " for the item \(quoted(name))"
                refuse(element, attribute, "\(reason)\(item)")
                return nil
            }
        }
        return text
    }

    /// What the text says for each item; empty while that cannot be known.
    private func expansions(_ text: String) -> [String] {
        if text.contains("${node}") { return [] }
        guard text.contains("${item}") else { return [text] }
        guard let items = scope.items, let names = facts.names(of: items) else { return [] }
        return names.map { text.replacing("${item}", with: $0) }
    }

    /// Why the cluster does not know it; the rest of a sentence.
    func unknown(_ name: String, _ kind: Kind) -> String? {
        guard let cluster else { return nil }
        let seats = cluster.seats.map(\.name)
        let nodes = cluster.nodes.filter { $0.kind == .full }.map(\.name)
        if kind == .target, seats.contains(name) { return nil }
        // Nodes that find each other have names the file does not know.
        if nodes.contains(name) || cluster.nodes.isEmpty { return nil }
        if cluster.nodes.contains(where: { $0.name == name }) {
            return "is a witness, which holds no seat and runs no programs"
        }
        let knownSeats = "the seats are \(seats.joined(separator: ", "))"
        let knownNodes = "the nodes are \(nodes.joined(separator: ", "))"
        switch kind {
        case .node: return "is an unknown node; \(knownNodes)"
        case .target: return "is an unknown seat or node; \(knownSeats); \(knownNodes)"
        }
    }

    // MARK: - Texts

    /// One line for people, not empty.
    mutating func checkText(_ element: Element, _ attribute: String, limit: Int) {
        guard let text = element.value(attribute) else { return }
        if text.allSatisfy(\.isWhitespace) {
            refuse(element, attribute, "is empty")
        } else if text.utf8.count > limit {
            refuse(element, attribute, "is longer than \(limit) bytes")
        } else if !VisibleText.isPlain(text) {
            // A node takes no other in a request.
            refuse(element, attribute, "holds a control character, or one that nobody sees")
        }
    }

    mutating func refuseText(in element: Element) {
        for text in element.texts {
            findings.error("text is not expected inside \(element.tag)", at: text.near)
        }
    }

    // MARK: - Window

    mutating func checkWindow(
        _ window: PlaybookWindow, schedule: PlaybookSchedule?, steps: [PlaybookStep], at place: Place
    ) {
        let minimum = steps.reduce(Duration.zero) { $0 + $1.shortest(facts) }
        if window.length <= minimum {
            findings.error(
                "<window> is \(window.length.timelineText) long, but the steps need at least "
                    + "\(minimum.timelineText); no run could end in it", at: place)
        }
        switch schedule {
        case .cron(let line, let zone)? where zone == window.zone && !window.admits(line):
            findings.error(
                "no due time of \(quoted(line.text)) lies in the window, \(window.text); "
                    + "no run would ever start", at: place)
        case .once(let time)?:
            // Told already when the zone cannot be used.
            guard let rules = try? zones.rules(of: window.zone) else { return }
            guard let opening = window.opening(at: time, rules: rules) else {
                findings.error(
                    "the one due time, \(rules.text(time)), lies outside the window, \(window.text)",
                    at: place)
                return
            }
            let left = Duration.seconds(opening.ends.seconds - time.seconds)
            if left <= minimum, window.length > minimum {
                findings.error(
                    "of the window \(left.timelineText) are left at the due time, but the steps need at "
                        + "least \(minimum.timelineText)", at: place)
            }
        default: break
        }
    }

    mutating func checkExpansion(_ steps: [PlaybookStep], at place: Place) {
        let count = steps.reduce(0) { $0 + expandedCount($1) }
        if count > PlaybookFile.expandedLimit {
            findings.error(
                "a run would have more than \(PlaybookFile.expandedLimit) steps, every item counted",
                at: place)
        }
    }

    /// Up to some more than the limit.
    private func expandedCount(_ step: PlaybookStep) -> Int {
        guard case .forEach(let items, _, _, let steps) = step.action else { return 1 }
        let inner = steps.reduce(0) { $0 + expandedCount($1) }
        return min(PlaybookFile.expandedLimit + 1, inner * (facts.names(of: items)?.count ?? 1))
    }
}
