import Cluster
import EventSocket
import NIOCore
import Primitives
import Switch

/// Whether this machine's FreeSWITCH lives, told to the node as soon as that changes.
///
/// A pulse goes through the switch's own event system; its return is the proof.
final class SwitchWatch {
    /// Between two reports that only tell other numbers.
    private static let reportPause: Duration = .milliseconds(200)
    private let link: SwitchLink
    private let loop: any EventLoop
    private let report: @Sendable (SwitchReport) -> Void
    private var pulse: Pulse
    private var timer: Scheduled<Void>?
    private var told = SwitchReport(health: .unknown)
    private var toldAt = Instant.zero
    private var wasUp = false
    /// It said that it ends before its event socket closed.
    var wasStopped = false
    private var reason = "it was not reached yet"
    private let log: EventLog
    /// Everything of the report but the health, as of now.
    var figures: (() -> SwitchReport)?
    /// False while it still ends calls that are elsewhere: their addresses must not come here yet.
    var isSettled: (() -> Bool)?
    /// Whether the switch brings calls back now.
    var isReviving: (() -> Bool)?

    init(
        interval: Duration, deadline: Duration, token: String, link: SwitchLink, log: EventLog,
        report: @escaping @Sendable (SwitchReport) -> Void
    ) {
        var settings = Pulse.Settings()
        settings.interval = interval
        settings.deadline = deadline
        pulse = Pulse(settings: settings, token: token)
        self.link = link
        self.log = log
        self.report = report
        loop = link.loop
    }

    /// The event socket is open and what the last life of the switch left behind is cleaned up.
    func up() {
        wasUp = true
        wasStopped = false
        pulse.connected(at: Instant.now())
        tick()
    }

    func down(_ why: String) {
        pulse.disconnected()
        timer?.cancel()
        timer = nil
        reason = why
        tell()
    }

    /// - Returns: whether the event was a pulse of ours.
    func handle(_ event: SwitchEvent) -> Bool {
        let isOurs = pulse.handle(event, at: Instant.now())
        if isOurs { tell() }
        return isOurs
    }

    /// Calls here ended because their address went away, or the last of them is gone.
    func settledChanged() { tell() }

    /// Whether callers are served somewhere changed: told at once.
    func serviceChanged() { tell() }

    /// Why the switch is not reached changed: told at once.
    func linkChanged() { tell() }

    /// What a drain waits for changed: told at once.
    func drainChanged() { tell() }

    /// Another number of calls or registrations is told soon.
    func numbersChanged() {
        if Instant.now() - toldAt >= Self.reportPause { tell() }
    }

    private func tick() {
        timer?.cancel()
        timer = nil
        pulse.revives(isReviving?() ?? false, at: Instant.now())
        if let event = pulse.tick(at: Instant.now()) {
            link.command(.sendevent(event)) { [weak self] reply in
                guard let self else { return }
                switch reply {
                case .success(let reply) where reply.isError:
                    pulse.refused(reply.text)
                    tell()
                case .success: break
                case .failure(.disconnected), .failure(.notReady): break
                case .failure(let failure):
                    pulse.refused("\(failure)")
                    tell()
                }
            }
        }
        tell()
        guard let due = pulse.nextDeadline else { return }
        let wait = max(.milliseconds(1), due - Instant.now())
        timer = loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [weak self] in
            self?.tick()
        }
    }

    private func tell() {
        let health: SwitchReport.Health
        switch pulse.verdict {
        // Not unhealthy: what is held here stays. Not healthy: nothing more is to come.
        case .healthy: health = isSettled?() ?? true ? .healthy : .unknown
        // A switch that was never reached is not known to be broken: it may only be starting.
        case .unhealthy(.unproven) where told.health != .healthy: health = told.health
        case .unhealthy(.disconnected): health = wasUp ? .unhealthy : .unknown
        case .unhealthy(let why):
            reason = why.description
            health = .unhealthy
        }
        let now = Instant.now()
        var report = figures?() ?? SwitchReport(health: health)
        report.health = health
        report.blockers = whyBad(health) + report.blockers
        guard report != told,
            report.health != told.health || report.isPressing(since: told) || now - toldAt >= Self.reportPause
        else { return }
        if report.health != told.health {
            let trip = pulse.roundTrip.map {
                "; the last event came back after \($0.nanoseconds / 1_000_000) ms"
            }
            log.notice(
                "switch", "health",
                health == .healthy
                    ? "FreeSWITCH is healthy"
                    : pulse.verdict.isHealthy
                        ? "FreeSWITCH ends calls that are elsewhere now, and takes no address meanwhile"
                        : "FreeSWITCH is \(health.rawValue): \(reason)\(trip ?? "")")
        }
        told = report
        toldAt = now
        self.report(report)
    }

    /// For `status`, without figures, which would be told anew all the time.
    private func whyBad(_ health: SwitchReport.Health) -> [Blocker] {
        guard health == .unknown || health == .unhealthy else { return [] }
        if let trouble = link.trouble {
            let what = wasStopped ? "was stopped and is not reached" : "is not reached"
            return [Blocker(.health, nil, "FreeSWITCH \(what): \(VisibleText.of(trouble, longest: 70))")]
        }
        guard health == .unhealthy, case .unhealthy(let why) = pulse.verdict else { return [] }
        return [Blocker(.health, nil, "FreeSWITCH is unhealthy: \(VisibleText.of(why.summary, longest: 70))")]
    }

    func stop() { timer?.cancel() }
}

extension SwitchReport {
    /// Whether somebody waits for what is new in it.
    fileprivate func isPressing(since told: SwitchReport) -> Bool {
        blockers != told.blockers || sights != told.sights || reviving != told.reviving
            || parted != told.parted
            || isRefusing != told.isRefusing || arePhonesTold != told.arePhonesTold
            || addresses.map(\.address) != told.addresses.map(\.address)
            || addresses.map(\.isAnswering) != told.addresses.map(\.isAnswering)
    }
}
