import Primitives

extension Raft {
    /// What happened; each is given to `handle` with the instant it happened at.
    package enum Input: Hashable, Sendable {
        /// The instant of `nextDeadline` has come (a tick before it does nothing).
        case tick
        case message(Message<Command, State>, from: MemberID)
        case propose(Command)
        /// Wanted from now on: at most one voter more or fewer than now; learners as they please.
        case changeMembership(Membership)
        case transferLeadership(to: MemberID)
        /// Send everyone an append now: the owner has something to say that rides on it.
        case remind
        /// As `tick`, for a member that should not lead now: it looks for a leader and does not campaign.
        case abstain
        /// Lead no more, if this member leads: its owner knows that it cannot do what a leader is there for.
        case resign
        /// The other voters are lost for good: lead without them, if all that are left vote for it. See `recover`.
        case recover([Command], as: Membership)
        /// The write of this sequence, and so every write before it, is durable.
        case stored(sequence: UInt64)
        case storeFailed(sequence: UInt64)
        /// `state` is the state after the committed entry at `through`; what it makes needless may go.
        case compact(through: Index, state: State)
    }

    /// What is to be done, in this order.
    package enum Output: Hashable, Sendable {
        /// Make it durable and answer with `.stored` or `.storeFailed`; nothing need wait for it.
        case store(StoreRequest<Command, State>)
        case send(Message<Command, State>, to: MemberID)
        /// Agreed for ever, in the order of the log, each entry once in a life of this value.
        case committed([Entry<Command>])
        /// The state machine is to be replaced; what is committed next follows the snapshot.
        case restored(Snapshot<State>)
        /// Put into this member's log, not yet durable, perhaps never committed.
        case appended([Entry<Command>])
        /// Uncommitted entries from this index on left the log.
        case truncated(from: Index)
        /// The proposal (command or membership) just handed in stands at this place of the log.
        case proposed(Epoch)
        case refused(Refusal)
        /// The leader this member now follows or is; nil while it knows none.
        case leaderChanged(MemberID?, Term)
        /// The hand-over did not happen in time; this leader takes proposals again, if it still leads.
        case transferFailed(MemberID)
        /// The commands of a recovery stand in the log from this place on.
        case recovered(Epoch)
        /// Nothing was changed; these voters did not vote for it. Nobody: a majority of all lives after all.
        case recoveryFailed(missing: [MemberID])
    }

    /// Why a proposal, membership change or hand-over is not even begun.
    package enum Refusal: Hashable, Sendable {
        case notLeader(leader: MemberID?)
        case broken
        case tooManyUncommitted
        case transferring(to: MemberID)
        /// No entry of the leader's own term is committed yet.
        case leaderNotReady
        case changeInProgress
        case moreThanOneVoter
        case noVoters
        case tooManyMembers
        case voterAndLearner(MemberID)
        case nothingChanges
        case notAVoter(MemberID)
        case alreadyLeader
        case cannotRecover
    }

    package enum Role: Hashable, Sendable {
        case follower
        case preCandidate
        case candidate
        case leader
        /// A write failed: this value is silent for the rest of its life.
        case broken
    }

    package struct Settings: Hashable, Sendable {
        /// How long without a leader until a member campaigns, drawn anew each time. For the lower bound a
        /// leader that was heard is protected; a leader that hears no majority for the upper bound resigns.
        package var electionTimeout: ClosedRange<Duration>
        package var heartbeatInterval: Duration
        /// How long a member that has everything, and is alive by other means, is left without an append.
        package var idleInterval: Duration
        package var maxEntriesPerAppend: Int
        /// Appends under way to one member without a reply.
        package var maxInflight: Int
        /// Proposals above this many uncommitted entries are refused.
        package var maxUncommitted: Int
        /// Entries kept behind a snapshot, so that a member slightly behind needs no snapshot.
        package var entriesKept: Int
        package var maxMembers: Int

        package init(
            electionTimeout: ClosedRange<Duration> = .milliseconds(200) ... .milliseconds(400),
            heartbeatInterval: Duration = .milliseconds(50), idleInterval: Duration = .zero,
            maxEntriesPerAppend: Int = 64, maxInflight: Int = 64, maxUncommitted: Int = 1024,
            entriesKept: Int = 256, maxMembers: Int = 64
        ) {
            precondition(
                heartbeatInterval > .zero && heartbeatInterval < electionTimeout.lowerBound,
                "heartbeats must come more often than elections")
            precondition(
                maxEntriesPerAppend > 0 && maxInflight > 0 && maxUncommitted > 0 && entriesKept >= 0
                    && maxMembers > 0, "limits must be positive")
            self.electionTimeout = electionTimeout
            self.heartbeatInterval = heartbeatInterval
            self.idleInterval = idleInterval
            self.maxEntriesPerAppend = maxEntriesPerAppend
            self.maxInflight = maxInflight
            self.maxUncommitted = maxUncommitted
            self.entriesKept = entriesKept
            self.maxMembers = maxMembers
        }
    }

    /// What storage gave back at the start: empty for a node that belongs to no cluster yet.
    package struct Restored: Hashable, Sendable {
        package var hardState: HardState
        package var snapshot: Snapshot<State>?
        /// In the order of the log; those the snapshot includes are passed over.
        package var entries: [Entry<Command>]

        package init(
            hardState: HardState = HardState(term: 0, vote: nil), snapshot: Snapshot<State>? = nil,
            entries: [Entry<Command>] = []
        ) {
            self.hardState = hardState
            self.snapshot = snapshot
            self.entries = entries
        }

        /// A founding member's start; the caller stores it before it begins.
        package static func founding(_ membership: Membership, state: State) -> Restored {
            let snapshot = Snapshot.founding(membership, state: state)
            return Restored(hardState: HardState(term: 1, vote: nil), snapshot: snapshot)
        }

        /// What is wrong with it, if it cannot be what this module stored; check before `Raft.init`.
        package var fault: String? {
            var last = snapshot?.epoch ?? .zero
            if last.term > hardState.term { return "the term \(hardState.term) is older than the log" }
            for entry in entries where entry.index > (snapshot?.epoch.index ?? 0) {
                if entry.index != last.index + 1 { return "entry \(last.index + 1) is missing" }
                if entry.term < last.term { return "the term of entry \(entry.index) is too old" }
                if entry.term > hardState.term { return "the term of entry \(entry.index) is too new" }
                last = entry.epoch
            }
            return nil
        }
    }
}
