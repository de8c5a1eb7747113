import EventSocket
import NIOCore
import Primitives

/// Carries out what is asked at a console, most of it by our own command line. Lives on one event loop.
final class Console {
    /// The command line waits at most 5 s for its node; a zone is read in less.
    private static let deadline: Duration = .seconds(20)
    /// Of an answer, in bytes: some 30,000 registrations.
    private static let answerLimit = 4 << 20

    private let loop: any EventLoop
    private let program: String
    private let controlPath: String
    private let origin: EventStamp.Origin
    private let names: () -> ConsoleNames
    private let hashDump: () -> [UInt8]
    /// When those who may only look get the next list of limits, which may be megabytes: so the loop is theirs a fifth of the time
    /// at most, however many ask.
    private var dumpDue = Instant.zero
    private static let dumpShare = 4
    private let log: EventLog
    private let runner = CommandRunner(parallel: 4, waiting: 60)
    /// For those who may only look: however much they ask, they hold up nobody who may change something.
    private let lookers = CommandRunner(parallel: 2, waiting: 60)
    /// The same for lists that may be megabytes, one after another, so that they hold up no question of others who look.
    private let listers = CommandRunner(parallel: 1, waiting: 60)

    /// What is under way for one client, so that it can be taken back when nobody waits for it any more.
    struct Pending {
        fileprivate var runner: CommandRunner
        fileprivate var ticket: CommandRunner.Ticket

        func cancel() { runner.cancel(ticket) }
    }

    init(
        loop: any EventLoop, program: String, controlPath: String, origin: EventStamp.Origin,
        names: @escaping () -> ConsoleNames, hashDump: @escaping () -> [UInt8], log: EventLog
    ) {
        self.loop = loop
        self.program = program
        self.controlPath = controlPath
        self.origin = origin
        self.names = names
        self.hashDump = hashDump
        self.log = log
    }

    func stop() {
        for runner in [runner, lookers, listers] { runner.stop() }
    }

    /// - Parameters:
    ///   - asker: for the cluster's memory of who asked.
    ///   - mayChange: whether more is allowed than looking.
    ///   - then: gets the answer, once, on the loop; errors begin with `-ERR`.
    /// - Returns: nil when the answer was given, or costs next to nothing.
    @discardableResult
    func run(
        _ command: ConsoleCommand, asker: String, mayChange: Bool, _ then: @escaping ([UInt8]) -> Void
    ) -> Pending? {
        switch command {
        case .cluster(let words): return run(words, asker, mayChange, then)
        case .help: then(Array(ConsoleVerbs.help.utf8))
        case .limitDump: mayChange ? then(hashDump()) : dump(then)
        case .switchname: then(Array(origin.switchname.utf8))
        case .hostname: then(Array(origin.hostname.utf8))
        case .version: return start(["version"], asker, mayChange, isList: false, then)
        case .coreUUID: then(Array(origin.coreUUID.utf8))
        case .complete(let argument): then(ConsoleCommand.completion(argument, names: names()))
        case .unknown(let name): then(ConsoleCommand.notFound(name))
        }
        return nil
    }

    private func dump(_ then: @escaping ([UInt8]) -> Void) {
        let now = Instant.now()
        guard now < dumpDue else { return tell(then) }
        let wait = dumpDue - now
        // Its place in the line, until it is known what it costs.
        dumpDue = dumpDue + .milliseconds(1)
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [weak self] in
            self?.tell(then)
        }
    }

    private func tell(_ then: ([UInt8]) -> Void) {
        let start = Instant.now()
        then(hashDump())
        dumpDue = max(dumpDue, start) + (Instant.now() - start) * Self.dumpShare
    }

    private func run(
        _ words: String, _ asker: String, _ mayChange: Bool, _ then: @escaping ([UInt8]) -> Void
    ) -> Pending? {
        do throws(ConsoleVerbs.Refusal) {
            let call = try ConsoleVerbs.call(words, controlPath: controlPath)
            guard call.isReading || mayChange else {
                then(Array("-ERR from here the cluster can be looked at, not changed\n".utf8))
                return nil
            }
            if !call.isReading { log.notice("console", asker, "asks: cluster \(words)") }
            return start(call.arguments, asker, mayChange, isList: call.isList, then)
        } catch {
            then(Array("-ERR \(error)\n".utf8))
            return nil
        }
    }

    private func start(
        _ arguments: [String], _ asker: String, _ mayChange: Bool, isList: Bool,
        _ then: @escaping ([UInt8]) -> Void
    ) -> Pending {
        let order = CommandRunner.Order(
            program: program, arguments: arguments,
            environment: ["FSDNS_OPERATOR": asker, "NO_COLOR": "1", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"],
            deadline: Self.deadline, outputLimit: Self.answerLimit, isBackground: !mayChange)
        let then = NIOLoopBound(then, eventLoop: loop)
        let loop = loop
        let runner = mayChange ? runner : isList ? listers : lookers
        let ticket = runner.run(order) { outcome in
            let answer = Self.answer(outcome)
            loop.execute { then.value(answer) }
        }
        return Pending(runner: runner, ticket: ticket)
    }

    /// The output as it is after success, and marked as an error otherwise.
    static func answer(_ outcome: CommandRunner.Outcome) -> [UInt8] {
        var output = outcome.output
        if outcome.dropped > 0 {
            output += Array("\n… and \(outcome.dropped) bytes more, too many for a console\n".utf8)
        }
        let trouble: String
        switch outcome.ending {
        case .exited(0): return output.isEmpty ? Array("+OK\n".utf8) : output
        case .exited(let code):
            if !output.isEmpty { return Array("-ERR ".utf8) + output }
            trouble = "the command ended with code \(code)"
        case .signalled(let signal): trouble = "the command was ended by signal \(signal)"
        case .timedOut: trouble = "the command did not end within \(deadline.wholeSeconds) s"
        case .cancelled: trouble = "the service is stopping"
        case .notStarted(let why): trouble = why
        }
        return Array("-ERR \(trouble)\n".utf8) + output
    }
}
