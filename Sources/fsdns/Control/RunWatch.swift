import Cluster
import Primitives

/// Follows one run of a playbook through the cluster's reports, until it ended one way or the other.
struct RunWatch: Hashable, Sendable {
    /// How often what a step waits for is worth a line: it may count calls.
    static let waitingEvery = Duration.seconds(5)
    /// A run that neither goes on nor has ended is given up after this long: reports may be older than the run.
    static let patience = Duration.seconds(10)

    private let id: Epoch
    private let name: String
    /// Whether its being rolled back is what is waited for.
    private let isCancelled: Bool
    private(set) var outcome: MoveWatch.Outcome?
    private var said: [Said] = []
    private var phase = "running"
    private var lastSeen = Duration.zero

    private struct Said: Hashable, Sendable {
        var outcome = "waiting"
        var undone: String?
        var waitingFor: String?
        var waitingAt = Duration.zero
    }

    init(_ id: Epoch, name: String, isCancelled: Bool = false) {
        self.id = id
        self.name = name
        self.isCancelled = isCancelled
    }

    /// Takes the newest report and returns what is worth saying; `elapsed` counts from the start of the wait.
    mutating func observe(_ report: PlaybookReport, at elapsed: Duration) -> [String] {
        guard outcome == nil else { return [] }
        if let finished = report.finished.last(where: { $0.id == id }) { return end(finished) }
        guard let run = report.run, run.id == id else {
            if elapsed - lastSeen >= Self.patience {
                outcome = .aborted("nothing is known of this run any more; see: fsdns playbook history")
            }
            return []
        }
        lastSeen = elapsed
        var lines: [String] = []
        if run.phase != phase {
            phase = run.phase
            lines.append("\(run.phase)\(run.trouble.map { ": \($0)" } ?? "")")
        }
        for (at, step) in run.steps.enumerated() {
            let head = "step \(at + 1) of \(run.steps.count), \(step.title): "
            lines += observe(
                at, step.outcome, step.undone, step.waitingFor, step.output, node: step.node, elapsed
            ).map { head + $0 }
        }
        return lines
    }

    /// What is new about one step.
    private mutating func observe(
        _ at: Int, _ outcome: String, _ undone: String?, _ waitingFor: String?, _ output: String,
        node: String?, _ elapsed: Duration
    ) -> [String] {
        while said.count <= at { said.append(Said()) }
        var lines: [String] = []
        if said[at].outcome != outcome {
            said[at].outcome = outcome
            lines.append(outcome + (node.map { " (\($0))" } ?? ""))
            lines += Self.lastLines(of: output)
        }
        if said[at].undone != undone {
            said[at].undone = undone
            if let undone { lines.append(undone) }
        }
        let isDue = said[at].waitingFor == nil || elapsed - said[at].waitingAt >= Self.waitingEvery
        if let waitingFor, said[at].waitingFor != waitingFor, isDue {
            said[at].waitingFor = waitingFor
            said[at].waitingAt = elapsed
            lines.append("waits for \(waitingFor)")
        }
        return lines
    }

    private mutating func end(_ finished: FinishedRun) -> [String] {
        var lines: [String] = []
        for (at, step) in finished.steps.enumerated() {
            let head = "step \(at + 1) of \(finished.steps.count), \(step.title): "
            lines += observe(at, step.outcome, step.undone, nil, step.output, node: nil, .zero).map {
                head + $0
            }
        }
        let text = "\(name) \(finished.outcome.text)"
        switch finished.outcome {
        case .done: outcome = .finished(isCancelled ? "\(text): it had ended before it was cancelled" : text)
        case .rolledBack where isCancelled: outcome = .finished(text)
        default: outcome = .aborted("\(text); see: fsdns playbook history")
        }
        return lines
    }

    /// The end of what a step's command wrote, each line marked as its own words.
    private static func lastLines(of output: String) -> [String] {
        output.split(whereSeparator: \.isNewline).suffix(5).map { "| \($0)" }
    }
}
