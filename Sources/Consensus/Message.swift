import Primitives

/// What members say to each other; may be lost, repeated, late or nonsense without harm to the agreement.
package struct Message<Command: Hashable & Sendable, State: Hashable & Sendable>: Hashable, Sendable {
    /// The sender's term; in a pre-vote request and in its granting reply, the term that would be begun.
    package var term: Term
    package var body: Body

    package enum Body: Hashable, Sendable {
        /// "Would you vote for me?" Nobody's term changes by it.
        case preVoteRequest(lastLog: Epoch)
        case preVoteReply(granted: Bool)
        /// `transfer`: the leader asked for this election, so having heard the leader is no objection.
        case voteRequest(lastLog: Epoch, transfer: Bool)
        case voteReply(granted: Bool)
        /// Entries that follow `previous`; none in a heartbeat. A heartbeat to a member that needs entries
        /// the leader no longer has names `Epoch.zero`, which every log begins with.
        case append(previous: Epoch, entries: [Entry<Command>], commit: Index)
        case appendReply(AppendReply)
        case snapshot(Snapshot<State>)
        /// The snapshot, or a log that includes it, is durable through `index`.
        case snapshotReply(index: Index)
        /// "Campaign now": the leader hands over.
        case timeoutNow
    }

    package init(term: Term, body: Body) {
        self.term = term
        self.body = body
    }
}

/// What became of an append.
package enum AppendReply: Hashable, Sendable {
    /// The log equals the leader's through `agreed`, and is durable through `durable` (never above
    /// `agreed`), together with the term of the reply. Only `durable` counts towards commit; a heartbeat is answered
    /// before the disk is, with `durable` zero until the term is written.
    case accepted(agreed: Index, durable: Index)
    /// The entry before the appended ones, `previous`, is missing or of another term. The logs may agree
    /// at `hint`: the last entry at or before `previous` whose term is not above that of `previous`.
    case rejected(previous: Index, hint: Epoch)
}

extension Message {
    /// Beyond every real term and index, with room to add without overflow.
    private static var farthest: UInt64 { 1 << 62 }

    /// Whether the numbers are such as a member could have sent; arithmetic on them is then safe.
    var isPlausible: Bool {
        guard term < Self.farthest else { return false }
        switch body {
        case .preVoteRequest(let lastLog), .voteRequest(let lastLog, _):
            return Self.isPlausible(lastLog) && lastLog.term < max(term, 1)
        case .append(let previous, let entries, let commit):
            return isPlausible(previous, entries) && commit < Self.farthest
        case .appendReply(.accepted(let agreed, let durable)):
            return agreed < Self.farthest && durable <= agreed
        case .appendReply(.rejected(let previous, let hint)):
            return previous < Self.farthest && Self.isPlausible(hint)
        case .snapshot(let snapshot):
            return Self.isPlausible(snapshot.epoch) && snapshot.epoch.term <= term
                && snapshot.membershipEpoch.index <= snapshot.epoch.index
                && snapshot.membershipEpoch.term <= snapshot.epoch.term
                && !snapshot.membership.voters.isEmpty
        case .snapshotReply(let index):
            return index < Self.farthest
        case .preVoteReply, .voteReply, .timeoutNow:
            return true
        }
    }

    private static func isPlausible(_ epoch: Epoch) -> Bool {
        epoch.term < farthest && epoch.index < farthest
    }

    /// Entries follow `previous` and each other without a gap, terms never fall nor pass the sender's, and
    /// no membership is without voters.
    private func isPlausible(_ previous: Epoch, _ entries: [Entry<Command>]) -> Bool {
        guard Self.isPlausible(previous), previous.term <= term else { return false }
        var last = previous
        for entry in entries {
            guard entry.index == last.index + 1, entry.term >= max(last.term, 1), entry.term <= term
            else { return false }
            if case .membership(let membership) = entry.payload, membership.voters.isEmpty { return false }
            last = entry.epoch
        }
        return true
    }
}
