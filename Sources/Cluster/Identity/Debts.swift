import Consensus

/// What members owe the cluster and do not give, as this leader sees it: a node that is heard (UDP) and does not follow (TCP
/// is cut, its disk or its keeper stands still) would otherwise hold everything up for ever, as it is not silent.
struct Debts: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// It has not taken entries that are committed; its log is durable through here.
        case entries(matched: Index)
        /// It was told to let go of an address, and others wait for it.
        case release(address: String, epoch: Epoch)
    }
    struct Debt: Hashable, Sendable {
        var holder: Holder
        var kind: Kind
        var since: Instant
    }

    /// Well above what a planned move takes to end lost calls (`Parting.patience`) and what a slow disk takes.
    static let patience: Duration = .seconds(5)

    private(set) var all: [Debt] = []

    /// What is owed now; what was owed before and is still owed keeps its beginning.
    mutating func note(_ present: [(holder: Holder, kind: Kind)], at now: Instant) {
        let known = all
        all = present.map { holder, kind in
            known.first { $0.holder == holder && $0.kind == kind }
                ?? Debt(holder: holder, kind: kind, since: now)
        }
    }

    /// Why a node must be left behind, for people; nil when it need not.
    func reason(against holder: Holder, at now: Instant) -> String? {
        all.first { $0.holder == holder && now - $0.since >= Self.patience }?.kind.sentence
    }
}

extension Debts.Kind {
    var sentence: String {
        switch self {
        case .entries: "it is heard, but takes no decisions"
        case .release(let address, _): "it is heard, but does not let go of \(address)"
        }
    }
}

extension Node {
    /// Looks at who owes what; to be done in every pass of a leader.
    mutating func noteDebts(_ scratch: ControlState, at now: Instant) {
        var present: [(holder: Holder, kind: Debts.Kind)] = []
        for member in scratch.members where member.isActive && member.holder != me {
            let holder = member.holder
            guard neighbours.isHeard(holder, within: timing.deadAfter, at: now) else { continue }
            if let matched = raft.matchIndex(of: holder.member), matched < raft.commitIndex {
                present.append((holder, .entries(matched: matched)))
            }
            for grant in scratch.grants {
                if grant.revoked, grant.holder == holder {
                    present.append((holder, .release(address: grant.address, epoch: grant.epoch)))
                }
                for case .released(let by, let epoch) in grant.conditions where by == holder {
                    present.append((holder, .release(address: grant.address, epoch: epoch)))
                }
            }
        }
        leadership?.debts.note(present, at: now)
    }

    /// Who is about to be left behind, once it lasts longer than a hiccup.
    func debtWarnings(at now: Instant) -> [String] {
        (leadership?.debts.all ?? []).filter { now - $0.since >= .seconds(1) }.map { debt in
            let seconds = Debts.patience.milliseconds / 1000
            return "\(debt.holder.name) is fenced after \(seconds) s of this: \(debt.kind.sentence)"
        }
    }
}
