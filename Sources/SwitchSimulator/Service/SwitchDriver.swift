import EventSocket
@preconcurrency import Glibc
import Logging
import NIOCore
import NIOPosix

/// Owns the core on one event loop: hands in what happens, carries out what comes out.
final class SwitchDriver {
    let options: SwitchOptions
    let loop: any EventLoop
    let log: Logger
    private var core: SwitchCore
    private let store: RecoveryStore
    private let registrationStore: RegistrationStore
    private let sockets: ProfileSockets
    private let ending: @Sendable (SwitchService.Ending) -> Void
    /// Wall clock at the start; from then on the monotonic clock counts.
    private let origin: Timestamp
    private let originTime = NIODeadline.now()
    private var timer: (at: Timestamp, scheduled: Scheduled<Void>)?
    private var sessions: [UInt64: EventSocketHandler] = [:]
    private var sessionCount: UInt64 = 0
    private var tickets: [UInt64: (session: UInt64, request: UInt64)] = [:]
    private var ticketCount: UInt64 = 0
    private var isCarryingOut = false
    private var isEnded = false
    private var remotes: [String: HashRemoteLink] = [:]
    private var limitLink: LimitServiceLink?

    init(
        options: SwitchOptions, loop: any EventLoop, store: RecoveryStore, registrations: RegistrationStore,
        sockets: ProfileSockets,
        log: Logger, ending: @escaping @Sendable (SwitchService.Ending) -> Void
    ) {
        self.options = options
        self.loop = loop
        self.store = store
        registrationStore = registrations
        self.sockets = sockets
        self.log = log
        self.ending = ending
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        origin = Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
        core = SwitchCore(options.settings, seed: options.seed, at: origin)
        for profile in options.settings.profiles {
            core.restoreRegistrations(registrations.load(profile.name), on: profile.name)
        }
    }

    var coreUUID: String { core.coreUUID }

    /// Begins to receive and to keep time.
    func start() {
        let me = NIOLoopBound(self, eventLoop: loop)
        let loop = loop
        sockets.start { profile, bytes, source in
            loop.execute { me.value.received(bytes, from: source, on: profile) }
        }
        core.configureRemotes(options.settings.hashRemotes.map(\.name))
        openRemotes(options.settings.hashRemotes.map(\.name))
        if let service = options.settings.limitService { limitLink = LimitServiceLink(service, driver: self) }
        if options.bridgedCalls + options.parkedCalls > 0, let profile = options.settings.profiles.first {
            core.hold(
                bridged: options.bridgedCalls, parked: options.parkedCalls, on: profile.name, at: now)
        }
        carryOut()
    }

    private var now: Timestamp { origin + .nanoseconds((NIODeadline.now() - originTime).nanoseconds) }

    private func received(_ bytes: [UInt8], from source: SIPEndpoint, on profile: String) {
        guard !isEnded else { return }
        if let failure = core.receive(bytes, from: source, on: profile, at: now) {
            log.debug("\(profile): from \(source): no SIP message: \(failure)")
        }
        carryOut()
    }

    // MARK: Event socket

    func opened(_ handler: EventSocketHandler) -> UInt64 {
        sessionCount += 1
        sessions[sessionCount] = handler
        return sessionCount
    }

    func closed(_ session: UInt64) { sessions[session] = nil }

    /// A fresh seed for each session's uuids.
    func sessionSeed() -> UInt64 { options.seed &+ ((sessionCount + 1) &* 0x9E37_79B9_7F4A_7C15) }

    func run(_ request: ServerSession.Request, of session: UInt64) {
        ticketCount += 1
        tickets[ticketCount] = (session, request.id)
        core.command(
            request.line, console: request.consoleExecute, ticket: Ticket(number: ticketCount), at: now)
        carryOut()
    }

    func sent(_ event: SwitchEvent) {
        core.sent(event, at: now)
        carryOut()
    }

    func jobDone(_ event: SwitchEvent) {
        core.jobDone(event, at: now)
        carryOut()
    }

    // MARK: Limits

    func remoteAnswered(_ body: String, name: String) {
        core.remoteAnswered(body, name: name, at: now)
        carryOut()
    }

    func remoteLost(_ name: String) {
        core.remoteLost(name, at: now)
        carryOut()
    }

    func limitAnswered(_ query: LimitQuery, _ value: Int?, isError: Bool = false) {
        core.limitAnswered(query, value, isError: isError, at: now)
        carryOut()
    }

    private func openRemotes(_ names: [String]) {
        for (name, link) in remotes where !names.contains(name) {
            link.close()
            remotes[name] = nil
        }
        for remote in options.settings.hashRemotes
        where names.contains(remote.name) && remotes[remote.name] == nil {
            remotes[remote.name] = HashRemoteLink(remote, driver: self)
        }
    }

    // MARK: Effects

    /// Effects bring about others (an answer lets a session's next command run), which are carried out after them.
    private func carryOut() {
        guard !isCarryingOut, !isEnded else { return }
        isCarryingOut = true
        defer { isCarryingOut = false }
        while !isEnded {
            let effects = core.takeEffects()
            if effects.isEmpty { break }
            for effect in effects where !isEnded { carryOut(effect) }
        }
        rearm()
    }

    private func rearm() {
        guard !isEnded, let next = core.nextDeadline else { return }
        if let timer, timer.at <= next { return }
        timer?.scheduled.cancel()
        let wait = max(0, (next - now).wholeMicroseconds)
        let me = NIOLoopBound(self, eventLoop: loop)
        timer = (next, loop.scheduleTask(in: .microseconds(wait)) { me.value.tick() })
    }

    private func tick() {
        timer = nil
        guard !isEnded else { return }
        core.advance(to: now)
        carryOut()
    }

    private func carryOut(_ effect: SwitchEffect) {
        switch effect {
        case .event(let event):
            for id in sessions.keys.sorted() { sessions[id]?.publish(event) }
        case .send(let profile, let bytes, let endpoint):
            if !sockets.send(bytes, from: profile, to: endpoint) { core.notSent(bytes, at: now) }
        case .reply(let ticket, let text):
            guard let (session, request) = tickets.removeValue(forKey: ticket.number) else { return }
            sessions[session]?.answer(request, text)
        case .store(let changes): store.apply(changes)
        case .storeRegistrations(let profile, let changes): registrationStore.apply(changes, on: profile)
        case .selectRows(let job, let profiles, let runtime):
            let me = NIOLoopBound(self, eventLoop: loop)
            let loop = loop
            store.rows(profiles: profiles, notOf: runtime) { rows in
                loop.execute { me.value.selected(rows, job: job) }
            }
        case .deleteRows(let profiles, let runtime): store.delete(profiles: profiles, notOf: runtime)
        case .run(let ticket, let command):
            let me = NIOLoopBound(self, eventLoop: loop)
            let loop = loop
            ShellCommand.run(command) { output in
                loop.execute { me.value.commandDone(ticket, output) }
            }
        case .limit(let query):
            if let limitLink { limitLink.ask(query) } else { core.limitAnswered(query, nil, at: now) }
        case .remotes(let names): openRemotes(names)
        case .shutDown: shutDown()
        case .cut:
            let me = NIOLoopBound(self, eventLoop: loop)
            loop.execute { me.value.cut() }
        case .crash: crash()
        case .freeze(let span): freeze(span)
        }
    }

    private func selected(_ rows: [RecoveryRow], job: Int) {
        guard !isEnded else { return }
        core.recoveryRows(rows, job: job, at: now)
        carryOut()
    }

    private func commandDone(_ ticket: Ticket, _ output: String) {
        guard !isEnded else { return }
        core.commandDone(ticket, output: output, at: now)
        carryOut()
    }

    /// Stops the whole process, or only this loop for a while: nothing is received, sent or timed.
    private func freeze(_ span: Duration?) {
        guard let span else {
            raise(SIGSTOP)
            return
        }
        var left = timespec(
            tv_sec: Int(span.components.seconds),
            tv_nsec: Int(span.components.attoseconds / 1_000_000_000))
        var rest = timespec()
        while nanosleep(&left, &rest) != 0, errno == EINTR { left = rest }
    }

    /// Every client hears the notice; then the process ends.
    func shutDown() {
        guard !isEnded else { return }
        for id in sessions.keys.sorted() { sessions[id]?.stop() }
        end()
        ending(.shutDown)
    }

    private func cut() { for id in sessions.keys.sorted() { sessions[id]?.cut() } }

    /// As a process that is gone: no client hears a word.
    private func crash() {
        cut()
        end()
        ending(.crashed)
    }

    /// Closes everything but the sessions' sockets, which say goodbye.
    private func end() {
        isEnded = true
        timer?.scheduled.cancel()
        timer = nil
        for link in remotes.values { link.close() }
        remotes = [:]
        limitLink?.close()
        limitLink = nil
    }
}
