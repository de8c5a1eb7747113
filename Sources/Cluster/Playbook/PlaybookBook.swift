import Calendar
import Primitives

/// All the cluster has agreed about playbooks: what is scheduled, the run under way, how former ones ended.
package struct PlaybookBook: Hashable, Sendable, Codable {
    /// Sorted by name.
    package var schedules: [ScheduledPlaybook] = []
    /// At most one; a second has to wait for somebody to start it again.
    package var run: PlaybookRun?
    /// The newest last.
    package var finished: [FinishedRun] = []

    package init() {}

    package func schedule(_ name: String) -> ScheduledPlaybook? {
        schedules.first { $0.playbook.name == name }
    }

    mutating func keep(_ finished: FinishedRun) {
        self.finished.append(finished)
        var steps = self.finished.reduce(0) { $0 + $1.steps.count }
        while self.finished.count > PlaybookLimits.finishedRuns || steps > PlaybookLimits.finishedSteps,
            self.finished.count > 1
        {
            steps -= self.finished.removeFirst().steps.count
        }
    }
}

/// Bounds of playbooks in the control state.
package enum PlaybookLimits {
    package static let schedules = 32
    /// Of one run, every item of every `for-each` counted.
    package static let steps = 256
    /// Of one playbook as it is written.
    package static let writtenSteps = 64
    /// Bytes of all texts of a playbook as it is written, and of one run's steps.
    package static let writtenText = 16_384
    package static let text = 131_072
    package static let finishedRuns = 40
    /// Of all finished runs together: the whole control state must fit into one frame.
    package static let finishedSteps = 512
    /// Bytes of output kept of one step, of one run, and of a step of a finished run.
    package static let stepOutput = 4096
    package static let runOutput = 65_536
    package static let finishedOutput = 512
    /// Bytes of one reason.
    package static let reason = 512
    /// A due run starts at most so late, unless the cluster file says otherwise.
    package static let lateness: Duration = .seconds(900)
    /// What may be written as a duration.
    package static let durations = Duration.zero...Duration.seconds(366 * 86_400)
}

/// A playbook that runs by the calendar.
package struct ScheduledPlaybook: Hashable, Sendable, Codable {
    /// Of the command that scheduled it.
    package var id: Epoch
    package var playbook: Playbook
    package var who: String
    package var since: ClusterTime
    /// Every due instant up to here was run or told to be lost; never goes back.
    package var considered: WallTime
}

/// How a run ended, or why a due one never began.
package struct FinishedRun: Hashable, Sendable, Codable {
    package enum Outcome: Hashable, Sendable, Codable {
        case done
        case rolledBack(String)
        /// Undone as far as it could be; what could not says so at its step.
        case rolledBackPartly(String)
        /// It stopped, and what was done stays.
        case failed(String)
        /// Due, and never begun.
        case skipped(String)

        /// For people.
        package var text: String {
            switch self {
            case .done: "done"
            case .rolledBack(let reason): "rolled back: \(reason)"
            case .rolledBackPartly(let reason): "rolled back in part: \(reason)"
            case .failed(let reason): "failed: \(reason)"
            case .skipped(let reason): "not run: \(reason)"
            }
        }
    }
    package struct Step: Hashable, Sendable, Codable {
        package var line: Int
        package var title: String
        package var outcome: String
        package var undone: String?
        package var output: String
    }
    /// Of the command that started it, or that gave it up.
    package var id: Epoch
    package var name: String
    package var who: String
    package var due: WallTime?
    package var began: ClusterTime
    package var ended: ClusterTime
    /// By the leader's clock then.
    package var wall: WallTime?
    package var outcome: Outcome
    package var steps: [Step]
}

// A control state written before there were playbooks has none.
extension KeyedDecodingContainer {
    func decode(_ type: PlaybookBook.Type, forKey key: Key) throws -> PlaybookBook {
        try decodeIfPresent(type, forKey: key) ?? PlaybookBook()
    }
}
