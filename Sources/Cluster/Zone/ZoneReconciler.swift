import Primitives

/// Makes the zone say what was decided: reads it, writes what differs, reads it back, and proves in between that it could write.
///
/// A value without a node: it is told what should be there and what servers answered, and says what to ask them next.
struct ZoneReconciler: Hashable, Sendable {
    /// What it is told about the cluster with each call.
    struct Context {
        var desired: DesiredZone
        /// What the epoch record says of an update of now.
        var epoch: Epoch
        /// Of the last decision that was applied.
        var applied: Epoch
        var now: Instant
    }

    /// What the node is to do for it.
    enum Step: Hashable, Sendable {
        case read(id: UInt64, [ZoneQuestion])
        case update(id: UInt64, ZoneUpdate)
        case report(ClusterEvent.Kind, String, Epoch?)
        /// An update was carried out: this node can write.
        case wrote
    }

    /// At most one question is on its way.
    enum Phase: Hashable, Sendable {
        /// Waits for `nextRead`, `sendAt`, the next proof or another decision.
        case idle
        case reading(Question)
        case updating(Question, ZoneUpdate)
    }

    struct Question: Hashable, Sendable {
        var id: UInt64
        /// The answer may never come.
        var due: Instant
        /// Of an earlier leadership: it is waited for, and not believed.
        var isOutdated = false
    }

    private(set) var phase = Phase.idle
    private var nextID: UInt64 = 1
    var readings: [ServerReading] = []
    /// Nil reads at once.
    var nextRead: Instant?
    /// Why the last update did not happen; nil once one did, or the zone is true anyway.
    var problem: ZoneTrouble?
    /// In sequence, of reading the primary and of writing to it.
    private(set) var failures = 0
    private(set) var failingSince: Instant?
    /// The operator told us to take over a zone of another writer; kept until that is done.
    var adopt = false
    /// An update of ours with unknown end may still arrive.
    var isContested = false
    /// What was wanted when the readings were found to agree with it.
    var converged: [ZoneRecord]?
    /// Troubles and notices an event told of, and whose end one will tell.
    private(set) var told: [ZoneTrouble] = []
    var rereads = 0
    /// What there was to publish when the zone was last looked at.
    private(set) var looked: Look?
    /// The wildcards must be asked for too before the zone can be judged.
    var wantsWildcards = false
    private(set) var askedWildcards = false
    /// An update the server says it carried out, until the zone was read back.
    var accepted: Accepted?
    var untaken: Untaken?
    var rate = ZoneRate()
    /// Nil when there is nothing that had to be put off.
    private(set) var sendAt: Instant?
    var proof = ZoneProof()
    /// Servers that do not serve the new set yet, and since when.
    var behind: [Behind] = []
    /// Servers that served what was wanted at least once in this leadership.
    var seenWell: [Endpoint] = []

    private static let answerTimeout = Duration.seconds(10)

    struct Look: Hashable, Sendable {
        var applied: Epoch
        /// Of each seat.
        var published: [[IPAddress]]
    }

    struct Accepted: Hashable, Sendable {
        var update: ZoneUpdate
        var epoch: Epoch
        var readings = 0
    }

    struct Behind: Hashable, Sendable {
        var server: Endpoint
        var since: Instant
        /// It was never seen well in this leadership: it may have been so for longer, which a former leader knew.
        var isFound = false
    }

    // MARK: - What is known

    /// What the primary has; nil when it was not read, or could not be.
    var found: [ZoneRecord]? { readings.first?.records }

    /// Whether the primary serves the address already.
    func serves(_ ip: IPAddress) -> Bool {
        (found ?? []).contains { $0.content == .address(ip) && !$0.name.hasPrefix("*.") }
    }

    /// The gravest of what is wrong; notices are not.
    var worst: ZoneTrouble? { told.first { !$0.isNotice } }

    /// Whether an update is on its way, or waits.
    var isWriting: Bool {
        if case .updating = phase { return true }
        return sendAt != nil
    }

    // MARK: - What failed

    mutating func failed(at now: Instant) {
        failures += 1
        failingSince = failingSince ?? now
    }

    mutating func succeeded() {
        failures = 0
        failingSince = nil
    }

    /// So that the pauses between tries become no longer.
    mutating func limitFailures() { failures = min(failures, 8) }

    /// An operator wants it done now, whatever went wrong before.
    mutating func hurry(adopt: Bool, at now: Instant) {
        if adopt { self.adopt = true }
        nextRead = now
        failures = 0
        untaken?.nextTry = now
        proof.due = now
    }

    // MARK: - Terms

    /// Another term knows nothing of the zone yet, but remembers what it sent.
    mutating func startOver(at now: Instant) {
        var fresh = ZoneReconciler()
        fresh.nextID = nextID
        fresh.phase = phase.outdated
        fresh.rate = rate
        fresh.proof.due = now + ZoneProof.first
        self = fresh
    }

    /// For a question that is asked elsewhere, so that no two have one number.
    mutating func takeID() -> UInt64 {
        defer { nextID += 1 }
        return nextID
    }

    // MARK: - Making it so

    /// Whether it is worth calling `reconcile`: time passed, or something else is to be published.
    func wantsLook(_ look: Look, at now: Instant) -> Bool { look != looked || isDue(at: now) }

    /// Whether time alone makes it worth another look.
    private func isDue(at now: Instant) -> Bool {
        switch phase {
        case .reading(let question), .updating(let question, _): now >= question.due
        case .idle: sendAt.map { now >= $0 } ?? false || now >= proof.due || now >= nextRead ?? now
        }
    }

    /// Reads, writes or proves, whichever is due.
    mutating func reconcile(_ look: Look, _ context: Context) -> [Step] {
        looked = look
        let (desired, now) = (context.desired, context.now)
        giveUpLateAnswer(at: now)
        guard case .idle = phase else { return [] }
        if readings.isEmpty || now >= nextRead ?? now { return [read(desired, at: now)] }
        sendAt = nil
        let plan = plan(context)
        var steps = tell(troubles(plan, desired))
        // Which record it is: without it the others are taken.
        if isSearching, let step = prove(desired, at: now) { return steps + [step] }
        if let update = plan.update, accepted == nil, failures == 0 || rereads > 0 {
            let allowed = max(rate.next(at: now), postponement(of: update) ?? now)
            if now >= allowed {
                rereads = 0
                return steps + [send(update, at: now)]
            }
            sendAt = allowed
        }
        if let step = prove(desired, at: now) { steps.append(step) }
        return steps
    }

    func plan(_ context: Context) -> ZonePlan {
        context.desired.plan(
            from: readings.first, epoch: context.epoch, adopt: adopt, isContested: isContested,
            leavingOut: proof.leftOut)
    }

    /// Whether an update was refused that may be taken in part.
    var isSearching: Bool { problem?.key == ZoneRefusal.partKey }

    private mutating func giveUpLateAnswer(at now: Instant) {
        switch phase {
        case .reading(let question), .updating(let question, _):
            guard now >= question.due else { return }
            phase = .idle
            proof.asked = []
        case .idle: break
        }
    }

    /// Until when an update waits that would only repeat what the server did not do before.
    private func postponement(of update: ZoneUpdate) -> Instant? {
        untaken?.postpones(update, serial: readings.first?.serial)
    }

    private mutating func read(_ desired: DesiredZone, at now: Instant) -> Step {
        let id = takeID()
        phase = .reading(Question(id: id, due: now + Self.answerTimeout))
        askedWildcards = wantsWildcards
        return .read(id: id, (wantsWildcards ? desired.wildcardQuestions : []) + desired.questions)
    }

    private mutating func send(_ update: ZoneUpdate, at now: Instant) -> Step {
        let id = takeID()
        phase = .updating(Question(id: id, due: now + Self.answerTimeout), update)
        rate.note(at: now)
        return .update(id: id, update)
    }

    /// Tries every minute whether the primary would take what we may have to write, while nothing else is to be sent.
    private mutating func prove(_ desired: DesiredZone, at now: Instant) -> Step? {
        guard now >= proof.due, rate.isIdle(at: now), let found else { return nil }
        if proof.waiting.isEmpty { proof.begin(desired.writtenSets, in: found) }
        guard let sets = proof.next() else { return nil }
        return send(desired.proof(of: sets, in: found, guarded: proof.isGuarded), at: now)
    }

    // MARK: - Answers

    /// Ends the question of that number.
    ///
    /// - Returns: whether its answer is believed.
    mutating func endReading(_ id: UInt64) -> Bool {
        guard case .reading(let question) = phase, question.id == id else { return false }
        phase = .idle
        return !question.isOutdated
    }

    /// - Returns: what was sent; nil when the answer is not believed.
    mutating func endUpdate(_ id: UInt64) -> ZoneUpdate? {
        guard case .updating(let question, let update) = phase, question.id == id else { return nil }
        phase = .idle
        return question.isOutdated ? nil : update
    }

    // MARK: - What is told

    /// Tells what began and what ended; nothing is told again because its text changed.
    private mutating func tell(_ troubles: [ZoneTrouble]) -> [Step] {
        let former = told
        told = troubles
        let begun = troubles.filter { trouble in !former.contains { $0.key == trouble.key } }
        let ended = former.filter { trouble in !troubles.contains { $0.key == trouble.key } }
        return begun.map { .report(.zoneTrouble, $0.text, nil) }
            + ended.map { .report(.zoneUpdated, "no longer: \($0.text)", nil) }
    }

    /// All that is wrong with the zone or the way to it, the worst first, and what is perhaps not meant.
    func troubles(_ plan: ZonePlan, _ desired: DesiredZone) -> [ZoneTrouble] {
        var troubles: [ZoneTrouble] = []
        if let held = plan.held {
            // Numbers in it change from one moment to the next.
            let key = String(held.filter { !$0.isNumber })
            troubles.append(ZoneTrouble(key: "held \(key)", text: held))
        }
        if let problem { troubles.append(problem) }
        troubles += plan.blocked.map { ZoneTrouble(key: $0, text: $0) }
        if let untaken, plan.blocked.isEmpty {
            troubles.append(ZoneTrouble(key: "untaken", text: untaken.text))
        }
        troubles += proof.trouble.filter { trouble in !troubles.contains { $0.key == trouble.key } }
        troubles += desired.notices(found ?? []).filter { !$0.isQuiet }.map {
            ZoneTrouble(key: $0.key, text: $0.text, isNotice: true)
        }
        return troubles
    }
}

extension ZoneReconciler.Phase {
    /// The same question, asked by a leader of before.
    fileprivate var outdated: Self {
        switch self {
        case .idle: return .idle
        case .reading(var question):
            question.isOutdated = true
            return .reading(question)
        case .updating(var question, let update):
            question.isOutdated = true
            return .updating(question, update)
        }
    }
}
