import NIOCore
import Primitives

/// Keeps the profiles of the addresses held here taking calls.
///
/// `sofia profile NAME rescan`, `restart` and `start` read `profile-standby=true` again and put a profile into standby,
/// where it answers every INVITE and REGISTER with 503. Only `recover` brings it out, so that is said again as soon as
/// the profile is seen to refuse.
final class ProfileService {
    /// What it needs of others.
    struct Access {
        /// Says `recover` for an address that is held, with no rows staged; false when it must not be said now.
        var release: (String) -> Bool
        /// Whether calls of the address are being revived: until then the profile may refuse.
        var isReviving: (String) -> Bool
        /// Whether the switch is to refuse calls there.
        var isDrained: (String) -> Bool
        /// Something a report tells is different now.
        var changed: () -> Void
        /// For operators.
        var trouble: (String) -> Void
    }

    /// How long a profile may refuse before its seat is better elsewhere.
    private static let grace: Duration = .milliseconds(1200)
    private static let quickRetry: Duration = .milliseconds(300)
    private static let slowRetry: Duration = .seconds(5)
    /// Quick tries before the slow ones.
    private static let quickTries = 5

    private struct Case {
        var tries = 0
        var next = Instant.zero
        var isTold = false
    }

    let probe: OptionsProbe
    private let loop: any EventLoop
    private let log: EventLog
    /// Nothing is done before it is known.
    var access: Access?
    private var cases: [String: Case] = [:]
    private var timer: Scheduled<Void>?
    private var isStopped = false

    init(loop: any EventLoop, interval: Duration, patience: Duration, log: EventLog) {
        self.loop = loop
        self.log = log
        probe = OptionsProbe(loop: loop, interval: interval, patience: patience, log: log)
        probe.changed = { [weak self] name in
            self?.look(name)
            self?.access?.changed()
        }
    }

    /// Exactly these are held here, and their profiles run.
    func watch(_ addresses: [String: SocketAddress]) {
        for name in cases.keys.sorted() where addresses[name] == nil { cases[name] = nil }
        probe.watch(addresses)
    }

    /// Why callers at an address held here are not served by its profile, in words; nil while they are.
    func trouble(_ name: String) -> String? {
        guard let access, !access.isReviving(name), !access.isDrained(name) else { return nil }
        switch probe.condition(name) {
        case .unknown, .answering: return nil
        case .silent: return "profile \(name) does not answer SIP OPTIONS"
        case .refusing(let words, let since, _):
            guard Instant.now() - since >= Self.grace else { return nil }
            return "profile \(name) answers \(words), also after `sofia profile \(name) recover`"
        }
    }

    private func look(_ name: String) {
        switch probe.condition(name) {
        case .unknown: break
        case .answering:
            if let known = cases.removeValue(forKey: name), known.tries > 0 {
                log.notice("profile", name, "takes calls again")
                if known.isTold { access?.trouble("profile \(name) takes calls again") }
            }
        case .silent, .refusing: tend(name)
        }
    }

    private func tend(_ name: String) {
        guard let access, !access.isReviving(name), !access.isDrained(name) else {
            return later(Self.quickRetry)
        }
        let now = Instant.now()
        var known = cases[name] ?? Case()
        defer { cases[name] = known }
        if now >= known.next {
            if access.release(name) {
                if known.tries == 0 {
                    log.notice("profile", name, "refuses calls though its address is here; it is let on")
                }
                known.tries += 1
            }
            known.next = now + (known.tries < Self.quickTries ? Self.quickRetry : Self.slowRetry)
        }
        if !known.isTold, let trouble = trouble(name) {
            known.isTold = true
            access.trouble(trouble)
            access.changed()
        }
        later(Self.quickRetry)
    }

    private func later(_ wait: Duration) {
        guard timer == nil, !isStopped else { return }
        timer = loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [weak self] in
            guard let self else { return }
            timer = nil
            for name in probe.names { look(name) }
        }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
        probe.stop()
    }
}
