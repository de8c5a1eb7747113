import Cluster
import EventSocket
import Limits
import NIOCore
import Primitives
import Replication
import Switch

/// Calls between the local switch and the replicas: out of it while it has them, into it when an address comes here.
final class CallSharing {
    /// An address that is held here.
    struct Held {
        var placement: Placement
        var since: Instant
        /// Nil once its calls are revived, or there was nothing to revive.
        var run: RecoveryRun?
        /// Which of all runs it is: answers to an earlier one are none to this.
        var number = 0
        /// The run only tells peers that their calls were given up.
        var isTelling = false
        var isGathering = false
        /// Since when the switch does not let itself be looked at, which the run waits for.
        var blindSince: Instant?
        /// The process that was brought to this address's calls last.
        var runtime: String?
    }

    /// Legs looked at in one turn: a dump takes the switch a fraction of a millisecond.
    static let lookLimit = 64
    /// How long a switch that does not let itself be looked at is excused.
    static let blindPatience: Duration = .seconds(1)
    let link: SwitchLink
    let replica: ReplicaService
    let history: RecoveryHistory
    let log: EventLog
    let loop: any EventLoop
    var tracker = CallTracker()
    var held: [String: Held] = [:]
    /// Who has the addresses that are not here.
    var elsewhere: [String: String] = [:]
    /// Since when nobody has an address, or nobody who is heard.
    var forsaken: [String: Instant] = [:]
    /// Whether the switch told of all its channels since it was reached.
    private(set) var isListed = false
    private var isListing = false
    let me: String
    /// How long it is tried to bring calls back.
    let patience: Duration
    var table: RecoveryTable?
    var runtime: String?
    var timer: (due: Instant, task: Scheduled<Void>)?
    private var flushIsDue = false
    var recoveredEpoch: [String: Epoch] = [:]
    var forgotten = ForgottenCalls()
    /// Addresses whose `recover` runs in the switch, and how many of them.
    var recovering: [String: Int] = [:]
    var runs = 0
    /// What a finished recovery says to operators.
    var told: ((ClusterEvent) -> Void)?
    /// The calls of an address are in the switch here, or over.
    var settled: ((String) -> Void)?
    /// A revived leg holds these limits until it ends.
    var revived: ((CallLeg) -> Void)?
    var ended: ((String) -> Void)?
    /// Addresses that are here and go elsewhere by plan.
    var partings: [String: Parting] = [:]
    /// Callers who were parked for a move, by uuid.
    var waiting: [String: WaitingCaller] = [:]
    /// One of them may go.
    var partingDone: (() -> Void)?
    /// The switch was found unable to bring calls back now, or able again: whoever tells the node should look at it.
    var unable: (() -> Void)?

    init(
        me: String, patience: Duration, link: SwitchLink, replica: ReplicaService,
        history: RecoveryHistory, log: EventLog
    ) {
        self.me = me
        self.patience = patience
        self.link = link
        self.replica = replica
        self.history = history
        self.log = log
        loop = link.loop
    }

    var counts: CallCounts { tracker.counts }
    /// Whether nothing here could still say BYE for a call that is elsewhere, were its address taken now.
    var isSettled: Bool {
        !isListing && !forgotten.isLeaving(at: Instant.now())
            && !recovering.keys.contains { held[$0] == nil }
    }
    /// Addresses held here whose calls the switch was told of.
    var heldAddresses: [String] { held.keys.sorted() }
    /// Calls on an address held here, those that are being revived among them.
    func callCount(on address: String, of counts: CallCounts) -> Int {
        let here = counts.profiles.first { $0.profile == address }?.calls ?? 0
        let revives = held[address].map { $0.run != nil && !$0.isTelling } ?? false
        return max(here, revives ? 1 : 0)
    }
    var isReviving: Bool { held.values.contains { $0.run != nil && !$0.isTelling } }
    /// What the switch says of itself; it may say otherwise later.
    func admit(sessions: UInt32) { tracker.admit(sessions: sessions) }
    /// How much of each limit of mod_hash the legs here can have in use.
    var limitAllowances: [String: LimitAllowance] { tracker.hashAllowances(at: Instant.now()) }
    /// Whether calls of that address are being revived here.
    /// A run that cannot begin, because the switch answers nothing of use, is no excuse for serving nobody.
    func isReviving(_ address: String) -> Bool {
        if recovering[address] != nil { return true }
        guard let entry = held[address], let run = entry.run, run.waitsFor == nil, !entry.isTelling else {
            return false
        }
        return entry.blindSince.map { Instant.now() - $0 < Self.blindPatience } ?? true
    }
    /// Why calls of that address wait to be brought back, though the switch is well.
    func databaseProblem(_ address: String) -> String? {
        guard let entry = held[address], !entry.isTelling, case .database(let reason)? = entry.run?.waitsFor
        else { return nil }
        return reason
    }
    /// Every leg with the limits it counts for.
    var legs: [CallLeg] { tracker.legs }

    // MARK: - The cluster

    func surveyed(_ survey: Survey) {
        for placement in survey.placements {
            let name = placement.address.name
            defer { noteHolder(placement, heard: survey.heard) }
            if !placement.isHere {
                withdraw(name, placement)
                if let holder = placement.holder, holder.name != me {
                    elsewhere[name] = holder.name
                    forget(name)
                }
            } else if held[name]?.placement.epoch != placement.epoch {
                let runtime = held[name]?.runtime
                step(name, .withdrawn("\(name) was given to this node anew"))
                elsewhere[name] = nil
                held[name] = Held(placement: placement, since: Instant.now(), runtime: runtime)
                recover(name)
                tracker.tellEverything()
            }
        }
        part(survey)
        settleWaiting()
        flush()
        if isListed { for name in held.keys.sorted() { dropEnded(name) } }
    }

    /// Calls whose address another node has: they live on there, and must end here without a word to their peers.
    ///
    /// The address is off this machine, so every BYE fails in its socket, is tried once and not again.
    func forget(_ address: String) {
        // FreeSWITCH does not survive that its channels are hung up while `recover` makes them.
        guard recovering[address] == nil else { return }
        let legs = tracker.legs(of: address).map(\.uuid)
        guard runtime != nil, forgotten.forget(legs, of: address, at: Instant.now()) else { return }
        log.notice(
            "call", address, "its calls are at \(elsewhere[address] ?? "another node") now and end here")
        link.api("hupall MANAGER_REQUEST sofia_profile_name \(address)") { _ in }
    }

    /// What ended here while the address was away: the replica was not told.
    private func dropEnded(_ address: String) {
        guard let runtime, held[address]?.run == nil else { return }
        let ended = replicated(address).filter {
            $0.runtime == runtime && tracker.leg($0.uuid) == nil && !forgotten.contains($0.uuid, of: address)
        }
        replica.write(
            .address(address), ended.map { .remove(.callLeg, key: Record.key(uuid: $0.uuid)) })
    }

    private func noteHolder(_ placement: Placement, heard: [String]) {
        let name = placement.address.name
        if let holder = placement.holder, holder.name == me || heard.contains(holder.name) {
            forsaken[name] = nil
        } else if forsaken[name] == nil {
            forsaken[name] = Instant.now()
        }
    }

    /// What was to be revived here and is not in the switch a minute later is over, whatever kept it from coming back: nobody
    /// may be told to revive it when the address moves next.
    func dropGivenUp() {
        guard let runtime, isListed else { return }
        let now = Instant.now()
        for (name, entry) in held.sorted(by: { $0.key < $1.key })
        where entry.run == nil && entry.runtime == runtime && recovering[name] == nil
            && now - entry.since >= patience
        {
            let over = replicated(name).filter {
                tracker.leg($0.uuid) == nil && !forgotten.contains($0.uuid, of: name)
            }
            guard !over.isEmpty else { continue }
            log.notice("recovery", name, "\(over.count) legs that did not come back are given up")
            replica.write(
                .address(name), over.map { .remove(.callLeg, key: Record.key(uuid: $0.uuid)) })
        }
    }

    private func withdraw(_ address: String, _ placement: Placement) {
        guard held[address] != nil else { return }
        let next = placement.holder.flatMap { $0.name == me ? nil : $0.name }
        step(
            address,
            .withdrawn(next.map { "\(address) went to \($0)" } ?? "this node had to let \(address) go"))
        held[address] = nil
    }

    // MARK: - The switch

    /// The event socket is open and the table is at hand; a process that is not known yet has none of the calls.
    func up(runtime: String, switchname: String, table: RecoveryTable?) {
        self.table = table
        self.runtime = runtime
        if tracker.runtime != runtime {
            forgotten.restarted()
            waiting = [:]
        }
        tracker.began(runtime: runtime, switchname: switchname, at: Instant.now())
        // Calls of a process that ended are not over: they are to be revived, by whoever holds their address.
        _ = tracker.takeChanges()
        list()
        for name in held.keys.sorted() { recover(name) }
    }

    func down() {
        runtime = nil
        forgetWaitingAnswers()
        isListed = false
        isListing = false
        timer?.task.cancel()
        timer = nil
    }

    func handle(_ event: SwitchEvent) {
        guard let runtime, event.coreUUID == nil || event.coreUUID == runtime else { return }
        let now = Instant.now()
        tracker.handle(event, at: now)
        if event.name == "CHANNEL_HANGUP_COMPLETE", let uuid = event.channel { ended?(uuid) }
        if event.name == "CHANNEL_DESTROY", let uuid = event.channel { destroyed(uuid) }
        renameWaiting(event)
        restoreMusic(HoldMusic.silent(after: event))
        for name in held.keys.sorted() where held[name]?.run != nil {
            step(name, .event(event))
        }
        flushSoon()
    }

    private func restoreMusic(_ uuids: [String]) {
        if uuids.isEmpty { return }
        let runtime = runtime
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(HoldMusic.patience.nanoseconds)) { [weak self] in
            guard let self, self.runtime == runtime else { return }
            for uuid in uuids {
                if tracker.leg(uuid)?.partner != nil { link.api(HoldMusic.restoring(uuid)) { _ in } }
            }
        }
    }

    private func destroyed(_ uuid: String) {
        // What its end changed is looked at while it still counts as an old channel.
        flush()
        if let address = forgotten.destroyed(uuid), held[address]?.run != nil { gather(address) }
    }

    /// Rows of the switch's own table: flags of this version of FreeSWITCH, and whether calls are tracked at all.
    func readRows() {
        // The table is locked as long as the switch revives.
        guard let table, let runtime, tracker.count > 0, !held.values.contains(where: { $0.run != nil })
        else { return }
        table.rows(runtime: runtime, on: loop).assumeIsolated().whenComplete { [weak self] result in
            guard let self, self.runtime == runtime else { return }
            switch result {
            case .success(let rows): tracker.noteRows(rows, areAll: true, at: Instant.now())
            case .failure(let failure): log.warning("recovery-table", table.path, "\(failure)")
            }
            flush()
        }
    }

    /// Asks the switch for what no event told: the tag of a caller whose ACK came late, and the extension of a leg alone.
    func lookCloser() {
        guard let runtime, isListed else { return }
        settleWaiting()
        let wanted = tracker.wanted(limit: Self.lookLimit, at: Instant.now())
        dump(wanted.dumps)
        // The table is locked as long as the switch revives.
        guard let table, !wanted.rows.isEmpty, !held.values.contains(where: { $0.run != nil }) else { return }
        table.rows(of: wanted.rows, runtime: runtime, on: loop).assumeIsolated().whenComplete {
            [weak self] result in
            guard let self, self.runtime == runtime, case .success(let rows) = result else { return }
            tracker.noteExtensions(rows, at: Instant.now())
            flushSoon()
        }
    }

    func list() {
        tracker.beginListing(at: Instant.now())
        isListing = true
        let runtime = runtime
        link.api(ChannelListing.command) { [weak self] result in
            guard let self, self.runtime == runtime else { return }
            isListing = false
            guard case .success(let answer) = result else { return }
            do throws(SwitchFailure) {
                let listing = try ChannelListing(reading: answer.body)
                dump(tracker.finishListing(listing, at: Instant.now()))
                isListed = true
                for name in elsewhere.keys.sorted() { forget(name) }
                for name in held.keys.sorted() { dropEnded(name) }
            } catch {
                log.warning("switch", "show channels", "\(error)")
            }
            flush()
        }
    }

    func dump(_ uuids: [String]) {
        for uuid in uuids {
            link.api(ChannelDump.command(uuid)) { [weak self] result in
                guard let self, case .success(let answer) = result else { return }
                let now = Instant.now()
                do throws(SwitchFailure) {
                    if let event = try ChannelDump.read(answer.body) {
                        tracker.handle(event, at: now)
                        noteWaiting(event)
                        // The connection may have ended before it was told. Before its bridge stands it is too early.
                        if HoldMusic.isSilent(event), let leg = tracker.leg(uuid),
                            held[leg.profile]?.run == nil
                        {
                            restoreMusic([uuid])
                        }
                    } else {
                        tracker.gone(uuid, at: now)
                    }
                } catch {
                    log.warning("switch", uuid, "its dump cannot be used: \(error)")
                }
                flushSoon()
            }
        }
    }

    // MARK: - To the replicas

    /// A call's beginning is a dozen events within a moment: one write for all of them.
    private func flushSoon() {
        guard !flushIsDue, tracker.hasChanges else { return }
        flushIsDue = true
        loop.assumeIsolated().scheduleTask(in: .milliseconds(2)) { [weak self] in
            self?.flushIsDue = false
            self?.flush()
        }
    }

    func flush() {
        var writes: [String: [Write]] = [:]
        for change in tracker.takeChanges() {
            switch change {
            case .put(let leg):
                guard held[leg.profile] != nil, !forgotten.isLeaving(leg.uuid, of: leg.profile),
                    !isWaiting(leg.uuid, of: leg.profile)
                else { continue }
                do throws(RecordFailure) {
                    writes[leg.profile, default: []].append(.put(try Record(leg)))
                } catch {
                    log.warning("call", leg.uuid, "is not replicated: \(error)")
                }
            case .removed(let uuid, let profile):
                guard held[profile] != nil, !forgotten.isLeaving(uuid, of: profile) else { continue }
                writes[profile, default: []].append(.remove(.callLeg, key: Record.key(uuid: uuid)))
            }
        }
        for profile in writes.keys.sorted() { replica.write(.address(profile), writes[profile] ?? []) }
    }

    func stop() {
        timer?.task.cancel()
        for parting in partings.values { parting.timer?.cancel() }
    }
}
