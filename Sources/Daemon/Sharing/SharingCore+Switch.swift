import Cluster
import EventSocket
import NIOCore
import NIOPosix
import Primitives
import Switch

// The life of the switch beside this node, and its events.

extension SharingCore {
    func up(_ runtime: String) {
        let isRestarted = self.runtime != nil && self.runtime != runtime
        let isNew = self.runtime != runtime
        if isRestarted { limits.switchRestarted() }
        ask("switchname") { [weak self] switchname in
            self?.ask("global_getvar db_dir") { [weak self] directory in
                self?.open(runtime, switchname, directory: directory, isNew: isNew, isRestarted: isRestarted)
            }
        }
    }

    private func ask(_ line: String, _ then: @escaping (String) -> Void) {
        link?.api(line) { [weak self] result in
            switch result {
            case .success(let answer): then(answer.text.trimmed)
            // The link tells that it is down, and begins again by itself.
            case .failure(.disconnected): break
            case .failure(let failure): self?.parts.log.warning("switch", line, "\(failure)")
            }
        }
    }

    /// Opens the table off the loop: a switch that holds its lock would stop everything else.
    private func open(
        _ runtime: String, _ switchname: String, directory: String, isNew: Bool, isRestarted: Bool
    ) {
        let path = CoreDatabase.path(in: directory)
        databasePath = path
        if isNew { databaseIdentity = nil }
        settings?.databasePath = path
        let opened = NIOThreadPool.singleton.runIfActive(eventLoop: loop) {
            try RecoveryTable(path: path)
        }
        opened.assumeIsolated().whenComplete { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let table):
                use(table)
                cleanUp(table, runtime, switchname, isNew, isRestarted)
            case .failure(let failure):
                databaseProblem = "\(failure)"
                trouble("calls cannot be recovered here: \(failure)")
                ready(runtime, switchname, nil, isRestarted)
            }
        }
    }

    /// Before anything may be held here: what an earlier life left in the table talks elsewhere now.
    private func cleanUp(
        _ table: RecoveryTable, _ runtime: String, _ switchname: String, _ isNew: Bool, _ isRestarted: Bool
    ) {
        guard isNew else { return ready(runtime, switchname, table, isRestarted) }
        table.deleteStale(runtime: runtime, on: loop).assumeIsolated().whenComplete { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let count):
                if count > 0 {
                    parts.log.notice(
                        "recovery-table", table.path, "\(count) rows of earlier lives were removed")
                }
                ready(runtime, switchname, table, isRestarted)
            case .failure(let failure):
                databaseProblem = "\(failure)"
                trouble("calls cannot be recovered here: \(failure)")
                ready(runtime, switchname, nil, isRestarted)
            }
        }
    }

    private func ready(
        _ runtime: String, _ switchname: String, _ table: RecoveryTable?, _ isRestarted: Bool
    ) {
        self.runtime = runtime
        if switchname != me.name {
            trouble(
                "the switch calls itself \(switchname), not \(me.name): set switchname in switch.conf.xml")
        }
        link?.api(SofiaProfile.command) { [weak self] result in
            guard let self, self.runtime == runtime else { return }
            let running = read(result) ?? []
            registrations?.up(isRestarted: isRestarted, profiles: running)
            calls?.up(coreUUID: runtime, switchname: switchname, table: table)
            drains?.up()
            watchAddresses()
            askForCapacity()
            askForPause()
            askForLimits()
            settings?.up(runtime: runtime)
            tellProfile()
            rehearse()
            watch?.up()
            missing(running)
        }
    }

    func askForCapacity() {
        guard let runtime else { return }
        link?.api(SessionLoad.command) { [weak self] result in
            guard let self, self.runtime == runtime, case .success(let answer) = result else { return }
            let before = sessionTroubles
            sessionLoad = SessionLoad(reading: answer.text)
            calls?.admit(sessions: sessionLoad?.limit ?? 0)
            guard sessionTroubles != before else { return }
            for trouble in sessionTroubles where !before.contains(trouble) { self.trouble(trouble) }
            watch?.serviceChanged()
        }
    }

    /// Why callers are refused, or were a moment ago, by a switch that is well.
    var sessionTroubles: [String] {
        sessionLoad?.troubles(sessions: UInt32(clamping: calls?.counts.legs ?? 0)) ?? []
    }

    /// Whether the switch would serve new callers at all, and will go on doing so.
    func askForPause() {
        guard let runtime, !isStopping else { return }
        link?.api(LocalSwitch.pauseCheck) { [weak self] result in
            guard let self, self.runtime == runtime, case .success(let answer) = result else { return }
            switch try? LocalSwitch.isTrue(answer.body, of: LocalSwitch.pauseCheck) {
            case true?: askForShutdown(isPaused: true)
            case false?: askForOutboundPause()
            case nil: tellPause("FreeSWITCH refuses commands: calls could not be revived there")
            }
        }
    }

    /// A drain pauses calls of the switch's own, too, and marks that before it does and until it has ended it. So it is asked once more
    /// after the mark: the drain may have ended in between.
    private func askForOutboundPause() {
        whetherOutboundIsPaused { core, isPaused in
            guard isPaused else { return core.askForShutdown(isPaused: false) }
            core.link?.api(DrainControl.outboundMarkCheck) { [weak core] result in
                guard let core else { return }
                let isOurs = (try? result.get())?.text.hasPrefix("true") == true
                if isOurs { return core.askForShutdown(isPaused: false) }
                core.whetherOutboundIsPaused { core, isPaused in
                    guard isPaused else { return core.askForShutdown(isPaused: false) }
                    core.tellPause(
                        "FreeSWITCH makes no calls: phones and trunks are not reached, and called legs not revived (fsctl resume outbound)",
                        byOrder: true)
                }
            }
        }
    }

    /// - Parameter then: is not called when the process that was asked is gone, or does not answer.
    private func whetherOutboundIsPaused(_ then: @escaping (SharingCore, Bool) -> Void) {
        guard let runtime else { return }
        link?.api(LocalSwitch.outboundPauseCheck) { [weak self] result in
            guard let self, self.runtime == runtime, case .success(let answer) = result else { return }
            then(self, (try? LocalSwitch.isTrue(answer.body, of: LocalSwitch.outboundPauseCheck)) == true)
        }
    }

    /// `fsctl shutdown elegant` refuses no call, and ends the switch when there is none; `asap` refuses new ones (switch_core.c,
    /// SCSC_SHUTDOWN_ELEGANT).
    private func askForShutdown(isPaused: Bool) {
        guard let runtime else { return }
        link?.api(LocalSwitch.shutdownCheck) { [weak self] result in
            guard let self, self.runtime == runtime, case .success(let answer) = result else { return }
            let isEnding = try? LocalSwitch.isTrue(answer.body, of: LocalSwitch.shutdownCheck)
            switch (isEnding == true, isPaused) {
            case (true, true):
                tellPause(
                    "FreeSWITCH answers new calls with 503, and ends when it has none (fsctl shutdown cancel)",
                    byOrder: true)
            case (true, false):
                tellPause("FreeSWITCH ends as soon as it has no call (fsctl shutdown cancel)", byOrder: true)
            case (false, true):
                tellPause(
                    "FreeSWITCH is paused: it answers new calls with 503 (fsctl resume)", byOrder: true)
            case (false, false): tellPause(nil)
            }
        }
    }

    /// From now on it refuses calls, hangs up those it has, and takes its modules down one by one (switch_core.c:
    /// switch_core_destroy). Each of these alone would look like something else.
    private func stops() {
        isStopping = true
        tellPause("FreeSWITCH is being stopped (systemctl stop, fsctl shutdown)", insist: true)
    }

    private func tellPause(_ why: String?, byOrder: Bool = false, insist: Bool = false) {
        // Questions may be under way.
        guard why != pauseTrouble, insist || !isStopping else { return }
        pauseTrouble = why
        isPausedByOrder = byOrder
        watch?.serviceChanged()
    }

    /// The variable names the profile by which phones of any address can be called from here, for `user/…`.
    func tellProfile() {
        guard let link, let runtime else { return }
        let profile = survey.placements.first { $0.isHere }?.address.name ?? ""
        if let told = toldProfile, told == (runtime, profile) { return }
        toldProfile = (runtime, profile)
        link.api("global_setvar fsdns_profile=\(profile)") { [weak self] result in
            if case .failure = result { self?.toldProfile = nil }
        }
    }

    /// Whether mod_hiredis reaches our limit service. With a wrong password it goes on with connections that are refused every
    /// command, and refuses every call that has a limit.
    func askForLimits() {
        guard let runtime, parts.section.limitService != nil else { return }
        // It may wait for a connection; meanwhile other commands are answered.
        link?.bgapi(LimitSharing.moduleCheck) { [weak self] result in
            guard let self, self.runtime == runtime, case .success(let answer) = result else { return }
            guard answer.text.hasPrefix("true") else { return tellLimits(nil) }
            link?.bgapi(LimitSharing.ping) { [weak self] result in
                guard let self, self.runtime == runtime, case .success(let answer) = result else { return }
                tellLimits(answer.text.uppercased().contains("PONG") ? nil : LimitSharing.unreached)
            }
        }
    }

    private func tellLimits(_ why: String?) {
        guard why != limitTrouble else { return }
        limitTrouble = why
        trouble(why ?? "FreeSWITCH's mod_hiredis reaches the limit service again")
        watch?.serviceChanged()
    }

    /// Keeps the list of profiles.
    ///
    /// - Returns: those that run; nil when the switch could not say.
    private func read(_ result: Result<APIResponse, RequestFailure>) -> Set<String>? {
        guard case .success(let answer) = result else { return nil }
        if let found = try? SofiaProfile.list(reading: answer.body) {
            profiles = found
        } else if answer.text.hasPrefix("-ERR") {
            // Without mod_sofia, and while it is unloaded, the command is unknown: then no profile runs.
            profiles = []
        } else {
            return nil
        }
        areProfilesKnown = true
        return Set(profiles.filter(\.isRunning).map(\.name))
    }

    private func missing(_ profiles: Set<String>) {
        let missing = survey.placements.map(\.address.name).filter { !profiles.contains($0) }
        guard !missing.isEmpty, missing != toldMissing else { return }
        toldMissing = missing
        trouble(
            "the switch runs no profile \(missing.joined(separator: ", ")): their calls cannot be recovered here; "
                + "see: fsdns freeswitch config")
    }

    func lookAtProfiles() {
        guard let runtime else { return }
        askForPause()
        link?.api(SofiaProfile.command) { [weak self] result in
            guard let self, self.runtime == runtime, let running = read(result) else { return }
            registrations?.profilesChanged(running)
            watchAddresses()
            outside.ask(survey.asks, profiles)
            watch?.serviceChanged()
            missing(running)
        }
    }

    /// Profiles come, go, or read their configuration again: looked at closely for some seconds, by `sofia status`, which
    /// tells of a profile that ends, and by OPTIONS, which tells of standby.
    func suspectProfiles() {
        suspectUntil = Instant.now() + Self.suspicion
        service?.probe.suspect()
        guard !isSuspecting else { return }
        isSuspecting = true
        suspect()
    }

    private func suspect() {
        lookAtProfiles()
        loop.assumeIsolated().scheduleTask(in: Self.suspicionInterval) { [weak self] in
            guard let self else { return }
            if !isStopped, runtime != nil, Instant.now() < suspectUntil {
                suspect()
            } else {
                isSuspecting = false
            }
        }
    }

    func askForDump() {
        guard runtime != nil else { return }
        link?.api("hash_dump limit") { [weak self] result in
            guard let self, case .success(let answer) = result else { return }
            limits.observe(answer.body, allowances: calls?.limitAllowances ?? [:])
        }
    }

    func trouble(_ text: String) {
        let event = ClusterEvent(.trouble, me.name, text)
        parts.journal.add(event)
        parts.log.event(event)
    }

    /// What only the switch can tell is not known any more.
    func down(_ why: String) {
        watch?.wasStopped = isStopping
        isStopping = false
        pauseTrouble = nil
        isPausedByOrder = false
        limitTrouble = nil
        areProfilesKnown = false
        sessionLoad = nil
        settings?.down()
        watch?.down(why)
        calls?.down()
        registrations?.down()
        drains?.down()
    }

    func handle(_ event: SwitchEvent) {
        if watch?.handle(event) == true { return }
        switch event.name {
        case "CUSTOM" where event.subclass == "fsdns::request": answer(event)
        case "CUSTOM" where event.subclass == Self.profileStart:
            suspectProfiles()
            settings?.ask()
        case "CUSTOM": registrations?.handle(event)
        // A profile is bound, unbound, or could not be bound; `sofia::profile_start` tells none of these. A module goes interface
        // by interface, and a switch that is told to end says so once.
        case "PUBLISH", "UNPUBLISH", "FAILURE", "RELOADXML", "MODULE_UNLOAD", "MODULE_LOAD", "SHUTDOWN":
            if event.name == "SHUTDOWN" { stops() }
            if event.name == "RELOADXML" { settings?.ask() }
            suspectProfiles()
        default: calls?.handle(event)
        }
        watch?.numbersChanged()
    }

    /// A client of the switch's own event socket asks; looking is allowed to all of them.
    private func answer(_ request: SwitchEvent) {
        console?.answer(request, asker: "freeswitch", mayChange: false) { [weak self] reply in
            self?.link?.command(EventTranslation.injection(of: reply)) { _ in }
        }
    }
}
