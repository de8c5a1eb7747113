import EventSocket
import Primitives
import Replication

/// The gentlest word each kind of phone understands as "come again": a NOTIFY it acts on without a restart.
///
/// `sofia profile NAME check_sync` is not used: it restarts snom, Yealink, Linksys and Cisco phones (sofia_reg.c:
/// sofia_reg_send_reboot), and `flush_inbound_reg` makes a phone unreachable that knows nothing of it.
package enum RegistrationPrompt: Hashable, Sendable {
    /// `Event:` of the NOTIFY.
    case notify(String)
    /// Nothing is said to it: it asks DNS again when it refreshes its registration.
    case none

    /// Product names as they appear in `User-Agent`, lower case; the first that is found counts.
    private static let classes: [(name: String, event: String)] = [
        ("snom", "check-sync;reboot=false"), ("yealink", "check-sync;reboot=false"),
        ("polycom", "check-sync"), ("poly/", "check-sync"), ("grandstream", "check-sync"),
        ("fanvil", "check-sync"), ("gigaset", "check-sync;reboot=false"), ("htek", "check-sync;reboot=false"),
        ("mitel", "check-sync"), ("aastra", "check-sync"), ("panasonic", "check-sync"),
        ("obihai", "resync"), ("linksys/spa", "resync"), ("cisco/spa", "resync"), ("sipura", "resync"),
    ]

    package init(userAgent: String) {
        let text = userAgent.lowercased()
        let found = Self.classes.first { text.contains($0.name) }
        self = found.map { .notify($0.event) } ?? .none
    }

    /// The `sendevent` that makes the switch say it to that one contact (mod_sofia.c: general_event_handler,
    /// SWITCH_EVENT_NOTIFY with contact-uri); nil when nothing is to be said.
    package func event(for registration: Registration) -> SwitchEvent? {
        guard case .notify(let text) = self else { return nil }
        let account = "sip:\(registration.user)@\(registration.host)"
        // Without the display name that rows have before it.
        let contact = registration.contact
        let start = contact.firstIndex(of: "<") ?? contact.startIndex
        let end = contact[start...].firstIndex(of: ">").map { contact.index(after: $0) } ?? contact.endIndex
        return SwitchEvent(
            headers: Headers([
                Headers.Field("Event-Name", "NOTIFY"), Headers.Field("profile", registration.profile),
                Headers.Field("event-string", text),
                Headers.Field("contact-uri", String(contact[start..<end])),
                Headers.Field("to-uri", account), Headers.Field("from-uri", account),
                Headers.Field("content-type", "application/simple-message-summary"),
            ]))
    }
}

/// Which phones of a drained address are told to come by DNS again, and how fast: some a second, each once, none while
/// the receiver is busy.
package struct RegistrationMove: Sendable {
    /// Those that understand a word of ours and were not told, in no order that matters.
    private var waiting: [Registration]
    package private(set) var told = 0
    /// Those nothing is said to.
    package let silent: Int
    private let interval: Duration
    private var next: Instant

    package init(_ registrations: [Registration], perSecond: Int, at now: Instant) {
        waiting = registrations.filter { RegistrationPrompt(userAgent: $0.userAgent) != .none }
        silent = registrations.count - waiting.count
        interval = .nanoseconds(1_000_000_000 / Int64(max(perSecond, 1)))
        next = now
    }

    package var isDone: Bool { waiting.isEmpty }
    package var left: Int { waiting.count }
    package var nextDeadline: Instant? { waiting.isEmpty ? nil : next }

    /// What is to be said now.
    ///
    /// - Parameters:
    ///   - isBusy: the switch that shall take the phones is not well; nothing is said meanwhile.
    ///   - isStillHere: whether a registration is still at the address.
    package mutating func due(
        isBusy: Bool, isStillHere: (Registration) -> Bool, at now: Instant
    ) -> [SwitchEvent] {
        var events: [SwitchEvent] = []
        if isBusy {
            next = max(next, now + .seconds(1))
            return []
        }
        // A pause is not made up for by a crowd.
        next = max(next, now - .milliseconds(100))
        while next <= now, let registration = waiting.popLast() {
            guard isStillHere(registration),
                let event = RegistrationPrompt(userAgent: registration.userAgent).event(for: registration)
            else { continue }
            events.append(event)
            told += 1
            next = next + interval
        }
        return events
    }
}
