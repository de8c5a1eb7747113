import Calendar
import Primitives

/// One agreed step of schedules and runs; each says what its sender thought, and is refused when that is not so.
package enum PlaybookCommand: Hashable, Sendable {
    /// Replaces a schedule of that name.
    case schedule(Playbook, who: String, considered: WallTime)
    case unschedule(name: String, who: String)
    /// Due instants up to `through` are lost, and why.
    case consider(schedule: Epoch, through: WallTime, reason: String)
    case start(PlaybookStart)
    case begin(run: Epoch, step: Int)
    /// Which life of which node executes what has begun.
    case assign(StepID, Holder)
    case drain(StepID, Drain)
    /// A node that holds nothing has nothing to drain: into maintenance at once.
    case rest(StepID, Holder, reason: String)
    case undrain(StepID)
    /// There, or back when the step is being undone.
    case move(StepID, Move)
    case lowerTTL(StepID)
    case outcome(StepID, StepOutcome)
    case approve(run: Epoch, step: Int, who: String)
    /// No step begins any more; `undoes` undoes the done ones.
    case abandon(run: Epoch, reason: String, undoes: Bool)
    case beginUndo(run: Epoch, step: Int)
    case finish(run: Epoch)
    /// Of a kind that only a later release knows.
    case unknown(String)
}

package struct PlaybookStart: Hashable, Sendable, Codable {
    /// Nil takes that of the schedule.
    package var playbook: Playbook?
    package var schedule: Epoch?
    package var due: WallTime?
    package var who: String
    /// Until the window closes; nil without one, or when it does not matter.
    package var remaining: Duration?

    package init(
        playbook: Playbook?, schedule: Epoch? = nil, due: WallTime? = nil, who: String,
        remaining: Duration? = nil
    ) {
        self.playbook = playbook
        self.schedule = schedule
        self.due = due
        self.who = who
        self.remaining = remaining
    }
}

/// What became of a step that had begun.
package struct StepOutcome: Hashable, Sendable, Codable {
    package enum Verdict: Hashable, Sendable, Codable {
        case done(String?)
        case failed(String)
        case unknown(String)
    }
    package var verdict: Verdict
    /// The end of what a command wrote.
    package var output: String

    package init(_ verdict: Verdict, output: String = "") {
        self.verdict = verdict
        self.output = output
    }
}

/// How a command ended, as the node that ran it saw.
package struct CommandResult: Hashable, Sendable, Codable {
    package enum End: Hashable, Sendable, Codable {
        case exited(Int32)
        case killed(signal: Int32)
        case timedOut
        /// It was told to end before it was done.
        case stopped
        case notStarted(String)
    }
    package var end: End
    /// Its last output, both streams; `PlaybookLimits.stepOutput` bytes at most are kept.
    package var output: String

    package init(_ end: End, output: String = "") {
        self.end = end
        self.output = output
    }

    var outcome: StepOutcome {
        switch end {
        case .exited(0): StepOutcome(.done(nil), output: output)
        case .exited(let code): StepOutcome(.failed("exited with \(code)"), output: output)
        case .killed(let signal): StepOutcome(.failed("was killed by signal \(signal)"), output: output)
        case .timedOut: StepOutcome(.failed("did not end in time and was killed"), output: output)
        case .stopped: StepOutcome(.failed("was stopped because the run was"), output: output)
        case .notStarted(let reason): StepOutcome(.failed("could not be started: \(reason)"), output: output)
        }
    }
}

/// What one look at a check came to.
package struct CheckResult: Hashable, Sendable, Codable {
    package var holds: Bool
    /// What was seen, for people.
    package var text: String

    package init(holds: Bool, text: String) {
        self.holds = holds
        self.text = text
    }
}

/// What goes with a command, check or notice of a run: its environment and the body of a webhook.
package struct PlaybookContext: Hashable, Sendable, Codable {
    package var playbook: String
    package var run: Epoch
    /// From 1.
    package var step: Int
    package var steps: Int
    /// What the step does, for people.
    package var title: String
    package var who: String
    /// Whether the step is being undone.
    package var isUndoing: Bool
}

/// From the node that executes or looks, to the leader; repeated until it is agreed.
package struct StepNotice: Hashable, Sendable, Codable {
    package enum Body: Hashable, Sendable, Codable {
        case ended(StepOutcome)
        case checked(CheckResult)
    }
    package var id: StepID
    package var from: Holder
    package var body: Body

    package init(id: StepID, from: Holder, body: Body) {
        self.id = id
        self.from = from
        self.body = body
    }
}
