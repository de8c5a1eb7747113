import Calendar
import Cluster
import Config
import ControlProtocol
import FoundationEssentials
import Primitives
import Testing

@testable import fsdns

@Suite struct PlaybookReportTests {
    private typealias Fixture = PlaybookReportFixture
    private let zones = ZoneInfo(folder: "/none")
    private var text: PlaybookReportText { PlaybookReportText(paint: .off, width: nil, zones: zones) }

    @Test("the list is the run step by step, then what is scheduled") func list() throws {
        let report = try Fixture.report(waitingFor: "its end", output: "half way")
        #expect(
            text.list(report) == [
                "Run of upgrade by ann@ops, for 1m15s: running",
                "To 6.12.",
                "Its window closes in 10m.",
                "STEP  NODE  WHAT                OUTCOME",
                "   1  fs2   drain master2       done",
                "   2  fs2   run /bin/up on fs2  under way, waits for its end",
                "   3  -     undrain fs2         waiting",
                "step 2 said:",
                "  | half way",
                "",
                "SCHEDULED  NEXT DUE              UTC                   WHEN                        WINDOW  BY       NOTE",
                "night      2026-11-24T02:00:00Z  2026-11-24T02:00:00Z  once, 2026-11-24T02:00:00Z  -       ann@ops",
                "past       not any more          -                     once, 2026-11-23T02:00:00Z  -       bob@ops  the clock was set back",
            ])
        var empty = report
        empty.run = nil
        empty.schedules = []
        #expect(text.list(empty) == ["No playbook is running.", "", "No playbook is scheduled."])
    }

    @Test("the next time is shown in the zone of the schedule") func local() throws {
        var report = try Fixture.report()
        let window = PlaybookWindow(from: 0, to: 60, zone: "Etc/UTC")
        report.schedules[0].window = window
        #expect(report.schedules[0].localNext(ZoneInfo(folder: "/none")) == "2026-11-24 02:00 UTC")
    }

    @Test("the history is every run with what became of its steps") func history() throws {
        #expect(
            text.history([
                try Fixture.finished(Fixture.rolledBack, upgrade: "failed: exited with 1", output: "no")
            ])
                == [
                    "2026-11-24T02:00:00Z  upgrade by ann@ops, epoch 3.117, 1m30s long: rolled back: step 2 failed",
                    "  STEP  WHAT                OUTCOME",
                    "     1  drain master2       done; undone: fs2 is back",
                    "     2  run /bin/up on fs2  failed: exited with 1",
                    "     3  undrain fs2         skipped: the run ended",
                    "  step 2 said:",
                    "    | no",
                ])
        #expect(text.history([]) == ["No playbook has run yet."])
    }

    @Test("documents have every key, absent values as null") func documents() throws {
        let list = JSONText.compact(PlaybookListDocument(try Fixture.report(), zones: zones))
        for part in [
            #""next":"2026-11-24T02:00:00Z""#, #""window":null"#, #""id":"3.117""#, #""trouble":null"#,
            #""waitingFor":null"#, #""windowSeconds":600"#,
        ] { #expect(list.contains(part), "\(part) in \(list)") }
        let runs = [try Fixture.finished(Fixture.rolledBack, upgrade: "failed: x")]
        let history = JSONText.compact(PlaybookHistoryDocument(runs))
        for part in [#""outcome":"rolled-back""#, #""reason":"step 2 failed""#, #""lastedMs":90000"#] {
            #expect(history.contains(part), "\(part) in \(history)")
        }
    }

    @Test("the running cluster tells names, addresses and its TTL; nothing else is made up") func settings()
        throws
    {
        var report = try StatusFixture.report()
        report.maintenance.names = ["delta"]
        report.dns?.ttl = 30
        report.nodes[4].role = .witness
        let settings = ClusterSettings(running: report)
        #expect(settings.seats.map(\.name) == ["master1", "master2", "master3"])
        #expect(settings.addresses.map(\.name) == ["alpha", "beta", "gamma", "delta"])
        #expect(settings.nodes.filter { $0.kind == .full }.map(\.name) == ["fs1", "fs2", "fs3", "fs4"])
        #expect(settings.dns?.ttl == .seconds(30))
    }

    // MARK: - The history of deeds

    @Test("deeds are a table, the newest last, older ones counted") func deeds() throws {
        let lines = DeedsText(paint: .off, width: nil).lines(try Fixture.deeds(3), newest: 2)
        #expect(
            lines == [
                "TIME                  WHO      WHAT           WHY     OUTCOME  EPOCH",
                "2026-11-24T02:00:01Z  -        drain master1  kernel  agreed   3.101",
                "2026-11-24T02:00:02Z  ann@ops  drain master2  kernel  agreed   3.102",
                "and 1 older ones: --last 3",
            ])
        let document = JSONText.compact(
            HistoryDocument(deeds: try Fixture.deeds(2).map(HistoryDocument.Deed.init), recoveries: []))
        #expect(document.contains(#""who":null"#) && document.contains(#""time":"2026-11-24T02:00:00Z""#))
    }

    @Test("a whole chain is exit 0; one that was changed, or lacks an entry, is exit 1") func verify() throws
    {
        let node = try OneAnswerNode()
        let whole = try Fixture.deeds(4)
        var changed = whole
        changed[2].entry.who = "bob@ops"
        let cut = [whole[0], whole[1], whole[3]]
        for (lines, code) in [(whole, Int32(0)), ([], 0), (changed, 1), (cut, 1)] {
            let answer = try [ControlResponse.shared(.deeds(lines)), .end].map {
                Array(try JSONEncoder().encode($0)) + [10]
            }
            #expect(node.run(["history", "--verify"], answer: Array(answer.joined())) == code)
            #expect(
                node.run(["history", "--verify", "--format", "json"], answer: Array(answer.joined())) == code)
        }
    }

    // MARK: - Exit codes

    private static let repository = #filePath.split(separator: "/").dropLast(3).reduce(into: "") {
        $0 += "/" + $1
    }

    @Test("list and history print what a node answers") func answers() throws {
        let node = try OneAnswerNode()
        let reply = OperatorReply.playbooks(try Fixture.report())
        #expect(try node.run(["playbook", "list"], reply: reply) == 0)
        #expect(try node.run(["playbook", "list", "--format", "json"], reply: reply) == 0)
        #expect(try node.run(["playbook", "history"], reply: reply) == 0)
        #expect(try node.run(["playbook", "history", "night", "--format", "json"], reply: reply) == 0)
        #expect(try node.run(["playbook", "list"], reply: .plan([])) == 3)
    }

    @Test("orders are exit 0 when they are taken and 1 when they are refused") func orders() throws {
        let node = try OneAnswerNode()
        let file = Self.repository + "/playbooks/drain-one.xml"
        let given = [
            file, "--config", Self.repository + "/config/cluster.xml", "--parameter", "target=master2",
        ]
        let accepted = OperatorReply.accepted(Epoch(term: 3, index: 117), ["step 1"])
        let refused = OperatorReply.refused(["upgrade of ann@ops is running"])
        for order in [["run"] + given, ["approve"], ["cancel"], ["cancel", "night"]] {
            #expect(try node.run(["playbook"] + order, reply: accepted) == 0, "\(order)")
            #expect(try node.run(["playbook"] + order, reply: refused) == 1, "\(order)")
        }
        #expect(try node.run(["playbook", "run", "--dry-run"] + given, reply: .plan(["step 1"])) == 0)
        #expect(try node.run(["playbook", "run", "--dry-run"] + given, reply: refused) == 1)
    }

    @Test("wrong words and wrong files are exit 2, before any node is asked") func usage() {
        let file = Self.repository + "/playbooks/drain-one.xml"
        let config = ["--config", Self.repository + "/config/cluster.xml"]
        for order in [
            ["run"], ["run", file] + config, ["run", file, "--parameter", "target=master9"] + config,
            ["run", file, "--dry-run", "--wait"], ["run", file, "--timeout", "5s"],
            ["schedule", file, "--parameter", "target=master2"] + config, ["cancel", "night", "--wait"],
        ] {
            #expect(
                Program.status(of: ["playbook"] + order + ["--control", "/nonexistent/fsdns.sock"]) == 2,
                "\(order)")
        }
        #expect(Program.status(of: ["history", "--last", "0"]) == 2)
        let nobody = ["--control", "/nonexistent/fsdns.sock"]
        #expect(Program.status(of: ["playbook", "run", file] + nobody) == 3)
        #expect(Program.status(of: ["simulate", "drain", "master2"] + nobody) == 3)
        #expect(Program.status(of: ["simulate", "fail", "fs1,fs1"] + nobody) == 2)
    }
}
