import ArgumentParser
import Cluster
import Primitives

struct DrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Move a master to the maintenance address while its calls end.",
        discussion: """
            The node it leaves is then in maintenance; bring it back with: fsdns undrain NODE
            A node that holds no seat goes into maintenance at once.
            """)

    @Argument(help: "A seat (master2), its address, the node that holds it, or a slave.")
    var target: String

    @OptionGroup var control: ControlOptions
    @OptionGroup var waiting: WaitOptions

    @Flag(help: "Do not wait for calls: recover them on the new node (--deadline 0s --on-deadline handover).")
    var handover = false

    @Option(
        parsing: .unconditional,
        help: "How long calls are waited for, with units: 45m, 1h30m (default: for ever).",
        transform: OperatorDuration.parse)
    var deadline: OperatorDuration?

    @Option(help: "What happens to calls left then.")
    var onDeadline: Drain.OnDeadline?

    @Option(help: "Why, for the cluster's memory; one line of at most 256 bytes.")
    var reason = ""

    @Flag(help: "Say what would happen, and change nothing.")
    var dryRun = false

    @Flag(help: "Go on in spite of what only you can weigh: a thin quorum, too small a slave.")
    var force = false

    @Option(
        parsing: .unconditional,
        help: "How long the node stays in maintenance at most; then it comes back as a slave.",
        transform: OperatorDuration.parse)
    var returnAfter: OperatorDuration?

    mutating func validate() throws {
        if handover, deadline != nil || onDeadline != nil {
            throw ValidationError("--handover says it all: leave out --deadline and --on-deadline")
        }
        if onDeadline != nil, onDeadline != .wait, deadline == nil {
            throw ValidationError("--on-deadline needs a --deadline, for example --deadline 45m")
        }
        if let deadline, deadline.duration == .zero, onDeadline ?? .wait == .wait {
            throw ValidationError(
                "--deadline 0s waits for no call: say what becomes of them, with --handover or --on-deadline")
        }
        try OperatorDuration.check(
            returnAfter, of: "--return-after", atLeast: .seconds(1),
            otherwise:
                "so long the node stays in maintenance; leave it out to bring it back with fsdns undrain")
        if dryRun, waiting.wait { throw ValidationError("--dry-run changes nothing to --wait for") }
    }

    var request: DrainRequest {
        DrainRequest(
            target: target, deadline: handover ? .zero : deadline?.duration,
            onDeadline: handover ? .handover : onDeadline ?? .wait, reason: reason, dryRun: dryRun,
            who: Operator.name, force: force, returnAfter: returnAfter?.duration)
    }

    private func line(in report: StatusReport) -> StatusReport.SeatLine? {
        AddressNames(report: report).seat(target)
    }

    /// What would become of the calls, were they handed over now.
    private func showCalls(on seat: StatusReport.SeatLine, _ client: ControlClient) {
        let known = try? client.calls().filter { $0.address == seat.addressName }
        guard let calls = known, !calls.isEmpty else { return }
        Output.line("calls on \(seat.addressName) now, as this node knows them:")
        var reasons: [(text: String, count: Int)] = []
        for call in calls {
            let text =
                call.isRecoverable
                ? call.reason.map { "doubtful: \($0)" } ?? "recoverable" : call.reason ?? "lost"
            if let at = reasons.firstIndex(where: { $0.text == text }) {
                reasons[at].count += 1
            } else {
                reasons.append((text, 1))
            }
        }
        for reason in reasons.sorted(by: { $0.count > $1.count }) {
            Output.line("  \(reason.count) \(reason.text)")
        }
        if let oldest = calls.max(by: { $0.seconds < $1.seconds }) {
            Output.line(
                "  the longest lasts \(OperatorDuration.text(.seconds(oldest.seconds))): \(oldest.uuid)")
        }
    }

    mutating func run() throws {
        let client = control.client
        let before = waiting.wait ? try client.status() : nil
        let epoch = try Answer.show(try client.ask(.drain(request)), client: client)
        // Said in addition, and done without when it cannot be had.
        if dryRun, let seat = (try? client.status()).flatMap(line) { showCalls(on: seat, client) }
        // A node without a seat is in maintenance as soon as it is agreed.
        guard let epoch, let before, let line = line(in: before) else { return }
        let goal = MoveWatch.Goal.drained(seat: line.name, from: line.holder)
        try waiting.follow(MoveWatch(goal, accepted: epoch), client: client)
    }
}

struct UndrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undrain", abstract: "Bring a node back from maintenance, as a slave.")

    @Argument(help: "The node.")
    var node: String

    @OptionGroup var control: ControlOptions
    @OptionGroup var waiting: WaitOptions

    mutating func run() throws {
        let client = control.client
        let request = OperatorRequest.undrain(node: node, who: Operator.name)
        guard let epoch = try Answer.show(try client.ask(request), client: client), waiting.wait else {
            return
        }
        try waiting.follow(MoveWatch(.returned(node: node), accepted: epoch), client: client)
    }
}

struct ForgetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget", abstract: "Forget a node that is gone for good.",
        discussion: """
            It leaves status and the voters. Refused while it is heard, holds an address or takes part in a drain. \
            Started again, it joins as a new node.

            With --revoke, only the certificates that NODE has for links from before this moment count no more: of any \
            name, heard or not, a member or not. Do that when a machine or its files were stolen. Repeat it when the \
            leader's clock was wrong the first time: the newest revocation of a name counts.
            """)

    @Argument(help: "The node.")
    var node: String

    @Flag(help: "Make the certificates that NODE has from before now worthless.")
    var revoke = false

    @OptionGroup var control: ControlOptions

    mutating func run() throws {
        let client = control.client
        let request: OperatorRequest =
            revoke
            ? .revoke(node: node, who: Operator.name) : .forget(node: node, who: Operator.name)
        _ = try Answer.show(try client.ask(request), client: client)
    }
}

struct AbortCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "abort", abstract: "Undo the drain in progress.",
        discussion: "No call is dropped: calls that came to the new address meanwhile are waited for.")

    @OptionGroup var control: ControlOptions
    @OptionGroup var waiting: WaitOptions

    mutating func run() throws {
        let client = control.client
        let seat = waiting.wait ? try client.status().maintenance.drain?.seat : nil
        let request = OperatorRequest.abortDrain(who: Operator.name)
        guard let epoch = try Answer.show(try client.ask(request), client: client), let seat else { return }
        try waiting.follow(MoveWatch(.undone(seat: seat), accepted: epoch), client: client)
    }
}

struct SwitchoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switchover",
        abstract: "Move a seat's address to another node now, recovering its calls there.")

    @Argument(help: "The seat (master2), its address, or the node that holds it.")
    var seat: String

    @Option(help: "The slave that takes it (default: the primary designated slave).")
    var to: String?

    @Flag(help: "Say what would happen, and change nothing.")
    var dryRun = false

    @OptionGroup var control: ControlOptions
    @OptionGroup var waiting: WaitOptions

    mutating func validate() throws {
        if dryRun, waiting.wait { throw ValidationError("--dry-run changes nothing to --wait for") }
    }

    mutating func run() throws {
        let client = control.client
        let before = waiting.wait ? try client.status() : nil
        let request = OperatorRequest.switchover(seat: seat, to: to, dryRun: dryRun, who: Operator.name)
        guard let epoch = try Answer.show(try client.ask(request), client: client), let before else { return }
        guard let line = AddressNames(report: before).seat(seat) else { return }
        try waiting.follow(
            MoveWatch(.moved(seat: line.name, from: line.holder), accepted: epoch), client: client)
    }
}

/// What the cluster answered to an order, in front of the operator.
enum Answer {
    /// Prints a plan or an acceptance; returns the epoch of what was committed, nil when nothing was.
    static func show(_ reply: OperatorReply, client: ControlClient) throws(CommandFailure) -> Epoch? {
        switch reply {
        case .accepted(let epoch, let lines):
            Output.lines(lines + ["Accepted at epoch \(epoch)."])
            return epoch
        case .plan(let steps):
            Output.lines(steps + ["Dry run: nothing was changed."])
            return nil
        case .status, .zone, .refused, .unavailable, .playbooks: throw .noAnswer(client.strange)
        }
    }
}
