import Cluster
import Primitives

/// What went wrong, which law it broke, and when.
package struct Violation: Hashable, Sendable, CustomStringConvertible {
    package var moment: Moment
    package var law: Law
    package var text: String

    package var description: String { "\(Trace.milliseconds(moment)) \(law.rawValue): \(text)" }
}

/// What must always be true in a world; the numbers are those of the design's invariants.
package enum Law: String, Hashable, Sendable, CaseIterable {
    case twoHolders = "invariant 1, one holder"
    case holdWithoutGrant = "invariant 1, no hold without a grant"
    case rotation = "invariant 2, addresses rotate"
    case foreignRecords = "invariant 3, records of others"
    case zoneEpoch = "invariant 3, epochs never go back"
    case retold = "what was agreed is told once by each machine"
    case updateRate = "at most five updates in any second"
    case emptiedZone = "invariant 3, never emptied"
    case withdrawnEarly = "invariant 3, replacement first"
    case staleZone = "invariant 3, published only while held"
    case drainDropsCalls = "invariant 5, a drain drops no call"
    case refusedEarly = "invariant 5, nobody who follows DNS is refused"
    case drainUndone = "invariant 5, an undone drain ends where it began"
    case maintenance = "invariant 6, maintenance"
    case antiFlap = "invariant 9, anti-flap"
    case agreement = "agreement"
    case answers = "every request is answered once"
    case bounds = "bounds"
    case spinning = "deadlines pass"
    case storage = "storage"
    case frames = "frames"
    case emptyHands = "stops empty-handed"
    case needlessTakeover = "no takeover without a cause"
    case liveness = "liveness after calm"
    case unserved = "a seat is where callers are served"
    case leadershipStorm = "leadership stays where it is"
    case idle = "nothing is written in calm"
    case expectation = "expectation"
    case onceOnly = "a playbook's step runs once"
    case considered = "a schedule is considered forward only"
    case rolledBack = "a rolled back run leaves nothing"
    case oneRun = "one run at once"
    case audit = "the audit trail has no gap"
    case formats = "nobody meets what its release cannot read"
}

/// Looks at the whole world in true time and objects to the first thing that must not be.
struct Judge: Sendable {
    /// Writes of one node under way, and zone questions without an answer.
    static let mostWrites = 256
    static let mostZoneQuestions = 2
    /// Sent to a name server in any second.
    static let mostUpdates = 5

    private struct Right: Hashable {
        var address: String
        var epoch: Epoch
    }

    let addressNames: [String]
    let seatNames: [String]
    let takeoversPerHour: Int
    let foreignRecords: [ZoneRecord]
    private var updatesSent: [Moment] = []

    private(set) var violation: Violation?
    /// What was agreed, by log index, as the first node to apply it saw it. Looked up, never iterated.
    private var states: [Index: ControlState] = [:]
    private(set) var newestIndex: Index = 0
    private(set) var newestState: ControlState?
    /// Every grant there ever was. Looked up, never iterated.
    private var rights: [Right: Holder] = [:]
    private var undrainsAsked: Set<String> = []
    private var inMaintenance: Set<String> = []
    /// Those that come back by themselves.
    private var returns: Set<String> = []
    private var takeovers: Set<Epoch> = []
    /// Fences because of silence or a lapsed lease that gave an address to somebody.
    private(set) var takeoverCount = 0
    private(set) var formedAt: Moment?
    /// The newest term, and which it was when the second under way began.
    private(set) var newestTerm: Term = 0
    private var termBefore: (term: Term, at: Moment) = (0, .zero)
    private(set) var playbooks = PlaybookJudge()

    init(_ blueprint: Blueprint) {
        addressNames = blueprint.settings.addresses.map(\.name)
        seatNames = blueprint.settings.seats.map(\.name)
        takeoversPerHour = blueprint.settings.policy.takeoversPerHour
        foreignRecords = blueprint.foreignRecords
    }

    mutating func object(_ moment: Moment, _ law: Law, _ text: String) {
        if violation == nil { violation = Violation(moment: moment, law: law, text: text) }
    }

    mutating func executed(_ context: PlaybookContext, by name: String, _ moment: Moment) {
        if let text = playbooks.executed(context, by: name) { object(moment, .onceOnly, text) }
    }

    func state(at index: Index) -> ControlState? { states[index] }

    // MARK: - Agreement

    /// Elections need time: more terms than this in a second are leaders that throw leadership to each other.
    private static let mostTermsInASecond: Term = 40

    mutating func observe(term: Term, _ moment: Moment) {
        guard term > newestTerm else { return }
        newestTerm = term
        if moment - termBefore.at > .seconds(1) { termBefore = (term, moment) }
        if term - termBefore.term > Self.mostTermsInASecond {
            object(moment, .leadershipStorm, "term \(term), \(termBefore.term) a moment ago")
        }
    }

    mutating func observe(
        _ state: ControlState, at index: Index, of name: String, _ calls: PretendCalls, _ moment: Moment
    ) {
        if let known = states[index] {
            if known != state {
                object(moment, .agreement, "\(name) and another node disagree about the state at \(index)")
            }
            return
        }
        states[index] = state
        if formedAt == nil { formedAt = moment }
        judgeRotation(state, index, moment)
        judgeGrants(state, index, moment)
        if index > newestIndex {
            judgeDrain(state, before: newestState, index, calls, moment)
            newestIndex = index
            newestState = state
            judgeMaintenance(state, index, moment)
            for (law, text) in playbooks.judge(state) { object(moment, law, "at \(index) \(text)") }
        }
        judgeTakeovers(state, index, moment)
    }

    private mutating func judgeRotation(_ state: ControlState, _ index: Index, _ moment: Moment) {
        if state.seats.map(\.name) != seatNames {
            object(moment, .rotation, "at \(index) the seats are \(state.seats.map(\.name))")
        }
        var used = state.seats.map(\.address)
        used += state.maintenanceAddresses.map(\.name)
        if used.sorted() != addressNames.sorted() {
            object(
                moment, .rotation, "at \(index) seats and maintenance have \(used), the file \(addressNames)")
        }
        let granted = state.grants.map(\.address)
        if Set(granted).count != granted.count {
            object(moment, .rotation, "at \(index) an address is granted twice: \(granted)")
        }
    }

    private mutating func judgeGrants(_ state: ControlState, _ index: Index, _ moment: Moment) {
        for grant in state.grants {
            let right = Right(address: grant.address, epoch: grant.epoch)
            if let holder = rights[right] {
                if holder != grant.holder {
                    object(moment, .agreement, "\(grant.address) @\(grant.epoch) went to two holders")
                }
                continue
            }
            rights[right] = grant.holder
            let member = state.members.first { $0.holder == grant.holder }
            if member?.maintenance != nil, !grant.revoked {
                object(
                    moment, .maintenance,
                    "at \(index) \(grant.holder) is given \(grant.address) in maintenance")
            }
        }
    }

    private mutating func judgeMaintenance(_ state: ControlState, _ index: Index, _ moment: Moment) {
        for name in inMaintenance.sorted() where state.member(name)?.maintenance == nil {
            if !undrainsAsked.contains(name), !returns.contains(name) {
                object(moment, .maintenance, "at \(index) \(name) left maintenance and nobody asked for it")
            }
            inMaintenance.remove(name)
        }
        for member in state.members where member.maintenance != nil {
            inMaintenance.insert(member.name)
            if member.maintenance?.until != nil {
                returns.insert(member.name)
            } else {
                returns.remove(member.name)
            }
        }
    }

    private mutating func judgeTakeovers(_ state: ControlState, _ index: Index, _ moment: Moment) {
        for member in state.members {
            guard case .fenced(let basis, let epoch) = member.standing, basis == .silence || basis == .lapse,
                state.grants.contains(where: { $0.epoch == epoch })
            else { continue }
            if takeovers.insert(epoch).inserted { takeoverCount += 1 }
        }
        if takeoverCount > takeoversPerHour || state.takeovers.count > takeoversPerHour {
            object(
                moment, .antiFlap,
                "\(max(takeoverCount, state.takeovers.count)) automatic takeovers, \(takeoversPerHour) are allowed"
            )
        }
    }

    // MARK: - The drain

    /// - Parameter calls: that are really up, by address.
    mutating func judgeDrain(
        _ state: ControlState, before: ControlState?, _ index: Index, _ calls: PretendCalls, _ moment: Moment
    ) {
        guard let was = before?.drain else { return }
        if let drain = state.drain, drain.id == was.id, drain.phase != was.phase {
            // Nobody is blamed for what went down with its last holder.
            let isTold =
                was.phase == .hangingUp || before?.grant(of: was.oldAddress) == nil
                || state.grant(of: was.oldAddress) == nil
            if drain.phase == .rotating, !isTold, calls[drain.oldAddress] > 0 {
                object(
                    moment, .drainDropsCalls,
                    "at \(index) \(drain.oldAddress) is given up with \(calls[drain.oldAddress]) calls")
            }
            let isHeld = before?.grant(of: was.newAddress).map { !$0.revoked } ?? false
            if drain.phase == .aborting, isHeld, calls[drain.newAddress] > 0 {
                object(
                    moment, .drainDropsCalls,
                    "at \(index) \(drain.newAddress) is given up with \(calls[drain.newAddress]) calls")
            }
        }
        if state.drain == nil, was.phase == .aborting, state.seat(was.seat)?.address != was.oldAddress {
            object(
                moment, .drainUndone,
                "at \(index) \(was.seat) is at \(state.seat(was.seat)?.address ?? "nothing"), it was at "
                    + "\(was.oldAddress)")
        }
    }

    // MARK: - Holding

    mutating func undrainAsked(_ name: String) { undrainsAsked.insert(name) }

    mutating func added(_ address: ServiceAddress, _ epoch: Epoch, by name: String, _ moment: Moment) {
        guard let holder = rights[Right(address: address.name, epoch: epoch)] else {
            object(
                moment, .holdWithoutGrant, "\(name) takes \(address.name) @\(epoch), which was never granted")
            return
        }
        if holder.name != name {
            object(
                moment, .holdWithoutGrant,
                "\(name) takes \(address.name) @\(epoch), which was granted to \(holder.name)")
        }
    }

    // MARK: - The zone

    /// Proofs count like every other update.
    mutating func updateSent(by name: String, _ moment: Moment) {
        updatesSent = updatesSent.filter { moment - $0 < .seconds(1) } + [moment]
        if updatesSent.count > Self.mostUpdates {
            object(
                moment, .updateRate, "\(name) sends the update number \(updatesSent.count) within a second")
        }
    }

    mutating func zoneChanged(
        from before: PretendZone, to after: PretendZone, _ update: ZoneUpdate, by name: String,
        _ moment: Moment
    ) {
        for record in foreignRecords
        where !after.records.contains(where: { $0.name == record.name && $0.content == record.content }) {
            object(moment, .foreignRecords, "\(name) removed \(record)")
        }
        let old = before.records(update.epochName, "TXT").map(\.content)
        let new = after.records(update.epochName, "TXT").map(\.content)
        guard new.count == 1, let epoch = Self.epoch(in: new[0]) else {
            object(moment, .zoneEpoch, "\(name) left \(new.count) epoch records")
            return
        }
        // A zone that was taken over from another writer begins with that one's epochs.
        if let last = old.first.flatMap(Self.epoch), Self.writer(in: old[0]) == Self.writer(in: new[0]),
            epoch < last
        {
            object(moment, .zoneEpoch, "\(name) took the zone from epoch \(last) back to \(epoch)")
        }
    }

    /// All but the last word of the epoch record.
    private static func writer(in content: ZoneRecord.Content) -> Substring {
        guard case .txt(let text) = content else { return "" }
        return text[..<(text.lastIndex(of: " ") ?? text.endIndex)]
    }

    /// The last word of the epoch record: `epoch=3.117`.
    private static func epoch(in content: ZoneRecord.Content) -> Epoch? {
        guard case .txt(let text) = content, let word = text.split(separator: "=").last else { return nil }
        let numbers = word.split(separator: ".")
        guard numbers.count == 2, let term = Term(numbers[0]), let index = Index(numbers[1]) else {
            return nil
        }
        return Epoch(term: term, index: index)
    }
}
