import Cluster
import ControlProtocol
import FoundationEssentials

@testable import fsdns

/// Playbooks as a leader reports them.
enum PlaybookReportFixture {
    /// Of a run that drains and upgrades; its second step is `upgrade`.
    static func report(
        phase: String = "running", upgrade: String = "under way", waitingFor: String? = nil,
        drainUndone: String? = nil, output: String = "", id: Int = 117
    ) throws -> PlaybookReport {
        let waiting = waitingFor.map { ", \"waitingFor\": \"\($0)\"" } ?? ""
        let undone = drainUndone.map { ", \"undone\": \"\($0)\"" } ?? ""
        let trouble = phase == "running" ? "" : ", \"trouble\": \"fs3 failed\""
        return try decode(
            """
            {"schedules": [
               {"name": "night", "summary": "Says hello.", "who": "ann@ops",
                "schedule": {"once": {"_0": {"seconds": 1795485600}}}, "next": {"seconds": 1795485600}},
               {"name": "past", "summary": "Said hello.", "who": "bob@ops",
                "schedule": {"once": {"_0": {"seconds": 1795399200}}}, "note": "the clock was set back"}],
             "run": {"id": {"term": 3, "index": \(id)}, "name": "upgrade", "summary": "To 6.12.", "who": "ann@ops",
                     "age": 75, "remaining": 600, "phase": "\(phase)"\(trouble), "steps": [
               {"line": 4, "title": "drain master2", "outcome": "done", "node": "fs2", "output": ""\(undone)},
               {"line": 5, "title": "run /bin/up on fs2", "outcome": "\(upgrade)", "node": "fs2",
                "output": "\(output)"\(waiting)},
               {"line": 6, "title": "undrain fs2", "outcome": "waiting", "output": ""}]},
             "finished": [], "audit": []}
            """)
    }

    /// That run, ended.
    static func ended(_ outcome: String, upgrade: String, output: String = "") throws -> PlaybookReport {
        var report = try report()
        report.run = nil
        report.finished = [try finished(outcome, upgrade: upgrade, output: output)]
        return report
    }

    static func finished(_ outcome: String, upgrade: String, output: String = "") throws -> FinishedRun {
        try decode(
            """
            {"id": {"term": 3, "index": 117}, "name": "upgrade", "who": "ann@ops", "began": {"nanoseconds": 1000000000},
             "ended": {"nanoseconds": 91000000000}, "wall": {"seconds": 1795485600}, "outcome": \(outcome), "steps": [
               {"line": 4, "title": "drain master2", "outcome": "done", "undone": "undone: fs2 is back", "output": ""},
               {"line": 5, "title": "run /bin/up on fs2", "outcome": "\(upgrade)", "output": "\(output)"},
               {"line": 6, "title": "undrain fs2", "outcome": "skipped: the run ended", "output": ""}]}
            """)
    }

    static let done = #"{"done": {}}"#
    static let rolledBack = #"{"rolledBack": {"_0": "step 2 failed"}}"#

    /// A chain of so many entries.
    static func deeds(_ count: Int) throws -> [AuditLine] {
        var lines: [AuditLine] = []
        for number in 0..<count {
            let entry: AuditEntry = try decode(
                """
                {"number": \(number + 1), "epoch": {"term": 3, "index": \(100 + number)}, "time": {"nanoseconds": 5},
                 "wall": {"seconds": \(1_795_485_600 + number)}, "who": "\(number == 1 ? "" : "ann@ops")",
                 "what": "drain master\(number)", "why": "kernel", "outcome": "agreed"}
                """)
            lines.append(AuditLine(entry, after: lines.last))
        }
        return lines
    }

    private static func decode<Value: Decodable>(_ text: String) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    }
}
