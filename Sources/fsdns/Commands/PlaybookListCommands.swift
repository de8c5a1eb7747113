import ArgumentParser
import Cluster
import Config

struct PlaybookListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show scheduled playbooks, and the run under way step by step.")

    @OptionGroup var control: ControlOptions

    @Option(help: "table for people, json for programs.")
    var format = TableFormat.table

    mutating func run() throws {
        let report = try control.client.playbooks(.list)
        switch format {
        case .table:
            let text = PlaybookReportText(paint: .standard, width: Output.size?.columns, zones: .system)
            Output.lines(text.list(report))
        case .json: Output.document(JSONText.pretty(PlaybookListDocument(report, zones: .system)))
        }
    }
}

struct PlaybookHistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show finished runs, and what became of each of their steps.",
        discussion: "The newest is the last. Who told the cluster what besides is shown by: fsdns history")

    @Argument(help: "Only runs of this playbook.")
    var name: String?

    @OptionGroup var control: ControlOptions

    @Option(help: "table for people, json for programs.")
    var format = TableFormat.table

    mutating func run() throws {
        let wanted = name
        let runs = try control.client.playbooks(.history).finished.filter { $0.name == wanted ?? $0.name }
        switch format {
        case .table:
            let text = PlaybookReportText(paint: .standard, width: Output.size?.columns, zones: .system)
            Output.lines(text.history(runs))
        case .json: Output.document(JSONText.pretty(PlaybookHistoryDocument(runs)))
        }
    }
}

extension ControlClient {
    /// - Parameter request: one that is answered with a report.
    func playbooks(_ request: PlaybookRequest) throws(CommandFailure) -> PlaybookReport {
        guard case .playbooks(let report) = try ask(.playbook(request)) else { throw .noAnswer(strange) }
        return report
    }
}
