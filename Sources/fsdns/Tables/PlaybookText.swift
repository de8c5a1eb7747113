import Calendar
import Cluster
import Config

/// A checked playbook: its timeline and when it is due next, for people or for programs.
struct PlaybookText {
    /// Due times that are shown.
    private static let dueCount = 3

    var file: PlaybookFile
    var facts: PlaybookTimeline.Facts
    var zones: ZoneInfo

    /// One time a run is due.
    struct Due: Encodable {
        /// In the zone of the schedule.
        var local: StatusDocument.Nullable<String>
        var utc: String
        /// Whether the playbook's window is open then; a run does not start outside it.
        var starts: Bool
    }

    struct Step: Encodable {
        var number: String
        var line: Int
        var depth: Int
        var item: StatusDocument.Nullable<String>
        var earliestMs: Int64
        var latestMs: Int64
        var text: String
        var timeoutMs: Int64
        var undo: StatusDocument.Nullable<String>
        var waitsForApproval: Bool
    }

    /// The keys of `fsdns playbook check --format json`.
    struct Document: Encodable {
        var name: String
        var summary: String
        var conditions: [String]
        var rollback: Bool
        var steps: [Step]
        var isCut: Bool
        var earliestEndMs: Int64
        var latestEndMs: Int64
        var due: [Due]
        var warnings: [String]
    }

    func lines(at now: WallTime) -> [String] {
        let playbook = file.playbook
        return playbook.timeline(facts).texts(of: playbook) + dueLines(at: now)
    }

    /// When it is due next; nothing for a playbook that runs only when somebody says so.
    func dueLines(at now: WallTime) -> [String] {
        guard file.playbook.schedule != nil else { return [] }
        let dues = dues(after: now)
        guard !dues.isEmpty else { return ["not due any more"] }
        return ["next due:"]
            + dues.map { due in
                "  " + (due.local.value.map { "\($0), " } ?? "") + due.utc
                    + (due.starts ? "" : ": outside the window, does not start")
            }
    }

    func document(at now: WallTime) -> Document {
        let playbook = file.playbook
        let timeline = playbook.timeline(facts)
        return Document(
            name: playbook.name, summary: playbook.summary, conditions: playbook.conditions,
            rollback: playbook.rollsBack,
            steps: timeline.lines.map { line in
                Step(
                    number: line.number, line: line.line, depth: line.depth, item: .init(line.item),
                    earliestMs: Self.milliseconds(line.earliest), latestMs: Self.milliseconds(line.latest),
                    text: line.text, timeoutMs: Self.milliseconds(line.timeout), undo: .init(line.undo),
                    waitsForApproval: line.waitsForApproval)
            },
            isCut: timeline.isCut, earliestEndMs: Self.milliseconds(timeline.earliestEnd),
            latestEndMs: Self.milliseconds(timeline.latestEnd), due: dues(after: now),
            warnings: file.warnings.map { "\($0.file):\($0.line): \($0.message)" })
    }

    private static func milliseconds(_ duration: Duration) -> Int64 {
        duration.nanoseconds / 1_000_000
    }

    /// The next ones; none for a playbook that runs only when somebody says so.
    private func dues(after now: WallTime) -> [Due] {
        guard let schedule = file.playbook.schedule else { return [] }
        // Zones were found when the file was read.
        let own = schedule.zone.flatMap { try? zones.rules(of: $0) }
        let window = file.playbook.window
        let ofWindow = window.flatMap { try? zones.rules(of: $0.zone) }
        var found: [Due] = []
        var last = now
        while found.count < Self.dueCount, let due = schedule.nextDue(after: last, rules: own ?? .utc) {
            var starts = true
            if let window, let ofWindow { starts = window.isOpen(at: due, rules: ofWindow) }
            let shown = own ?? ofWindow
            found.append(Due(local: .init(shown?.text(due)), utc: due.text, starts: starts))
            last = due
        }
        return found
    }
}
