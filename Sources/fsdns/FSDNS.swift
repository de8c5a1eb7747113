import ArgumentParser
import Cluster

/// The command line of fsdns: verbs for the cluster, the zone, the configuration and this machine.
struct FSDNS: ParsableCommand {
    static let version = ReleaseInfo.current.name

    static let configuration = CommandConfiguration(
        commandName: "fsdns",
        abstract: "One carrier-grade service out of many FreeSWITCH machines.",
        discussion: """
            Any node answers for the cluster through its UNIX socket (--control PATH or FSDNS_CONTROL).

            Exit codes: 0 done; 1 refused, nothing changed; 2 wrong usage or invalid file; 3 no node answers; \
            4 the wait ended before the work did.
            """,
        version: version,
        groupedSubcommands: [
            CommandGroup(name: "Run", subcommands: [NodeCommand.self, DemoCommand.self]),
            CommandGroup(
                name: "See",
                subcommands: [
                    StatusCommand.self, MembersCommand.self, RingsCommand.self, EventsCommand.self,
                    CallsCommand.self, RegistrationsCommand.self, LimitsCommand.self, HistoryCommand.self,
                ]),
            CommandGroup(
                name: "Move",
                subcommands: [
                    DrainCommand.self, UndrainCommand.self, AbortCommand.self, SwitchoverCommand.self,
                    ForgetCommand.self, RecoverQuorumCommand.self, PlaybookCommand.self,
                ]),
            CommandGroup(name: "Zone", subcommands: [ZoneCommand.self]),
            CommandGroup(
                name: "Prepare",
                subcommands: [
                    ConfigCommand.self, FreeSWITCHCommand.self, KeyCommand.self, DoctorCommand.self,
                    SimulateCommand.self,
                    VersionCommand.self,
                ]),
        ])
}

/// `fsdns version`, for those who do not think of `--version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version of this program.")

    mutating func run() { Output.line(FSDNS.version) }
}
