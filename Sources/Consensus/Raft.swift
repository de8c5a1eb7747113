import Primitives

/// One member's part in agreeing on a log: a value that takes inputs and says what to do (Raft, Ongaro 2014).
///
/// ```
///               timeout                majority would          own vote and a majority durable
///   follower ────────────▶ preCandidate ─────────▶ candidate ─────────────────▶ leader
///       ▲  leader heard, higher term │                 │                           │
///       └────────────────────────────┴─────────────────┴───────────────────────────┘
///         also: a leader that hears no majority, that is removed, or that was replaced
/// ```
/// Writes are asynchronous: what must not be said before a write is durable waits inside until `.stored`.
package struct Raft<Command: Hashable & Sendable, State: Hashable & Sendable>: Sendable, Equatable {
    struct Held: Hashable, Sendable {
        var sequence: UInt64
        /// This member itself for its own vote.
        var receiver: MemberID
        var message: Message<Command, State>
    }

    struct Transfer: Hashable, Sendable {
        var target: MemberID
        var deadline: Instant
    }

    /// What is agreed first by whoever leads although a majority is lost.
    struct Recovery: Hashable, Sendable {
        var commands: [Command]
        var membership: Membership
    }

    package let me: MemberID
    package internal(set) var settings: Settings

    package internal(set) var role = Role.follower
    package internal(set) var term: Term
    package internal(set) var leader: MemberID?
    package internal(set) var commitIndex: Index
    package internal(set) var snapshot: Snapshot<State>?
    /// The index of this leader's own first entry of its term; nil unless it leads.
    package internal(set) var termBeginning: Index?

    var vote: MemberID?
    var log: Log<Command>
    /// The memberships in the log, oldest first; the first is the snapshot's, or none.
    var memberships: [MembershipPoint]

    var durability: Durability
    /// The write this input causes; begun when the input is handled.
    var write = StoreRequest<Command, State>(sequence: 0)
    /// The newest write that carries the hard state; zero for what was restored.
    var hardStateWrite: UInt64 = 0
    /// Messages that wait for writes, oldest first.
    var held: [Held] = []
    /// Messages of this input that wait for the write it causes and for all before it.
    var heldNow: [Held] = []

    var now: Instant
    var generator: SeededGenerator
    var electionDeadline: Instant
    /// Elections begun since a leader was heard.
    var attempts = 0
    var leaderHeardAt: Instant?
    /// When the leader's last append or snapshot came; what else is heard of it counts only for a while after.
    var leaderWroteAt: Instant?
    var votes: [MemberID] = []
    /// Of a candidate that needs the votes of all that are left, instead of a majority.
    var recovery: Recovery?
    var heartbeatDue: Instant
    /// Of a leader: everyone it feeds, sorted by id.
    var peers: [Peer] = []
    var transfer: Transfer?

    private var announcedTerm: Term = 0
    private var announcedLeader: MemberID?
    var outputs: [Output] = []

    /// `restored` must have no `fault`; nothing is output for what it holds, the caller has it.
    package init(me: MemberID, settings: Settings, restored: Restored, seed: UInt64, at now: Instant) {
        if let fault = restored.fault { preconditionFailure("storage gave back a broken log: \(fault)") }
        self.me = me
        self.settings = settings
        self.now = now
        generator = SeededGenerator(seed: seed)
        electionDeadline = now
        heartbeatDue = now
        term = restored.hardState.term
        vote = restored.hardState.vote
        snapshot = restored.snapshot
        let base = restored.snapshot?.epoch ?? .zero
        log = Log(base: base)
        commitIndex = base.index
        memberships = [
            MembershipPoint(
                epoch: restored.snapshot?.membershipEpoch ?? .zero,
                membership: restored.snapshot?.membership ?? .none)
        ]
        for entry in restored.entries where entry.index > base.index {
            log.append(entry)
            if case .membership(let membership) = entry.payload {
                memberships.append(MembershipPoint(epoch: entry.epoch, membership: membership))
            }
        }
        durability = Durability(durableIndex: log.lastIndex)
        drawElectionDeadline()
    }

    package mutating func handle(_ input: Input, at now: Instant) -> [Output] {
        self.now = now
        if role == .broken { return refusalOfTheBroken(input) }
        switch input {
        case .tick: tick()
        case .message(let message, let sender): receive(message, from: sender)
        case .propose(let command): propose(command)
        case .changeMembership(let membership): changeMembership(to: membership)
        case .transferLeadership(let target): transferLeadership(to: target)
        case .remind: remind()
        case .abstain: abstain()
        case .resign: if role == .leader { becomeFollower(in: term, of: nil) }
        case .recover(let commands, let membership): recover(commands, as: membership)
        case .stored(let sequence): finishWrite(sequence)
        case .storeFailed: breakDown()
        case .compact(let index, let state): compact(through: index, state: state)
        }
        beginWrite()
        checkInvariants()
        let result = outputs
        outputs = []
        return result
    }

    /// When `.tick` is wanted next; nil when never.
    package var nextDeadline: Instant? {
        switch role {
        case .broken:
            return nil
        case .follower, .preCandidate, .candidate:
            return electionDeadline
        case .leader:
            var deadline = heartbeatDue
            if let quorumDeadline { deadline = min(deadline, quorumDeadline) }
            if let transfer { deadline = min(deadline, transfer.deadline) }
            return deadline
        }
    }

    private mutating func tick() {
        switch role {
        case .broken:
            break
        case .follower, .preCandidate, .candidate:
            if now >= electionDeadline { startPreVote() }
        case .leader:
            lead()
        }
    }

    private func refusalOfTheBroken(_ input: Input) -> [Output] {
        switch input {
        case .propose, .changeMembership, .transferLeadership, .recover: [.refused(.broken)]
        case .tick, .message, .remind, .abstain, .resign, .stored, .storeFailed, .compact: []
        }
    }

    private func checkInvariants() {
        precondition(commitIndex <= log.lastIndex, "committed \(commitIndex) past \(log.lastIndex)")
        precondition(log.base.index <= commitIndex, "dropped \(log.base.index) past \(commitIndex)")
        precondition(log.lastEpoch.term <= term, "an entry of term \(log.lastEpoch.term) in term \(term)")
        precondition(durability.durableIndex <= log.lastIndex, "durable beyond the log")
        precondition(
            (role == .leader) == (leader == me), "a leader that follows \(String(describing: leader))")
    }

    /// Says who leads, if that is not what was said last.
    mutating func announceLeader() {
        guard leader != announcedLeader || (leader != nil && term != announcedTerm) else { return }
        announcedLeader = leader
        announcedTerm = term
        outputs.append(.leaderChanged(leader, term))
    }
}

// MARK: What others may see

extension Raft {
    package var firstIndex: Index { log.firstIndex }
    package var lastIndex: Index { log.lastIndex }
    package var lastEpoch: Epoch { log.lastEpoch }
    /// This member's log is durable through here.
    package var durableIndex: Index { durability.durableIndex }
    package var hardState: HardState { HardState(term: term, vote: vote) }
    /// The same, once it is on the disk; nil while it is being written.
    package var durableHardState: HardState? { isHardStateDurable ? hardState : nil }

    /// The newest membership in the log, in force whether committed or not.
    package var membership: Membership { memberships[memberships.count - 1].membership }
    package var membershipEpoch: Epoch { memberships[memberships.count - 1].epoch }

    /// The newest membership known to be committed, and those in the log that are still to replace it.
    var unreplacedMemberships: ArraySlice<MembershipPoint> {
        let firstUncommitted = memberships.firstIndex { $0.epoch.index > commitIndex } ?? memberships.count
        return memberships[max(firstUncommitted - 1, 0)...]
    }

    /// Other durations, from the next deadline on.
    package mutating func retime(_ settings: Settings) { self.settings = settings }

    package var transferTarget: MemberID? { transfer?.target }

    /// The leader's knowledge of how far a member's log is durable; nil unless this member leads it.
    package func matchIndex(of member: MemberID) -> Index? {
        guard role == .leader else { return nil }
        if member == me { return durability.durableIndex }
        return peers.first { $0.id == member }?.matched
    }

    /// The same of everyone it feeds, and of itself.
    package var matchIndexes: [(member: MemberID, index: Index)] {
        guard role == .leader else { return [] }
        return [(me, durability.durableIndex)] + peers.map { ($0.id, $0.matched) }
    }

    /// How many more commands would be taken now.
    package var room: Int {
        guard role == .leader, transfer == nil else { return 0 }
        return max(0, settings.maxUncommitted - Int(clamping: log.lastIndex - commitIndex))
    }

    /// The leader's newest reply from a member (or when it began to feed it); nil unless this member leads it.
    package func heard(from member: MemberID) -> Instant? {
        role == .leader ? peers.first { $0.id == member }?.heardAt : nil
    }

    /// The kept entries between the two indices, both included.
    package func entries(from first: Index, through last: Index) -> [Entry<Command>] {
        log.entries(from: first, through: last)
    }

    /// The epoch of the entry at `index`; nil when it is not in the log any more, or not yet.
    package func epoch(at index: Index) -> Epoch? { log.epoch(at: index) }
}
