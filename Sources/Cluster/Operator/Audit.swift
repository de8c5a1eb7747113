import Calendar
import Primitives

/// The newest of what people told the cluster to do and what became of it; the same on every node.
package struct AuditTrail: Hashable, Sendable, Codable {
    package static let longest = 500

    /// The newest last.
    package private(set) var entries: [AuditEntry] = []
    /// How many there ever were: the number of the newest.
    package private(set) var count: UInt64 = 0

    package init() {}

    /// Those kept that have a higher number.
    package func entries(after number: UInt64) -> [AuditEntry] {
        let new = count > number ? count - number : 0
        return Array(entries.suffix(Int(min(new, UInt64(entries.count)))))
    }

    mutating func add(_ entry: AuditEntry) {
        count += 1
        var entry = entry
        entry.number = count
        entries.append(entry)
        if entries.count > Self.longest { entries.removeFirst() }
    }
}

/// One agreed deed: who, what, why, when, and what it came to.
package struct AuditEntry: Hashable, Sendable, Codable {
    /// Counts the cluster's entries, from 1, without a gap.
    package internal(set) var number: UInt64 = 0
    package var epoch: Epoch
    package var time: ClusterTime
    /// By the wall clock of the leader that proposed it; nil before that leader had read one.
    package var wall: WallTime?
    /// `user@host`; empty for what followed from an earlier deed.
    package var who: String
    /// As a command, or the kind and subject of an event.
    package var what: String
    package var why: String
    package var outcome: String
}

/// Somebody's wish, agreed together with the command it comes to.
package struct AskedCommand: Hashable, Sendable, Codable {
    package var who: String
    package var what: String
    package var why: String
    /// Nil changes nothing in the control state.
    package var command: ControlCommand?

    package init(who: String, what: String, why: String, command: ControlCommand?) {
        self.who = who
        self.what = what
        self.why = why
        self.command = command
    }
}

// A control state written before there was an audit trail has none.
extension KeyedDecodingContainer {
    func decode(_ type: AuditTrail.Type, forKey key: Key) throws -> AuditTrail {
        try decodeIfPresent(type, forKey: key) ?? AuditTrail()
    }
}

extension ControlState {
    mutating func note(_ asked: AskedCommand, _ applied: Applied, wall: WallTime?, at epoch: Epoch) {
        audit.add(
            AuditEntry(
                epoch: epoch, time: time, wall: wall, who: asked.who.cut(to: 64),
                what: asked.what.cut(to: 128), why: asked.why.cut(to: 128),
                outcome: (applied.refusal.map { "refused: \($0)" } ?? "agreed").cut(to: 256)))
    }

    /// What earlier deeds came to.
    mutating func note(_ events: [ClusterEvent], wall: WallTime?, at epoch: Epoch) {
        for event in events where event.kind.isOutcome {
            audit.add(
                AuditEntry(
                    epoch: epoch, time: time, wall: wall, who: "",
                    what: "\(event.kind.rawValue) \(event.subject)".cut(to: 128), why: "",
                    outcome: event.text.cut(to: 256)))
        }
    }
}

extension ClusterEvent.Kind {
    /// Whether it tells what a deed came to.
    fileprivate var isOutcome: Bool {
        switch self {
        case .drainAborted, .drainFinished, .maintenance, .playbookStarted, .playbookStep, .playbookFinished,
            .playbookRolledBack, .playbookSkipped:
            true
        default: false
        }
    }
}

extension OperatorRequest {
    /// Who asks for what and why, for the audit trail; nil for questions.
    var deed: AskedCommand? {
        func deed(_ who: String, _ what: String, why: String = "") -> AskedCommand {
            AskedCommand(who: who, what: what, why: why, command: nil)
        }
        switch self {
        case .drain(let request) where request.dryRun: return nil
        case .drain(let request):
            let deadline = request.deadline.map { " --deadline \($0.milliseconds / 1000)s" } ?? ""
            let back = request.returnAfter.map { " --return-after \($0.milliseconds / 1000)s" } ?? ""
            return deed(
                request.who,
                "drain \(request.target)\(deadline) --on-deadline \(request.onDeadline.rawValue)\(back)",
                why: request.reason)
        case .abortDrain(let who): return deed(who, "abort")
        case .undrain(let node, let who): return deed(who, "undrain \(node)")
        case .forget(let node, let who): return deed(who, "forget \(node)")
        case .revoke(let node, let who): return deed(who, "forget \(node) --revoke")
        case .recoverQuorum(let lost, let dryRun, let who):
            return dryRun ? nil : deed(who, "recover-quorum --lost \(lost.joined(separator: ","))")
        case .switchover(let seat, let to, let dryRun, let who):
            return dryRun ? nil : deed(who, "switchover \(seat)\(to.map { " --to \($0)" } ?? "")")
        case .zoneApply(let adopt, let who): return deed(who, "zone apply\(adopt ? " --adopt" : "")")
        case .playbook(let request):
            switch request {
            case .run(let playbook, let who, false, _):
                return deed(who, "playbook run \(playbook.name)", why: playbook.summary)
            case .schedule(let playbook, let who):
                return deed(who, "playbook schedule \(playbook.name)", why: playbook.summary)
            case .unschedule(let name, let who): return deed(who, "playbook cancel \(name)")
            case .cancel(let who): return deed(who, "playbook cancel")
            case .approve(let who): return deed(who, "playbook approve")
            case .run, .list, .history, .unknown: return nil
            }
        default: return nil
        }
    }
}
