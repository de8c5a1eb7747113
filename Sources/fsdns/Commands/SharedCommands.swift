import ArgumentParser
import Cluster
import ControlProtocol

struct CallsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calls",
        abstract: "Show every call, and whether it would survive the loss of its machine.",
        discussion: """
            The node answers from its own copy, so this also works when other nodes are gone. Calls that are not answered yet \
            are lost with their machine; only its own node lists them.
            """)

    @OptionGroup var control: ControlOptions

    @Option(help: "table for people, json for programs.")
    var format = TableFormat.table

    @Flag(help: "Only calls that would be lost, or whose recovery is doubtful.")
    var doubtful = false

    @Flag(help: "The longest calls first.")
    var oldest = false

    @Option(
        help: ArgumentHelp("Only calls on these addresses: a name, IP, seat or node.", valueName: "address"))
    var address: String?

    mutating func run() throws {
        let wanted = try control.client.addresses(address)
        var lines = try control.client.calls().filter {
            (!doubtful || !$0.isRecoverable || $0.reason != nil) && wanted?.contains($0.address) != false
        }
        if oldest { lines.sort { $0.seconds > $1.seconds } }
        switch format {
        case .table: Output.lines(CallsText(paint: .standard, width: Output.size?.columns).lines(lines))
        case .json: Output.document(JSONText.pretty(lines))
        }
    }
}

struct RegistrationsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registrations",
        abstract: "Show every registered phone with the address it lives on.",
        discussion: "The node answers from its own copy, so this also works when other nodes are gone.")

    @OptionGroup var control: ControlOptions

    @Option(help: "table for people, json for programs.")
    var format = TableFormat.table

    @Option(help: "Only users whose user@host contains this.")
    var user: String?

    @Option(
        help: ArgumentHelp("Only phones on these addresses: a name, IP, seat or node.", valueName: "address"))
    var address: String?

    mutating func run() throws {
        let wanted = user
        let addresses = try control.client.addresses(address)
        let lines = try control.client.shared(.registrations).flatMap { part in
            if case .registrations(let lines) = part { lines } else { [RegistrationLine]() }
        }.filter { line in
            wanted.map { line.user.contains($0) } ?? true && addresses?.contains(line.address) != false
        }
        switch format {
        case .table:
            Output.lines(RegistrationsText(paint: .standard, width: Output.size?.columns).lines(lines))
        case .json: Output.document(JSONText.pretty(lines))
        }
    }
}

struct LimitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits", abstract: "Show every limit's use in the whole cluster, node by node.",
        subcommands: [LimitsShowCommand.self, LimitsAuditCommand.self],
        defaultSubcommand: LimitsShowCommand.self)
}

struct LimitsShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show every limit's use in the whole cluster, node by node.")

    @OptionGroup var control: ControlOptions

    @Option(help: "table for people, json for programs.")
    var format = TableFormat.table

    mutating func run() throws {
        let lines = try control.client.shared(.limits).flatMap { part in
            if case .limits(let lines) = part { lines } else { [LimitUseLine]() }
        }
        switch format {
        case .table: Output.lines(LimitsText(paint: .standard, width: Output.size?.columns).lines(lines))
        case .json: Output.document(JSONText.pretty(lines))
        }
    }
}

struct LimitsAuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Compare what this node counts with the calls that are up, and print what is wrong.",
        discussion: """
            Nothing is changed. Ask each node: usage belongs to the node whose switch has the calls. Exit 1 when something \
            does not fit.
            """)

    @OptionGroup var control: ControlOptions

    mutating func run() throws {
        let lines = try control.client.shared(.audit).flatMap { part in
            if case .audit(let lines) = part { lines } else { [LimitCorrectionLine]() }
        }
        if lines.isEmpty {
            Output.line("every count fits the calls that are up")
            return
        }
        throw CommandFailure.refused(lines.map { "\($0.node): \($0.text)" })
    }
}

extension ControlClient {
    /// Names of the addresses an option means; nil without the option.
    func addresses(_ word: String?) throws(CommandFailure) -> Set<String>? {
        guard let word else { return nil }
        return try AddressNames(report: try status()).named(word)
    }

    func calls() throws(CommandFailure) -> [CallLine] {
        try shared(.calls).flatMap { part in
            if case .calls(let lines) = part { lines } else { [CallLine]() }
        }
    }
}
