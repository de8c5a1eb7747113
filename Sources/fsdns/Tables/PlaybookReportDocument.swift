import Cluster
import Config

/// The keys of `fsdns playbook list --format json`; every absent value is an explicit null.
struct PlaybookListDocument: Encodable {
    typealias Nullable = StatusDocument.Nullable

    struct Schedule: Encodable {
        var name: String
        var summary: String
        var who: String
        var schedule: Nullable<String>
        var window: Nullable<String>
        /// RFC 3339, UTC.
        var next: Nullable<String>
        /// In the zone of the schedule.
        var nextLocal: Nullable<String>
        var note: Nullable<String>
    }

    struct Step: Encodable {
        var number: Int
        var line: Int
        var title: String
        var node: Nullable<String>
        var outcome: String
        var waitingFor: Nullable<String>
        var undone: Nullable<String>
        var output: String
    }

    struct Run: Encodable {
        var id: String
        var name: String
        var summary: String
        var who: String
        var due: Nullable<String>
        var began: Nullable<String>
        var ageSeconds: Int
        var windowSeconds: Nullable<Int>
        var phase: String
        var trouble: Nullable<String>
        var steps: [Step]
    }

    var schedules: [Schedule]
    var run: Nullable<Run>

    init(_ report: PlaybookReport, zones: ZoneInfo) {
        schedules = report.schedules.map { line in
            Schedule(
                name: line.name, summary: line.summary, who: line.who,
                schedule: .init(line.schedule?.text), window: .init(line.window?.text),
                next: .init(line.next?.text), nextLocal: .init(line.localNext(zones)), note: .init(line.note))
        }
        run = .init(report.run.map(Run.init))
    }
}

extension PlaybookListDocument.Run {
    init(_ run: PlaybookReport.Run) {
        id = "\(run.id)"
        name = run.name
        summary = run.summary
        who = run.who
        due = .init(run.due?.text)
        began = .init(run.wall?.text)
        ageSeconds = run.age
        windowSeconds = .init(run.remaining)
        phase = run.phase
        trouble = .init(run.trouble)
        steps = run.steps.enumerated().map { place, step in
            PlaybookListDocument.Step(
                number: place + 1, line: step.line, title: step.title, node: .init(step.node),
                outcome: step.outcome, waitingFor: .init(step.waitingFor), undone: .init(step.undone),
                output: step.output)
        }
    }
}

/// The keys of `fsdns playbook history --format json`: the newest run is the last.
struct PlaybookHistoryDocument: Encodable {
    typealias Nullable = StatusDocument.Nullable

    struct Step: Encodable {
        var number: Int
        var line: Int
        var title: String
        var outcome: String
        var undone: Nullable<String>
        var output: String
    }

    struct Run: Encodable {
        var id: String
        var name: String
        var who: String
        var due: Nullable<String>
        /// By the leader's clock; null when that leader had read none.
        var ended: Nullable<String>
        var lastedMs: Int64
        /// `done`, `rolled-back`, `rolled-back-partly`, `failed` or `skipped`.
        var outcome: String
        var reason: Nullable<String>
        var steps: [Step]
    }

    var runs: [Run]

    init(_ runs: [FinishedRun]) {
        self.runs = runs.map { run in
            let (outcome, reason) = run.outcome.words
            return Run(
                id: "\(run.id)", name: run.name, who: run.who, due: .init(run.due?.text),
                ended: .init(run.wall?.text),
                lastedMs: (run.ended.nanoseconds &- run.began.nanoseconds) / 1_000_000, outcome: outcome,
                reason: .init(reason),
                steps: run.steps.enumerated().map { place, step in
                    Step(
                        number: place + 1, line: step.line, title: step.title, outcome: step.outcome,
                        undone: .init(step.undone), output: step.output)
                })
        }
    }
}

extension FinishedRun.Outcome {
    /// For programs, and why.
    fileprivate var words: (String, String?) {
        switch self {
        case .done: ("done", nil)
        case .rolledBack(let reason): ("rolled-back", reason)
        case .rolledBackPartly(let reason): ("rolled-back-partly", reason)
        case .failed(let reason): ("failed", reason)
        case .skipped(let reason): ("skipped", reason)
        }
    }
}
