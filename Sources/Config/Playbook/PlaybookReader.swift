import Calendar
import Cluster
import XML

/// Reads the tree of a playbook into a value, and goes on after every mistake to find the next.
struct PlaybookReader: AttributeReading {
    static let headers = ["parameter", "schedule", "window", "abort-if"]

    /// What `${item}` and `${node}` mean where the reader is.
    struct Scope {
        /// Of the nearest `for-each`; nil outside.
        var items: PlaybookItems?
        /// How many `for-each` are about.
        var depth = 0
    }

    var findings: Findings
    let cluster: ClusterSettings?
    let facts: PlaybookTimeline.Facts
    let zones: ZoneInfo

    /// Parameters: where each is declared, what it stands for, and whether anything uses it.
    var declared: [String: Place] = [:]
    var values: [String: String] = [:]
    var used: Set<String> = []
    var filledBytes = 0

    var scope = Scope()
    /// Whether a drain comes before, so that `${node}` is known.
    var hasDrained = false
    var stepCount = 0
    private var rules: [String: TimeZoneRules] = [:]

    init(findings: Findings, cluster: ClusterSettings?, zones: ZoneInfo) {
        self.findings = findings
        self.cluster = cluster
        self.zones = zones
        facts = cluster.map { .init($0) } ?? .init()
    }

    /// Nil only when there are errors.
    mutating func playbook(_ root: Element, parameters: [String: String]) -> Playbook? {
        guard root.name == "playbook" else {
            findings.error(
                "the root element must be <playbook xmlns=\"\(Element.playbookNamespace)\">, not \(root.tag)",
                at: root.place)
            return nil
        }
        readParameters(root, given: parameters)
        let written = filled(root)
        let root = opened(written, required: ["name", "summary"], optional: ["rollback"])
        refuseText(in: root)
        let name = name(root, "name")
        checkText(root, "summary", limit: 200)
        let rollsBack = choice(root, "rollback", [("yes", true), ("no", false)], otherwise: true)
        let sections = sections(of: root)
        let schedule = sections["schedule"].flatMap { self.schedule($0) }
        let window = sections["window"].flatMap { self.window($0) }
        let aborts = sections["abort-if"].map { self.aborts($0) } ?? PlaybookAborts()
        let steps = steps(of: root, besides: Self.headers)
        warnOfUnused()
        if let place = sections["window"]?.place, let window {
            checkWindow(window, schedule: schedule, steps: steps, at: place)
        }
        guard findings.errors.isEmpty, let name, let rollsBack else { return nil }
        checkExpansion(steps, at: root.place)
        return Playbook(
            name: name, summary: root.value("summary") ?? "", steps: steps, schedule: schedule,
            window: window, aborts: aborts, rollsBack: rollsBack)
    }

    /// What stands before the steps, each at most once.
    private mutating func sections(of root: Element) -> [String: Element] {
        var sections: [String: Element] = [:]
        var firstStep: Element?
        for child in root.children {
            guard Self.headers.contains(child.name) else {
                firstStep = firstStep ?? child
                continue
            }
            if let firstStep {
                findings.error(
                    "\(child.tag) stands before all steps; there is one in "
                        + firstStep.place.words(from: child.place), at: child.place)
            }
            if child.name == "parameter" { continue }
            if let first = sections[child.name] {
                findings.error(
                    "\(child.tag) stands here a second time, after \(first.place.words(from: child.place))",
                    at: child.place)
            } else {
                sections[child.name] = child
            }
        }
        if firstStep == nil { findings.error("<playbook> has no steps", at: root.place) }
        return sections
    }

    // MARK: - Calendar

    mutating func zoneRules(_ element: Element) -> (name: String, rules: TimeZoneRules)? {
        guard let zone = element.value("zone") else { return nil }
        if let known = rules[zone] { return (zone, known) }
        do {
            let found = try zones.rules(of: zone)
            rules[zone] = found
            return (zone, found)
        } catch {
            refuse(element, "zone", error.reason)
            return nil
        }
    }

    private mutating func schedule(_ written: Element) -> PlaybookSchedule? {
        let element = opened(written, required: ["zone"], optional: ["cron", "at"])
        allow(element, children: [])
        refuseText(in: element)
        let zone = zoneRules(element)
        if (written.value("cron") == nil) == (written.value("at") == nil) {
            findings.error("<schedule> needs cron= or at=, one of them", at: element.place)
            return nil
        }
        if let text = element.value("cron") {
            do throws(CronLine.Refusal) {
                let line = try CronLine(parsing: text)
                return zone.map { .cron(line, zone: $0.name) }
            } catch {
                refuse(element, "cron", error.reason)
            }
        }
        guard let local = localTime(element, "at"), let (name, rules) = zone else { return nil }
        let instant = rules.instant(of: local)
        if !rules.exists(local) {
            refuse(
                element, "at", "does not exist in \(name): the clocks go on to \(rules.text(instant)) there")
            return nil
        }
        if rules.secondInstant(of: local) != nil {
            findings.warn(
                "<schedule> at= comes twice in \(name), where clocks are set back; the first is meant, "
                    + rules.text(instant), at: element.place)
        }
        return .once(instant)
    }

    /// `2026-11-24T02:00:00`; the seconds may be left out.
    private mutating func localTime(_ element: Element, _ attribute: String) -> LocalTime? {
        guard let text = element.value(attribute) else { return nil }
        let shape = text.utf8.map { (48...57).contains($0) ? UInt8(ascii: "0") : $0 }
        let long = Array("0000-00-00T00:00:00".utf8)
        guard shape == long || shape == Array(long.prefix(16)) else {
            refuse(element, attribute, "is no local time like 2026-11-24T02:00:00")
            return nil
        }
        let numbers = text.split { !$0.isNumber }.compactMap { Int($0) }
        guard let date = CalendarDate(year: numbers[0], month: numbers[1], day: numbers[2]) else {
            refuse(element, attribute, "is an impossible date; the calendar has no such day")
            return nil
        }
        let second = numbers.count > 5 ? numbers[5] : 0
        guard numbers[3] < 24, numbers[4] < 60, second < 60 else {
            refuse(element, attribute, "is an impossible time of day")
            return nil
        }
        return LocalTime(date, hour: numbers[3], minute: numbers[4], second: second)
    }

    private mutating func window(_ written: Element) -> PlaybookWindow? {
        let element = opened(written, required: ["from", "to", "zone"], optional: ["days"])
        allow(element, children: [])
        refuseText(in: element)
        let zone = zoneRules(element)
        let from = clock(element, "from", most: 1439)
        let to = clock(element, "to", most: 1440)
        var weekdays: UInt8 = 0x7F
        if let text = element.value("days") {
            do throws(CronLine.Refusal) {
                // The days of a window are those of a cron line, in words.
                let list = text.split { $0 == " " || $0 == "," }.joined(separator: ",")
                weekdays = try CronLine(parsing: "0 0 * * \(list.isEmpty ? text : list)").weekdays
            } catch {
                refuse(element, "days", "is no list of days; write mon-fri, or sat sun")
            }
        }
        guard let from, let to, let zone else { return nil }
        if from == to {
            refuse(element, "to", "is when the window begins; from 00:00 to 24:00 is the whole day")
            return nil
        }
        return PlaybookWindow(from: from, to: to, weekdays: weekdays, zone: zone.name)
    }

    /// `02:30`, as minutes since midnight.
    private mutating func clock(_ element: Element, _ attribute: String, most: Int) -> Int? {
        guard let text = element.value(attribute) else { return nil }
        let parts = text.utf8.split(separator: 58, omittingEmptySubsequences: false)
        if parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy { (48...57).contains($0) } }),
            let hour = Int(String(parts[0]) ?? ""), let minute = Int(String(parts[1]) ?? ""), minute < 60,
            hour * 60 + minute <= most
        {
            return hour * 60 + minute
        }
        refuse(element, attribute, "is no time of day like 02:30")
        return nil
    }

    private mutating func aborts(_ written: Element) -> PlaybookAborts {
        let element = opened(
            written, required: [], optional: ["slaves-below", "node-fails", "quorum-thin"])
        allow(element, children: [])
        refuseText(in: element)
        let words = [("yes", true), ("no", false)]
        let slavesBelow = number(element, "slaves-below", in: 1...ClusterReader.nodeLimit)
        if let slavesBelow { checkSlaves(element, "slaves-below", slavesBelow) }
        return PlaybookAborts(
            slavesBelow: slavesBelow,
            onNodeFailure: choice(element, "node-fails", words, otherwise: true) ?? true,
            onThinQuorum: choice(element, "quorum-thin", words, otherwise: true) ?? true)
    }
}
