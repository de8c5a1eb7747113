// The JSON keys of playbooks, their runs and what nodes say of them.
//
// They are the format: a property or case that gets another name keeps its key, as in `case newName = "oldName"`.

extension Playbook {
    enum CodingKeys: String, CodingKey { case name, summary, steps, schedule, window, aborts, rollsBack }
}

extension PlaybookStep {
    enum CodingKeys: String, CodingKey { case line, action, timeout, undo }
}

extension PlaybookAction {
    enum CodingKeys: String, CodingKey {
        case drain, undrain, switchover, lowerTTL, wait, run, check, notify, approve, forEach, fail
    }
    enum DrainCodingKeys: String, CodingKey { case target, deadline, onDeadline, reason }
    enum UndrainCodingKeys: String, CodingKey { case node }
    enum SwitchoverCodingKeys: String, CodingKey { case seat, to }
    enum LowerTTLCodingKeys: String, CodingKey { case _0 }
    enum WaitCodingKeys: String, CodingKey { case _0 }
    enum RunCodingKeys: String, CodingKey { case _0 }
    enum CheckCodingKeys: String, CodingKey { case _0, interval }
    enum NotifyCodingKeys: String, CodingKey { case _0 }
    enum ApproveCodingKeys: String, CodingKey { case _0 }
    enum ForEachCodingKeys: String, CodingKey { case _0, atMost, pause, steps }
    enum FailCodingKeys: String, CodingKey { case node }
}

extension CommandOrder {
    enum CodingKeys: String, CodingKey { case node, program, arguments, environment, timeout }
}

extension CommandOrder.Variable {
    enum CodingKeys: String, CodingKey { case name, value }
}

extension PlaybookCheck {
    enum CodingKeys: String, CodingKey {
        case options, tcp, http, command, callsBelow, registrationsConverged, zoneConverged, headroom
    }
    enum OptionsCodingKeys: String, CodingKey { case _0 }
    enum TcpCodingKeys: String, CodingKey { case _0 }
    enum HttpCodingKeys: String, CodingKey { case url, status }
    enum CommandCodingKeys: String, CodingKey { case _0 }
    enum CallsBelowCodingKeys: String, CodingKey { case _0, node }
    enum HeadroomCodingKeys: String, CodingKey { case slaves }
}

extension PlaybookNotice {
    enum CodingKeys: String, CodingKey { case command, webhook }
    enum CommandCodingKeys: String, CodingKey { case _0 }
    enum WebhookCodingKeys: String, CodingKey { case _0 }
}

extension PlaybookItems {
    enum CodingKeys: String, CodingKey { case seats, nodes, named }
    enum NamedCodingKeys: String, CodingKey { case _0 }
}

extension PlaybookAborts {
    enum CodingKeys: String, CodingKey { case slavesBelow, onNodeFailure, onThinQuorum }
}

extension PlaybookRun {
    enum CodingKeys: String, CodingKey {
        case id, name, summary, who, schedule, due, began, wall, until, aborts, rollsBack, phase, steps
    }
}

extension PlaybookRun.Phase {
    enum CodingKeys: String, CodingKey { case running, undoing, stopping }
    enum UndoingCodingKeys: String, CodingKey { case _0 }
    enum StoppingCodingKeys: String, CodingKey { case _0 }
}

extension RunStep {
    enum CodingKeys: String, CodingKey {
        case line, action, timeout, undo, after, pause, iteration, condition, undoing, ended, output, traces
    }
}

extension RunStep.Condition {
    enum CodingKeys: String, CodingKey { case waiting, begun, done, failed, unknown, skipped }
    enum BegunCodingKeys: String, CodingKey { case _0 }
    enum DoneCodingKeys: String, CodingKey { case _0 }
    enum FailedCodingKeys: String, CodingKey { case _0 }
    enum UnknownCodingKeys: String, CodingKey { case _0 }
    enum SkippedCodingKeys: String, CodingKey { case _0 }
}

extension RunStep.Undoing {
    enum CodingKeys: String, CodingKey { case begun, done, failed }
    enum BegunCodingKeys: String, CodingKey { case _0 }
    enum DoneCodingKeys: String, CodingKey { case _0 }
    enum FailedCodingKeys: String, CodingKey { case _0 }
}

extension RunStep.Beginning {
    enum CodingKeys: String, CodingKey { case epoch, time, executor }
}

extension StepTraces {
    enum CodingKeys: String, CodingKey { case drained, moved, lowered, undrained }
}

extension StepTraces.Drained {
    enum CodingKeys: String, CodingKey { case seat, drain, node, isUnderWay, maintenance }
}

extension StepTraces.Moved {
    enum CodingKeys: String, CodingKey { case seat, from, to, isReturned }
}

extension StepTraces.Lowered {
    enum CodingKeys: String, CodingKey { case former, isRestored }
}

extension StepID {
    enum CodingKeys: String, CodingKey { case run, step, begun }
}

extension PlaybookBook {
    enum CodingKeys: String, CodingKey { case schedules, run, finished }
}

extension ScheduledPlaybook {
    enum CodingKeys: String, CodingKey { case id, playbook, who, since, considered }
}

extension FinishedRun {
    enum CodingKeys: String, CodingKey { case id, name, who, due, began, ended, wall, outcome, steps }
}

extension FinishedRun.Outcome {
    enum CodingKeys: String, CodingKey { case done, rolledBack, rolledBackPartly, failed, skipped }
    enum RolledBackCodingKeys: String, CodingKey { case _0 }
    enum RolledBackPartlyCodingKeys: String, CodingKey { case _0 }
    enum FailedCodingKeys: String, CodingKey { case _0 }
    enum SkippedCodingKeys: String, CodingKey { case _0 }
}

extension FinishedRun.Step {
    enum CodingKeys: String, CodingKey { case line, title, outcome, undone, output }
}

extension PlaybookStart {
    enum CodingKeys: String, CodingKey { case playbook, schedule, due, who, remaining }
}

extension StepOutcome {
    enum CodingKeys: String, CodingKey { case verdict, output }
}

extension StepOutcome.Verdict {
    enum CodingKeys: String, CodingKey { case done, failed, unknown }
    enum DoneCodingKeys: String, CodingKey { case _0 }
    enum FailedCodingKeys: String, CodingKey { case _0 }
    enum UnknownCodingKeys: String, CodingKey { case _0 }
}

extension CheckResult {
    enum CodingKeys: String, CodingKey { case holds, text }
}

extension StepNotice {
    enum CodingKeys: String, CodingKey { case id, from, body }
}

extension StepNotice.Body {
    enum CodingKeys: String, CodingKey { case ended, checked }
    enum EndedCodingKeys: String, CodingKey { case _0 }
    enum CheckedCodingKeys: String, CodingKey { case _0 }
}
