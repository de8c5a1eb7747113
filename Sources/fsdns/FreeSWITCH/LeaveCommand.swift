import ArgumentParser
import Cluster
import Config

/// Moves what this machine's FreeSWITCH serves to other machines, before it is stopped.
struct FreeSWITCHLeaveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leave",
        abstract: "Move what this machine serves to slaves, before its FreeSWITCH is stopped.",
        discussion: """
            FreeSWITCH says BYE to every caller when it is stopped. Run before that, as \
            config/systemd/freeswitch.service.d/fsdns.conf does, this moves each seat this machine holds, and its calls with it; \
            of a machine that is being drained it moves the calls that are left there. It ends when the calls are elsewhere, \
            or when there was nothing to move. Exit 1: something could not be moved; exit 4: the time was over.
            """)

    /// Between two looks at the cluster.
    private static let interval = Duration.milliseconds(200)
    private static let patience = Duration.seconds(20)
    /// A reason may be over in a moment: an address that is moving already, a slave that was just given back.
    private static let doubt = Duration.seconds(2)

    @Option(help: "The cluster file.")
    var config: String

    @Option(help: "Which node of the file this is (default: FSDNS_NODE, else the host name).")
    var name: String?

    @Option(
        parsing: .unconditional, help: "Longest wait for the calls to be elsewhere (default: 20s).",
        transform: OperatorDuration.parse)
    var timeout: OperatorDuration?

    @OptionGroup var control: ControlOptions

    mutating func validate() throws {
        try OperatorDuration.check(
            timeout, of: "--timeout", atMost: .seconds(86_400),
            otherwise: "calls need a moment to move; leave it out for 20s")
    }

    mutating func run() throws {
        let file = try ConfigCommand.load(config)
        let node = try NodeIdentity.ofCommand(name, file.settings)
        let client = control.client
        let clock = Stopwatch()
        let patience = timeout?.duration ?? Self.patience
        var told: Set<String> = []
        var refusedSince: Duration?
        while clock.elapsed < patience {
            do throws(CommandFailure) {
                let moving = try Self.ask(client)
                refusedSince = nil
                for line in moving where told.insert(line).inserted { Output.line(line) }
                // A leader that moves its own seat may be silent for a moment.
                if moving.isEmpty, let report = try? client.status(),
                    Departure(node: node, report: report).isEmpty
                {
                    return Output.line("\(node) serves nothing\(told.isEmpty ? "" : " any more")")
                }
            } catch {
                let since = refusedSince ?? clock.elapsed
                refusedSince = since
                guard case .refused = error, clock.elapsed - since < Self.doubt else { throw error }
            }
            Stopwatch.sleep(Self.interval)
        }
        throw CommandFailure.waitEnded(
            "calls of \(node) are not elsewhere after \(OperatorDuration.text(patience)); see: fsdns status")
    }

    /// - Returns: what moves away, a line each; empty when nothing is left to move.
    private static func ask(_ client: ControlClient) throws(CommandFailure) -> [String] {
        guard case .accepted(_, let lines) = try client.ask(.vacate(who: Operator.name)) else {
            throw .noAnswer(client.strange)
        }
        return lines
    }
}

/// What is left at a node that is to be left.
struct Departure: Hashable {
    var addresses: [String]
    var calls: Int

    var isEmpty: Bool { addresses.isEmpty && calls == 0 }

    init(node: String, report: StatusReport) {
        let line = report.nodes.first { $0.name == node }
        addresses = line?.addresses ?? []
        calls = line?.calls ?? 0
    }
}
