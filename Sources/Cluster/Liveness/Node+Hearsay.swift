import Consensus
import Primitives

// What is known of a node that is not heard here: by the words of those who hear it.

extension Node {
    /// What is known of the lease of a node whose heartbeats do not count here.
    enum LeaseBelief: Hashable {
        /// As far as is known here, a majority hears it.
        case fed
        /// Too few are left who may hear it.
        case over
        /// Nobody heard here can tell.
        case unknown
    }

    /// Who hears exactly this life of a node, by heartbeats that arrive here, and how long ago it did; sorted.
    func hearers(of holder: Holder, at now: Instant) -> [StatusReport.HearingLine] {
        neighbours.all.compactMap { neighbour -> StatusReport.HearingLine? in
            guard neighbour.holder != holder, isHeard(neighbour.holder, at: now),
                let word = neighbour.heartbeat.acknowledgements.first(where: { $0.holder == holder }),
                word.sequence > 0
            else { return nil }
            let age = word.age + (now - neighbour.received)
            guard age < timing.deadAfter else { return nil }
            return StatusReport.HearingLine(node: neighbour.holder.name, ms: Int(age.milliseconds))
        }.sorted { $0.node < $1.node }
    }

    /// The same of whoever has that name; nil when it is heard here.
    func hearers(ofNode node: String, at now: Instant) -> [StatusReport.HearingLine]? {
        guard node != name,
            let holder = state?.member(node)?.holder
                ?? neighbours.all.first(where: { $0.holder.name == node })?.holder,
            !isHeard(holder, at: now)
        else { return nil }
        return hearers(of: holder, at: now)
    }

    func leaseBelief(of holder: Holder, at now: Instant) -> LeaseBelief {
        let voters = raft.membership.voters.filter { $0 != holder.member }
        let own = raft.membership.contains(holder.member) ? raft.membership.voters.count - voters.count : 0
        let hearing = hearers(of: holder, at: now).map(\.node)
        let feeding = own + voters.count { voter in voter != raft.me && hearing.contains(voter.name) }
        if feeding >= raft.membership.majority { return .fed }
        // Neither heard here, who may hear it all the same.
        let unknown = voters.count { !hasVote($0, at: now) }
        return feeding + unknown >= raft.membership.majority ? .unknown : .over
    }

    /// What a seat is whose holder is not heard here; nil when its holder has it no more, as far as can be known.
    func stateByHearsay(
        of grant: Grant, _ view: ClusterView
    ) -> (state: StatusReport.SeatLine.State, isKnown: Bool)? {
        switch leaseBelief(of: grant.holder, at: view.now) {
        case .over: return nil
        case .unknown: return (.uncovered, false)
        case .fed:
            let isAsked = view.askers.contains {
                $0.1.sight(of: grant.address, epoch: grant.epoch)?.verdict == .served
            }
            return (isAsked || view.holds(grant.holder, grant.address) ? .active : .moving, true)
        }
    }

    /// Why a spare could not take an address; of one that others hear, that it is not silent.
    func unreadinessTold(of holder: Holder, _ view: ClusterView) -> String? {
        guard let text = view.unreadiness(of: holder, in: view.state) else { return nil }
        let hearers = view.isHeard(holder) ? [] : hearers(of: holder, at: view.now).map(\.node)
        guard !hearers.isEmpty, view.state.unfitness(of: holder) == nil else { return text }
        let verb = hearers.count == 1 ? "hears" : "hear"
        return "\(holder.name) is not heard by \(name), although \(PathTrouble.list(hearers)) \(verb) it"
    }

    /// Seats of nodes that are not heard here: whether callers are served there is for others to say.
    func hearsayWarnings(_ view: ClusterView) -> [String] {
        let state = view.state
        var warnings: [String] = []
        for seat in state.seats {
            guard let grant = state.grant(of: seat.address), !grant.revoked, state.isActive(grant.holder),
                !view.isHeard(grant.holder), let word = stateByHearsay(of: grant, view)
            else {
                if isCutOff(at: view.now) {
                    warnings.append(
                        "whether \(seat.name) is served is not known here: \(name) hears no majority, and others may "
                            + "decide without it; ask another node: fsdns status")
                }
                continue
            }
            let holder = grant.holder.name
            let hearers = hearers(of: grant.holder, at: view.now).map(\.node)
            guard word.isKnown else {
                warnings.append(
                    "whether \(holder) holds \(seat.name) is not known here: \(name) hears neither \(holder) nor enough "
                        + "others to tell; ask on \(holder): fsdns status")
                continue
            }
            let verb = hearers.count == 1 ? "hears" : "hear"
            warnings.append(
                "\(holder), which has \(seat.name), is not heard by \(name), but \(PathTrouble.list(hearers)) \(verb) "
                    + "it, and so does a majority: the seat stays there; let UDP pass from \(holder) to \(name) and back"
            )
        }
        return warnings
    }

    /// Which of these nodes run although they are not heard here.
    func running(_ nodes: [MemberID], at now: Instant) -> [String] {
        nodes.filter { member in
            if let unproven = neighbours[member]?.unproven, now - unproven.arrived < timing.deadAfter {
                return true
            }
            return hasLink(with: member, at: now)
                || neighbours.all.contains { neighbour in
                    isHeard(neighbour.holder, at: now)
                        && neighbour.heartbeat.acknowledgements.contains {
                            $0.holder.member == member && $0.sequence > 0 && $0.age < timing.deadAfter
                        }
                }
                || linkWords.isSpoken(
                    by: member, since: (neighbours[member]?.received ?? neighbours.floor) + Timers.lateWord,
                    at: now)
        }.map(\.name)
    }
}
