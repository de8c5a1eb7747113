import EventSocket
import Limits
import Primitives
import Replication

/// What decides about calls may look at on its machine, and cannot change.
package protocol CallReplicationView {
    /// The calls of an address as the replica has them.
    func legs(of address: String) -> [CallLeg]
    /// Of the wall clock, since 1970.
    var wallMilliseconds: Int64 { get }
}

/// Calls between the switch of this machine and the replicas: out of it while it has them, into it when an address comes here.
///
/// A recovery is due when an address is here and the process of the switch that is here was not brought to the address's calls.
package struct CallReplication: Sendable {
    package struct Settings: Hashable, Sendable {
        /// Name of this node.
        package var node: String
        /// How long it is tried to bring calls back.
        package var patience: Duration
        /// Legs looked at in one turn: a dump takes the switch a fraction of a millisecond.
        package var lookLimit = 64
        /// How long a switch that does not let itself be looked at is excused.
        package var blindPatience: Duration = .seconds(1)
        /// A call's beginning is a dozen events within a moment: one write for all of them.
        package var flushDelay: Duration = .milliseconds(2)
        /// What rings for a caller that was parked gets its CANCEL at once; then it is hung up.
        package var cancelDelay: Duration = .milliseconds(200)

        package init(node: String, patience: Duration) {
            self.node = node
            self.patience = patience
        }
    }

    package enum Input: Sendable {
        case cluster(PlacementSnapshot)
        /// The event socket is open; a process that is not known yet has none of the calls.
        case up(coreUUID: String, switchname: String, hasTable: Bool)
        /// Nothing that was asked of the switch before will be answered any more.
        case down
        /// The switch's core database can be used from now on.
        case tableOpened
        case event(SwitchEvent)
        /// What the switch said to the question of that number.
        case answered(Int, Result<APIResponse, RequestFailure>)
        /// The stage of that number is done, or why it is not.
        case staged(Int, failure: String?)
        /// The rows that were asked for by that number, or why there are none.
        case rows(Int, [RecoveryRow], failure: String?)
        /// How many sessions the switch has at most; it may say otherwise later.
        case sessions(UInt32)
        /// Say `recover` once more for an address of which `canRelease` is true: no row is staged, so no call comes of it, and
        /// the profile leaves its standby.
        case release(String)
        /// Rows of the switch's own table are to be read, and what did not come back in time is given up.
        case rowsAreDue
        /// The switch is to be asked for what no event told.
        case looksAreDue
        case tick
    }

    package enum Effect: Hashable, Sendable {
        /// `bgapi` when `isBackground`, otherwise `api`; answered by `.answered(number, …)`.
        case ask(number: Int, String, isBackground: Bool)
        /// A command whose answer does not matter.
        case command(String, isBackground: Bool)
        /// Answered by `.staged(number, …)`.
        case stage(RecoveryRun.Stage)
        /// Rows of this process of the switch, all of them (only the beginning of their metadata) or those of some legs;
        /// answered by `.rows(number, …)`.
        case readRows(number: Int, coreUUID: String, legs: [String]?)
        /// To the stream of the address.
        case write(address: String, [Write])
        /// For the history of recoveries.
        case finished(RecoverySummary, epoch: Epoch)
        /// For operators.
        case tell(Announcement, address: String, String, epoch: Epoch)
        /// The calls of an address are in the switch here, or over.
        case settled(String)
        /// A revived leg holds its limits until it ends.
        case revived(CallLeg)
        case ended(uuid: String)
        /// An address may go elsewhere.
        case partingDone
        /// The switch was found unable to bring calls back now, or able again.
        case abilityChanged
        case notice(area: String, subject: String, String)
        case warning(area: String, subject: String, String)
        /// About the core database.
        case tableWarning(String)
    }

    package enum Announcement: Hashable, Sendable {
        case recovered
        case callsEnded
        case trouble
    }

    /// One call of `handle`.
    struct Turn {
        let view: any CallReplicationView
        let now: Instant
        var effects: [Effect] = []
        /// Legs that are removed from the replica by `effects`.
        private var removed: [String: Set<String>] = [:]

        init(_ view: any CallReplicationView, at now: Instant) {
            self.view = view
            self.now = now
        }

        func legs(of address: String) -> [CallLeg] {
            let removed = removed[address] ?? []
            return view.legs(of: address).filter { !removed.contains($0.uuid) }
        }

        mutating func remove(_ uuids: [String], of address: String) {
            write(address, uuids.map { .remove(.callLeg, key: Record.key(uuid: $0)) }, removing: uuids)
        }

        /// - Parameter uuids: legs that are gone from the stream by `writes`.
        mutating func write(_ address: String, _ writes: [Write], removing uuids: [String]) {
            guard !writes.isEmpty else { return }
            removed[address, default: []].formUnion(uuids)
            effects.append(.write(address: address, writes))
        }
    }

    /// What an answer belongs to.
    enum Question: Hashable {
        case listing(coreUUID: String?)
        case dump(String)
        case inspection(Inspection)
        /// Of a recovery run.
        case command(run: Int, number: Int, address: String, isBackground: Bool)
        case park(String)
        case transfer(String)
        /// Of a recovery run.
        case stage(run: Int, number: Int, address: String)
        case releaseStage(address: String, coreUUID: String)
        case rows(coreUUID: String, areAll: Bool)
    }

    let settings: Settings
    var tracker = CallTracker()
    var held: [String: CallRecovery] = [:]
    /// Who has the addresses that are not here.
    var elsewhere: [String: String] = [:]
    /// Since when nobody has an address, or nobody who is heard.
    var forsaken: [String: Instant] = [:]
    /// Whether the switch told of all its channels since it was reached.
    var isListed = false
    var isListing = false
    /// Of the process that is reached.
    var coreUUID: String?
    /// Whether the core database can be used.
    var hasTable = false
    /// The decision by which an address was here when its calls were recovered last.
    var recoveredEpoch: [String: Epoch] = [:]
    var forgotten = ForgottenCalls()
    /// Addresses whose `recover` runs in the switch, and how many of them.
    var recovering: [String: Int] = [:]
    var runs = 0
    /// Runs get their ticks: from their first step until the switch is out of reach.
    var isTicking = false
    /// Addresses that are here and go elsewhere by plan.
    var partings: [String: Parting] = [:]
    /// Callers who were parked for a move, by uuid.
    var waiting: [String: WaitingCaller] = [:]
    var flushDue: Instant?
    /// Legs that may have their music again, the first due first.
    var silenced: [(due: Instant, legs: [String], coreUUID: String?)] = []
    /// What rings for parked callers is hung up, the first due first.
    var cancels: [(due: Instant, ringing: Set<String>, caller: String)] = []
    private var questions: [Int: Question] = [:]
    private var number = 0

    package init(settings: Settings) { self.settings = settings }

    // MARK: - Reading

    package var counts: CallCounts { tracker.counts }
    /// Whether nothing here could still say BYE for a call that is elsewhere, were its address taken now.
    package func isSettled(at now: Instant) -> Bool {
        !isListing && !forgotten.isLeaving(at: now) && !recovering.keys.contains { held[$0] == nil }
    }
    /// Addresses held here whose calls the switch was told of.
    package var heldAddresses: [String] { held.keys.sorted() }
    /// Calls on an address held here, those that are being revived among them.
    package func callCount(on address: String, of counts: CallCounts) -> Int {
        let here = counts.profiles.first { $0.profile == address }?.calls ?? 0
        let revives = held[address].map { $0.run != nil && !$0.isTelling } ?? false
        return max(here, revives ? 1 : 0)
    }
    package var isReviving: Bool { held.values.contains { $0.run != nil && !$0.isTelling } }
    /// How much of each limit of mod_hash the legs here can have in use.
    package func limitAllowances(at now: Instant) -> [String: LimitAllowance] {
        tracker.hashAllowances(at: now)
    }
    /// Whether calls of that address are being revived here.
    /// A run that cannot begin, because the switch answers nothing of use, is no excuse for serving nobody.
    package func isReviving(_ address: String, at now: Instant) -> Bool {
        if recovering[address] != nil { return true }
        guard let entry = held[address], let run = entry.run, run.waitsFor == nil, !entry.isTelling else {
            return false
        }
        return entry.blindSince.map { now - $0 < settings.blindPatience } ?? true
    }
    /// Why calls of that address wait to be brought back, though the switch is well.
    package func databaseProblem(_ address: String) -> String? {
        guard let entry = held[address], !entry.isTelling, case .database(let reason)? = entry.run?.waitsFor
        else { return nil }
        return reason
    }
    /// Whether the switch can be told `recover` now for an address held here, without any call to revive.
    package func canRelease(_ address: String) -> Bool {
        guard let coreUUID, let entry = held[address] else { return false }
        return entry.run == nil && entry.coreUUID == coreUUID && recovering[address] == nil
    }
    /// Every leg with the limits it counts for.
    package var legs: [CallLeg] { tracker.legs }
    package func legs(of address: String) -> [CallLeg] { tracker.legs(of: address) }
    package func isHeld(_ address: String) -> Bool { held[address] != nil }
    package var pairs: CallPairs { tracker.pairs }
    package func verdict(on uuid: String, serviceAddress: String, in pairs: CallPairs) -> Recoverability? {
        tracker.verdict(on: uuid, serviceAddress: serviceAddress, in: pairs)
    }
    package func times(of uuid: String) -> (started: Instant, answered: Instant?)? {
        tracker.times(of: uuid)
    }
    /// Addresses whose calls that nobody could revive have ended, sorted, and the decision that gave each.
    package var parted: [(address: String, epoch: Epoch)] {
        partings.filter(\.value.calls.isDone).map { ($0.key, $0.value.epoch) }.sorted { $0.0 < $1.0 }
    }

    /// When to give `.tick`.
    package var nextDeadline: Instant? {
        var dues = [flushDue, silenced.first?.due, cancels.first?.due].compactMap { $0 }
        if isTicking { dues += held.values.compactMap { $0.run?.nextDeadline } }
        dues += partings.compactMap { held[$0.key] == nil ? nil : $0.value.calls.due }
        return dues.min()
    }

    // MARK: - Deciding

    package mutating func handle(
        _ input: Input, seeing view: any CallReplicationView, at now: Instant
    ) -> [Effect] {
        var turn = Turn(view, at: now)
        switch input {
        case .cluster(let snapshot): take(snapshot, &turn)
        case .up(let coreUUID, let switchname, let hasTable): up(coreUUID, switchname, hasTable, &turn)
        case .down: down()
        case .tableOpened: hasTable = true
        case .event(let event): take(event, &turn)
        case .answered(let number, let result):
            if let question = questions.removeValue(forKey: number) { answered(question, result, &turn) }
        case .staged(let number, let failure):
            if let question = questions.removeValue(forKey: number) { staged(question, failure, &turn) }
        case .rows(let number, let rows, let failure):
            if case .rows(let coreUUID, let areAll)? = questions.removeValue(forKey: number) {
                read(rows, failure, areAll: areAll, of: coreUUID, &turn)
            }
        case .sessions(let sessions): tracker.admit(sessions: sessions)
        case .release(let address):
            if let coreUUID, canRelease(address) { releaseStandby(address, coreUUID, &turn) }
        case .rowsAreDue:
            readRows(&turn)
            dropGivenUp(&turn)
        case .looksAreDue: lookCloser(&turn)
        case .tick: tick(&turn)
        }
        return turn.effects
    }

    private mutating func tick(_ turn: inout Turn) {
        if let flushDue, flushDue <= turn.now {
            self.flushDue = nil
            flush(&turn)
        }
        while let next = silenced.first, next.due <= turn.now {
            silenced.removeFirst()
            playMusic(next.legs, of: next.coreUUID, &turn)
        }
        while let next = cancels.first, next.due <= turn.now {
            cancels.removeFirst()
            killRinging(next.ringing.union(waiting[next.caller]?.ringing ?? []), &turn)
        }
        for name in partings.keys.sorted() {
            if let due = partings[name]?.calls.due, due <= turn.now { lookAtParting(name, &turn) }
        }
        guard isTicking, held.values.contains(where: { $0.run?.nextDeadline.map { $0 <= turn.now } ?? false })
        else { return }
        for name in held.keys.sorted() { step(name, .tick, &turn) }
    }

    private mutating func answered(
        _ question: Question, _ result: Result<APIResponse, RequestFailure>, _ turn: inout Turn
    ) {
        switch question {
        case .listing(let coreUUID): listed(result, of: coreUUID, &turn)
        case .dump(let uuid): dumped(uuid, result, &turn)
        case .inspection(let inspection): inspected(inspection, result, &turn)
        case .command(let run, let number, let address, let isBackground):
            if isBackground { recoverEnded(address, &turn) }
            answer(.answered(number, try? result.get().body), to: run, address, &turn)
        case .park(let caller): parked(caller, result, &turn)
        case .transfer(let caller): transferred(caller, &turn)
        case .stage, .releaseStage, .rows: break
        }
    }

    private mutating func staged(_ question: Question, _ failure: String?, _ turn: inout Turn) {
        switch question {
        case .stage(let run, let number, let address):
            answer(.staged(number, failure: failure), to: run, address, &turn)
        case .releaseStage(let address, let coreUUID):
            releaseStaged(address, coreUUID, failure, &turn)
        default: break
        }
    }

    // MARK: - Asking

    mutating func note(_ question: Question) -> Int {
        number += 1
        questions[number] = question
        return number
    }

    mutating func ask(
        _ question: Question, _ line: String, isBackground: Bool = false, _ turn: inout Turn
    ) {
        turn.effects.append(.ask(number: note(question), line, isBackground: isBackground))
    }
}
