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

extension ClusterView {
    /// Looks at everything a drain needs.
    func drainPreflight(_ request: DrainRequest) -> DrainPreflight {
        var preflight = DrainPreflight()
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
                    + (drain.phase.isUndoing
                        ? "it is being undone"
                        : drain.phase.canBeUndone
                            ? "`fsdns abort` undoes it" : "it ends with the calls that are left"))
        }
        if grant.revoked || !grant.conditions.allSatisfy(agreement.isMet) {
            preflight.refusals.append("\(seat.name) is moving; try again in a moment")
        }
        let newAddress = state.maintenanceAddresses.first { state.grant(of: $0.name) == nil }
        if newAddress == nil { preflight.refusals.append("no maintenance address is free") }
        let to = chooseTaker(
            grant.holder, of: [seat.address, newAddress?.name].compactMap { $0 }, request, &preflight,
            in: state)
        checkQuorum(without: grant.holder, request, &preflight)
        if let obstacle = zoneObstacle {
            preflight.refusals.append("the zone is not in order: \(obstacle)")
        } else if let worst = zone.worst {
            preflight.weigh("the zone is as it should be, and may not stay so: \(worst.text)", request)
        }
        guard preflight.refusals.isEmpty, let newAddress, let to else { return preflight }
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
        in state: ControlState
    ) -> Holder? {
        let ready = spares(in: state).filter { holder in
            addresses.allSatisfy { readiness(of: holder, for: $0).readiness == .ready }
        }
        guard let first = ready.first else {
            preflight.refusals.append("no slave is ready: " + whyNoSpare(in: state))
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
    func checkQuorum(without holder: Holder, _ request: DrainRequest, _ preflight: inout DrainPreflight) {
        let voters = agreement.membership.voters
        guard voters.contains(holder.member) else { return }
        let rest = voters.count { $0 != holder.member && hasVote($0) }
        let needed = agreement.membership.majority
        guard rest < needed else { return }
        let text =
            "\(holder.name) is needed for the quorum: without it \(rest) votes are left and \(needed) are needed"
        preflight.weigh(text, request)
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
