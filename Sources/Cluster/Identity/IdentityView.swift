import Primitives

/// What a node tells of its own memory and of other lives, so that a state directory that was copied, or put back from a
/// backup, is noticed by whoever uses it.
package struct IdentityView: Hashable, Sendable {
    /// In one heartbeat; with more to say each heartbeat begins with another one.
    package static let mostWords = 6

    /// The sender has not learnt yet whether its state directory is the newest of its identity, and takes no part in
    /// the agreement.
    package var isUnsure = false
    package var mark = DurableMark.zero
    /// To others, sorted by the life they are said to.
    package var words: [IdentityWord] = []

    package init() {}
}

/// What a member has on its disk for certain. No later life of that member can have less, unless its disk went back in
/// time or is that of somebody else.
package struct DurableMark: Hashable, Sendable {
    package static let zero = DurableMark(term: 0, hasVoted: false, index: 0)

    /// Newest term on the disk, and whether the member's vote in it is there as well.
    package var term: Term
    package var hasVoted: Bool
    /// Entries through here are committed and on the disk: they are never cut off the log again.
    package var index: Index

    package init(term: Term, hasVoted: Bool, index: Index) {
        self.term = term
        self.hasVoted = hasVoted
        self.index = index
    }

    mutating func raise(to other: DurableMark) {
        if other.term > term {
            term = other.term
            hasVoted = other.hasVoted
        } else if other.term == term, other.hasVoted {
            hasVoted = true
        }
        index = max(index, other.index)
    }

    /// Why a disk with this mark cannot follow one that had `former`; nil when it can.
    func lacks(_ former: DurableMark, lastIndex: Index) -> String? {
        if term < former.term { return "it had term \(former.term), the state directory has \(term)" }
        if term == former.term, former.hasVoted, !hasVoted {
            return "it voted in term \(term), the state directory has no vote"
        }
        if lastIndex < former.index {
            return "it had \(former.index) entries, the state directory has \(lastIndex)"
        }
        return nil
    }
}

/// What a node knows about the identity another node uses, said to exactly that life of it.
package struct IdentityWord: Hashable, Sendable {
    package var holder: Holder
    /// Newest incarnation of this member that was agreed on; zero when none was.
    package var agreedIncarnation: UInt64 = 0
    /// The name belongs to another member, which is admitted and was heard lately.
    package var owner: Holder?
    /// Another life of this member that is heard, and how long ago.
    package var other: OtherLife?
    package var mark = DurableMark.zero
    /// From a leader: in its present term the member's log was durable through here; zero from others.
    package var matched: Index = 0

    package struct OtherLife: Hashable, Sendable {
        /// The age of one that has not shown yet that it hears anybody of this time: it may be a recording. Nobody is sure of an
        /// identity beside it, and nobody gives one up for it.
        static let perhaps = Duration.seconds(600)

        package var incarnation: UInt64
        package var age: Duration

        package init(incarnation: UInt64, age: Duration) {
            self.incarnation = incarnation
            self.age = age
        }
    }

    package init(to holder: Holder) { self.holder = holder }
}
