import EventSocket
import Primitives

/// Whether the switch's event system works: an event of ours that is sent to it must come back through it.
///
/// A switch whose event thread is stuck still answers commands; only what comes back proves that it lives.
package struct Pulse: Sendable {
    package struct Settings: Hashable, Sendable {
        package var interval: Duration = .milliseconds(100)
        /// The longest a pulse may take before the switch counts as stuck.
        package var deadline: Duration = .milliseconds(500)
        /// How many pulses must have come back in time, one after the other, before it counts as healthy
        /// again.
        package var returns = 3
        /// How long all must have come back in time after one was late. A machine with too much to do is late again
        /// and again, and each move of its calls gives it more to do.
        package var calm: Duration = .seconds(5)
        /// How many times the deadline is, while the switch revives calls: hundreds of them come back within seconds.
        package var patience = 5

        package init() {}
    }

    package enum Verdict: Hashable, Sendable {
        case healthy
        case unhealthy(Reason)

        package var isHealthy: Bool { self == .healthy }
    }

    package enum Reason: Hashable, Sendable, CustomStringConvertible {
        /// No connection, or none yet.
        case disconnected
        /// Connected, but too few pulses came back since.
        case unproven
        /// A pulse is out for longer than the deadline.
        case silent(Duration)
        /// The switch refused the command: its words.
        case refused(String)

        package var description: String {
            switch self {
            case .disconnected: "the event socket is closed"
            case .unproven: "it has not proved itself yet"
            case .silent(let time): "an event sent \(time.nanoseconds / 1_000_000) ms ago has not come back"
            case .refused(let words): "it refuses commands: \(words)"
            }
        }
        /// The same without figures.
        package var summary: String {
            if case .silent = self {
                "an event sent through it does not come back in time"
            } else {
                description
            }
        }
    }

    package static let subclass = "fsdns::pulse"
    private static let number = "fsdns-pulse"
    private static let sender = "fsdns-sender"

    package let settings: Settings
    package private(set) var verdict: Verdict = .unhealthy(.disconnected)
    /// How long the newest pulse that came back was under way.
    package private(set) var roundTrip: Duration?
    /// Tells this process's pulses from those of another one on the same switch.
    private let token: String
    private var isConnected = false
    private var next: UInt64 = 1
    private var nextSend = Instant.zero
    /// Sent and not back, oldest first; a newer one that came back clears the older ones.
    private var out: [(number: UInt64, sent: Instant)] = []
    private var returned = 0
    /// When a pulse was seen to be late, the last time.
    private var late: Instant?
    /// When the last pulse came back on this connection, however late it was.
    private var lastReturn: Instant?
    private var isReviving = false
    /// When `tick` is to be called next, by what the driver was told.
    private var planned: Instant?
    /// A driver that comes later than this was held up itself.
    private static let punctuality: Duration = .milliseconds(50)

    /// - Parameter token: different for every process, one line without spaces at its ends.
    package init(settings: Settings = .init(), token: String) {
        precondition(settings.interval > .zero && settings.deadline > .zero && settings.returns > 0)
        self.settings = settings
        self.token = token
    }

    /// The event socket is authenticated, and subscribed to `subclass`.
    package mutating func connected(at now: Instant) {
        isConnected = true
        out = []
        returned = 0
        late = nil
        lastReturn = nil
        nextSend = now
        verdict = .unhealthy(.unproven)
    }

    /// The event socket is closed: at once, with no deadline.
    package mutating func disconnected() {
        isConnected = false
        out = []
        planned = nil
        returned = 0
        verdict = .unhealthy(.disconnected)
    }

    /// The answer to a pulse's `sendevent` was `-ERR`.
    package mutating func refused(_ words: String) {
        returned = 0
        if isConnected { verdict = .unhealthy(.refused(SwitchFailure.short(words))) }
    }

    /// - Returns: the event to send with `sendevent`, if one is due.
    package mutating func tick(at now: Instant) -> SwitchEvent? {
        guard isConnected else { return nil }
        excuseOwnDelay(at: now)
        judge(at: now)
        defer { planned = nextDeadline }
        guard nextSend <= now else { return nil }
        if out.count >= Self.outLimit {
            // Long stuck: it is asked less often, and the oldest pulse goes on telling since when.
            out.remove(at: 1)
            nextSend = now + max(settings.interval, Self.stuckInterval)
        } else {
            // Held up itself, it sends one, not all that it missed.
            nextSend += settings.interval
            if nextSend <= now { nextSend = now + settings.interval }
        }
        let number = next
        next += 1
        out.append((number, now))
        return SwitchEvent(
            headers: Headers([
                .init("Event-Name", "CUSTOM"), .init("Event-Subclass", Self.subclass),
                .init(Self.number, "\(number)"), .init(Self.sender, token),
            ]))
    }

    private static let outLimit = 64
    private static let stuckInterval: Duration = .seconds(1)

    /// Takes in any event; only our own pulses count.
    ///
    /// - Returns: whether it was a pulse of this process.
    @discardableResult
    package mutating func handle(_ event: SwitchEvent, at now: Instant) -> Bool {
        guard event.subclass == Self.subclass, event[Self.sender] == token else { return false }
        guard isConnected, let number = event[Self.number].flatMap({ UInt64($0) }),
            let place = out.firstIndex(where: { $0.number == number })
        else { return true }
        excuseOwnDelay(at: now)
        let time = now - out[place].sent
        out.removeFirst(place + 1)
        roundTrip = time
        lastReturn = now
        returned = time < deadline ? returned + 1 : 0
        judge(at: now)
        return true
    }

    /// What this process could not read, because it was held up, is not the switch's silence: the time is taken off the
    /// pulses that are out.
    private mutating func excuseOwnDelay(at now: Instant) {
        guard let planned, now - planned > Self.punctuality else { return }
        let delay = now - planned
        for place in out.indices { out[place].sent = out[place].sent + delay }
        if let lastReturn { self.lastReturn = lastReturn + delay }
        self.planned = now
    }

    private mutating func judge(at now: Instant) {
        if let oldest = out.first, now >= silent(oldest.sent) {
            returned = 0
            late = now
            verdict = .unhealthy(.silent(now - oldest.sent))
        } else if verdict != .healthy, returned >= settings.returns, isCalm(at: now) {
            verdict = .healthy
        }
    }

    /// When the switch counts as stuck, if nothing more comes back; `sent` is when the oldest pulse that is out was sent.
    ///
    /// Answers that keep coming late prove that the switch lives: it is busy. A stuck event thread answers in time
    /// until it answers nothing at all. So the deadline runs from the last return too, and is longer by the time that
    /// the last pulse took; a lag of `patience` deadlines is as bad as none, whatever still comes back.
    private func silent(_ sent: Instant) -> Instant {
        let due = sent + deadline
        guard let lastReturn, let roundTrip else { return due }
        let busy = lastReturn + deadline + min(roundTrip, deadline)
        return min(max(due, busy), sent + deadline * settings.patience)
    }

    private func isCalm(at now: Instant) -> Bool { late.map { now - $0 >= settings.calm } ?? true }

    private var deadline: Duration { isReviving ? settings.deadline * settings.patience : settings.deadline }

    /// Whether the switch is reviving calls now; what is still out when it ended is not counted as late.
    package mutating func revives(_ isReviving: Bool, at now: Instant) {
        guard isReviving != self.isReviving else { return }
        excuseOwnDelay(at: now)
        judge(at: now)
        self.isReviving = isReviving
        if !isReviving, verdict.isHealthy { out = [] }
    }

    /// When to call `tick`; nil while there is no connection.
    package var nextDeadline: Instant? {
        guard isConnected else { return nil }
        // Once it is known to be silent only a return tells anything new.
        guard verdict.isHealthy, let oldest = out.first else { return nextSend }
        return min(nextSend, silent(oldest.sent))
    }
}
