import Calendar
import Primitives

/// What the deciding half wants to know of the calendar: it has no wall clock and no time zones.
package struct CalendarQuestion: Hashable, Sendable {
    package enum Subject: Hashable, Sendable {
        /// A scheduled playbook, by its epoch.
        case schedule(Epoch)
        /// A playbook somebody wants to run by hand now.
        case asked(UInt64)
    }
    package var subject: Subject
    package var schedule: PlaybookSchedule?
    package var window: PlaybookWindow?
    /// Due instants after it are wanted; nil wants none.
    package var after: WallTime?
}

package struct CalendarAnswer: Hashable, Sendable {
    package enum Opening: Hashable, Sendable {
        /// There is no window.
        case always
        case open(until: WallTime)
        case closed(next: WallTime?)
    }
    package var subject: CalendarQuestion.Subject
    /// Due after the question's instant and by now, sorted: the first, and the newest ones.
    package var dues: [WallTime]
    package var next: WallTime?
    package var opening: Opening

    package init(
        subject: CalendarQuestion.Subject, dues: [WallTime] = [], next: WallTime? = nil, opening: Opening
    ) {
        self.subject = subject
        self.dues = dues
        self.next = next
        self.opening = opening
    }
}

/// The wall clock of this machine and what it means for every question; about once a second.
package struct CalendarReading: Hashable, Sendable {
    package var now: WallTime
    package var answers: [CalendarAnswer]

    package init(now: WallTime, answers: [CalendarAnswer]) {
        self.now = now
        self.answers = answers
    }

    func answer(_ subject: CalendarQuestion.Subject) -> CalendarAnswer? {
        answers.first { $0.subject == subject }
    }
}

extension CalendarQuestion {
    /// Dues told at once; of more than that, the first and the newest.
    private static let listed = 64
    private static let recent: Int64 = 86_400

    /// - Parameters:
    ///   - rules: of the schedule's zone; nothing is due where there are none.
    ///   - windowRules: of the window's zone; a window without them is closed.
    package func answer(
        now: WallTime, rules: TimeZoneRules?, windowRules: TimeZoneRules?
    ) -> CalendarAnswer {
        var answer = CalendarAnswer(subject: subject, opening: .always)
        if let window {
            if let windowRules {
                if let opening = window.opening(at: now, rules: windowRules) {
                    answer.opening = .open(until: opening.ends)
                } else {
                    answer.opening = .closed(next: window.nextOpening(after: now, rules: windowRules)?.begins)
                }
            } else {
                answer.opening = .closed(next: nil)
            }
        }
        guard let schedule, let after, let rules else { return answer }
        answer.next = schedule.nextDue(after: max(now, after), rules: rules)
        guard after < now else { return answer }
        let first = schedule.dues(after: after, through: now, rules: rules, limit: 1)
        let yesterday = WallTime(seconds: max(after.seconds, now.seconds - Self.recent))
        var newest = schedule.dues(after: yesterday, through: now, rules: rules, limit: 1441)
        newest = Array(newest.suffix(Self.listed))
        answer.dues = newest.first == first.first ? newest : first + newest
        return answer
    }
}
