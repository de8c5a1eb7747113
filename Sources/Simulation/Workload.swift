import Cluster

/// What people ask of the cluster, and which answers are still due.
struct Workload: Sendable {
    struct Question: Hashable, Sendable {
        var id: UInt64
        var machine: Int
        var life: Int
        var naps: Int
        var request: OperatorRequest
    }

    private(set) var asked: UInt64 = 0
    /// Without an answer yet, oldest first.
    private(set) var open: [Question] = []
    private(set) var replies = 0

    /// A node answers after at most this long, be it that no leader can be reached.
    static let patience = 15_000 * millisecond

    mutating func ask(_ request: OperatorRequest, machine: Int, life: Int, naps: Int) -> UInt64 {
        asked += 1
        open.append(Question(id: asked, machine: machine, life: life, naps: naps, request: request))
        return asked
    }

    /// Takes the question away; nil when there is none to this machine.
    mutating func close(_ id: UInt64, machine: Int) -> Question? {
        guard let at = open.firstIndex(where: { $0.id == id && $0.machine == machine }) else { return nil }
        replies += 1
        return open.remove(at: at)
    }

    func isOpen(_ id: UInt64) -> Question? { open.first { $0.id == id } }
}

extension World {
    // MARK: - Acting

    mutating func operatorActs() {
        guard isStormy else { return }
        agenda.add(.operatorActs, at: now.after(nanoseconds: Weather.gust))
        guard chance.workload.happens(perMille: weather.perMille(.operators)) else { return }
        let machine = chance.workload.draw(0...(machines.count - 1))
        guard machines[machine].isUp else { return }
        ask(drawRequest(), of: machine)
    }

    mutating func drawRequest() -> OperatorRequest {
        let node = chance.workload.pick(machines).name
        let seat = chance.workload.pick(blueprint.settings.seats).name
        switch chance.workload.draw(0...9) {
        case 0...3:
            let deadline: Duration? =
                chance.workload.happens(perMille: 700) ? .milliseconds(chance.workload.draw(200...4000)) : nil
            return .drain(
                DrainRequest(
                    target: chance.workload.happens(perMille: 500) ? seat : node, deadline: deadline,
                    onDeadline: chance.workload.pick(Drain.OnDeadline.allCases), reason: "kernel update",
                    dryRun: chance.workload.happens(perMille: 100), who: "ops@simulation",
                    force: chance.workload.happens(perMille: 500),
                    returnAfter: chance.workload.happens(perMille: 200) ? .seconds(2) : nil))
        case 4: return .abortDrain(who: "ops@simulation")
        case 5...6: return .undrain(node: node, who: "ops@simulation")
        case 7...8:
            return .switchover(
                seat: seat, to: chance.workload.happens(perMille: 500) ? node : nil, dryRun: false,
                who: "ops@simulation")
        default:
            return chance.workload.pick([
                .status, .zone, .zoneApply(adopt: false, who: "ops@simulation"),
                .vacate(who: "ops@simulation"),
            ])
        }
    }

    mutating func ask(_ request: OperatorRequest, of machine: Int) {
        guard let service = machines[machine].service else { return }
        let id = workload.ask(request, machine: machine, life: service.life, naps: service.naps)
        trace.add(now, "operator", "\(id) asks \(machines[machine].name): \(Self.text(of: request))")
        if case .undrain(let node, _) = request { judge.undrainAsked(node) }
        if case .playbook = request { for machine in machines { judge.undrainAsked(machine.name) } }
        deliver(.operatorAsked(id: id, request), to: machine, life: service.life)
        let end = now.after(nanoseconds: Workload.patience)
        agenda.add(.operatorsPatienceEnds(request: id), at: end)
    }

    private static func text(of request: OperatorRequest) -> String {
        switch request {
        case .status: "status"
        case .zone: "zone"
        case .zoneApply: "zone apply"
        case .unknown(let kind): kind
        case .playbook(let request): "playbook \(text(of: request))"
        case .abortDrain: "abort"
        case .vacate: "vacate"
        case .undrain(let node, _): "undrain \(node)"
        case .forget(let node, _): "forget \(node)"
        case .revoke(let node, _): "revoke \(node)"
        case .recoverQuorum(let lost, _, _): "recover-quorum \(lost.joined(separator: ","))"
        case .drain(let drain):
            "drain \(drain.target)\(drain.dryRun ? " --dry-run" : "")"
                + (drain.deadline.map { " --deadline \($0.nanoseconds / millisecond)ms" } ?? "")
                + " --on-deadline \(drain.onDeadline.rawValue)"
        case .switchover(let seat, let to, _, _): "switchover \(seat)\(to.map { " --to \($0)" } ?? "")"
        }
    }

    // MARK: - Answers

    mutating func answered(_ id: UInt64, _ reply: OperatorReply, by machine: Int) {
        guard workload.close(id, machine: machine) != nil else {
            judge.object(now, .answers, "\(machines[machine].name) answers \(id), which is not open")
            return
        }
        trace.add(now, "operator", "\(id) is answered: \(Self.text(of: reply))")
    }

    private static func text(of reply: OperatorReply) -> String {
        switch reply {
        case .status(let report): "status, leader \(report.leader ?? "none")"
        case .accepted(let epoch, let lines): "accepted @\(epoch): \(lines.joined(separator: "; "))"
        case .plan(let lines): "plan: \(lines.joined(separator: "; "))"
        case .refused(let reasons): "refused: \(reasons.joined(separator: "; "))"
        case .zone(let report):
            "zone, \(report.steps.count) steps\(report.held.map { ", held: \($0)" } ?? "")"
        case .unavailable(let reason): "unavailable: \(reason)"
        case .playbooks(let report): "playbooks, \(text(of: report))"
        }
    }

    mutating func endPatience(_ id: UInt64) {
        guard let question = workload.isOpen(id) else { return }
        guard let service = machines[question.machine].service, service.life == question.life else {
            _ = workload.close(id, machine: question.machine)
            return
        }
        guard service.naps == question.naps else { return }
        judge.object(now, .answers, "\(machines[question.machine].name) never answered \(id)")
    }
}
