import Calendar
import Primitives

/// What an operator asks about playbooks.
package enum PlaybookRequest: Hashable, Sendable {
    case run(Playbook, who: String, dryRun: Bool, ignoresWindow: Bool)
    /// Replaces a schedule of that name.
    case schedule(Playbook, who: String)
    /// Takes it off the schedule; a run of it goes on.
    case unschedule(name: String, who: String)
    /// Ends the run under way and undoes it.
    case cancel(who: String)
    case approve(who: String)
    case list
    /// With finished runs and the audit trail.
    case history
    /// Of a kind that only a later release knows.
    case unknown(String)
}

/// Playbooks as the leader knows them.
package struct PlaybookReport: Hashable, Sendable, Codable {
    package struct Schedule: Hashable, Sendable, Codable {
        package var name: String
        package var summary: String
        package var who: String
        package var schedule: PlaybookSchedule?
        package var window: PlaybookWindow?
        /// Nil when it is due no more, or the calendar could not be asked.
        package var next: WallTime?
        /// What is odd about it, a sentence.
        package var note: String?

        package init(
            name: String, summary: String, who: String, schedule: PlaybookSchedule?, window: PlaybookWindow?,
            next: WallTime? = nil, note: String? = nil
        ) {
            self.name = name
            self.summary = summary
            self.who = who
            self.schedule = schedule
            self.window = window
            self.next = next
            self.note = note
        }
    }
    package struct Step: Hashable, Sendable, Codable {
        package var line: Int
        package var title: String
        package var outcome: String
        /// What it waits for.
        package var waitingFor: String?
        package var undone: String?
        package var node: String?
        package var output: String
    }
    package struct Run: Hashable, Sendable, Codable {
        package var id: Epoch
        package var name: String
        package var summary: String
        package var who: String
        package var due: WallTime?
        package var wall: WallTime?
        /// Since it began, in seconds.
        package var age: Int
        /// Until its window closes, in seconds.
        package var remaining: Int?
        /// `running`, `undoing` or `stopping`.
        package var phase: String
        /// Why it does not go on.
        package var trouble: String?
        package var steps: [Step]
    }
    package var schedules: [Schedule]
    package var run: Run?
    /// The newest last.
    package var finished: [FinishedRun]
    /// The newest last; empty unless history was asked for.
    package var audit: [AuditEntry]
}

extension StatusReport {
    /// The run under way in one line.
    package struct PlaybookLine: Hashable, Sendable, Codable {
        package var name: String
        /// Of the first step under way, from 1.
        package var step: Int
        package var of: Int
        package var title: String
        /// `running`, `undoing` or `stopping`.
        package var phase: String
        package var waitingFor: String?
        package var who: String
    }
}
