import ArgumentParser
import Cluster
import Config

/// Moves what this machine's FreeSWITCH serves to other machines, before it is stopped.
struct FreeSWITCHLeaveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leave",
        abstract: "Move the seats of this machine to slaves, before its FreeSWITCH is stopped.",
        discussion: """
            FreeSWITCH says BYE to every caller when it is stopped. Run before that, as \
            config/systemd/freeswitch.service.d/fsdns.conf does, this moves each seat this machine holds, and its calls with it. \
            It ends when the calls are elsewhere, or when there was nothing to move. Exit 1: a seat could not be moved; \
            exit 4: the time was over.
            """)

    /// Between two looks at the cluster.
    private static let interval = Duration.milliseconds(100)
    private static let patience = Duration.seconds(20)

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
        let seats = Departure(node: node, report: try client.status()).seats
        if seats.isEmpty { return Output.line("\(node) holds no seat") }
        var refused: [String] = []
        var moving: Set<String> = []
        for seat in seats {
            do throws(CommandFailure) {
                _ = try client.ask(
                    .switchover(seat: seat, to: nil, dryRun: false, who: Operator.name))
                moving.insert(seat)
                Output.line("\(seat) moves away from \(node)")
            } catch {
                refused += error.lines.map { "\(seat): \($0)" }
            }
        }
        if !moving.isEmpty { try wait(for: moving, node, client, isEmptied: refused.isEmpty) }
        if !refused.isEmpty { throw CommandFailure.refused(refused) }
        Output.line("\(node) holds no seat and has no calls")
    }

    /// - Parameter isEmptied: no seat stays, so no calls do either.
    private func wait(
        for seats: Set<String>, _ node: String, _ client: ControlClient, isEmptied: Bool
    ) throws(CommandFailure) {
        let clock = Stopwatch()
        let patience = timeout?.duration ?? Self.patience
        while clock.elapsed < patience {
            // A leader that moves its own seat may be silent for a moment.
            if let report = try? client.status() {
                let left = Departure(node: node, report: report)
                if seats.isDisjoint(with: left.seats), left.calls == 0 || !isEmptied { return }
            }
            Stopwatch.sleep(Self.interval)
        }
        throw .waitEnded(
            "calls of \(node) are not elsewhere after \(OperatorDuration.text(patience)); see: fsdns status")
    }
}

/// What is left at a node that is to be left.
struct Departure: Hashable {
    /// It holds these.
    var seats: [String]
    var calls: Int

    init(node: String, report: StatusReport) {
        seats = report.seats.filter { $0.holder == node }.map(\.name)
        calls = report.nodes.first { $0.name == node }?.calls ?? 0
    }
}
