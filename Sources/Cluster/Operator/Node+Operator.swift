import Primitives

// What operators ask: refused with every reason, or proposed and answered when it is agreed.

extension Node {
    mutating func take(_ request: OperatorRequest, from asker: PendingRequests.Asker, at now: Instant) {
        if requests.isFull {
            answer(asker, .unavailable("too many requests wait for an answer; nothing was changed"))
            return
        }
        if case .vacate(let who) = request {
            vacate(who: who, from: asker, at: now)
            return
        }
        if let kind = request.unknownKind {
            answer(
                asker,
                .refused([
                    "the release of \(name) does not know the request “\(kind)”: bring the release of the machine that "
                        + "asks onto \(name), then repeat it"
                ]))
            return
        }
        if case .recoverQuorum(let lost, let dryRun, _) = request {
            recoverQuorum(without: lost, dryRun: dryRun, deed: request.deed, from: asker, at: now)
            return
        }
        guard isLeader, effective.isLeadershipCommitted else {
            carry(request, from: asker, at: now)
            return
        }
        deed = request.deed
        defer { deed = nil }
        switch request {
        case .status: answer(asker, .status(statusReport(at: now)))
        case .drain(let drain): take(drain, from: asker, at: now)
        case .abortDrain(let who):
            propose(
                .drain(.abort(reason: "asked by \(who)")), for: asker, ["the drain is being undone"], at: now)
        case .undrain(let node, _): undrain(node, from: asker, at: now)
        case .forget(let node, _): forget(node, from: asker, at: now)
        case .revoke(let node, _):
            guard node.contains(where: { !$0.isWhitespace }) else {
                answer(asker, .refused(["no node is named"]))
                return
            }
            propose(
                .revokeCertificates(node: node), for: asker,
                [
                    "certificates of \(node) from before now count no more: links that it has by one end, and it is "
                        + "fenced when it follows no more"
                ], at: now)
        case .recoverQuorum, .vacate, .unknown: break
        case .switchover(let seat, let to, let dryRun, let who):
            switchOver(seat, to: to, dryRun: dryRun, who: who, from: asker, at: now)
        case .zone:
            if let report = zoneReport(at: now) {
                answer(asker, .zone(report))
            } else {
                answer(asker, .refused(["the cluster file names no DNS zone"]))
            }
        case .playbook(let request): take(request, from: asker, at: now)
        case .zoneApply(let adopt, _):
            guard let report = zoneReport(at: now) else {
                answer(asker, .refused(["the cluster file names no DNS zone"]))
                return
            }
            zone.hurry(adopt: adopt, at: now)
            if let deed { propose(.asked(deed), at: now) }
            answer(asker, .accepted(applied, report.steps.isEmpty ? ["nothing to do"] : report.steps))
        }
    }

    /// To the leader; or, without one, an answer from what this node sees itself.
    private mutating func carry(
        _ request: OperatorRequest, from asker: PendingRequests.Asker, at now: Instant
    ) {
        if case .terminal = asker, let leader = raft.leader, leader != raft.me,
            neighbours.isHeard(leader, within: timing.deadAfter, at: now)
        {
            let id = requests.forward(asker, to: leader, isLook: request == .status, at: now)
            effects.append(.send(.request(id: id, request), to: leader))
            return
        }
        if case .status = request {
            answer(asker, .status(statusReport(at: now)))
        } else {
            answer(asker, .unavailable("the cluster has no leader now; nothing was changed"))
        }
    }

    /// Nobody is left without an answer: one on its way to us may have been lost with its link.
    mutating func endWaiting(at now: Instant) {
        for pending in requests.unanswered(before: now - Timers.lookPatience) {
            answerItself(pending, at: now)
        }
        for pending in requests.outdated(before: now - Timers.answerPatience) {
            answer(pending, .unavailable("no answer within 8 s; it may have been done: look, then repeat"))
        }
    }

    /// The leader said nothing, perhaps because the link to it is cut: an operator on this machine needs to see that.
    mutating func answerItself(_ pending: PendingRequests.Pending, at now: Instant) {
        var report = statusReport(at: now)
        let leader = pending.forwardedTo?.name ?? "the leader"
        report.warnings.insert(
            "only what \(name) sees itself: \(leader), which leads, did not answer it", at: 0)
        answer(pending, .status(report))
    }

    mutating func answer(_ asker: PendingRequests.Asker, _ reply: OperatorReply) {
        switch asker {
        case .terminal(let id):
            var reply = reply
            if case .status(var report) = reply {
                report.node = name
                for at in report.nodes.indices {
                    report.nodes[at].lastHeardMs = heardMs(report.nodes[at].name)
                    report.nodes[at].heardBy = hearers(ofNode: report.nodes[at].name, at: lastHandled)
                }
                reply = .status(report)
            }
            effects.append(.answer(id: id, reply))
        case .peer(let member, let id): effects.append(.send(.response(id: id, reply), to: member))
        }
    }

    /// How long ago this very node heard another; nil for itself and for those it never heard.
    private func heardMs(_ node: String) -> Int? {
        guard node != name else { return nil }
        let newest = neighbours.all.filter { $0.holder.name == node }.map(\.received).max()
        return newest.map { Int((lastHandled - $0).milliseconds) }
    }

    mutating func answer(_ pending: PendingRequests.Pending, _ reply: OperatorReply) {
        answer(pending.asker, reply)
    }

    mutating func propose(
        _ command: ControlCommand, for asker: PendingRequests.Asker, _ lines: [String], at now: Instant
    ) {
        guard let view = view(at: now) else { return }
        var command = command
        if var deed {
            deed.command = command
            command = .asked(deed)
        }
        if let refusal = view.formatRefusal(of: command, in: view.state) {
            answer(asker, .refused([refusal]))
            return
        }
        var scratch = view.state
        let stamped = StampedCommand(time: view.time, command: command, wall: view.wall)
        let guess = Epoch(term: raft.term, index: raft.lastIndex + 1)
        if let refusal = scratch.apply(stamped, at: guess).refusal {
            answer(asker, .refused([refusal]))
            return
        }
        guard let epoch = propose(command, at: now) else {
            answer(asker, .unavailable("the leader cannot take it now; try again"))
            return
        }
        if applied >= epoch {
            answer(asker, .accepted(epoch, lines))
        } else {
            requests.await(epoch, for: asker, lines: lines, at: now)
        }
    }

    // MARK: - Out of maintenance

    private mutating func undrain(_ node: String, from asker: PendingRequests.Asker, at now: Instant) {
        guard let state else { return }
        guard let member = state.member(node) else {
            answer(
                asker,
                .refused([
                    "no node \(node); the nodes are \(state.members.map(\.name).joined(separator: ", "))"
                ]))
            return
        }
        // After a handover the calls go on elsewhere, and the node is free.
        if let drain = state.drain, drain.from.name == node, drain.phase != .lingering {
            answer(asker, .refused(["\(node) is still being drained; `fsdns abort` undoes the drain"]))
            return
        }
        guard member.maintenance != nil else {
            answer(asker, .refused(["\(node) is not in maintenance"]))
            return
        }
        propose(
            .maintenance(node: node, nil), for: asker, ["\(node) is back as a slave"], at: now)
    }

    // MARK: - Gone for good

    private mutating func forget(_ node: String, from asker: PendingRequests.Asker, at now: Instant) {
        guard let state else { return }
        guard let holder = state.member(node)?.holder else {
            let names = state.members.map(\.name).joined(separator: ", ")
            answer(asker, .refused(["no node \(node); the nodes are \(names)"]))
            return
        }
        // Longer than anybody could be unheard by mere chance.
        let isHeard = neighbours.all.contains {
            $0.holder.name == node && now - $0.received < Timers.heardLately
        }
        if node == name || isHeard {
            answer(
                asker,
                .refused([
                    "\(node) is heard: stop it first; if somebody else speaks in its name, `fsdns forget \(node) "
                        + "--revoke` makes its certificate worthless at once"
                ]))
            return
        }
        if let obstacle = state.obstacle(toForgetting: holder) {
            answer(asker, .refused([obstacle]))
            return
        }
        propose(
            .forget(holder), for: asker,
            ["\(node) is no member any more; started again, it joins as a new one"], at: now)
    }

    // MARK: - Switchover

    private mutating func switchOver(
        _ word: String, to target: String?, dryRun: Bool, who: String,
        from asker: PendingRequests.Asker, at now: Instant
    ) {
        guard let view = view(at: now) else { return }
        let state = view.state
        guard let seat = state.seat(meant: word) else {
            let hint =
                state.member(word) == nil ? "" : "; to move one there: fsdns switchover SEAT --to \(word)"
            answer(asker, .refused([state.unknown(word) + hint]))
            return
        }
        if let target, state.member(target) == nil {
            let names = state.members.map(\.name).joined(separator: ", ")
            answer(asker, .refused(["no node \(target); the nodes are \(names)"]))
            return
        }
        guard let grant = state.grant(of: seat.address) else {
            cover(seat, to: target, dryRun: dryRun, who: who, view, from: asker, at: now)
            return
        }
        guard !grant.revoked else {
            answer(
                asker, .refused(["\(grant.holder.name) is letting go of \(seat.name); try again in a moment"])
            )
            return
        }
        var reasons: [String] = []
        // Calls that were handed over may take hours to end; the seat is as any other meanwhile.
        if let drain = state.drain, drain.phase != .lingering,
            drain.seat == seat.name || drain.to.name == target
        {
            reasons.append("\(drain.owner) is draining \(drain.seat)")
        }
        if !grant.conditions.allSatisfy(view.agreement.isMet) {
            reasons.append("\(seat.name) is moving already")
        }
        var to = view.readySpares(for: seat.address, in: state).first
        if let target {
            let holder = state.member(target)?.holder
            to = holder
            if let holder {
                let reason =
                    view.unreadiness(of: holder, in: state, mayHold: holder == view.lingerer(in: state))
                    ?? view.blocker(of: holder, for: seat.address, in: state)
                if let reason { reasons.append(reason) }
            }
        } else if to == nil {
            reasons.append("no slave is ready: " + view.whyNoSpare(in: state))
        }
        guard reasons.isEmpty, let to else {
            answer(asker, .refused(reasons))
            return
        }
        let lines = [
            "\(grant.holder.name) lets go of \(seat.address): switchover by \(who)",
            "\(to.name) takes \(seat.address) as soon as \(grant.holder.name) says so",
        ]
        if dryRun {
            answer(asker, .plan(lines))
            return
        }
        let move = Move(address: seat.address, from: grant.holder, to: to, reason: "switchover by \(who)")
        propose(.move(move), for: asker, lines, at: now)
    }

    /// A seat nobody holds, by an operator's word: also while automatic takeover is withheld.
    private mutating func cover(
        _ seat: Seat, to target: String?, dryRun: Bool, who: String, _ view: ClusterView,
        from asker: PendingRequests.Asker, at now: Instant
    ) {
        let state = view.state
        // With nobody there to be worse than: whoever could hold it at all.
        let ready = view.takers(for: seat.address, in: state)
        guard let to = target == nil ? ready.first : ready.first(where: { $0.name == target }) else {
            let chosen = target.flatMap { state.member($0)?.holder }
            let why = chosen.map {
                view.unreadiness(of: $0, in: state)
                    ?? view.blocker(of: $0, for: seat.address, in: state) ?? "\($0.name) is no slave"
            }
            answer(
                asker,
                .refused(["no slave is ready for \(seat.name): \(why ?? view.whyNoSpare(in: state))"]))
            return
        }
        let lines = ["\(to.name) takes \(seat.address), which nobody holds: switchover by \(who)"]
        if dryRun {
            answer(asker, .plan(lines))
        } else {
            propose(
                .grant(
                    address: seat.address, to: to, reason: "switchover by \(who)", isAutomatic: false),
                for: asker, lines, at: now)
        }
    }
}
