import ArgumentParser
import Config

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check a cluster file, or show what it means.",
        subcommands: [ConfigCheckCommand.self, ConfigShowCommand.self])

    /// - Throws: exit 2 with every error of the file at once.
    static func load(_ path: String) throws(CommandFailure) -> ClusterFile {
        do throws(ConfigFailure) {
            return try ClusterFile.load(path: path)
        } catch {
            throw .invalid(error.problems.map(\.description))
        }
    }
}

struct ConfigCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract:
            "Print every error (exit 2) and warning of a cluster file, and of the files it names on this machine, as file:line: message."
    )

    @Argument(help: "The cluster file.")
    var file: String

    mutating func run() throws {
        let cluster = try ConfigCommand.load(file)
        for warning in cluster.warnings {
            Output.error("\(warning.file):\(warning.line): warning: \(warning.message)")
        }
        let settings = cluster.settings
        // A file without <nodes> takes any machine; whether this is one of them nobody knows.
        let node = settings.nodes.isEmpty ? nil : try? NodeIdentity.ofCommand(nil, settings)
        let found = NamedFileCheck(file: cluster, node: node).findings
        for warning in found.warnings {
            Output.error("\(warning.file):\(warning.line): warning: \(warning.message)")
        }
        if !found.faults.isEmpty { throw CommandFailure.invalid(found.faults.map(\.description)) }
        Output.line(
            "\(file): valid; cluster \(settings.cluster), \(settings.seats.count) seats, "
                + "\(settings.addresses.count) addresses, version \(ConfigText.version(settings))")
    }
}

struct ConfigShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print what a cluster file means: timings, addresses, seats, zone.")

    @Argument(help: "The cluster file.")
    var file: String

    mutating func run() throws {
        let cluster = try ConfigCommand.load(file)
        Output.lines(ConfigText(paint: .standard, width: Output.size?.columns).lines(cluster))
    }
}
