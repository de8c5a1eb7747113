import Consensus
import Primitives

/// One node as a value: what happened goes in, what to do comes out; no clock, no socket, no surprise.
///
/// Same seed and inputs, same effects. The parts: `raft` agrees, `state` is what was agreed, `neighbours` is what is
/// heard, `lease` is the right to hold, `fences` is what must be waited for, `effective` is how far that is done,
/// `holdings` is what the keeper does.
package struct Node: Sendable, Equatable {
    typealias ControlRaft = Raft<StampedCommand, ControlState>

    package let name: String
    package let kind: NodeRule.Kind
    /// The cluster file this node has read; the agreed one is `state.settings`.
    package let settings: ClusterSettings
    /// This program, and the formats it reads.
    package let release: ReleaseInfo
    /// Where this node runs.
    package let machine: MachineID
    /// Where the state directory was used before this start.
    let formerMachine: MachineID
    /// Why this node came without its former state; told when it is admitted.
    let anew: String?

    package internal(set) var me: Holder
    package internal(set) var raft: Raft<StampedCommand, ControlState>
    /// Nil until the cluster is formed or joined.
    package internal(set) var state: ControlState?
    package internal(set) var applied: Epoch = .zero

    var neighbours: Neighbours
    var lease = Lease()
    var fences = FenceLog()
    var effective = EffectiveIndex()
    var holdings = Holdings()
    /// Sorted by address.
    var partings: [Parting] = []
    var load: SwitchReport
    var network = NetworkView()
    var keeperTroubles = KeeperTroubles()
    var pathTroubles: [PathTrouble] = []
    var linkWords = LinkWords()
    /// As leader: since when no majority hears this node and is heard.
    var aloneSince: Instant?
    /// What is wrong with the disk here.
    var diskTrouble: Blocker?
    var strangers: [Stranger] = []
    /// What the keeper heard of the same from the network itself.
    var claims: [Claim] = []

    let startedAt: Instant
    var generator: SeededGenerator
    var sequence: UInt64 = 0
    var nextBeat: Instant
    var lastHandled: Instant
    /// When `.tick` is wanted next, as of the last event; nil when nothing is wanted any more.
    package private(set) var nextDeadline: Instant?
    /// Nil without a lease.
    var leaseValidSince: Instant?
    /// What is heard until then can only prolong it, and that is looked at with each beat.
    var leaseKnownUntil: Instant?

    var membershipPhase = MembershipPhase.discovering
    var leaving: Leaving?
    var namesake: Namesake?
    /// Who has our name by agreement, as others say.
    var ownerTold: Namesake?
    /// Nil when this life may use its identity.
    var doubt: Doubt?
    var leadership: Leadership?
    var zone = ZoneReconciler()
    var zoneTurns = ZoneTurns()
    var requests = PendingRequests()
    var surveyed: Survey?
    var duty = PlaybookDuty()
    var recovering: Recovering?
    /// Said once: why our own cluster file cannot become the agreed one.
    var obstacleTold: String?
    /// When this node last tried to hand leadership over; outlives its terms.
    var handedOverAt: Instant?
    /// Since when a leader lacks links that another has.
    var unlinkedSince: Instant?
    /// When this node's lease was lost, the last times.
    var leaseLosses: LeaseLosses
    /// What is being taken from an operator now, for the audit trail.
    var deed: AskedCommand?
    /// The FreeSWITCH here is about to be stopped: who says so, and how long that counts.
    var vacating: Vacating?
    /// The newest format that a command in the log raises to, applied or not; at least the first.
    var formatInLog = FormatVersion.oldest
    /// Kinds of commands that were agreed on and that only a later release knows.
    var unknownTold: [String] = []
    /// What was applied when things were last surveyed.
    var surveyedAt = Epoch.zero
    /// When periodic messages to the leader (admission, release notices, relinquishing) are due again.
    var nextPlea: Instant
    /// The state's clock and our own at the last applied command.
    var clockBase: (cluster: ClusterTime, local: Instant) {
        get { (clusterBase, localBase) }
        set { (clusterBase, localBase) = newValue }
    }
    private var clusterBase = ClusterTime.zero
    private var localBase: Instant
    var effects: [Effect] = []

    enum MembershipPhase: Hashable, Sendable {
        /// Without a cluster: listening.
        case discovering
        /// Every founder agrees; the founding snapshot is being made durable.
        case founding(ControlSnapshot)
        /// Part of a cluster (perhaps not admitted yet).
        case member
        /// Another incarnation is being recorded before it may speak.
        case renewing(UInt64)
        /// Nothing more will be said.
        case stopped
    }

    struct Leaving: Hashable, Sendable {
        var deadline: Instant
    }

    /// Another process that uses our name.
    struct Namesake: Hashable, Sendable {
        var holder: Holder
        var first: Instant
        var last: Instant
    }

    package init(
        name: String, birth: UInt64, incarnation: UInt64, kind: NodeRule.Kind, settings: ClusterSettings,
        restored: Raft<StampedCommand, ControlState>.Restored, seed: UInt64,
        machine: MachineID = .unknown, formerMachine: MachineID = .unknown, anew: String? = nil,
        release: ReleaseInfo = .current,
        at now: Instant
    ) {
        self.release = release
        self.machine = machine
        self.formerMachine = formerMachine
        self.anew = anew
        self.name = name
        self.kind = kind
        self.settings = settings
        let member = MemberID(name: name, birth: birth)
        me = Holder(member: member, incarnation: incarnation)
        let timing = restored.snapshot?.state.settings.timing ?? settings.timing
        raft = ControlRaft(
            me: member, settings: Self.consensusSettings(timing), restored: restored, seed: seed, at: now)
        neighbours = Neighbours(at: now)
        load = SwitchReport(health: kind == .witness ? .none : .unknown)
        startedAt = now
        leaseLosses = LeaseLosses(from: now)
        generator = SeededGenerator(seed: seed ^ 0x6E6F_6465)
        nextBeat = now
        nextDeadline = now
        lastHandled = now
        nextPlea = now
        localBase = now
        // A state directory that was never used before has nothing to be doubted.
        if incarnation >> 32 > 1 || restored != .init() { doubt = Doubt() }
        if let snapshot = restored.snapshot {
            install(snapshot, at: now)
            noteAppended(raft.entries(from: snapshot.epoch.index + 1, through: raft.lastIndex), at: now)
        }
    }

    static func consensusSettings(_ timing: Timing) -> ControlRaft.Settings {
        let timeout = timing.electionTimeout
        return ControlRaft.Settings(
            electionTimeout: timeout, heartbeatInterval: timeout.lowerBound / 2,
            idleInterval: timeout.upperBound * 2)
    }

    /// The agreed durations, or those of the file before there is an agreement.
    var timing: Timing { state?.settings.timing ?? settings.timing }
    package var isLeader: Bool { raft.role == .leader }
    package var appliedIndex: Index { applied.index }

    // MARK: - The entrance

    package mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        effects = []
        if case .stopped = membershipPhase {
            nextDeadline = nil
            return []
        }
        defer { nextDeadline = deadline }
        wakeUp(at: now)
        if let formatFault {
            stop(.fatal(formatFault))
            return effects
        }
        switch event {
        case .tick: agree(.tick, at: now)
        case .heard(let heartbeat): hear(heartbeat, at: now)
        case .received(let message, let sender):
            linkWords.note(sender, at: now)
            receive(message, from: sender, at: now)
        case .stored(let sequence): stored(sequence, at: now)
        case .storeFailed(let sequence, let reason):
            if sequence > 0 { agree(.storeFailed(sequence: sequence), at: now) }
            stop(.fatal("the state could not be written: \(reason)"))
        case .incarnationRecorded(let incarnation): incarnationRecorded(incarnation, at: now)
        case .keeperReady: holdings.keeperReady()
        case .keeperHeld(let address, let epoch): keeperHeld(address, epoch)
        case .keeperReleased(let address, let epoch, let cause):
            keeperReleased(address, epoch, cause, at: now)
        case .keeperFailed(let address, let epoch, let reason):
            keeperFailed(address, epoch, reason, at: now)
        case .keeperLost(let endsByItself):
            holdings.keeperLost(endsByItself: endsByItself, at: now)
            report(.trouble, name, "the keeper died; its addresses are gone or going")
        case .keeperContested(let address, let epoch, let hardware):
            keeperContested(address, epoch, hardware, at: now)
        case .switchReported(let report): switchReported(report, at: now)
        case .networkSeen(let sights): networkSeen(sights, at: now)
        case .pathsSeen(let troubles): pathsSeen(troubles)
        case .linksSeen(let members): linkWords.standing = members
        case .diskSeen(let trouble): diskSeen(trouble, at: now)
        case .zoneRead(let id, let readings): zoneRead(id, readings, at: now)
        case .zoneUpdated(let id, let outcome): zoneUpdated(id, outcome, at: now)
        case .operatorAsked(let id, let request): take(request, from: .terminal(id), at: now)
        case .shutdownRequested: beginLeaving(at: now)
        case .calendar(let reading): calendarRead(reading, at: now)
        case .commandEnded(let id, let result): executed(id, result.outcome, at: now)
        case .checked(let id, let result): checked(id, result, at: now)
        case .notified(let id, let failure):
            executed(id, StepOutcome(failure.map { .failed($0) } ?? .done(nil)), at: now)
        }
        if case .stopped = membershipPhase { return effects }
        if let formatFault {
            stop(.fatal(formatFault))
            return effects
        }
        pursue(event, at: now)
        return effects
    }

    /// What must be looked at after every event; the whole cluster only when something may have changed.
    private mutating func pursue(_ event: Event, at now: Instant) {
        let isBeat = now >= nextBeat
        if case .heard = event, !isBeat {
            if leaseValidSince == nil || now >= leaseKnownUntil ?? now { watchLease(at: now) }
            // What was just acknowledged may be what a hold needs that ends before the next beat is done.
            if let end = holdings.firstEnd, end < nextBeat + timing.renewalStep { hold(at: now) }
            return
        }
        watchLease(at: now)
        hold(at: now)
        if isBeat {
            settleDoubt(at: now)
            if let fault = formatFault(byHearsayAt: now) { stop(.fatal(fault)) }
            if case .stopped = membershipPhase { return }
            watchKeeper(at: now)
            contradict(at: now)
            form(at: now)
            tellObstacle(at: now)
            tryRecovery(at: now)
            endWaiting(at: now)
            endAsking(at: now)
            giveZoneTurn(at: now)
        }
        plead(at: now, even: isBeat)
        lead(at: now)
        tellEffects(at: now)
        performDuties(at: now)
        if isBeat || event.mayTouchZone || zone.looked?.applied != applied {
            reconcileZone(at: now, asked: event.mayTouchZone)
        }
        if leaving != nil { leave(at: now) }
        if case .stopped = membershipPhase { return }
        if isBeat || event.mayMoveAddress || surveyedAt != applied { survey(at: now) }
        if isBeat { beat(at: now) }
    }

    /// A process that was not run for a while must not take its own absence for everybody else's.
    private mutating func wakeUp(at now: Instant) {
        let asleep = now - lastHandled
        lastHandled = now
        guard asleep > timing.absence else { return }
        neighbours.excuse(asleep, at: now)
        holdings.excuse(asleep)
        if asleep > timing.absenceTold {
            report(.asleep, name, "was not run for \(asleep.nanoseconds / 1_000_000) ms")
        }
    }

    mutating func report(
        _ kind: ClusterEvent.Kind, _ subject: String, _ text: String, epoch: Epoch? = nil
    ) {
        effects.append(.report(ClusterEvent(kind, subject, text, epoch: epoch)))
    }

    mutating func stop(_ reason: StopReason) {
        for holding in holdings.all { effects.append(.release(holding.address, epoch: holding.epoch)) }
        effects.append(.stop(reason))
        membershipPhase = .stopped
    }

    package static func == (a: Node, b: Node) -> Bool {
        a.me == b.me && a.raft == b.raft && a.state == b.state && a.applied == b.applied
            && a.neighbours == b.neighbours && a.lease == b.lease && a.fences == b.fences
            && a.effective == b.effective
            && a.holdings == b.holdings && a.load == b.load && a.membershipPhase == b.membershipPhase
    }

    // MARK: - Time

    /// The cluster's time as this node would stamp it now.
    func clusterTime(at now: Instant) -> ClusterTime { clusterBase + max(.zero, now - localBase) }
}
