import Calendar
import Primitives

// How a leader finds out how far a step is: by looking at the state and at what nodes say, never by doing it again.

extension LeaderPass {
    /// How far a step is.
    enum StepProgress {
        case done(String?)
        case failed(String)
        case unknown(String)
        case waiting(String)
        /// Waiting without regard to the step's timeout: something else bounds it.
        case patient(String)
        /// What its executor said.
        case told(StepOutcome)
    }

    /// Of a node that has a lease and was told to execute something, and says nothing.
    private static let silence: Duration = .seconds(30)

    mutating func pursue(_ at: Int) {
        guard let run = scratch.playbooks.run, let beginning = run.steps[at].beginning,
            let id = run.id(of: at)
        else { return }
        let step = run.steps[at]
        let elapsed = time - beginning.time
        let progress: StepProgress
        switch step.action {
        case .drain(let target, let deadline, let onDeadline, let reason):
            let request = DrainRequest(
                target: target, deadline: deadline, onDeadline: onDeadline,
                reason: reason.isEmpty ? run.summary : reason, dryRun: false, who: run.who)
            progress = drain(request, id, step)
        case .undrain(let node): progress = undrain(node, id, step)
        case .switchover(let seat, let to):
            progress = switchOver(seat, to: to, id, step)
        case .lowerTTL: progress = lowerTTL(id, step)
        case .wait(let duration):
            let left = duration - elapsed
            progress = left <= .zero ? .done(nil) : .patient("\(left.milliseconds / 1000 + 1) s to pass")
        case .check(let check, let interval):
            progress = look(check, every: interval, id, in: scratch)
        case .approve(let question): progress = .waiting("approval: \(question)")
        case .forEach: progress = .failed("cannot be executed")
        case .run, .notify, .fail: progress = execution(id, step, beginning)
        }
        conclude(progress, id, of: step.timeout, elapsed: elapsed)
    }

    private mutating func conclude(
        _ progress: StepProgress, _ id: StepID, of timeout: Duration, elapsed: Duration
    ) {
        // What was proposed a moment ago may have ended it.
        guard scratch.playbooks.run?.place(of: id) != nil else { return }
        var outcome: StepOutcome
        switch progress {
        case .done(let text): outcome = StepOutcome(.done(text))
        case .failed(let reason): outcome = StepOutcome(.failed(reason))
        case .unknown(let reason): outcome = StepOutcome(.unknown(reason))
        case .told(let told): outcome = told
        case .patient(let reason):
            duty.waits.append(PlaybookDuty.Wait(step: id.step, reason: reason))
            return
        case .waiting(let reason):
            duty.waits.append(PlaybookDuty.Wait(step: id.step, reason: reason))
            guard elapsed >= timeout else { return }
            outcome = StepOutcome(
                .failed("not done within \(timeout.span), waiting for \(reason)"))
        }
        outcome.output = outcome.output.tail(of: PlaybookLimits.stepOutput)
        propose(.playbook(.outcome(id, outcome)))
    }

    private mutating func drain(_ request: DrainRequest, _ id: StepID, _ step: RunStep) -> StepProgress {
        // Its end is noted with the command that ends it.
        if step.traces.drained != nil { return .waiting("the drain to end") }
        if let drain = scratch.drain { return .waiting("\(drain.owner)'s drain of \(drain.seat) to end") }
        if let member = scratch.member(request.target), let maintenance = member.maintenance {
            return .failed("\(member.name) is in maintenance already: \(maintenance.reason)")
        }
        if scratch.seat(request.target) == nil, let member = scratch.member(request.target) {
            guard member.kind == .full else { return .failed("\(member.name) is a witness") }
            guard member.isActive else { return .waiting("\(member.name) to be there") }
            if !scratch.grants.contains(where: { $0.holder == member.holder || $0.waits(for: member.holder) })
            {
                let rest = PlaybookCommand.rest(id, member.holder, reason: request.reason)
                propose(.playbook(rest))
                return .waiting("\(member.name) to rest")
            }
        }
        let preflight = view.drainPreflight(request)
        guard let drain = preflight.drain, preflight.refusals.isEmpty else {
            return .waiting(preflight.refusals.joined(separator: "; "))
        }
        propose(.playbook(.drain(id, drain)))
        return .waiting("the drain to end")
    }

    private mutating func undrain(_ node: String, _ id: StepID, _ step: RunStep) -> StepProgress {
        guard scratch.member(node) != nil else { return .failed("there is no node \(node)") }
        if step.traces.undrained == nil { propose(.playbook(.undrain(id))) }
        guard let member = scratch.member(node), member.isActive else {
            return .waiting("\(node) to come back")
        }
        if scratch.grants.contains(where: { $0.holder == member.holder && !$0.revoked }) { return .done(nil) }
        return view.unreadiness(of: member.holder, in: scratch).map { .waiting($0) } ?? .done(nil)
    }

    private mutating func switchOver(
        _ name: String, to target: String?, _ id: StepID, _ step: RunStep
    ) -> StepProgress {
        guard let seat = scratch.seat(step.traces.moved?.seat ?? name) ?? scratch.seat(heldBy: name) else {
            return scratch.member(name) == nil
                ? .failed("there is no seat or node \(name)") : .done("\(name) holds no seat")
        }
        guard let grant = scratch.grant(of: seat.address), !grant.revoked else {
            return .waiting("\(seat.name) to have a holder")
        }
        if let moved = step.traces.moved {
            guard grant.holder.name == moved.to else {
                return .failed("\(grant.holder.name) took \(seat.name) instead of \(moved.to)")
            }
            return view.holds(grant.holder, seat.address) && view.hasMoved(grant)
                ? .done("\(moved.to) took \(seat.name) from \(moved.from)")
                : .waiting("\(moved.to) to hold \(seat.address)")
        }
        if let target, grant.holder.name == target { return .done("\(target) holds it already") }
        if let drain = scratch.drain { return .waiting("\(drain.owner)'s drain of \(drain.seat) to end") }
        guard view.hasMoved(grant) else { return .waiting("\(seat.name) to have moved") }
        let to: Holder
        if let target {
            guard let holder = scratch.member(target)?.holder else { return .failed("no node \(target)") }
            if let reason = view.unreadiness(of: holder, in: scratch) { return .waiting(reason) }
            to = holder
        } else {
            guard let first = view.spares(in: scratch).first else {
                return .waiting("a slave: \(view.whyNoSpare(in: scratch))")
            }
            to = first
        }
        let move = Move(
            address: seat.address, from: grant.holder, to: to, reason: "step \(id.step + 1) of a playbook")
        propose(.playbook(.move(id, move)))
        return .waiting("\(to.name) to hold \(seat.address)")
    }

    private mutating func lowerTTL(_ id: StepID, _ step: RunStep) -> StepProgress {
        if step.traces.lowered == nil { propose(.playbook(.lowerTTL(id))) }
        guard let ttl = scratch.ttl else { return .failed("the TTL could not be lowered") }
        guard let forgotten = ttl.forgottenAt else { return .waiting("every DNS server to serve it") }
        let left = forgotten - time
        return left <= .zero
            ? .done(nil) : .waiting("clients to forget the former TTL (\(left.milliseconds / 1000 + 1) s)")
    }

    private func look(
        _ check: PlaybookCheck, every interval: Duration, _ id: StepID, in state: ControlState
    ) -> StepProgress {
        switch check {
        case .callsBelow(let most, let node):
            let nodes = state.members.filter {
                $0.isActive && $0.kind == .full && (node == nil || $0.name == node)
            }
            if nodes.isEmpty { return .waiting("\(node ?? "a node") to be there") }
            let calls = nodes.reduce(0) { $0 + Int(view.load(of: $1.holder)?.calls ?? 0) }
            return calls < most
                ? .done("\(calls) calls") : .waiting("fewer than \(most) calls, there are \(calls)")
        case .zoneConverged: return view.zoneObstacle.map { .waiting($0) } ?? .done(nil)
        case .headroom(let slaves):
            for seat in state.seats {
                guard let grant = state.grant(of: seat.address), !grant.revoked,
                    view.holds(grant.holder, seat.address)
                else { return .waiting("\(seat.name) to be held") }
            }
            if let obstacle = view.zoneObstacle { return .waiting(obstacle) }
            let ready = view.spares(in: state).count
            return ready >= slaves ? .done(nil) : .waiting("\(slaves) slaves to be ready, there are \(ready)")
        case .options, .tcp, .http, .command, .registrationsConverged: break
        }
        let wanted = view.checkers(of: check, in: state)
        if wanted.isEmpty { return .waiting("somebody to look") }
        let oldest = now - Timers.checkMemory(every: interval)
        var text: String?
        for holder in wanted {
            let seen = duty.seen.first { $0.id == id && $0.by == holder.member }
            guard let seen, seen.at >= oldest else { return .waiting("\(holder.name) to look") }
            if !seen.result.holds { return .waiting("\(seen.result.text) (\(holder.name))") }
            text = seen.result.text
        }
        return .done(text)
    }

    private mutating func execution(
        _ id: StepID, _ step: RunStep, _ beginning: RunStep.Beginning
    ) -> StepProgress {
        guard let executor = beginning.executor else {
            guard let wanted = step.executorName else { return .failed("nobody can execute it") }
            let holder = wanted.isEmpty ? view.me : scratch.member(wanted)?.holder
            guard let holder else { return .failed("there is no node \(wanted)") }
            guard scratch.isActive(holder), view.isHeard(holder) else {
                return .waiting("\(holder.name) to be there")
            }
            propose(.playbook(.assign(id, holder)))
            return .waiting("\(holder.name) to end it")
        }
        if let outcome = duty.outcome(of: id) { return .told(outcome) }
        // Only when that life cannot begin it any more.
        let isOut = !scratch.isActive(executor) && view.agreement.effectiveThrough >= scratch.fenceEpoch.index
        let elapsed = time - beginning.time
        if case .fail = step.action {
            if isOut { return .done("\(executor.name) is out") }
            return .waiting("\(executor.name) to fail")
        }
        if isOut { return .unknown("\(executor.name) went out before it told how it ended") }
        // Its own limit ends it; the word may be on its way a little longer.
        let limit = step.undoBeginning == nil ? step.timeout : max(step.timeout, step.undo?.timeout ?? .zero)
        if elapsed >= limit + Self.silence {
            return .unknown("\(executor.name) does not tell how it ended")
        }
        return .patient("\(executor.name) to end it")
    }

    mutating func pursueUndo(_ at: Int) {
        guard let run = scratch.playbooks.run, let beginning = run.steps[at].undoBeginning,
            let id = run.id(of: at)
        else { return }
        let step = run.steps[at]
        let progress: StepProgress
        var timeout = step.timeout
        if let drained = step.traces.drained {
            if drained.isUnderWay {
                progress = .waiting("the drain to be undone")
            } else if propose(.playbook(.undrain(id))) == nil {
                progress = .done("\(drained.node.name) was back in service")
            } else {
                return
            }
        } else if let moved = step.traces.moved {
            progress = moveBack(moved, id)
        } else if step.traces.lowered != nil {
            guard propose(.playbook(.lowerTTL(id))) == nil else { return }
            progress = .done("the TTL is as before")
        } else {
            timeout = max(step.timeout, step.undo?.timeout ?? .zero)
            progress = execution(id, step, beginning)
        }
        let elapsed = time - beginning.time
        conclude(progress, id, of: timeout, elapsed: elapsed)
    }

    private mutating func moveBack(_ moved: StepTraces.Moved, _ id: StepID) -> StepProgress {
        guard let seat = scratch.seat(moved.seat), let grant = scratch.grant(of: seat.address) else {
            return .waiting("\(moved.seat) to have a holder")
        }
        if grant.holder.name == moved.from {
            return view.holds(grant.holder, seat.address)
                ? .done("\(moved.from) has it again") : .waiting("\(moved.from) to hold \(seat.address)")
        }
        if moved.isReturned { return .failed("\(grant.holder.name) took it instead of \(moved.from)") }
        guard let holder = scratch.member(moved.from)?.holder else { return .failed("no node \(moved.from)") }
        if let reason = view.unreadiness(of: holder, in: scratch) { return .waiting(reason) }
        guard view.hasMoved(grant), !grant.revoked, scratch.drain == nil else {
            return .waiting("\(moved.seat) to have moved")
        }
        let move = Move(
            address: seat.address, from: grant.holder, to: holder, reason: "a playbook is being undone")
        propose(.playbook(.move(id, move)))
        return .waiting("\(moved.from) to hold \(seat.address)")
    }
}

extension ClusterView {
    func hasMoved(_ grant: Grant) -> Bool { grant.conditions.allSatisfy(agreement.isMet) }

    /// Who has to find that a check holds; nobody when the leader knows by itself.
    func checkers(of check: PlaybookCheck, in state: ControlState) -> [Holder] {
        switch check {
        case .options, .tcp, .http: return [agreement.isLeader ? me : nil].compactMap { $0 }
        case .command(let order):
            if order.node.isEmpty { return agreement.isLeader ? [me] : [] }
            return state.member(order.node).map { $0.isActive ? [$0.holder] : [] } ?? []
        case .registrationsConverged:
            return state.members.filter { $0.isActive && $0.kind == .full }.map(\.holder)
        case .callsBelow, .zoneConverged, .headroom: return []
        }
    }
}
