import Primitives

// What an operator asks of a drain.

extension Node {
    mutating func take(_ request: DrainRequest, from asker: PendingRequests.Asker, at now: Instant) {
        guard let view = view(at: now) else { return }
        let state = view.state
        if request.returnAfter.map({ $0 <= .zero }) == true || request.deadline.map({ $0 < .zero }) == true {
            answer(asker, .refused(["a node comes back, and a deadline passes, only after a time above 0 s"]))
            return
        }
        if state.seat(meant: request.target) == nil, let member = state.member(request.target),
            !state.grants.contains(where: { $0.holder == member.holder })
        {
            rest(member, request, view, from: asker, at: now)
            return
        }
        let preflight = view.drainPreflight(request)
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
        _ member: Member, _ request: DrainRequest, _ view: ClusterView, from asker: PendingRequests.Asker,
        at now: Instant
    ) {
        let state = view.state
        var preflight = DrainPreflight()
        if member.kind == .witness {
            preflight.refusals.append("\(member.name) is a witness: it holds nothing and may be stopped")
        } else if let maintenance = member.maintenance {
            preflight.refusals.append("\(member.name) is in maintenance already: \(maintenance.reason)")
        } else if let drain = state.drain, drain.to == member.holder || drain.from == member.holder {
            preflight.refusals.append("\(member.name) takes part in the drain of \(drain.seat)")
        } else {
            view.checkQuorum(without: member.holder, request, &preflight)
            if view.spares(in: state).allSatisfy({ $0 == member.holder }) {
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
        let time = view.time
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
}
