import Calendar
import Cluster
import Config
@preconcurrency import Glibc
import NIOCore
import Synchronization

/// Tells the node once a second what the wall clock says, and what that means for scheduled playbooks.
final class CalendarWatch: Sendable {
    private struct State {
        var questions: [CalendarQuestion] = []
        /// Of zones asked for lately; nil where the machine knows none.
        var rules: [String: TimeZoneRules?] = [:]
        /// When the zone files are read again: they change with the machine's packages.
        var freshUntil: Int64 = 0
    }

    private static let interval: TimeAmount = .seconds(1)
    private static let freshness: Int64 = 3600
    private let state = Mutex(State())
    private let loop: any EventLoop
    private let tell: @Sendable (CalendarReading) -> Void
    private let trouble: @Sendable (String) -> Void

    /// - Parameters:
    ///   - tell: called on that loop.
    ///   - trouble: a zone this machine does not know, once for each reading of its files.
    init(
        loop: any EventLoop, tell: @escaping @Sendable (CalendarReading) -> Void,
        trouble: @escaping @Sendable (String) -> Void
    ) {
        self.loop = loop
        self.tell = tell
        self.trouble = trouble
    }

    func start() {
        loop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.interval) { [weak self] task in
            guard let self else { return task.cancel() }
            read()
        }
    }

    /// Answered at once, and from then on every second.
    func watch(_ questions: [CalendarQuestion]) {
        state.withLock { $0.questions = questions }
        loop.execute { [weak self] in self?.read() }
    }

    private func read() {
        let now = Int64(WallClock.seconds())
        let questions = state.withLock { state in
            if now >= state.freshUntil || now < state.freshUntil - Self.freshness {
                state.rules = [:]
                state.freshUntil = now + Self.freshness
            }
            return state.questions
        }
        let answers = questions.map { question in
            question.answer(
                now: WallTime(seconds: now), rules: question.schedule.flatMap { rules(of: $0.zone ?? "UTC") },
                windowRules: question.window.flatMap { rules(of: $0.zone) })
        }
        tell(CalendarReading(now: WallTime(seconds: now), answers: answers))
    }

    private func rules(of zone: String) -> TimeZoneRules? {
        if let known = state.withLock({ $0.rules[zone] }) { return known }
        var found: TimeZoneRules?
        do throws(ZoneInfo.Refusal) {
            found = try ZoneInfo.system.rules(of: zone)
        } catch {
            trouble("time zone \(zone) \(error.reason)")
        }
        state.withLock { $0.rules[zone] = .some(found) }
        return found
    }
}
