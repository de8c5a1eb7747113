import EventSocket
import Primitives
import Replication

/// The whole recovery of one address's calls on this node's switch: stage rows, `sofia profile NAME recover`,
/// confirm what came, try again once what did not, clean up what hangs, and say what became of each leg.
///
/// It survives a restart of the switch: what is not up is revived in the new process. A uuid the switch has is
/// never staged, so no call is revived twice.
package struct RecoveryRun: Sendable {
    package struct Settings: Hashable, Sendable {
        package var plan: RecoveryPlan.Settings
        /// How long a refusal (profile not running yet, switch paused, database locked) or a restart is waited out, counted from when nobody had
        /// the calls any more: whoever can, has hung up by then.
        package var patience: Duration = .seconds(60)
        /// How often facts are asked for meanwhile.
        package var inspectInterval: Duration = .milliseconds(250)
        /// How long the rows may take to be written.
        package var stagingTimeout: Duration = .seconds(5)
        /// How long `recover` may take beside 30 ms a leg.
        package var commandTimeout: Duration = .seconds(10)
        /// How long after the last `recover` channels may still appear.
        package var confirmDelay: Duration = .seconds(1)
        /// How long after the last `recover` a leg may look for its other leg.
        package var settleDelay: Duration = .seconds(5)
        /// How often the last look at the channels is tried, a second apart.
        package var sweeps = 10
        /// How many restarts of the switch are borne.
        package var restarts = 5

        package init(plan: RecoveryPlan.Settings = .init()) { self.plan = plan }
    }

    package enum Input: Hashable, Sendable {
        /// Facts about the switch: begins the run, ends a wait, and after a restart begins anew. May be given
        /// before they are asked for.
        case local(LocalSwitch)
        /// The stage of that number is done, or why it is not.
        case staged(Int, failure: String?)
        /// The answer to the command of that number (of a background job its output), nil when none came.
        case answered(Int, [UInt8]?)
        /// Any event of this switch.
        case event(SwitchEvent)
        /// The address is not this node's any more, in words: "alpha went to fs3".
        case withdrawn(String)
        case tick
    }

    /// Rows for the table `recovery`, in one transaction: first those of `profile` whose `runtime_uuid` is not
    /// `runtime` are deleted, then `rows` inserted.
    package struct Stage: Hashable, Sendable {
        package var number: Int
        package var profile: String
        package var runtime: String
        package var rows: [RecoveryRow]
    }

    package enum Effect: Hashable, Sendable {
        /// Gather facts about the switch and hand them in as `.local`; nothing if there are none now.
        case inspect
        case stage(Stage)
        /// `bgapi` when `isBackground`, otherwise `api`; answered by `.answered(number, …)`.
        case command(number: Int, String, isBackground: Bool)
        /// For the log.
        case report(Report)
        case finished(RecoverySummary)
    }

    package enum Report: Hashable, Sendable {
        case waiting(RecoveryRefusal)
        case began(legs: Int, batches: Int, left: Int)
        case restarted
        case again(legs: Int)
        case stuck([String])
    }

    enum Phase: Hashable {
        /// For facts.
        case waiting
        case staging(Int)
        case recovering(command: Int)
        case confirming
        /// `show channels`, to see what is missing.
        case checking(command: Int)
        case settling
        /// `show channels`, to see what hangs.
        case sweeping(command: Int)
        /// Whether peers answered, of legs of which no event told.
        case asking
        case finished
    }

    enum Fate: Hashable {
        case waiting
        case staged
        case alive
        /// The switch had it before anything was done.
        case existed
        case ended(String)
        case lost(RecoveryLoss)
    }

    package let profile: String
    package let settings: Settings
    let legs: [CallLeg]
    let began: Instant
    /// As of the beginning.
    let sequence: RequestSequence
    var local: LocalSwitch?
    var phase: Phase = .waiting
    /// Until when facts are waited for.
    var patienceEnds: Instant
    /// Why it ended although it was not over.
    var cutShort: String?
    /// Nothing is revived: there was nobody for too long.
    let isTooLate: Bool
    /// What was staged has been read by the switch, which deletes it.
    var isTableClean = true
    /// When the phase is over without an answer.
    var deadline: Instant?
    var refusal: RecoveryRefusal?
    var fates: [String: Fate] = [:]
    /// Legs whose peers answered the re-INVITE.
    var answered: Set<String> = []
    /// Legs that are asked about, by the number of the command.
    var asked: [Int: String] = [:]
    var unasked: [String] = []
    var batches: [[RecoverableCall]] = []
    /// The batch that is being staged or revived.
    var current: [RecoverableCall] = []
    var isSecondTry = false
    var sweeps = 0
    var lastRecover: Instant?
    /// When the newest leg was seen to be back.
    var lastRevival: Instant?
    var restarts = 0
    var number = 0

    /// - Parameters:
    ///   - legs: newest state of every leg of the address, from the replica.
    ///   - silence: how long nobody had them before.
    ///   - sequence: of now, and of the takeover that this run belongs to.
    package init(
        legs: [CallLeg], profile: String, settings: Settings, silence: Duration = .zero,
        sequence: RequestSequence, at now: Instant
    ) {
        isTooLate = silence >= settings.patience
        self.legs = legs
        self.profile = profile
        self.settings = settings
        began = now
        self.sequence = sequence
        patienceEnds = now + (isTooLate ? settings.patience : settings.patience - max(.zero, silence))
        deadline = now
        for leg in legs { fates[leg.uuid] = .waiting }
    }

    package var isFinished: Bool { phase == .finished }
    /// Why it cannot begin, or go on, when that was tried and failed.
    package var waitsFor: RecoveryRefusal? {
        switch phase {
        case .waiting, .staging: refusal
        default: nil
        }
    }
    /// When to give `.tick`; nil when the run is over.
    package var nextDeadline: Instant? { isFinished ? nil : deadline }
    /// Core-UUID of the switch the run works with.
    package var runtime: String? { local?.coreUUID }

    package mutating func handle(_ input: Input, at now: Instant) -> [Effect] {
        if isFinished { return [] }
        var effects: [Effect] = []
        switch input {
        case .local(let local): take(local, at: now, &effects)
        case .staged(let number, let failure): staged(number, failure, at: now, &effects)
        case .answered(let number, let output): answered(number, output, at: now, &effects)
        case .event(let event): take(event, at: now, &effects)
        case .withdrawn(let reason):
            cutShort = reason
            isTableClean = false
            finish(at: now, &effects)
        case .tick:
            if let deadline, deadline <= now { overdue(at: now, &effects) }
        }
        return effects
    }

    // MARK: - Beginning

    private mutating func take(_ local: LocalSwitch, at now: Instant, _ effects: inout [Effect]) {
        if let before = self.local, before.coreUUID != local.coreUUID, phase != .waiting {
            restart(at: now, &effects)
            if isFinished { return }
        }
        self.local = local
        if phase == .waiting { begin(at: now, &effects) }
    }

    private mutating func begin(at now: Instant, _ effects: inout [Effect]) {
        guard let local else { return }
        // What came and ended, or cannot come, stays so in whichever process.
        let open = legs.filter { fates[$0.uuid] == .waiting }
        do {
            let plan = try RecoveryPlan(
                legs: open, profile: profile, local: local, settings: settings.plan, isTooLate: isTooLate)
            // Whether rows can be written is known once they are.
            if case .database = refusal {} else { refusal = nil }
            // The living first.
            batches = plan.batches + plan.farewells + batches
            for left in plan.left {
                fates[left.uuid] = left.reason == .exists ? .existed : .lost(left.reason)
            }
            let count = plan.batches.reduce(0) { $0 + $1.reduce(0) { $0 + $1.legs.count } }
            effects.append(.report(.began(legs: count, batches: plan.batches.count, left: plan.left.count)))
            next(at: now, &effects)
        } catch {
            wait(for: error, at: now, &effects)
        }
    }

    private mutating func wait(for refusal: RecoveryRefusal, at now: Instant, _ effects: inout [Effect]) {
        phase = .waiting
        if self.refusal != refusal { effects.append(.report(.waiting(refusal))) }
        self.refusal = refusal
        deadline = min(patienceEnds, now + settings.inspectInterval)
    }

    /// Another life of the switch.
    mutating func restart(at now: Instant, _ effects: inout [Effect]) {
        restarts += 1
        effects.append(.report(.restarted))
        // Its channels went with the old process, without a word to their peers: they are open again.
        for (uuid, fate) in fates where fate == .staged || fate == .alive || fate == .existed {
            fates[uuid] = .waiting
        }
        answered = []
        asked = [:]
        unasked = []
        local = nil
        batches = []
        current = []
        isSecondTry = false
        sweeps = 0
        lastRecover = nil
        phase = .waiting
        patienceEnds = now + settings.patience
        deadline = now + settings.inspectInterval
        if restarts > settings.restarts {
            giveUp("the switch restarts again and again", at: now, &effects)
        } else {
            effects.append(.inspect)
        }
    }

    // MARK: - Batches

    mutating func next(at now: Instant, _ effects: inout [Effect]) {
        guard let local else { return }
        current = []
        while current.isEmpty, !batches.isEmpty { current = stillOpen(batches.removeFirst()) }
        if current.isEmpty {
            if lastRecover == nil { return finish(at: now, &effects) }
            phase = .confirming
            deadline = now + settings.confirmDelay
            return confirmed(at: now)
        }
        for call in current where !call.isFarewell {
            for leg in call.legs { fates[leg.uuid] = .staged }
        }
        stage(for: local, at: now, &effects)
    }

    /// What has come back by somebody else's doing meanwhile is not staged, and neither is its other leg.
    private mutating func stillOpen(_ calls: [RecoverableCall]) -> [RecoverableCall] {
        var open: [RecoverableCall] = []
        for call in calls {
            if call.isFarewell {
                open.append(call)
                continue
            }
            if call.legs.allSatisfy({ fates[$0.uuid] == .waiting }) {
                open.append(call)
                continue
            }
            for leg in call.legs where fates[leg.uuid] == .waiting {
                fates[leg.uuid] = .lost(.impossible(.halfKnown(leg.partner ?? leg.uuid)))
            }
        }
        return open
    }

    private mutating func stage(for local: LocalSwitch, at now: Instant, _ effects: inout [Effect]) {
        number += 1
        let stage = Stage(
            number: number, profile: profile, runtime: local.coreUUID,
            rows: current.flatMap {
                $0.rows(for: local.coreUUID, sequence: sequence.later(by: now - began))
            })
        phase = .staging(number)
        deadline = now + settings.stagingTimeout
        isTableClean = false
        effects.append(.stage(stage))
    }

    mutating func staged(
        _ number: Int, _ failure: String?, at now: Instant, _ effects: inout [Effect]
    ) {
        guard case .staging(number) = phase else { return }
        guard let failure else {
            refusal = nil
            self.number += 1
            let legs = current.reduce(0) { $0 + $1.legs.count }
            phase = .recovering(command: self.number)
            lastRecover = now
            deadline = now + settings.commandTimeout + .milliseconds(30 * legs)
            effects.append(
                .command(number: self.number, "sofia profile \(profile) recover", isBackground: true))
            return
        }
        // What is not up yet is planned anew once rows can be written: some of it may have come back meanwhile, or ended.
        for call in current where !call.isFarewell {
            for leg in call.legs where fates[leg.uuid] == .staged { fates[leg.uuid] = .waiting }
        }
        batches = ([current] + batches).map { $0.filter(\.isFarewell) }.filter { !$0.isEmpty }
        current = []
        wait(for: .database(failure), at: now, &effects)
    }

    // MARK: - Ending

    private mutating func giveUp(_ reason: String, at now: Instant, _ effects: inout [Effect]) {
        for (uuid, fate) in fates where fate == .waiting || fate == .staged {
            fates[uuid] = .lost(.abandoned(reason))
        }
        isTableClean = false
        finish(at: now, &effects)
    }

    mutating func finish(at now: Instant, _ effects: inout [Effect]) {
        // Nothing of it may be left for somebody's `sofia recover`.
        if !isTableClean, let local {
            number += 1
            effects.append(
                .stage(Stage(number: number, profile: profile, runtime: local.coreUUID, rows: [])))
        }
        phase = .finished
        deadline = nil
        effects.append(.finished(RecoverySummary(self, at: now)))
    }
}
