import Primitives
import Synchronization

/// Runs programs of this machine: a few at once, each with a deadline, with bounded output, and without a shell.
///
/// Usable from any thread; nothing it does holds up who asks. A command is done when its process is: what that process
/// left behind in its group is killed.
final class CommandRunner: Sendable {
    struct Order: Hashable, Sendable {
        /// The program's file: looked for nowhere else.
        var program: String
        var arguments: [String]
        /// All the program sees of ours.
        var environment: [String: String]
        /// From its start until it is told to end (SIGTERM to its group).
        var deadline: Duration
        /// From SIGTERM until SIGKILL.
        var grace: Duration
        /// Bytes of standard output and standard error together that are kept; the rest is read and counted.
        var outputLimit: Int
        /// Whether it has what others leave of the processors.
        var isBackground: Bool

        init(
            program: String, arguments: [String] = [], environment: [String: String] = [:],
            deadline: Duration,
            grace: Duration = .seconds(2), outputLimit: Int = 1 << 20, isBackground: Bool = false
        ) {
            self.program = program
            self.arguments = arguments
            self.environment = environment
            self.deadline = deadline
            self.grace = grace
            self.outputLimit = outputLimit
            self.isBackground = isBackground
        }
    }

    struct Outcome: Hashable, Sendable {
        enum Ending: Hashable, Sendable {
            case exited(Int32)
            /// Ended by a signal that was not ours.
            case signalled(Int32)
            case timedOut
            case cancelled
            /// Why nothing was run.
            case notStarted(String)
        }
        var ending: Ending
        /// Standard output and standard error in the order they came.
        var output: [UInt8]
        /// Bytes above the order's limit.
        var dropped: Int
        /// From its start to its end.
        var duration: Duration

        static func notStarted(_ why: String) -> Outcome {
            Outcome(ending: .notStarted(why), output: [], dropped: 0, duration: .zero)
        }
    }

    /// Names one order to its runner.
    struct Ticket: Hashable, Sendable {
        fileprivate var number: UInt64
    }

    private struct Job: Sendable {
        var ticket: Ticket
        var order: Order
        /// Why it must not run, looked at when its turn comes; nil when it may.
        var refusal: @Sendable () -> String?
        var then: @Sendable (Outcome) -> Void
    }

    private struct State {
        var next: UInt64 = 1
        var running: Set<Ticket> = []
        /// The oldest first.
        var waiting: [Job] = []
        /// Of those running.
        var cancelled: Set<Ticket> = []
        var isStopped = false
    }

    private let parallel: Int
    private let waitingLimit: Int
    /// One more than the commands that run, for those that are told at once why theirs does not.
    private let queue: WorkQueue
    private let state = Mutex(State())

    /// - Parameters:
    ///   - parallel: how many run at once.
    ///   - waiting: how many more may wait for their turn; above that an order is refused.
    init(parallel: Int = 4, waiting: Int = 64) {
        precondition(parallel > 0 && waiting >= 0)
        self.parallel = parallel
        waitingLimit = waiting
        queue = WorkQueue("commands", width: parallel + 1)
    }

    /// A ticket for an order to come, for who must know it before the order can end.
    func ticket() -> Ticket {
        state.withLock { state in
            defer { state.next += 1 }
            return Ticket(number: state.next)
        }
    }

    /// Runs the program when its turn comes, and calls `then` exactly once, on a thread of this runner's.
    ///
    /// - Parameter refusal: asked when the order's turn has come, on such a thread; what it says is why nothing is run.
    @discardableResult
    func run(
        _ order: Order, as ticket: Ticket? = nil, unless refusal: @escaping @Sendable () -> String? = { nil },
        then: @escaping @Sendable (Outcome) -> Void
    ) -> Ticket {
        enum Place {
            case now, later
            case nowhere(String)
        }
        let job = Job(ticket: ticket ?? self.ticket(), order: order, refusal: refusal, then: then)
        let place: Place = state.withLock { state in
            if state.isStopped { return .nowhere("the service is stopping") }
            if state.running.count < parallel {
                state.running.insert(job.ticket)
                return .now
            }
            guard state.waiting.count < waitingLimit else {
                return .nowhere("\(waitingLimit) other commands are waiting already")
            }
            state.waiting.append(job)
            return .later
        }
        switch place {
        case .now: queue.async { self.work(job) }
        case .later: break
        case .nowhere(let why): queue.async { then(.notStarted(why)) }
        }
        return job.ticket
    }

    /// Ends a command that runs as its deadline would, and takes back one that waits; one that is done stays so.
    func cancel(_ ticket: Ticket) {
        let taken: Job? = state.withLock { state in
            if state.running.contains(ticket) { state.cancelled.insert(ticket) }
            guard let place = state.waiting.firstIndex(where: { $0.ticket == ticket }) else { return nil }
            return state.waiting.remove(at: place)
        }
        if let taken {
            queue.async {
                taken.then(Outcome(ending: .cancelled, output: [], dropped: 0, duration: .zero))
            }
        }
    }

    /// Cancels everything and takes nothing more.
    func stop() {
        let waiting: [Job] = state.withLock { state in
            state.isStopped = true
            state.cancelled = state.running
            defer { state.waiting = [] }
            return state.waiting
        }
        for job in waiting { queue.async { job.then(.notStarted("the service is stopping")) } }
    }

    private func work(_ job: Job) {
        let outcome: Outcome
        if let refusal = job.refusal() {
            outcome = .notStarted(refusal)
        } else {
            outcome = Self.execute(job.order) {
                self.state.withLock { $0.cancelled.contains(job.ticket) }
            }
        }
        let next: Job? = state.withLock { state in
            state.running.remove(job.ticket)
            state.cancelled.remove(job.ticket)
            guard !state.waiting.isEmpty else { return nil }
            let next = state.waiting.removeFirst()
            state.running.insert(next.ticket)
            return next
        }
        if let next { queue.async { self.work(next) } }
        job.then(outcome)
    }

    /// Blocks its thread until the process is gone.
    private static func execute(_ order: Order, isCancelled: () -> Bool) -> Outcome {
        let start = Instant.now()
        var process: CommandProcess
        do throws(CommandProcess.Failure) {
            process = try CommandProcess(order)
        } catch {
            return .notStarted(error.description)
        }
        var cause: Outcome.Ending?
        var killAt: Instant?
        var isKilled = false
        while !process.hasEnded {
            process.read()
            let now = Instant.now()
            if cause == nil {
                if isCancelled() {
                    cause = .cancelled
                } else if now >= start + order.deadline {
                    cause = .timedOut
                }
                if cause != nil {
                    process.terminate()
                    killAt = now + order.grace
                }
            } else if !isKilled, let killAt, now >= killAt {
                process.kill()
                isKilled = true
            }
            process.wait(until: killAt ?? start + order.deadline)
        }
        let ending = process.finish()
        return Outcome(
            ending: cause ?? ending, output: process.output, dropped: process.dropped,
            duration: Instant.now() - start)
    }
}
