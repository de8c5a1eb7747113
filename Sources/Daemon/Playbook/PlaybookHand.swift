import Cluster
import Config
@preconcurrency import Glibc
import NIOCore
import PeerProtocol
import Synchronization

/// The hands of a playbook on this machine: runs its programs, looks at its checks, sends its notices.
///
/// Everything returns at once and is answered exactly once through the inbox.
final class PlaybookHand: Sendable {
    private static let outputLimit = 64 << 10
    private static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    private let node: String
    private let programs: ProgramList
    private let runner = CommandRunner(parallel: 8)
    private let tickets = Mutex<[StepID: CommandRunner.Ticket]>([:])
    private let looks: PlaybookLooks
    private let answer: @Sendable (Event) -> Void
    /// Whether every switch was told every registration, as this node knows; nil without a switch.
    private let registrations: (@Sendable (@escaping @Sendable (CheckResult) -> Void) -> Void)?

    /// - Parameter programs: what may be run here.
    init(
        node: String, programs: ProgramList, loop: any EventLoop,
        registrations: (@Sendable (@escaping @Sendable (CheckResult) -> Void) -> Void)?,
        answer: @escaping @Sendable (Event) -> Void
    ) {
        self.node = node
        self.programs = programs
        self.registrations = registrations
        self.answer = answer
        looks = PlaybookLooks(loop: loop)
    }

    func run(_ id: StepID, _ order: CommandOrder, _ context: PlaybookContext) {
        // Noted before it runs, so that an end that comes at once finds it.
        let ticket = runner.ticket()
        tickets.withLock { $0[id] = ticket }
        runner.run(self.order(order, context), as: ticket, unless: refusal(of: order)) {
            [self] outcome in
            tickets.withLock { $0[id] = nil }
            answer(.commandEnded(id, CommandResult(outcome)))
        }
    }

    func stop(_ id: StepID) {
        if let ticket = tickets.withLock({ $0[id] }) { runner.cancel(ticket) }
    }

    func check(_ id: StepID, _ check: PlaybookCheck, _ context: PlaybookContext) {
        let tell: @Sendable (CheckResult) -> Void = { [answer] in answer(.checked(id, $0)) }
        switch check {
        case .options(let endpoint): looks.options(endpoint, tell)
        case .tcp(let endpoint): looks.tcp(endpoint, tell)
        case .http(let url, let status): looks.http(url, status: status, tell)
        case .command(let order):
            runner.run(self.order(order, context), unless: refusal(of: order)) { outcome in
                let result = CommandResult(outcome)
                tell(CheckResult(holds: outcome.ending == .exited(0), text: result.text))
            }
        case .registrationsConverged:
            guard let registrations else { return tell(CheckResult(holds: true, text: "no switch here")) }
            registrations(tell)
        case .callsBelow, .zoneConverged, .headroom:
            tell(CheckResult(holds: false, text: "this is seen by the leader, not by looking"))
        }
    }

    func notify(_ id: StepID, url: String, _ context: PlaybookContext) {
        looks.post(url, json: ControlJSON.encode(Notice(context, node: node))) { [answer] failure in
            answer(.notified(id, failure: failure))
        }
    }

    func stop() { runner.stop() }

    /// Looked at when the program is to begin: the list is this machine's administrator's, and may change.
    private func refusal(of order: CommandOrder) -> @Sendable () -> String? {
        let programs = programs
        return {
            do throws(ProgramList.Refusal) {
                try programs.check(order.program, variables: order.environment.map(\.name))
                return nil
            } catch {
                return error.description
            }
        }
    }

    private func order(_ order: CommandOrder, _ context: PlaybookContext) -> CommandRunner.Order {
        var environment = [
            "PATH": Self.path, "FSDNS_NODE": node, "FSDNS_PLAYBOOK": context.playbook,
            "FSDNS_RUN": "\(context.run)", "FSDNS_STEP": "\(context.step)", "FSDNS_STEPS": "\(context.steps)",
            "FSDNS_TITLE": context.title, "FSDNS_WHO": OperatorName.withoutClaim(context.who),
            "FSDNS_UNDOING": context.isUndoing ? "1" : "0",
        ]
        // What the run itself tells is believed by programs.
        for variable in order.environment where environment[variable.name] == nil || variable.name == "PATH" {
            environment[variable.name] = variable.value
        }
        return CommandRunner.Order(
            program: order.program, arguments: order.arguments, environment: environment,
            deadline: order.timeout, outputLimit: Self.outputLimit)
    }
}

/// What a webhook is told.
private struct Notice: Encodable {
    var node: String
    var playbook: String
    var run: String
    var step: Int
    var steps: Int
    var title: String
    var undoing: Bool
    var who: String

    init(_ context: PlaybookContext, node: String) {
        self.node = node
        playbook = context.playbook
        run = "\(context.run)"
        step = context.step
        steps = context.steps
        title = context.title
        undoing = context.isUndoing
        who = context.who
    }
}

extension CommandResult {
    init(_ outcome: CommandRunner.Outcome) {
        let end: End =
            switch outcome.ending {
            case .exited(let code): .exited(code)
            case .signalled(let signal): .killed(signal: signal)
            case .timedOut: .timedOut
            case .cancelled: .stopped
            case .notStarted(let why): .notStarted(why)
            }
        var text = String(decoding: outcome.output, as: UTF8.self)
        if outcome.dropped > 0 { text += "\n(\(outcome.dropped) bytes more were not kept)\n" }
        self.init(end, output: text)
    }

    /// The last line of its output, or how it ended.
    fileprivate var text: String {
        let last = output.split(whereSeparator: \.isNewline).last.map(String.init)
        return last ?? "\(end)"
    }
}
