import Primitives

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

    /// For one that serves nobody, by its own word, and does not even get the decision that takes its address: nothing is
    /// lost by not waiting for it.
    static let shortPatience: Duration = .seconds(1)

    private(set) var all: [Debt] = []
    private var unserving: Set<Holder> = []

    /// What is owed now; what was owed before and is still owed keeps its beginning.
    ///
    /// - Parameter unserving: who says that nobody is served at an address it is to let go of.
    mutating func note(
        _ present: [(holder: Holder, kind: Kind)], unserving: Set<Holder> = [], at now: Instant
    ) {
        self.unserving = unserving
        let known = all
        all = present.map { holder, kind in
            known.first { $0.holder == holder && $0.kind == kind }
                ?? Debt(holder: holder, kind: kind, since: now)
        }
    }

    /// Why a node must be left behind, for people; nil when it need not.
    func reason(against holder: Holder, at now: Instant) -> String? {
        if let debt = all.first(where: { $0.holder == holder && now - $0.since >= Self.patience }) {
            return debt.kind.sentence
        }
        guard unserving.contains(holder) else { return nil }
        let old = all.filter { $0.holder == holder && now - $0.since >= Self.shortPatience }.map(\.kind)
        guard old.contains(where: \.isOfEntries) else { return nil }
        return old.first { !$0.isOfEntries }?.sentence
    }
}

extension Debts.Kind {
    fileprivate var isOfEntries: Bool { if case .entries = self { true } else { false } }

    var sentence: String {
        switch self {
        case .entries: "it is heard, but takes no decisions"
        case .release(let address, _): "it is heard, but does not let go of \(address)"
        }
    }
}

extension Node {
    /// Who is about to be left behind, once it lasts longer than a hiccup.
    func debtWarnings(at now: Instant) -> [String] {
        (leadership?.debts.all ?? []).filter { now - $0.since >= Timers.troubleTold }.map { debt in
            let seconds = Debts.patience.milliseconds / 1000
            return "\(debt.holder.name) is fenced after \(seconds) s of this: \(debt.kind.sentence)"
        }
    }
}

extension LeaderPass {
    /// Looks at who owes what; to be done in every pass of a leader.
    mutating func noteDebts() {
        var present: [(holder: Holder, kind: Debts.Kind)] = []
        var unserving: Set<Holder> = []
        func owes(_ holder: Holder, _ address: String, _ epoch: Epoch) {
            present.append((holder, .release(address: address, epoch: epoch)))
            if view.servesNobody(holder, at: address) { unserving.insert(holder) }
        }
        for member in scratch.members where member.isActive && member.holder != view.me {
            let holder = member.holder
            guard view.neighbours.isHeard(holder, within: view.timing.deadAfter, at: now) else { continue }
            if let matched = view.agreement.matchIndex(of: holder.member),
                matched < view.agreement.commitIndex
            {
                present.append((holder, .entries(matched: matched)))
            }
            for grant in scratch.grants {
                if grant.revoked, grant.holder == holder {
                    owes(holder, grant.address, grant.epoch)
                }
                for case .released(let by, let epoch) in grant.conditions where by == holder {
                    owes(holder, grant.address, epoch)
                }
            }
        }
        // Whoever serves callers elsewhere is worth waiting for.
        unserving = unserving.filter { holder in
            scratch.grants.allSatisfy {
                $0.holder != holder || $0.revoked || view.servesNobody(holder, at: $0.address)
            }
        }
        view.leadership?.debts.note(present, unserving: unserving, at: now)
    }
}

extension ClusterView {
    /// By its own word.
    func servesNobody(_ holder: Holder, at address: String) -> Bool {
        guard load(of: holder).map(\.isFit) ?? true else { return true }
        return service(of: holder).map { $0.readiness(for: address).readiness >= .unserving } ?? false
    }
}
