import Cluster
import Config
import ControlProtocol
import EventSocket
import NIOCore
import NIOPosix
import Primitives
import Replication
import Switch

/// What `Sharing` is made of, on its event loop: the replica in the middle, the switch and our services around it.
final class SharingCore {
    private static let profileInterval: TimeAmount = .seconds(5)
    /// Nothing tells of `fsctl pause`, and a slave that is chosen must serve. The answer is a flag: some 50 µs.
    private static let pauseInterval: TimeAmount = .milliseconds(500)
    /// Operators may tell the switch another number of sessions while it runs.
    private static let capacityInterval: TimeAmount = .seconds(15)
    private static let rowInterval: TimeAmount = .seconds(2)
    private static let dumpInterval: TimeAmount = .milliseconds(250)
    private static let lookInterval: TimeAmount = .milliseconds(100)
    private static let mourningInterval: TimeAmount = .seconds(1)

    let links: ReplicaLinks
    let parts: Sharing.Parts
    let loop: any EventLoop
    let replica: ReplicaService
    let history: RecoveryHistory
    let limits: LimitSharing
    let link: SwitchLink?
    let watch: SwitchWatch?
    let calls: CallHandler?
    let registrations: RegistrationHandler?
    let drains: DrainHandler?
    let service: ProfileService?
    let settings: SettingsWatch?
    /// Nil while it is not known.
    var sessionLoad: SessionLoad?
    /// Whether the switch has listed them since it was reached.
    var areProfilesKnown = false
    /// As the switch last listed them.
    var profiles: [SofiaProfile] = []
    /// Addresses held here when the probe was last told.
    var watched: [String] = []
    var recoverable: (counts: [String: Int], at: Instant) = ([:], .zero)
    let console: EventSocketServer?
    var survey = Survey()
    var me: Holder
    /// The process whose leftovers were cleaned up.
    var runtime: String?
    var isStopped = false
    /// The process that was told the profile calls leave by, and which.
    var toldProfile: (runtime: String, profile: String)?
    /// Why calls with a limit of the limit service are refused.
    var limitTrouble: String?
    /// Why the switch would serve no new caller at any address.
    var pauseTrouble: String?
    /// That is an order, and the switch goes on with what it has.
    var isPausedByOrder = false
    /// It said that it ends.
    var isStopping = false
    let outside: OutsideView
    /// Where the switch keeps its core database; nil before it was reached.
    var databasePath: String?
    /// Why calls could not be written into it; nil when they could.
    var databaseProblem: String?
    /// The file there that the process of the switch opened, as far as is known.
    var databaseIdentity: RecoveryTable.Identity?
    /// That its disk has little room.
    var databaseRoom: String?
    var isRehearsing = false
    /// Since when copies of addresses are not in step.
    var outOfStep: [String: Instant] = [:]
    /// Until then profiles are looked at again and again.
    var suspectUntil = Instant.zero
    var isSuspecting = false
    static let suspicion: Duration = .seconds(3)
    static let suspicionInterval: TimeAmount = .milliseconds(100)
    /// Profiles whose absence was told.
    var toldMissing: [String] = []

    init(_ parts: Sharing.Parts) throws(ServiceFailure) {
        self.parts = parts
        loop = parts.loop
        me = parts.me
        let name = parts.me.name
        links = try ReplicaLinks(
            loop: parts.loop, key: parts.key, me: parts.me, log: parts.log, trust: parts.trust,
            report: parts.tell)
        replica = ReplicaService(links: links, log: parts.log)
        history = RecoveryHistory(node: name, path: parts.historyPath, log: parts.log)
        limits = try LimitSharing(
            me: name, listener: parts.section.limitService, password: parts.passwords.limitService,
            rules: parts.limitRules, replica: replica, loop: parts.loop, log: parts.log)
        outside = OutsideView(loop: parts.loop, asking: parts.asking, log: parts.log)
        if case .eventSocket(let access) = parts.section.freeswitch {
            let link = SwitchLink(
                loop: parts.loop, endpoint: access.endpoint, password: parts.passwords.freeswitch,
                subscription: Self.subscription, log: parts.log)
            self.link = link
            watch = SwitchWatch(
                interval: access.check, deadline: access.failedAfter, token: "\(parts.me)", link: link,
                log: parts.log, report: parts.report)
            let calls = CallHandler(
                settings: CallReplication.Settings(node: name, patience: parts.recoveryPatience),
                link: link, replica: replica, history: history, log: parts.log)
            self.calls = calls
            let registrations = RegistrationHandler(
                me: name, mode: RegistrationMode(access.registrations), perSecond: access.injectionsPerSecond,
                origin: RegistrationInjection.Origin(address: "127.0.0.1", switchname: name), link: link,
                replica: replica, log: parts.log)
            self.registrations = registrations
            service = ProfileService(
                loop: parts.loop, interval: parts.asking.interval, patience: access.failedAfter,
                log: parts.log)
            settings = SettingsWatch(me: name, nodes: parts.nodes, link: link, replica: replica)
            drains = DrainHandler(
                settings: DrainControl.Settings(
                    promptsPerSecond: access.promptsPerSecond, drainsOutbound: access.drainsOutbound),
                link: link, log: parts.log, view: .init(calls: calls, registrations: registrations))
        } else {
            link = nil
            watch = nil
            calls = nil
            registrations = nil
            drains = nil
            service = nil
            settings = nil
        }
        let names = NamesBox()
        if let listener = parts.section.eventSocket {
            let limits = limits
            console = EventSocketServer(
                loop: parts.loop, listener: listener, password: parts.passwords.eventSocket,
                lookPassword: parts.passwords.eventSocketLook, node: name, program: parts.program,
                controlPath: parts.controlPath, names: { names.value },
                hashDump: { limits.hashAnswer }, log: parts.log)
        } else {
            console = nil
        }
        self.names = names
        translation = EventTranslation(node: name, seed: .random(in: .min ... .max))
        wire()
    }

    /// Names for completion, as the last survey told them.
    private final class NamesBox {
        var value = ConsoleNames(nodes: [], seats: [])
    }
    private let names: NamesBox
    /// For the switch's own listeners, who see what our own event socket tells.
    private var translation: EventTranslation

    static let profileStart = "sofia::profile_start"

    private static var subscription: Subscription {
        Subscription(
            names: CallTracker.eventNames + [
                "PUBLISH", "UNPUBLISH", "FAILURE", "RELOADXML", "MODULE_UNLOAD", "MODULE_LOAD", "SHUTDOWN",
            ],
            subclasses: RegistrationEvent.subclasses + [
                Pulse.subclass, "fsdns::request", Self.profileStart,
            ])
    }

    private func wire() {
        replica.changed = { [weak self] in self?.changed($0, $1) }
        replica.synced = { [weak self] _ in self?.registrations?.synced() }
        history.write = { [weak self] writes in
            guard let self else { return }
            replica.write(.node(me.name), writes)
        }
        link?.owner = SwitchLink.Owner(
            up: { [weak self] in self?.up($0) },
            down: { [weak self] in self?.down($0) },
            event: { [weak self] in self?.handle($0) },
            failed: { [weak self] in self?.watch?.linkChanged() })
        watch?.figures = { [weak self] in self?.figures() ?? SwitchReport(health: .unknown) }
        drains?.changed = { [weak self] in self?.watch?.drainChanged() }
        service?.access = serviceAccess
        outside.changed = { [weak self] in self?.watch?.serviceChanged() }
        watch?.isSettled = { [weak self] in self?.calls?.isSettled ?? true }
        watch?.isReviving = { [weak self] in self?.calls?.isReviving ?? false }
        calls?.told = { [weak self] event in
            guard let self else { return }
            parts.journal.add(event)
            parts.log.event(event)
            publish(event)
        }
        calls?.settled = { [weak self] in self?.limits.recovered($0) }
        settings?.changed = { [weak self] in self?.watch?.serviceChanged() }
        settings?.trouble = { [weak self] in self?.trouble($0) }
        registrations?.registered = { [weak self] in self?.settings?.registered(at: $0) }
        calls?.abilityChanged = { [weak self] in
            self?.suspectProfiles()
            self?.watch?.serviceChanged()
        }
        calls?.partingDone = { [weak self] in self?.watch?.serviceChanged() }
        limits.trouble = { [weak self] in self?.trouble($0) }
        limits.refused = { [weak self] in self?.askForLimits() }
        limits.shortageChanged = { [weak self] in self?.watch?.serviceChanged() }
        calls?.revived = { [weak self] in self?.limits.adopt($0) }
        calls?.ended = { [weak self] in self?.limits.ended($0) }
    }

    func start() {
        replica.own(.node(me.name), Epoch(term: me.incarnation, index: 0))
        replica.write(.node(me.name), history.writes)
        link?.start()
        console?.start()
        every(Self.profileInterval) { $0.lookAtProfiles() }
        every(Self.pauseInterval) { $0.askForPause() }
        every(Self.capacityInterval) {
            $0.askForCapacity()
            $0.askForLimits()
        }
        every(Self.rowInterval) { $0.calls?.readRows() }
        every(Self.dumpInterval) { $0.askForDump() }
        every(Self.lookInterval) { $0.calls?.lookCloser() }
        every(.nanoseconds(parts.rehearsalInterval.nanoseconds)) { $0.rehearse() }
        every(Self.mourningInterval) { $0.limits.endMourning() }
    }

    private func every(_ interval: TimeAmount, _ work: @escaping (SharingCore) -> Void) {
        loop.assumeIsolated().scheduleTask(in: interval) { [weak self] in
            guard let self, !isStopped else { return }
            work(self)
            every(interval, work)
        }
    }

    func stop() {
        isStopped = true
        console?.stop()
        watch?.stop()
        calls?.stop()
        registrations?.stop()
        drains?.stop()
        service?.stop()
        settings?.stop()
        outside.stop()
        link?.stop()
        replica.stop()
        limits.stop()
    }

    // MARK: - The cluster

    func become(_ me: Holder) {
        self.me = me
        links.become(me)
        replica.own(.node(me.name), Epoch(term: me.incarnation, index: 0))
        replica.write(.node(me.name), history.writes)
        limits.writeAll()
        settings?.writeAll()
    }

    func surveyed(_ survey: Survey) {
        self.survey = survey
        let found = survey.members.map(\.name).filter { !parts.nodes.contains($0) }
        names.value = ConsoleNames(nodes: parts.nodes + found, seats: survey.seats)
        replica.surveyed(survey)
        limits.surveyed(survey)
        settings?.surveyed(survey)
        calls?.surveyed(survey)
        if calls?.isSettled == false { watch?.settledChanged() }
        registrations?.surveyed(survey)
        drains?.surveyed(survey)
        let held = survey.placements.filter(\.isHere).map(\.address.name)
        if held != watched { watchAddresses() }
        tellProfile()
        outside.ask(survey.asks, profiles)
        watch?.numbersChanged()
    }

    private func changed(_ stream: StreamID, _ changes: Changes) {
        switch stream {
        case .address(let address): registrations?.changed(address, changes)
        case .node(let name):
            guard name != me.name, let life = replica.life(of: stream) else { return }
            limits.changed(name, life: life, changes)
            settings?.changed(name, changes)
            for change in changes {
                guard case .put(let record) = change else { continue }
                if let line = RecoveryHistory.line(record), line.left == nil {
                    limits.recovered(line.address)
                }
                if let retired = RetiredRegistration(record) {
                    registrations?.superseded(retired, end: record.expires, by: name)
                }
            }
        }
    }

    func publish(_ event: ClusterEvent) {
        console?.publish(event)
        guard let link, runtime != nil else { return }
        translation.nodes = names.value.nodes
        for told in translation.events(for: event) {
            link.command(EventTranslation.injection(of: told)) { _ in }
        }
    }

    func registrationsConverged() -> CheckResult {
        guard let registrations else { return CheckResult(holds: true, text: "no switch here") }
        let text = "\(me.name): \(registrations.sync.untold) registrations are still to be told to the switch"
        return CheckResult(holds: registrations.sync.isIdle, text: text)
    }

    // MARK: - For people

    func lines(_ kind: SharedKind, _ tell: @escaping @Sendable ([SharedPart]) -> Void) {
        switch kind {
        case .calls:
            let lines = survey.placements.flatMap { calls?.lines($0) ?? [] }
            tell(SharedPart.parts(lines, SharedPart.calls))
        case .registrations:
            tell(SharedPart.parts(survey.placements.flatMap(registrationLines), SharedPart.registrations))
        case .limits: limits.lines { tell(SharedPart.parts($0, SharedPart.limits)) }
        case .audit: limits.audit(calls?.calls.legs ?? []) { tell(SharedPart.parts($0, SharedPart.audit)) }
        // Kept by the node service itself.
        case .deeds: tell([])
        case .recoveries:
            var lines = history.own
            for stream in replica.streams where stream != .node(me.name) {
                guard case .node = stream else { continue }
                replica.forEach(in: stream) { if let line = RecoveryHistory.line($0) { lines.append(line) } }
            }
            tell(SharedPart.parts(lines.sorted { $0.time < $1.time }, SharedPart.recoveries))
        }
    }

    func registrationLines(_ placement: Placement) -> [RegistrationLine] {
        var lines: [RegistrationLine] = []
        let now = Instant.now()
        let address = placement.address.name
        replica.forEach(in: .address(address)) { record in
            guard record.kind == .registration, let it = try? record.registration(),
                registrations?.isOut(it, at: address) != true
            else { return }
            lines.append(
                RegistrationLine(
                    user: "\(it.user)@\(it.host)", contact: it.contact, address: address,
                    node: placement.holder?.name,
                    expiresSeconds: Int((it.expires - now).wholeSeconds),
                    transport: it.transport.lowercased(),
                    // At an address nobody holds there is nothing to take over.
                    survivesTakeover: placement.holder != nil && it.isReachableElsewhere,
                    userAgent: it.userAgent))
        }
        return lines
    }
}

extension SharedPart {
    static func parts<Line>(_ lines: [Line], _ part: ([Line]) -> SharedPart) -> [SharedPart] {
        stride(from: 0, to: lines.count, by: size).map { start in
            part(Array(lines[start..<min(start + size, lines.count)]))
        }
    }
}

extension RegistrationMode {
    init(_ registrations: SwitchAccess.Registrations) {
        switch registrations {
        case .single: self = .single
        case .callID: self = .callID
        case .contact: self = .contact
        }
    }
}

extension String {
    var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
