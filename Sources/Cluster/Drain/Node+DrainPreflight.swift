import Primitives

/// Whether a drain may begin, with every reason, and what it would do: the same for a request and its dry run.
package struct DrainPreflight: Hashable, Sendable {
    /// Nil when there is nothing that could be drained, or refusals that stand.
    package var drain: Drain?
    /// Each of them stands in the way.
    package var refusals: [String] = []
    /// Worth knowing before it begins.
    package var warnings: [String] = []
    /// Step by step, each with its reason.
    package var lines: [String] = []

    package init() {}

    /// Notes what only an operator can weigh: it stands in the way unless it was forced.
    mutating func weigh(_ text: String, _ request: DrainRequest) {
        if request.force {
            warnings.append(text)
        } else {
            refusals.append(text + "; --force drains all the same")
        }
    }
}

extension Node {
    mutating func take(_ request: DrainRequest, from asker: PendingRequests.Asker, at now: Instant) {
        guard let state else { return }
        if request.returnAfter.map({ $0 <= .zero }) == true || request.deadline.map({ $0 < .zero }) == true {
            answer(asker, .refused(["a node comes back, and a deadline passes, only after a time above 0 s"]))
            return
        }
        if state.seat(meant: request.target) == nil, let member = state.member(request.target),
            !state.grants.contains(where: { $0.holder == member.holder })
        {
            rest(member, request, in: state, from: asker, at: now)
            return
        }
        let preflight = drainPreflight(request, at: now)
        guard let drain = preflight.drain, preflight.refusals.isEmpty else {
            answer(asker, .refused(preflight.refusals + preflight.warnings.map { "warning: \($0)" }))
            return
        }
        let lines = preflight.lines + preflight.warnings.map { "warning: \($0)" }
        if request.dryRun {
            answer(asker, .plan(lines))
        } else {
            propose(.drain(.begin(drain)), for: asker, lines, at: now)
        }
    }

    /// A node without an address has nothing to be drained of: it goes into maintenance at once.
    private mutating func rest(
        _ member: Member, _ request: DrainRequest, in state: ControlState,
        from asker: PendingRequests.Asker, at now: Instant
    ) {
        var preflight = DrainPreflight()
        if member.kind == .witness {
            preflight.refusals.append("\(member.name) is a witness: it holds nothing and may be stopped")
        } else if let maintenance = member.maintenance {
            preflight.refusals.append("\(member.name) is in maintenance already: \(maintenance.reason)")
        } else if let drain = state.drain, drain.to == member.holder || drain.from == member.holder {
            preflight.refusals.append("\(member.name) takes part in the drain of \(drain.seat)")
        } else {
            checkQuorum(without: member.holder, request, &preflight, at: now)
            if spares(in: state, at: now).allSatisfy({ $0 == member.holder }) {
                preflight.warnings.append(
                    "no other slave is ready: a failure while \(member.name) is in maintenance cannot be covered"
                )
            }
        }
        let warnings = preflight.warnings.map { "warning: \($0)" }
        guard preflight.refusals.isEmpty else {
            answer(asker, .refused(preflight.refusals + warnings))
            return
        }
        let time = clusterTime(at: now)
        let reason = request.reason.isEmpty ? "drained by \(request.who)" : request.reason
        let back = request.returnAfter.map { "; it comes back by itself after \($0.wholeSeconds) s" }
        let lines =
            ["\(member.name) holds no seat: it is in maintenance at once: \(reason)\(back ?? "")"] + warnings
        if request.dryRun {
            answer(asker, .plan(lines))
            return
        }
        let maintenance = Maintenance(
            reason: reason, who: request.who, since: time, until: request.returnAfter.map { time + $0 })
        propose(.maintenance(node: member.name, maintenance), for: asker, lines, at: now)
    }

    /// Looks at everything a drain needs.
    package func drainPreflight(_ request: DrainRequest, at now: Instant) -> DrainPreflight {
        var preflight = DrainPreflight()
        guard let state else {
            preflight.refusals = ["the cluster is not formed yet"]
            return preflight
        }
        guard let seat = state.seat(meant: request.target) else {
            preflight.refusals = [state.unknown(request.target)]
            return preflight
        }
        guard let grant = state.grant(of: seat.address) else {
            preflight.refusals = ["\(seat.name) has no holder that could be drained"]
            return preflight
        }
        if let drain = state.drain {
            preflight.refusals.append(
                "\(drain.owner) is draining \(drain.seat) (\(drain.phase.rawValue), drain \(drain.id)); "
                    + "`fsdns abort` undoes it")
        }
        if grant.revoked || !grant.conditions.allSatisfy(isMet) {
            preflight.refusals.append("\(seat.name) is moving; try again in a moment")
        }
        let newAddress = state.maintenanceAddresses.first { state.grant(of: $0.name) == nil }
        if newAddress == nil { preflight.refusals.append("no maintenance address is free") }
        let to = chooseTaker(
            grant.holder, of: [seat.address, newAddress?.name].compactMap { $0 }, request, &preflight,
            in: state,
            at: now)
        checkQuorum(without: grant.holder, request, &preflight, at: now)
        if let obstacle = zoneObstacle {
            preflight.refusals.append("the zone is not in order: \(obstacle)")
        } else if let worst = zone.worst {
            preflight.weigh("the zone is as it should be, and may not stay so: \(worst.text)", request)
        }
        guard preflight.refusals.isEmpty, let newAddress, let to else { return preflight }
        let time = clusterTime(at: now)
        var drain = Drain(
            seat: seat.name, from: grant.holder, to: to, oldAddress: seat.address,
            newAddress: newAddress.name, deadline: request.deadline.map { time + $0 },
            onDeadline: request.onDeadline,
            reason: request.reason.isEmpty ? "drained by \(request.who)" : request.reason, owner: request.who,
            began: time)
        drain.ttl = largestServedTTL
        drain.returnAfter = request.returnAfter
        preflight.drain = drain
        preflight.lines = describe(drain, in: state)
        return preflight
    }

    /// The first ready slave that can carry the seat's calls.
    private func chooseTaker(
        _ from: Holder, of addresses: [String], _ request: DrainRequest, _ preflight: inout DrainPreflight,
        in state: ControlState, at now: Instant
    ) -> Holder? {
        let ready = spares(in: state, at: now).filter { holder in
            addresses.allSatisfy { readiness(of: holder, for: $0, at: now).readiness == .ready }
        }
        guard let first = ready.first else {
            preflight.refusals.append("no slave is ready: " + whyNoSpare(in: state, at: now))
            return nil
        }
        if ready.count == 1 {
            preflight.warnings.append(
                "no other slave is ready: a failure while \(from.name) is in maintenance cannot be covered")
        }
        let needed = load(of: from)?.channels ?? 0
        func room(_ holder: Holder) -> UInt32? {
            guard let report = load(of: holder), report.capacity > 0 else { return nil }
            return report.capacity - min(report.capacity, report.channels)
        }
        if let fit = ready.first(where: { room($0).map { $0 >= needed } ?? true }) { return fit }
        let text =
            "no ready slave can carry the \(needed) channels of \(from.name): \(first.name) has room for "
            + "\(room(first) ?? 0)"
        preflight.weigh(text, request)
        return first
    }

    /// The node will be stopped next: the others must be enough without it.
    private func checkQuorum(
        without holder: Holder, _ request: DrainRequest, _ preflight: inout DrainPreflight, at now: Instant
    ) {
        let voters = raft.membership.voters
        guard voters.contains(holder.member) else { return }
        let rest = voters.count { $0 != holder.member && hasVote($0, at: now) }
        let needed = raft.membership.majority
        guard rest < needed else { return }
        let text =
            "\(holder.name) is needed for the quorum: without it \(rest) votes are left and \(needed) are needed"
        preflight.weigh(text, request)
    }

    func isMet(_ condition: Grant.Condition) -> Bool {
        switch condition {
        case .inEffect(let index): index <= fences.effectiveThrough
        case .released: false
        }
    }

    func whyNoSpare(in state: ControlState, at now: Instant) -> String {
        if state.slaves.isEmpty { return "there is none" }
        return state.slaves.compactMap { state.member($0)?.holder }.compactMap { holder in
            unreadiness(of: holder, in: state, at: now) ?? blocker(of: holder, for: nil, in: state, at: now)
        }.joined(separator: "; ")
    }

    private func describe(_ drain: Drain, in state: ControlState) -> [String] {
        func text(_ name: String) -> String { state.address(name).map { "\(name) (\($0.ip))" } ?? name }
        let old = text(drain.oldAddress)
        let new = text(drain.newAddress)
        let load = load(of: drain.from)?.load(of: drain.oldAddress)
        // What a switch said before it was lost is no figure to plan with.
        let health = self.load(of: drain.from)?.health
        let isKnown = health == .healthy || health == SwitchReport.Health.none
        let calls =
            isKnown
            ? "\(load?.calls ?? 0) calls" : "all calls (FreeSWITCH on \(drain.from.name) tells none now)"
        let recoverable = isKnown ? "\(load?.recoverable ?? 0)" : "an unknown number"
        var lines = [
            "\(drain.to.name) takes \(new) and answers SIP OPTIONS there: it is the first ready slave",
            "DNS adds \(new) on every server: callers must find \(drain.seat) there first",
            "DNS withdraws \(old) on every server: new calls go to \(new)",
        ]
        let ttl = drain.ttl.wholeSeconds
        if drain.onDeadline == .handover, drain.deadline.map({ $0 <= drain.began }) == true {
            lines.append(
                "\(old) moves to \(drain.to.name) with \(calls), \(recoverable) of which can be "
                    + "recovered now: the others are hung up before, the address is silent for some milliseconds, "
                    + "callers hear a gap")
            lines.append(
                "wait until these calls have ended and \(ttl) s of TTL are over: then \(old) is the maintenance "
                    + "address")
        } else {
            lines.append("wait \(ttl) s: callers may remember \(old) for the largest TTL any server serves")
            lines.append(
                "tell \(load?.registrations ?? 0) phones at \(old), some a second, to register by DNS again")
            lines.append("\(drain.from.name) refuses new calls with 503: calls that are up go on")
            let limit = drain.deadline.map {
                "at most \(($0 - drain.began).wholeSeconds) s from the beginning, then "
                    + drain.onDeadline.rawValue
            }
            lines.append(
                "wait for \(calls) on \(old), \(recoverable) of which could be recovered "
                    + "elsewhere now: \(limit ?? "as long as they last")")
            lines.append("\(drain.from.name) lets go of \(old): it becomes the maintenance address")
        }
        let back = drain.returnAfter.map { "; it comes back by itself after \($0.wholeSeconds) s" }
        lines.append("\(drain.from.name) is in maintenance: \(drain.reason)\(back ?? "")")
        return lines
    }
}
