import Cluster
import ControlProtocol
@preconcurrency import Glibc
import Keeper
import Primitives

/// The heart: owns the node, feeds it what happens in order, and does or hands on what it decides.
///
/// It runs on one thread of its own and never waits for anything but its descriptors and the node's next deadline.
final class NodeLoop {
    /// Everything the heart hands work to; all of it takes the work and returns at once.
    struct Doers {
        var storage: Storage
        var links: PeerLinks
        /// Nil without a zone.
        var zone: ZoneUpdater?
        var control: ControlSocket
        /// Nil on a witness.
        var sharing: Sharing?
        var hand: PlaybookHand
        var calendar: CalendarWatch
        var audit: AuditFile
        var journal: EventJournal
        var files: FileWatch
        var log: EventLog
    }

    /// What the links were told of a peer: not at every heartbeat.
    private struct Telling {
        private var told: [(sighting: PeerSighting, at: Instant)] = []

        /// Whether it is news, or was not told for a while; then it is taken as told.
        mutating func isDue(_ sighting: PeerSighting, at now: Instant) -> Bool {
            if let place = told.firstIndex(where: { $0.sighting == sighting }) {
                guard now - told[place].at >= NodeLoop.tellInterval else { return false }
                told[place].at = now
            } else {
                if told.count >= 4 * ClusterLimits.nodes { told.removeFirst(told.count / 2) }
                told.append((sighting, now))
            }
            return true
        }
    }

    private static let tendInterval: Duration = .seconds(1)
    private static let keeperTendInterval: Duration = .milliseconds(50)
    private static let tellInterval: Duration = .milliseconds(200)

    private var node: Node
    private let inbox: Inbox
    private let heartbeats: Heartbeats
    private let keeper: KeeperGuard
    private let doers: Doers
    /// Nil where addresses are not on real interfaces, or nobody is served.
    private let network: NetworkWatch?
    private let expected: [String]
    private let isSwitchWatched: Bool
    private var readiness = Readiness()
    private var told = Telling()
    /// The same of those that nothing vouches for.
    private var hinted = Telling()
    private var listening: [Endpoint] = []
    /// What was told last of ways that carry nothing while others do.
    private var pathTroubles: [PathTrouble] = []
    private var pathEvents = PathEvents()
    /// What was told last of the disk.
    private var diskTrouble: Blocker?
    private var nextTend = Instant.zero
    private var nextKeeperTend = Instant.zero
    private let watchdog = ServiceWatchdog()
    private var nextWord = Instant.zero
    private var warnings: [String]
    private var reason: StopReason?
    /// Whom links were told to have been forgotten.
    private var revoked: [Revocation]?

    /// - Parameters:
    ///   - isSwitchWatched: whether somebody reports on a FreeSWITCH; without one there is none.
    ///   - warnings: what this process could not arm so far.
    init(
        node: Node, inbox: Inbox, heartbeats: Heartbeats, keeper: KeeperGuard, network: NetworkWatch?,
        doers: Doers, isSwitchWatched: Bool, warnings: [String]
    ) {
        self.network = network
        self.node = node
        self.inbox = inbox
        self.heartbeats = heartbeats
        self.keeper = keeper
        self.doers = doers
        self.isSwitchWatched = isSwitchWatched
        self.warnings = warnings
        expected = node.settings.nodes.map(\.name)
    }

    /// Until the node says stop; returns why.
    func run() -> StopReason {
        warnings += RealTime.arm()
        for warning in warnings { doers.log.warning("preflight", node.name, warning, atOnce: 20) }
        tellRevoked()
        if !isSwitchWatched { feed(.switchReported(SwitchReport(health: .none))) }
        while true {
            if let reason { return finish(reason) }
            let now = Instant.now()
            tend(at: now)
            waitForSomething()
            readHeartbeats()
            readNetwork()
            if let descriptor = keeper.descriptor, readiness.isReady(descriptor) { readKeeper() }
            if readiness.isReady(inbox.descriptor) { readInbox() }
            // Last: what waited while this process did not run is news older than the deadline.
            if let deadline = node.nextDeadline, deadline <= Instant.now() { feed(.tick) }
        }
    }

    private func waitForSomething() {
        readiness.clear()
        readiness.add(inbox.descriptor)
        if let descriptor = keeper.descriptor { readiness.add(descriptor) }
        if let network { readiness.add(network.descriptor) }
        for port in heartbeats.ports {
            for descriptor in port.descriptors { readiness.add(descriptor) }
        }
        // The keeper may be tended a little late, together with the next heartbeat.
        let latest = nextKeeperTend + Self.keeperTendInterval / 2
        readiness.wait(until: min(node.nextDeadline ?? latest, latest))
    }

    private func tend(at now: Instant) {
        if now >= nextKeeperTend {
            nextKeeperTend = now + Self.keeperTendInterval
            for event in keeper.tend(at: now) { feed(event) }
            if let end = keeper.end { reason = reason ?? .fatal(end) }
            tellNetwork(at: now)
        } else if network?.isSettling == true {
            tellNetwork(at: now)
        }
        guard now >= nextTend else { return }
        nextTend = now + Self.tendInterval
        if let watchdog, now >= nextWord {
            nextWord = now + .nanoseconds(watchdog.interval)
            watchdog.tell()
        }
        heartbeats.tend(at: now)
        tellPaths(at: now)
        doers.links.standing { [inbox] in inbox.put(.linksSeen($0)) }
        tellDisk(at: now)
        let locals = heartbeats.ports.compactMap(\.local)
        if locals != listening {
            listening = locals
            doers.links.listen(at: locals)
            doers.sharing?.listen(at: locals)
        }
    }

    // MARK: - What happened

    private func readHeartbeats() {
        for port in heartbeats.ports where port.descriptors.contains(where: { readiness.isReady($0) }) {
            heartbeats.receive(on: port, where: { readiness.isReady($0) }) { heard in
                guard heard.counts else { return hint(heard) }
                if heard.isFromSender { network?.heard(from: heard.from.ip, at: Instant.now()) }
                // A copy proves nothing but that somebody has one: it moves neither the node nor its links.
                guard heard.isNew else { return }
                tell(heard)
                feed(.heard(heard.heartbeat))
            }
        }
    }

    private func readNetwork() {
        guard let network, readiness.isReady(network.descriptor) else { return }
        network.read()
        tellNetwork(at: Instant.now())
    }

    private func tellNetwork(at now: Instant) {
        let locals = heartbeats.ports.compactMap { $0.local?.ip }
        if let news = network?.news(locals, at: now) { feed(.networkSeen(news)) }
    }

    private func tell(_ heard: Heartbeats.Heard) {
        guard heard.heartbeat.sender.member != node.me.member else { return }
        // One that is not sure of its identity may be a copy: links stay with the one that is known.
        guard heard.heartbeat.identity?.isUnsure != true else { return }
        let now = Instant.now()
        let sighting = heartbeats.sighting(of: heard, at: now)
        guard told.isDue(sighting, at: now) else { return }
        doers.links.heard(sighting)
        doers.sharing?.heard(sighting)
    }

    /// Nothing vouches for it: it is a reason to make a link, which may, and for nothing else.
    private func hint(_ heard: Heartbeats.Heard) {
        guard heard.heartbeat.sender.member != node.me.member else { return }
        let sighting = heartbeats.hint(of: heard)
        guard hinted.isDue(sighting, at: Instant.now()) else { return }
        doers.links.hinted(sighting)
    }

    private func readKeeper() {
        for event in keeper.receive(at: Instant.now()) { feed(event) }
    }

    private func readInbox() {
        for item in inbox.take() {
            switch item {
            case .event(let event): feed(event)
            case .ringsWanted(let tell): tell(rings())
            case .vouched(let vouch): heartbeats.learn(vouch)
            case .authorityRemoved: heartbeats.expectAnew(at: Instant.now())
            case .noticed(let event): perform(.report(event), at: Instant.now())
            }
        }
    }

    /// What this node notices of its ways to others goes into its heartbeats.
    private func tellPaths(at now: Instant) {
        let troubles =
            doers.links.watch.troubles(.link)
            + (doers.sharing?.linkWatch.troubles(.replicaLink) ?? []) + heartbeats.troubles(at: now)
            + doers.links.watch.plainLinks() + doers.links.trust.troubles()
        for event in pathEvents.news(troubles, of: node.name, at: now) { perform(.report(event), at: now) }
        guard troubles != pathTroubles else { return }
        pathTroubles = troubles
        feed(.pathsSeen(troubles))
    }

    private func tellDisk(at now: Instant) {
        let trouble = doers.storage.trouble(at: now) ?? keeper.trouble
        guard trouble != diskTrouble else { return }
        diskTrouble = trouble
        feed(.diskSeen(trouble))
    }

    private func rings() -> RingsReport {
        let now = Instant.now()
        let faults =
            doers.links.watch.warnings() + (doers.sharing?.linkWatch.warnings() ?? [])
            + doers.links.trust.warnings() + ownSentences(of: pathTroubles.filter { !$0.kind.isToldAlone })
            + heartbeats.warnings(at: now) + node.deafnessWarnings(at: now)
        var report = heartbeats.report(
            counted: [RingsReport.Count(reason: "inbox-full", count: inbox.dropped)],
            warnings: warnings + keeper.warnings + faults, expected: expected, at: now)
        report.faults = faults
        report.links = links
        return report
    }

    private var links: [RingsReport.Link] {
        let agreement = doers.links.watch.conditions()
        let replica = doers.sharing?.linkWatch.conditions() ?? []
        return Set((agreement + replica).map(\.peer)).sorted().map { peer in
            RingsReport.Link(
                peer: peer, agreement: agreement.first { $0.peer == peer }?.text,
                replica: replica.first { $0.peer == peer }?.text)
        }
    }

    private func ownSentences(of troubles: [PathTrouble]) -> [String] {
        PathTrouble.sentences(troubles.map { PathTrouble.Told(node: node.name, trouble: $0) })
    }

    /// The leader's view, and below it what only the node that was asked can see.
    private func completed(_ reply: OperatorReply, at now: Instant) -> OperatorReply {
        guard case .status(var report) = reply else { return reply }
        report.warnings += heartbeats.warnings(at: now).map { "\(node.name): \($0)" }
        report.warnings += doers.links.trust.warnings().map { "\(node.name): \($0)" }
        report.warnings += doers.files.warnings().map { "\(node.name): \($0)" }
        // A leader of an earlier release does not tell of what it hears from others.
        if report.paths == nil { report.warnings += ownSentences(of: pathTroubles) }
        return .status(report)
    }

    // MARK: - What to do about it

    private func feed(_ event: Event) {
        guard reason == nil else { return }
        let before = node.me
        let now = Instant.now()
        let effects = node.handle(event, at: now)
        tellRevoked()
        for effect in effects { perform(effect, at: now) }
        if node.me != before {
            doers.links.become(node.me)
            doers.sharing?.become(node.me)
        }
    }

    /// At once, before anything follows from it: whoever was forgotten could ask to be taken in again within a second.
    private func tellRevoked() {
        guard node.state?.revoked != revoked else { return }
        revoked = node.state?.revoked
        doers.links.trust.revoke(revoked ?? [])
        heartbeats.forgetRevoked()
    }

    private func perform(_ effect: Effect, at now: Instant) {
        switch effect {
        case .beat(let heartbeat): heartbeats.send(heartbeat, at: now)
        case .send(let message, let member): doers.links.send(message, to: member)
        case .store(let request): doers.storage.enqueue(.store(request))
        case .recordIncarnation(let incarnation): doers.storage.enqueue(.recordIncarnation(incarnation))
        case .hold(let address, let until, let epoch):
            if let failure = keeper.hold(address, until: until, epoch: epoch) { inbox.put(failure) }
        case .release(let address, let epoch): keeper.release(address, epoch: epoch)
        case .announce(let address): keeper.announce(address)
        case .readZone(let id, let questions):
            guard let zone = doers.zone else {
                inbox.put(.zoneRead(id: id, []))
                return
            }
            zone.read(id, questions)
        case .updateZone(let id, let update):
            guard let zone = doers.zone else {
                inbox.put(.zoneUpdated(id: id, .refused("no zone is configured")))
                return
            }
            zone.update(id, update)
        case .answer(let id, let reply): doers.control.answer(id, completed(reply, at: now))
        case .surveyed(let survey): doers.sharing?.surveyed(survey)
        case .report(let event):
            doers.journal.add(event)
            doers.log.event(event)
            doers.sharing?.publish(event)
        case .stop(let reason): self.reason = reason
        case .watchCalendar(let questions): doers.calendar.watch(questions)
        case .runCommand(let id, let order, let context): doers.hand.run(id, order, context)
        case .stopCommand(let id): doers.hand.stop(id)
        case .check(let id, let check, let context): doers.hand.check(id, check, context)
        case .notify(let id, let url, let context): doers.hand.notify(id, url: url, context)
        case .failNode: failOnPurpose()
        case .audited(let entries): doers.audit.append(entries)
        }
    }

    /// As a crash would: nobody is told, and the keeper finds its socket closed.
    private func failOnPurpose() {
        doers.log.warning("drill", node.name, "this node service ends now because a playbook says so")
        doers.log.flush()
        kill(getpid(), SIGKILL)
    }

    private func finish(_ reason: StopReason) -> StopReason {
        keeper.finish()
        return reason
    }
}
