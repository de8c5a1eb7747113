import Calendar
import Cluster
import Config

/// `fsdns playbook list` and `fsdns playbook history` for people.
struct PlaybookReportText {
    var paint: Paint
    /// Columns of the terminal; nil cuts nothing.
    var width: Int?
    var zones: ZoneInfo

    func list(_ report: PlaybookReport) -> [String] {
        let run = report.run.map(lines) ?? ["No playbook is running."]
        guard !report.schedules.isEmpty else { return run + ["", "No playbook is scheduled."] }
        return run + [""] + schedules(report.schedules).lines(paint: paint, width: width)
    }

    func history(_ runs: [FinishedRun]) -> [String] {
        guard !runs.isEmpty else { return ["No playbook has run yet."] }
        return runs.enumerated().flatMap { place, run in (place == 0 ? [] : [""]) + lines(run) }
    }

    // MARK: - Schedules

    private func schedules(_ schedules: [PlaybookReport.Schedule]) -> Table {
        let hasNotes = schedules.contains { $0.note != nil }
        var columns: [Table.Column] = [
            .init("SCHEDULED"), .init("NEXT DUE"), .init("UTC"), .init("WHEN"), .init("WINDOW"), .init("BY"),
        ]
        if hasNotes { columns.append(.init("NOTE")) }
        var table = Table(columns)
        for schedule in schedules {
            var row: [Table.Cell] = [
                .init(schedule.name, .bold), .init(schedule.localNext(zones) ?? schedule.missing),
                .init(schedule.next?.text ?? "-"), .init(schedule.schedule?.text ?? "-"),
                .init(schedule.window?.text ?? "-"), .init(schedule.who),
            ]
            if hasNotes { row.append(.init(schedule.note ?? "", .warn)) }
            table.add(row)
        }
        return table
    }

    // MARK: - The run under way

    private func lines(_ run: PlaybookReport.Run) -> [String] {
        var head = "Run of \(run.name) by \(run.who), for \(OperatorDuration.text(.seconds(run.age))): "
        head += run.phase + (run.trouble.map { ", \($0)" } ?? "")
        var lines = [paint(cut(head, to: width), run.phase == "running" ? .bold : .warn)]
        if !run.summary.isEmpty { lines.append(cut(run.summary, to: width)) }
        if let due = run.due { lines.append("It was due at \(due.text).") }
        if let remaining = run.remaining {
            lines.append(
                remaining > 0
                    ? "Its window closes in \(OperatorDuration.text(.seconds(remaining)))."
                    : "Its window has closed.")
        }
        var table = Table([.init("STEP", .right), .init("NODE"), .init("WHAT"), .init("OUTCOME")])
        for (place, step) in run.steps.enumerated() {
            let waiting = step.waitingFor.map { ", waits for \($0)" } ?? ""
            table.add([
                .init(place + 1), .init(step.node ?? "-"), .init(step.title),
                Self.cell(step.outcome + waiting, step.undone),
            ])
        }
        lines += table.lines(paint: paint, width: width)
        for (place, step) in run.steps.enumerated() {
            lines += output(of: place, step.output)
        }
        return lines
    }

    private func output(of place: Int, _ text: String) -> [String] {
        let said = text.split(whereSeparator: \.isNewline)
        guard !said.isEmpty else { return [] }
        return ["step \(place + 1) said:"] + said.suffix(10).map { cut("  | \($0)", to: width) }
    }

    private static func cell(_ outcome: String, _ undone: String?) -> Table.Cell {
        let style: Paint.Style =
            if outcome.hasPrefix("done") { .good } else if outcome.hasPrefix("waiting") {
                .dim
            } else if outcome.hasPrefix("under way") { .warn } else if outcome.hasPrefix("skipped") {
                .plain
            } else { .bad }
        return .init(outcome + (undone.map { "; \($0)" } ?? ""), undone == nil ? style : .warn)
    }

    // MARK: - Finished runs

    private func lines(_ run: FinishedRun) -> [String] {
        let length = (run.ended.nanoseconds &- run.began.nanoseconds) / 1_000_000
        let style: Paint.Style =
            switch run.outcome {
            case .done: .good
            case .skipped: .warn
            case .rolledBack, .rolledBackPartly, .failed: .bad
            }
        let head =
            "\(run.wall?.text ?? "at an unknown time")  \(run.name) by \(run.who), epoch \(run.id), "
            + "\(OperatorDuration.text(.milliseconds(length))) long: \(run.outcome.text)"
        var lines = [paint(cut(head, to: width), style)]
        if let due = run.due { lines.append("  due at \(due.text)") }
        guard !run.steps.isEmpty else { return lines }
        var table = Table([.init("STEP", .right), .init("WHAT"), .init("OUTCOME")])
        for (place, step) in run.steps.enumerated() {
            table.add([.init(place + 1), .init(step.title), Self.cell(step.outcome, step.undone)])
        }
        lines += table.lines(paint: paint, width: width.map { max(0, $0 - 2) }).map { "  " + $0 }
        for (place, step) in run.steps.enumerated() {
            lines += output(of: place, step.output).map { "  " + $0 }
        }
        return lines
    }
}

extension PlaybookReport.Schedule {
    /// In the zone of the schedule, else of the window; nil when there is no next time, or no such zone here.
    func localNext(_ zones: ZoneInfo) -> String? {
        guard let next else { return nil }
        let zone = schedule?.zone ?? window?.zone
        return zone.flatMap { try? zones.rules(of: $0) }?.text(next) ?? next.text
    }

    /// Why there is no next time.
    fileprivate var missing: String {
        if case .once = schedule { return "not any more" }
        return "not known yet"
    }
}

extension PlaybookSchedule {
    /// As it was written.
    var text: String {
        switch self {
        case .cron(let line, let zone): "\(line.text) (\(zone))"
        case .once(let time): "once, \(time.text)"
        }
    }
}
