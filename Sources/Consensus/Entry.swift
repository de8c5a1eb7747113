import Primitives

/// One line of the agreed log.
package struct Entry<Command: Hashable & Sendable>: Hashable, Sendable {
    package var term: Term
    package var index: Index
    package var payload: Payload

    package enum Payload: Hashable, Sendable {
        /// The first entry of every leader: committing it commits everything before it.
        case empty
        case command(Command)
        /// In force from the moment it is in a log, committed or not.
        case membership(Membership)
    }

    package init(term: Term, index: Index, payload: Payload) {
        self.term = term
        self.index = index
        self.payload = payload
    }

    package var epoch: Epoch { Epoch(term: term, index: index) }
}

/// The state after the entry at `epoch`, in place of that entry and all before it.
package struct Snapshot<State: Hashable & Sendable>: Hashable, Sendable {
    /// The last entry the state includes.
    package var epoch: Epoch
    /// In force at `epoch`, and the entry that brought it.
    package var membership: Membership
    package var membershipEpoch: Epoch
    package var state: State

    package init(epoch: Epoch, membership: Membership, membershipEpoch: Epoch, state: State) {
        self.epoch = epoch
        self.membership = membership
        self.membershipEpoch = membershipEpoch
        self.state = state
    }

    /// What every founding member starts from, identical on all of them: epoch 1.1.
    package static func founding(_ membership: Membership, state: State) -> Snapshot {
        let epoch = Epoch(term: 1, index: 1)
        return Snapshot(epoch: epoch, membership: membership, membershipEpoch: epoch, state: state)
    }
}

/// What a member must never forget: the newest term it has seen and its vote in that term.
package struct HardState: Hashable, Sendable, Codable {
    package var term: Term
    package var vote: MemberID?

    package init(term: Term, vote: MemberID?) {
        self.term = term
        self.vote = vote
    }
}
