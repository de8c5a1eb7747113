import Primitives

// Whether this node is fit to lead: by what it hears, by its own lease, by its links.

extension Node {
    /// Whether a majority of the voters, this node among them, hears this node and is heard, by heartbeats.
    func hasCompany(at now: Instant) -> Bool {
        let heard = raft.membership.voters.filter { voter in
            if voter == raft.me { return true }
            guard let neighbour = neighbours[voter], isHeard(neighbour.holder, at: now) else { return false }
            return neighbour.heartbeat.acknowledgements.contains {
                $0.holder.member == raft.me && $0.age < timing.deadAfter
            }
        }
        return raft.membership.isQuorum(heard)
    }

    /// Messages (TCP) may pass where heartbeats (UDP) do not: such a leader goes on being obeyed, but nobody's lease, its own
    /// included, goes by what it hears, and whom it would call silent is not. It lets somebody else lead.
    mutating func resignIfDeaf(at now: Instant) {
        guard isLeader, !hasCompany(at: now) else {
            aloneSince = nil
            return
        }
        let since = aloneSince ?? now
        aloneSince = since
        guard now - since >= timing.deadAfter else { return }
        aloneSince = nil
        report(.trouble, name, "\(name) leads no more: no majority hears it by heartbeats, and is heard")
        agree(.resign, at: now)
    }

    /// Enough may be heard for both ways to look well, and not enough to keep a lease, or too late, as in a flood that only this
    /// machine gets. A leader would replace anybody whose lease comes and goes, or is gone for `dead-after`, but not itself: it
    /// lets one lead whose lease lasts. It does so as soon, since who hears late learns of failures late.
    mutating func stepAsideIfUnsteady(at now: Instant) {
        let isGone = leaseValidSince == nil && now - leaseLosses.noneSince >= timing.deadAfter
        guard leaving == nil, state?.isActive(me) ?? false, isGone || leaseLosses.since(at: now) != nil else {
            return
        }
        let steady = agreedHeirs(at: now).filter { neighbours[$0]?.hasSteadyLease(at: now) ?? false }
        // Of a holder that was lost a moment ago this node may not know yet, and would lose time by asking it.
        let free = steady.first { neighbours[$0]?.heartbeat.holding.isEmpty ?? false }
        handLeadershipOver(to: free ?? steady.first, pause: Timers.handoverPause, at: now)
    }

    /// Decisions go by links: what a leader cannot send to a voter that lives may be just what a fence waits for. One that
    /// reaches more of them leads.
    mutating func stepAsideIfUnlinked(at now: Instant) {
        guard leaving == nil else { return }
        let missing = unlinkedVoters(pathTroubles, at: now)
        let heir =
            missing.isEmpty
            ? nil
            : agreedHeirs(at: now).first { heir in
                guard !missing.contains(heir.name), let paths = neighbours[heir]?.heartbeat.paths else {
                    return false
                }
                return unlinkedVoters(paths, at: now).count < missing.count
            }
        guard let heir else {
            unlinkedSince = nil
            return
        }
        let since = unlinkedSince ?? now
        unlinkedSince = since
        guard now - since >= Timers.unlinkedPatience else { return }
        handLeadershipOver(to: heir, pause: Timers.handoverPause, at: now)
    }

    /// Voters that are heard, and to which the teller of these has no link.
    private func unlinkedVoters(_ troubles: [PathTrouble], at now: Instant) -> [String] {
        let names = troubles.filter { $0.kind == .link }.flatMap(\.peers)
        return raft.membership.voters.filter { names.contains($0.name) && hasVote($0, at: now) }.map(\.name)
    }
}

/// When a life of a node lost its lease, the last times.
struct LeaseLosses: Hashable, Sendable {
    /// A lease that was lost more often within this time comes and goes; one that was not lost in it lasts.
    static let memory: Duration = .seconds(2)
    private static let tooMany = 3

    private var times: [Instant] = []
    /// Since when there was none, as far as is known.
    private(set) var noneSince: Instant

    init(from beginning: Instant) { noneSince = beginning }

    mutating func add(_ now: Instant) {
        times = Array((times + [now]).suffix(Self.tooMany))
        noneSince = now
    }

    /// Since when the lease comes and goes; nil when it does not. Without losses that is over after `memory`, so that nobody
    /// is kept from leading for good.
    func since(at now: Instant) -> Instant? {
        guard times.count == Self.tooMany, let first = times.first, now - first < Self.memory else {
            return nil
        }
        return first
    }
}
