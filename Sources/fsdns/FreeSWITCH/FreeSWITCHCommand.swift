import ArgumentParser
import Cluster
import Config

struct FreeSWITCHCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "freeswitch",
        abstract:
            "Print what a stock FreeSWITCH needs beside fsdns, or give its console the cluster's words.",
        subcommands: [
            FreeSWITCHConfigCommand.self, FreeSWITCHAliasCommand.self, FreeSWITCHLeaveCommand.self,
        ])
}

struct FreeSWITCHConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Print the pieces of FreeSWITCH configuration this cluster file asks for.",
        discussion: """
            Each piece begins with the file it belongs to. They are to be read and copied, not piped: your own profiles \
            keep their other parameters. Passwords are not printed; each stands as the file that holds it.
            """)

    @Option(help: "The cluster file.")
    var config: String

    @Option(help: "Which node of the file this is (default: FSDNS_NODE, else the host name).")
    var name: String?

    mutating func run() throws {
        let file = try ConfigCommand.load(config)
        let node = try NodeIdentity.ofCommand(name, file.settings)
        Output.lines(FreeSWITCHPieces(file: file, node: node).lines)
    }
}

extension NodeIdentity {
    /// Which node of the file a command is about.
    static func ofCommand(_ flag: String?, _ settings: ClusterSettings) throws(CommandFailure) -> String {
        do throws(Failure) {
            return try resolve(
                flag: flag, environment: Environment.value("FSDNS_NODE"), hostName: hostName(),
                settings: settings)
        } catch {
            throw .invalid([error.description])
        }
    }
}
