import CLinux
@preconcurrency import Glibc
import KeeperProtocol
import Primitives

/// The keeper process: one thread that waits for requests, deadlines and the kernel's news, and acts on them.
package final class KeeperLoop {
    private let link: KeeperLink
    private let timer: Int32
    private let signals: Int32
    private let arms: KeeperArms
    private let ledger: HoldLedger?
    /// Of a keeper whose starter is no guard.
    private let supervisor: GuardSupervisor?
    private let watchdog: ServiceWatchdog?
    private let watchdogAlarm: Alarm
    /// Where the managed addresses are noted for `KeeperCommand`; nil when nobody else clears up.
    private let record: String?
    private var place: (any AddressPlace)?
    private var mode: KeeperMode?
    private var nodeName = ""
    /// Parts of a configuration whose last part is not in yet.
    private var parts: [KeeperAddress] = []
    private var holdings = Holdings()
    private var armedDeadline: Instant?
    private var peerIsGone = false
    private var exitCode: Int32?

    /// Requests read before the deadlines' timer is looked at again; each request looks at the time anyway.
    private static let requestsAtOnce = 64

    /// Runs until everything is removed and nobody is left to serve; returns the exit code. `descriptor`
    /// is the keeper's end of the socket pair, the next one its starter's ledger.
    static func run(descriptor: Int32) -> Int32 {
        _ = clinux_close_from(UInt32(descriptor) + 2)
        let ledger = HoldLedger(descriptor: descriptor + 1)
        close(descriptor + 1)
        let supervisor = ledger.flatMap { try? GuardSupervisor(besideStarter: $0) }
        return run(descriptor: descriptor, record: nil, ledger: ledger, supervisor: supervisor)
    }

    /// The same for a keeper of its own unit, whose guard is its own.
    ///
    /// - Parameter supervisor: nil when there could be none.
    static func run(descriptor: Int32, record: String, supervisor: GuardSupervisor?) -> Int32 {
        run(descriptor: descriptor, record: record, ledger: supervisor?.ledger, supervisor: supervisor)
    }

    private static func run(
        descriptor: Int32, record: String?, ledger: HoldLedger?, supervisor: GuardSupervisor?
    ) -> Int32 {
        guard let link = KeeperLink(descriptor: descriptor) else {
            complain("started by the fsdns node service; not meant to be run by hand")
            return 64
        }
        KeeperPrivileges.call("fsdns-keeper")
        do throws(SystemFailure) {
            let loop = try KeeperLoop(link, record, ledger, supervisor)
            return loop.run()
        } catch {
            complain(error.text)
            return 1
        }
    }

    private init(
        _ link: KeeperLink, _ record: String?, _ ledger: HoldLedger?, _ supervisor: GuardSupervisor?
    ) throws(SystemFailure) {
        self.link = link
        self.ledger = ledger
        self.supervisor = supervisor
        self.record = record
        signals = try Self.endSignals()
        timer = timerfd_create(CLOCK_BOOTTIME, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        guard timer >= 0 else { throw SystemFailure("timerfd_create") }
        arms = KeeperPrivileges.arm()
        watchdog = ServiceWatchdog()
        watchdogAlarm = try Alarm()
    }

    /// SIGTERM as something to read; what else would end this process is ignored.
    static func endSignals() throws(SystemFailure) -> Int32 {
        // A terminal's ^C goes to the node service too, which ends in good order and closes the socket.
        for ignored in [SIGINT, SIGHUP, SIGPIPE] { signal(ignored, SIG_IGN) }
        var ends = sigset_t()
        sigemptyset(&ends)
        sigaddset(&ends, SIGTERM)
        sigprocmask(SIG_BLOCK, &ends, nil)
        let signals = signalfd(-1, &ends, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        guard signals >= 0 else { throw SystemFailure("signalfd") }
        return signals
    }

    deinit {
        close(signals)
        if timer >= 0 { close(timer) }
    }

    private func run() -> Int32 {
        tellWatchdog()
        while exitCode == nil {
            arm(holdings.nextDeadline)
            let ready = wait()
            // First of all: whatever waited while we were stopped, holds that ended go before it is read.
            letTimePass()
            if ready.contains(signals) {
                var info = signalfd_siginfo()
                _ = read(signals, &info, MemoryLayout<signalfd_siginfo>.size)
                happen(.terminated)
            }
            if ready.contains(watchdogAlarm.descriptor) {
                watchdogAlarm.clear()
                tellWatchdog()
            }
            if let supervisor, ready.contains(supervisor.descriptor),
                let isWell = supervisor.look(mayStart: mode == .kernel)
            {
                link.send(.guarded(isWell))
            }
            if let place {
                for descriptor in place.descriptors where ready.contains(descriptor) {
                    letTimePass()
                    for event in place.read(descriptor) { happen(event) }
                }
            }
            if ready.contains(link.descriptor) { serve() }
            if ready.isEmpty { place?.doLeisureWork() }
            if link.isClosed, !peerIsGone {
                peerIsGone = true
                happen(.peerClosed)
            }
        }
        link.flush()
        place?.finish()
        return exitCode ?? 1
    }

    private func tellWatchdog() {
        guard let watchdog else { return }
        watchdog.tell()
        watchdogAlarm.set(nanoseconds: watchdog.interval)
    }

    // MARK: Waiting

    private func wait() -> [Int32] {
        // A descriptor of -1 is passed over (poll(2)).
        var watched = [signals, timer, watchdogAlarm.descriptor, supervisor?.descriptor ?? -1].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        if !peerIsGone {
            let events = Int16(POLLIN) | (link.hasWaiting ? Int16(POLLOUT) : 0)
            watched.append(pollfd(fd: link.descriptor, events: events, revents: 0))
        }
        for descriptor in place?.descriptors ?? [] {
            watched.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        }
        let patience: Int32 = place?.hasLeisureWork == true ? 0 : -1
        guard poll(&watched, nfds_t(watched.count), patience) > 0 else { return [] }
        return watched.filter { $0.revents != 0 }.map(\.fd)
    }

    private func arm(_ deadline: Instant?) {
        guard deadline != armedDeadline else { return }
        armedDeadline = deadline
        var setting = itimerspec()
        if let deadline {
            // Zero would disarm: a deadline in the distant past is due at once all the same.
            let nanoseconds = max(1, deadline.nanoseconds)
            setting.it_value.tv_sec = time_t(nanoseconds / 1_000_000_000)
            setting.it_value.tv_nsec = Int(nanoseconds % 1_000_000_000)
        }
        timerfd_settime(timer, Int32(TFD_TIMER_ABSTIME), &setting, nil)
    }

    private func letTimePass() {
        guard let deadline = holdings.nextDeadline, deadline <= .now() else { return }
        var expirations: UInt64 = 0
        _ = read(timer, &expirations, MemoryLayout<UInt64>.size)
        armedDeadline = nil
        happen(.deadlineReached)
    }

    // MARK: Acting

    /// Decides on one event and does what follows, in the order it was decided: an address's removal is never
    /// overtaken by its adding.
    private func happen(_ event: Holdings.Event) {
        var actions = holdings.handle(event, at: .now())
        // Before an address is added: whatever becomes of this process then, its guard knows of it.
        note()
        var done = 0
        while done < actions.count {
            if let outcome = perform(actions[done]) {
                actions += holdings.handle(outcome, at: .now())
                note()
            }
            done += 1
        }
        note()
    }

    private func note() {
        guard let ledger, mode == .kernel else { return }
        ledger.note { holdings.deadline(of: $0) }
    }

    private func perform(_ action: Holdings.Action) -> Holdings.Event? {
        switch action {
        case .report(let report):
            link.send(report)
            return nil
        case .stop(let code):
            exitCode = exitCode ?? code
            return nil
        case .add(let address):
            // This process may have stood still since that was decided.
            guard isHeldNow(address) else {
                return .addFailed(address, errno: ETIMEDOUT, text: "the hold ended before it began")
            }
            return placeOfAddresses.add(address)
        case .refresh(let address):
            if isHeldNow(address) { placeOfAddresses.refresh(address) }
            return nil
        case .remove(let address):
            return placeOfAddresses.remove(address)
        case .announce(let address):
            return placeOfAddresses.announce(address)
        }
    }

    private func isHeldNow(_ address: KeeperAddress) -> Bool {
        holdings.end(of: address).map { $0 > .now() } ?? false
    }

    private var placeOfAddresses: any AddressPlace {
        guard let place else { preconditionFailure("an address is acted on before the keeper is configured") }
        return place
    }

    private func serve() {
        link.flush()
        for _ in 0..<Self.requestsAtOnce {
            letTimePass()
            switch link.receive() {
            case .request(.configure(let part)):
                take(part)
            case .request(let request):
                happen(.requested(request))
            case .malformed(let error):
                giveUp("the node service sent a malformed request: \(error)")
            case .nothing, .closed:
                return
            }
        }
    }

    private func take(_ part: KeeperConfiguration.Part) {
        parts += part.managed
        guard parts.count <= KeeperLimits.managedAddresses else {
            return giveUp("more than \(KeeperLimits.managedAddresses) managed addresses")
        }
        guard part.isLast else { return }
        let configuration = KeeperConfiguration(mode: part.mode, nodeName: part.nodeName, managed: parts)
        parts = []
        guard let configuration else { return giveUp("the configuration is not valid") }
        guard mode ?? configuration.mode == configuration.mode,
            mode == nil || nodeName == configuration.nodeName
        else { return giveUp("mode and name cannot change while the keeper runs") }
        do throws(SystemFailure) {
            let place: any AddressPlace
            if let known = self.place { place = known } else { place = try makePlace(for: configuration) }
            if let record, configuration.mode == .kernel {
                try ManagedRecord.write(configuration.managed, to: record)
            }
            place.manage(configuration.managed)
            if configuration.mode == .kernel {
                ledger?.manage(configuration.managed)
                note()
            }
            self.place = place
            mode = configuration.mode
            nodeName = configuration.nodeName
            let present = try place.present()
            let armed = configuration.mode == .kernel ? arms.union(.kernelLifetime) : arms
            happen(.configured(managed: configuration.managed, present: present, armed: armed))
            if record != nil, supervisor?.isWell != true { link.send(.guarded(false)) }
        } catch {
            giveUp(error.text)
        }
    }

    private func makePlace(for configuration: KeeperConfiguration) throws(SystemFailure) -> any AddressPlace {
        switch configuration.mode {
        case .kernel:
            return try KernelAddresses()
        case .loopback(let probePort):
            KeeperPrivileges.giveUpNetwork()
            return LoopbackAddresses(probePort: probePort, nodeName: configuration.nodeName)
        }
    }

    /// The node service cannot be served: let go of everything and end.
    private func giveUp(_ reason: String) {
        Self.complain(reason)
        happen(.terminated)
        exitCode = 1
    }

    static func complain(_ text: String) {
        let line = Array("fsdns-keeper: \(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
