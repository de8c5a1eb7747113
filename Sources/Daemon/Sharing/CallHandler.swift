import Cluster
import EventSocket
import Kernel
import Limits
import NIOCore
import Primitives
import Replication
import Switch

/// Does what `CallReplication` asks for, and gives it answers and turns.
final class CallHandler {
    private struct View: CallReplicationView {
        var replica: ReplicaService

        func legs(of address: String) -> [CallLeg] {
            var legs: [CallLeg] = []
            replica.forEach(in: .address(address)) { record in
                if record.kind == .callLeg, let leg = try? record.callLeg() { legs.append(leg) }
            }
            return legs
        }
        var wallMilliseconds: Int64 { WallClock.milliseconds() }
    }

    private let link: SwitchLink
    private let replica: ReplicaService
    private let history: RecoveryHistory
    private let log: EventLog
    private let view: View
    private(set) var calls: CallReplication
    private(set) var table: RecoveryTable?
    private let timer: DeadlineTimer
    private var isStopped = false
    /// What a finished recovery says to operators.
    var told: ((ClusterEvent) -> Void)?
    /// The calls of an address are in the switch here, or over.
    var settled: ((String) -> Void)?
    /// A revived leg holds these limits until it ends.
    var revived: ((CallLeg) -> Void)?
    var ended: ((String) -> Void)?
    /// An address may go elsewhere.
    var partingDone: (() -> Void)?
    /// The switch was found unable to bring calls back now, or able again: whoever tells the node should look at it.
    var abilityChanged: (() -> Void)?

    init(
        settings: CallReplication.Settings, link: SwitchLink, replica: ReplicaService,
        history: RecoveryHistory, log: EventLog
    ) {
        calls = CallReplication(settings: settings)
        self.link = link
        timer = DeadlineTimer(on: link.loop)
        self.replica = replica
        self.history = history
        self.log = log
        view = View(replica: replica)
    }

    // MARK: - Telling it

    func surveyed(_ survey: Survey) { handle(.cluster(PlacementSnapshot(survey))) }

    func up(coreUUID: String, switchname: String, table: RecoveryTable?) {
        self.table = table
        handle(.up(coreUUID: coreUUID, switchname: switchname, hasTable: table != nil))
    }

    func down() { handle(.down) }

    /// It could not be opened before.
    func use(_ table: RecoveryTable) {
        self.table = table
        handle(.tableOpened)
    }

    func handle(_ event: SwitchEvent) { handle(.event(event)) }

    func admit(sessions: UInt32) { handle(.sessions(sessions)) }

    func readRows() { handle(.rowsAreDue) }

    func lookCloser() { handle(.looksAreDue) }

    /// Says `recover` once more for an address held here whose calls are not being revived.
    ///
    /// - Returns: false when the switch cannot be told now, or is busy with that address.
    func release(_ address: String) -> Bool {
        guard calls.canRelease(address) else { return false }
        handle(.release(address))
        return true
    }

    func stop() {
        isStopped = true
        timer.cancel()
    }

    // MARK: - Reading

    var counts: CallCounts { calls.counts }
    var isSettled: Bool { calls.isSettled(at: Instant.now()) }
    var isReviving: Bool { calls.isReviving }
    func isReviving(_ address: String) -> Bool { calls.isReviving(address, at: Instant.now()) }
    var limitAllowances: [String: LimitAllowance] { calls.limitAllowances(at: Instant.now()) }
    func replicated(_ address: String) -> [CallLeg] { view.legs(of: address) }

    /// Addresses whose calls that nobody could revive have ended, sorted.
    var parted: [HeldAddress] {
        calls.parted.map { HeldAddress(address: $0.address, epoch: $0.epoch) }
    }

    // MARK: - What it asks for

    private func handle(_ input: CallReplication.Input) {
        guard !isStopped else { return }
        let effects = calls.handle(input, seeing: view, at: Instant.now())
        timer.wake(at: calls.nextDeadline) { [weak self] in self?.handle(.tick) }
        for effect in effects { perform(effect) }
    }

    private func perform(_ effect: CallReplication.Effect) {
        switch effect {
        case .ask(let number, let line, let isBackground):
            say(line, isBackground) { [weak self] in self?.handle(.answered(number, $0)) }
        case .command(let line, let isBackground): say(line, isBackground) { _ in }
        case .stage(let stage): self.stage(stage)
        case .readRows(let number, let coreUUID, let legs): read(number, coreUUID, legs)
        case .write(let address, let writes): replica.write(.address(address), writes)
        case .finished(let summary, let epoch): history.add(summary, epoch)
        case .tell(let what, let address, let text, let epoch):
            told?(ClusterEvent(ClusterEvent.Kind(what), address, text, epoch: epoch))
        case .settled(let address): settled?(address)
        case .revived(let leg): revived?(leg)
        case .ended(let uuid): ended?(uuid)
        case .partingDone: partingDone?()
        case .abilityChanged: abilityChanged?()
        case .notice(let area, let subject, let text): log.notice(area, subject, text)
        case .warning(let area, let subject, let text): log.warning(area, subject, text)
        case .tableWarning(let text): log.warning("recovery-table", table?.path ?? "", text)
        }
    }

    private func say(_ line: String, _ isBackground: Bool, _ answer: @escaping SwitchLink.Answer) {
        if isBackground { link.bgapi(line, answer) } else { link.api(line, answer) }
    }

    private func stage(_ stage: RecoveryRun.Stage) {
        guard let table else { return }
        table.stage(stage.rows, profile: stage.profile, runtime: stage.runtime, on: link.loop)
            .assumeIsolated().whenComplete { [weak self] result in
                var reason: String?
                if case .failure(let failure) = result { reason = "\(failure)" }
                self?.handle(.staged(stage.number, failure: reason))
            }
    }

    private func read(_ number: Int, _ coreUUID: String, _ legs: [String]?) {
        guard let table else { return }
        let rows =
            legs.map { table.rows(of: $0, runtime: coreUUID, on: link.loop) }
            ?? table.rows(runtime: coreUUID, on: link.loop)
        rows.assumeIsolated().whenComplete { [weak self] result in
            switch result {
            case .success(let rows): self?.handle(.rows(number, rows, failure: nil))
            case .failure(let failure): self?.handle(.rows(number, [], failure: "\(failure)"))
            }
        }
    }
}

extension ClusterEvent.Kind {
    fileprivate init(_ what: CallReplication.Announcement) {
        self =
            switch what {
            case .recovered: .recovered
            case .callsEnded: .callsEnded
            case .trouble: .trouble
            }
    }
}

extension PlacementSnapshot {
    init(_ survey: Survey) {
        self.init(
            placements: survey.placements.map(AddressPlacement.init), heard: survey.heard,
            partings: survey.partings)
    }
}

extension AddressPlacement {
    init(_ placement: Placement) {
        self.init(
            name: placement.address.name, ip: placement.address.ip, holder: placement.holder?.name,
            epoch: placement.epoch, isHere: placement.isHere)
    }
}
