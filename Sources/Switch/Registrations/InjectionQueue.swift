import EventSocket
import Primitives
import Replication

/// Puts replicated registrations into the local switch at a pace that leaves it responsive.
///
/// Of each registration only the newest state waits, and only one is under way. What waits survives a lost
/// connection; after a restart of the switch everything is offered anew (`wantsEverything`).
package struct InjectionQueue: Sendable {
    package struct Settings: Hashable, Sendable {
        /// Registrations a second; the switch takes some 2,000 with one answer awaited each.
        package var perSecond = 1_000
        /// The most that are sent without an answer.
        package var outstanding = 64
        /// The most that wait; more are refused, and the caller offers them again.
        package var capacity = 100_000
        /// See `RegistrationInjection.register`.
        package var lateMargin: Duration = .seconds(60)
        /// How often a refused one is tried.
        package var attempts = 3
        package var origin: RegistrationInjection.Origin

        package init(origin: RegistrationInjection.Origin) { self.origin = origin }
    }

    /// What the switch shall have.
    package enum Wish: Hashable, Sendable {
        case present(Registration)
        case absent(RegistrationName)

        var name: RegistrationName {
            switch self {
            case .present(let registration): RegistrationName(registration)
            case .absent(let name): name
            }
        }
    }

    /// One or two `sendevent CUSTOM`, to be sent in this order and answered together.
    package struct Injection: Hashable, Sendable {
        package var ticket: UInt64
        package var events: [SwitchEvent]
    }

    private struct Key: Hashable {
        var profile: String
        var key: RegistrationKey
    }

    private struct Item {
        var wish: Wish
        var mode: RegistrationMode
        var attempt = 1
    }

    package let settings: Settings
    /// The switch has to be told of everything again: offer it in a pass, between `beginPass` and `endPass`.
    package private(set) var wantsEverything = true
    private var isPassing = false
    package private(set) var statistics = Statistics()
    private var waiting: [Key: Item] = [:]
    private var order: [Key] = []
    private var head = 0
    private var underWay: [UInt64: (key: Key, item: Item)] = [:]
    private var busy: Set<Key> = []
    /// How many wait for an answer to their own older state.
    private var blocked = 0
    /// By contact only: the Call-ID under which the receiver has the row; it would keep the old one beside.
    private var callIDs: [Key: String] = [:]
    private var nextTicket: UInt64 = 1
    private var nextSlot = Instant.zero

    package struct Statistics: Hashable, Sendable {
        package var accepted: UInt64 = 0
        /// A newer state came before the older was sent.
        package var coalesced: UInt64 = 0
        package var withdrawn: UInt64 = 0
        package var expired: UInt64 = 0
        package var refused: UInt64 = 0
        package var overflowed: UInt64 = 0
    }

    package init(settings: Settings) {
        precondition(settings.perSecond > 0 && settings.outstanding > 0 && settings.capacity > 0)
        self.settings = settings
    }

    /// Registrations that wait, and those that are sent and not answered.
    package var backlog: (waiting: Int, underWay: Int) { (waiting.count, underWay.count) }

    /// Whether the newest state of every registration that was offered has been accepted.
    package var isIdle: Bool { waiting.isEmpty && underWay.isEmpty && !wantsEverything && !isPassing }

    /// - Parameter mode: of the profile, on the switch that has the phone and on this one alike.
    /// - Returns: false when there is no room: then everything is wanted again, also while a pass is under way.
    package mutating func offer(_ wish: Wish, mode: RegistrationMode) -> Bool {
        let key = Key(profile: wish.name.profile, key: RegistrationKey(wish.name, mode: mode))
        if waiting[key] != nil {
            statistics.coalesced += 1
            waiting[key] = Item(wish: wish, mode: mode)
            return true
        }
        if waiting.count >= settings.capacity {
            statistics.overflowed += 1
            wantsEverything = true
            return false
        }
        waiting[key] = Item(wish: wish, mode: mode)
        order.append(key)
        if busy.contains(key) { blocked += 1 }
        return true
    }

    /// The switch's own phone has told it something newer: what waits is not sent any more.
    package mutating func withdraw(_ key: RegistrationKey, of profile: String) {
        let key = Key(profile: profile, key: key)
        guard waiting.removeValue(forKey: key) != nil else { return }
        statistics.withdrawn += 1
        if busy.contains(key) { blocked -= 1 }
    }

    /// By contact only: the switch has a registration of this contact under another Call-ID.
    package mutating func note(callID: String, for registration: Registration, mode: RegistrationMode) {
        guard mode == .contact else { return }
        let key = Key(profile: registration.profile, key: RegistrationKey(registration, mode: mode))
        callIDs[key] = callID
    }

    /// From now on everything there is will be offered; what asks for it later asks for another pass.
    package mutating func beginPass() {
        wantsEverything = false
        isPassing = true
    }

    /// Everything there was when the pass began has been offered.
    package mutating func endPass() { isPassing = false }

    /// Whether a pass should offer more: so few wait that changes meanwhile go out soon, and so many that the
    /// switch need not wait for the next offer.
    package var hasRoomForPass: Bool { waiting.count < min(2 * settings.outstanding, settings.capacity) }

    /// What may be sent now.
    package mutating func next(at now: Instant) -> [Injection] {
        var injections: [Injection] = []
        var skipped: [Key] = []
        while underWay.count < settings.outstanding, nextSlot <= now, head < order.count {
            let key = order[head]
            head += 1
            guard let item = waiting[key] else { continue }
            if busy.contains(key) {
                skipped.append(key)
                continue
            }
            waiting[key] = nil
            guard let events = events(for: item, key, at: now) else {
                statistics.expired += 1
                continue
            }
            injections.append(Injection(ticket: nextTicket, events: events))
            underWay[nextTicket] = (key, item)
            busy.insert(key)
            nextTicket += 1
            takeSlot(at: now)
        }
        order.append(contentsOf: skipped)
        if head > 1024, head > order.count / 2 {
            order.removeFirst(head)
            head = 0
        }
        return injections
    }

    /// Slots that passed unused let a burst of `outstanding` go at once.
    private mutating func takeSlot(at now: Instant) {
        let slot = Duration.nanoseconds(1_000_000_000 / Int64(settings.perSecond))
        nextSlot = max(nextSlot, now - slot * settings.outstanding) + slot
    }

    private mutating func events(for item: Item, _ key: Key, at now: Instant) -> [SwitchEvent]? {
        let old = callIDs[key]
        switch item.wish {
        case .absent(let name):
            var events = [RegistrationInjection.unregister(name)]
            if let old, old != name.callID {
                events.insert(unregister(name, callID: old), at: 0)
            }
            callIDs[key] = nil
            return events
        case .present(let registration):
            let register = RegistrationInjection.register(
                registration, at: now, origin: settings.origin, lateMargin: settings.lateMargin)
            guard let register else {
                callIDs[key] = nil
                return nil
            }
            if item.mode == .contact { callIDs[key] = registration.callID }
            guard let old, old != registration.callID else { return [register] }
            return [unregister(RegistrationName(registration), callID: old), register]
        }
    }

    private func unregister(_ name: RegistrationName, callID: String) -> SwitchEvent {
        var name = name
        name.callID = callID
        return RegistrationInjection.unregister(name)
    }

    /// The answer to the last event of an injection came; `refusal` is its `-ERR` text.
    package mutating func finished(_ ticket: UInt64, refusal: String? = nil) {
        guard let (key, item) = underWay.removeValue(forKey: ticket) else { return }
        busy.remove(key)
        if waiting[key] != nil { blocked -= 1 }
        if refusal == nil {
            statistics.accepted += 1
            return
        }
        if item.attempt >= settings.attempts || waiting[key] != nil {
            statistics.refused += 1
            return
        }
        var again = item
        again.attempt += 1
        waiting[key] = again
        order.append(key)
    }

    /// The connection is gone: what had no answer waits again, unless something newer does.
    package mutating func disconnected() {
        var first: [Key] = []
        for ticket in underWay.keys.sorted() {
            guard let (key, item) = underWay[ticket], waiting[key] == nil else { continue }
            waiting[key] = item
            first.append(key)
        }
        underWay = [:]
        busy = []
        blocked = 0
        order = first + order[head...]
        head = 0
    }

    /// Another Core-UUID: the switch was started anew, and what it kept of injected rows is uncertain.
    package mutating func restarted() {
        disconnected()
        wantsEverything = true
    }

    /// When to call `next` again; nil while an answer or an offer must come first.
    package var nextDeadline: Instant? {
        underWay.count < settings.outstanding && waiting.count > blocked ? nextSlot : nil
    }
}
