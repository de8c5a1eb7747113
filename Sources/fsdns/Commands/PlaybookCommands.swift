import ArgumentParser
import Calendar
import Cluster
import Config
@preconcurrency import Glibc

struct PlaybookCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "playbook",
        abstract: "Maintenance in steps, written down: check it, run it, have it run by the calendar.",
        discussion: """
            The cluster runs one playbook at a time, whoever leads; a run goes on without this terminal. The language is \
            described in docs/playbooks.md.
            """,
        subcommands: [
            PlaybookListCommand.self, PlaybookCheckCommand.self, PlaybookRunCommand.self,
            PlaybookScheduleCommand.self, PlaybookCancelCommand.self, PlaybookApproveCommand.self,
            PlaybookHistoryCommand.self,
        ])
}

struct PlaybookCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract:
            "Print what a run would do and when it is due, or every error (exit 2) as file:line: message.",
        discussion: """
            Nothing is run and no node is asked. With --config, names of seats, nodes and addresses are checked, \
            and for-each is shown for each of them.
            """)

    @Argument(help: "The playbook.")
    var file: String

    @OptionGroup var values: PlaybookValues

    @Option(help: "The cluster file the playbook is meant for.")
    var config: String?

    @Option(help: "table or json.")
    var format: TableFormat = .table

    mutating func run() throws {
        let settings = try config.map { try ConfigCommand.load($0).settings }
        let zones = ZoneInfo.system
        let read = try PlaybookSource.read(file, values, for: settings, zones)
        let text = PlaybookText(file: read, facts: settings.map { .init($0) } ?? .init(), zones: zones)
        let now = WallTime(seconds: Int64(time(nil)))
        switch format {
        case .json: Output.document(JSONText.pretty(text.document(at: now)))
        case .table:
            PlaybookSource.warn(of: read)
            if settings == nil {
                Output.error("names of seats and nodes are not checked: give --config CLUSTER-FILE")
            }
            Output.lines(text.lines(at: now))
        }
    }
}

/// What a playbook's parameters stand for.
struct PlaybookValues: ParsableArguments {
    @Option(
        name: .customLong("parameter"),
        help: ArgumentHelp(
            "A value for a parameter of the playbook; may be repeated.", valueName: "name=value"))
    var pairs: [String] = []

    mutating func validate() throws {
        var seen: Set<String> = []
        for pair in pairs {
            guard let equals = pair.firstIndex(of: "="), equals != pair.startIndex else {
                throw ValidationError("--parameter \(pair) is not name=value")
            }
            let name = String(pair[..<equals])
            if !seen.insert(name).inserted { throw ValidationError("--parameter \(name) is given twice") }
        }
    }

    /// Of pairs that were validated.
    var dictionary: [String: String] {
        var values: [String: String] = [:]
        for pair in pairs {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
        }
        return values
    }
}

/// A playbook that is meant for the running cluster.
struct PlaybookSource: ParsableArguments {
    @Argument(help: "The playbook.")
    var file: String

    @OptionGroup var values: PlaybookValues

    @Option(help: "Check names against this cluster file instead of what the running cluster tells.")
    var config: String?

    /// With what its names were held against; warnings go to standard error.
    func read(for client: ControlClient) throws -> (PlaybookFile, ClusterSettings) {
        let settings = try config.map { try ConfigCommand.load($0).settings } ?? client.settings()
        let read = try Self.read(file, values, for: settings, .system)
        Self.warn(of: read)
        // A node says the same of it, but not which file it is in.
        if let reason = read.playbook.implausibility { throw CommandFailure.invalid(["\(file): \(reason)"]) }
        return (read, settings)
    }

    static func read(
        _ file: String, _ values: PlaybookValues, for settings: ClusterSettings?, _ zones: ZoneInfo
    ) throws(CommandFailure) -> PlaybookFile {
        do throws(ConfigFailure) {
            return try PlaybookFile.read(
                path: file, parameters: values.dictionary, cluster: settings, zones: zones)
        } catch {
            throw .invalid(error.problems.map(\.description))
        }
    }

    static func warn(of file: PlaybookFile) {
        for warning in file.warnings {
            Output.error("\(warning.file):\(warning.line): warning: \(warning.message)")
        }
    }
}
