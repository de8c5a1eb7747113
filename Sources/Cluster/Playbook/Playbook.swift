import Calendar
import Primitives

/// Operator-written steps with a schedule, abort conditions and an undo; every parameter is filled in.
package struct Playbook: Hashable, Sendable, Codable {
    package var name: String
    /// One sentence for those who approve it.
    package var summary: String
    package var steps: [PlaybookStep]
    /// Nil runs only when somebody says so.
    package var schedule: PlaybookSchedule?
    /// Outside it no run starts, and at its end a run is undone.
    package var window: PlaybookWindow?
    package var aborts: PlaybookAborts
    /// Whether a run that fails undoes its done steps, newest first.
    package var rollsBack: Bool

    package init(
        name: String, summary: String, steps: [PlaybookStep], schedule: PlaybookSchedule? = nil,
        window: PlaybookWindow? = nil, aborts: PlaybookAborts = PlaybookAborts(), rollsBack: Bool = true
    ) {
        self.name = name
        self.summary = summary
        self.steps = steps
        self.schedule = schedule
        self.window = window
        self.aborts = aborts
        self.rollsBack = rollsBack
    }
}

/// One step: what is done, for how long at most, and what undoes it.
package struct PlaybookStep: Hashable, Sendable, Codable {
    /// Where it begins in its file.
    package var line: Int
    package var action: PlaybookAction
    /// The step failed when it is not done by then; every step has one.
    package var timeout: Duration
    /// Run when the step was done and the run is undone; steps that need none of their own have nil.
    package var undo: CommandOrder?

    package init(line: Int, action: PlaybookAction, timeout: Duration, undo: CommandOrder? = nil) {
        self.line = line
        self.action = action
        self.timeout = timeout
        self.undo = undo
    }
}

/// What a step does. Names may hold `${item}` (of the nearest `for-each`) and `${node}` (the node the newest drain of
/// this run put into maintenance); they are replaced when the step begins.
package enum PlaybookAction: Hashable, Sendable, Codable {
    /// Undone by `undrain`.
    case drain(target: String, deadline: Duration?, onDeadline: Drain.OnDeadline, reason: String)
    case undrain(node: String)
    /// A seat, or that of the node that holds one; nothing when it holds none. Undone by moving the seat back.
    case switchover(seat: String, to: String?)
    /// Serves every record with this TTL and waits until the former one is forgotten; undone by restoring it.
    case lowerTTL(Duration)
    case wait(Duration)
    /// A program on one node, run at most once.
    case run(CommandOrder)
    /// Asked again every `interval` until it holds or the step's timeout is over.
    case check(PlaybookCheck, interval: Duration)
    case notify(PlaybookNotice)
    /// Waits for `fsdns playbook approve`.
    case approve(String)
    /// Its steps for each item in the order of the list, at most `atMost` items at once, with a pause after each.
    case forEach(PlaybookItems, atMost: Int, pause: Duration, steps: [PlaybookStep])
    /// Ends the node service of a node on purpose (a drill), without giving its seat away first.
    case fail(node: String)
}

/// A program with its arguments; no shell is involved.
package struct CommandOrder: Hashable, Sendable, Codable {
    package struct Variable: Hashable, Sendable, Codable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }
    /// The node it runs on; empty is the leader.
    package var node: String
    /// Absolute path.
    package var program: String
    package var arguments: [String]
    /// All it sees besides the names of run, step and node; sorted by name.
    package var environment: [Variable]
    package var timeout: Duration

    package init(
        node: String, program: String, arguments: [String], environment: [Variable] = [], timeout: Duration
    ) {
        self.node = node
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.timeout = timeout
    }
}

package enum PlaybookCheck: Hashable, Sendable, Codable {
    /// A SIP OPTIONS over UDP is answered with 200.
    case options(Endpoint)
    case tcp(Endpoint)
    /// `http://…` answers with this status.
    case http(url: String, status: Int)
    /// Exits with 0.
    case command(CommandOrder)
    /// Calls on that node, or on all when nil.
    case callsBelow(Int, node: String?)
    /// Every node's switch has been told every registration.
    case registrationsConverged
    /// Every DNS server serves what was decided.
    case zoneConverged
    /// Every seat is held, published, and so many slaves are ready.
    case headroom(slaves: Int)
}

package enum PlaybookNotice: Hashable, Sendable, Codable {
    case command(CommandOrder)
    /// An HTTP POST of the event as JSON.
    case webhook(String)
}

package enum PlaybookItems: Hashable, Sendable, Codable {
    /// In the order of the cluster file.
    case seats
    /// Sorted by name, witnesses excepted.
    case nodes
    case named([String])
}

package struct PlaybookAborts: Hashable, Sendable, Codable {
    /// Fewer ready slaves than this while no drain of the run explains it; nil does not look.
    package var slavesBelow: Int?
    /// Another node fails while the run goes on.
    package var onNodeFailure: Bool
    /// One more failure would lose the quorum.
    package var onThinQuorum: Bool

    package init(slavesBelow: Int? = nil, onNodeFailure: Bool = true, onThinQuorum: Bool = true) {
        self.slavesBelow = slavesBelow
        self.onNodeFailure = onNodeFailure
        self.onThinQuorum = onThinQuorum
    }
}
