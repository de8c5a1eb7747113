import Dispatch
import FoundationEssentials
import Lab
import Testing

extension LabSuites {
    @Suite("Playbooks on a bad day")
    struct PlaybookBadDayTests {
        @Test("programs that hang or flood are ended in time, told of, and the run is rolled back")
        func hangAndFlood() throws {
            let lab = try Lab()
            defer { lab.close() }
            let site = try PlaybookSite(lab)
            let before = try lab.status()
            let drained = try site.cluster.holder(of: "master2")
            let hang = try site.write(
                "hang",
                """
                  <drain target="master2" deadline="5s" on-deadline="handover"/>
                  <run node="${node}" program="/bin/sleep" timeout="2s"><argument>86423</argument></run>
                """)
            let said = try site.ask(["run", hang, "--wait", "--timeout", "1m"], seconds: 70)
            #expect(said.status == 1, "\(said)")
            #expect(said.errors.contains("rolled back"), "\(said)")
            var run = try #require(try site.history(of: "hang").last)
            #expect(run.outcome == "rolled-back", "\(run)")
            #expect(run.steps[1].outcome.hasPrefix("failed: did not end in time"), "\(run)")
            #expect(run.steps[0].undone?.hasPrefix("undone") == true, "\(run)")
            #expect(processes(saying: "86423").isEmpty)
            #expect(try lab.waitUntilSettled().node(drained.name)?.role == "slave")

            let flood = try site.write(
                "flood",
                """
                  <run node="fs5" program="/usr/bin/yes" timeout="2s"><argument>fsdns-flood</argument></run>
                """)
            #expect(try site.ask(["run", flood, "--wait", "--timeout", "30s"], seconds: 40).status == 1)
            run = try #require(try site.history(of: "flood").last)
            #expect(run.steps[0].outcome.hasPrefix("failed"), "\(run)")
            #expect(run.steps[0].output.contains("bytes more were not kept"), "\(run)")
            #expect(run.steps[0].output.utf8.count <= 512)
            #expect(processes(saying: "fsdns-flood").isEmpty)
            #expect(try lab.waitUntilSettled().seats.count == before.seats.count)
            try site.cluster.checkNoOverlap()
        }

        /// Processes on this machine with that word among their arguments.
        private func processes(saying word: String) -> [String] {
            let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            return entries.filter { entry in
                guard Int(entry) != nil,
                    let bytes = FileManager.default.contents(atPath: "/proc/\(entry)/cmdline")
                else { return false }
                return bytes.split(separator: 0).contains { String(decoding: $0, as: UTF8.self) == word }
            }
        }

        @Test("a program that kills its node is not run again, and the run is rolled back")
        func killsItsNode() throws {
            let lab = try Lab()
            defer { lab.close() }
            let site = try PlaybookSite(lab)
            let slave = try #require(try lab.status().nodes.last { $0.role == "slave" }).name
            let program = try site.script(
                "killer", "echo \"$FSDNS_NODE\" >> '\(lab.directory)/killed'; kill -9 $PPID; sleep 60")
            let file = try site.write(
                "killer",
                """
                  <abort-if node-fails="no"/>
                  <drain target="master1" deadline="5s" on-deadline="handover"/>
                  <run node="\(slave)" program="\(program)" timeout="20s"/>
                """)
            let drained = try site.cluster.holder(of: "master1")
            try site.tell("run", file)
            let host = try lab.host(slave)
            try wait(for: "\(slave) to be killed", atMost: 30) { host.exitStatus() != nil }
            try host.startService()
            let run = try site.waitForEnd(of: "killer")
            #expect(run.outcome == "rolled-back", "\(run)\n\(lab.troubles())")
            #expect(run.steps[1].outcome.hasPrefix("unknown"), "\(run)")
            #expect(run.steps[0].undone?.hasPrefix("undone") == true, "\(run)")
            #expect(try lab.waitUntilSettled().node(drained.name)?.role == "slave")
            #expect(site.lines(of: "killed") == [slave])
            try site.cluster.checkAgreement()
            try site.cluster.checkNoOverlap()
        }

        @Test("a run goes on when its leader loses its power, and no step is done twice")
        func leaderDies() throws {
            let lab = try Lab()
            defer { lab.close() }
            let site = try PlaybookSite(lab)
            let leader = try lab.host(try #require(try lab.status().leader))
            let worker = try #require(lab.hosts.first { $0 !== leader })
            let program = try site.script(
                "work", "echo \"$1 $FSDNS_NODE\" >> '\(lab.directory)/work'; sleep 4; echo worked")
            let step = { (word: String) in
                "<run node=\"\(worker.name)\" program=\"\(program)\"><argument>\(word)</argument></run>"
            }
            let file = try site.write(
                "survivor",
                """
                  <abort-if node-fails="no" quorum-thin="no"/>
                  \(step("first"))
                  <wait for="1s"/>
                  \(step("second"))
                  <check headroom="1" timeout="30s"/>
                """)
            try site.tell("run", file)
            try wait(for: "the first program", atMost: 15) { site.lines(of: "work").count == 1 }
            try leader.cutPower()
            let run = try site.waitForEnd(of: "survivor")
            #expect(run.outcome == "done", "\(run)\n\(lab.troubles())")
            #expect(site.lines(of: "work") == ["first \(worker.name)", "second \(worker.name)"])
            #expect(try lab.status().leader != leader.name)
            try site.cluster.checkNoOverlap()
        }

        @Test("a playbook that is due starts by itself, once, and may be taken off before")
        func schedule() throws {
            let lab = try Lab()
            defer { lab.close() }
            let site = try PlaybookSite(lab)
            let program = try site.script("due", "date >> '\(lab.directory)/due'")
            let due = Date(timeIntervalSinceNow: 10)
            let text = due.formatted(.iso8601).replacing("Z", with: "")
            let steps = "  <run node=\"fs5\" program=\"\(program)\"/>"
            let file = try site.write("due", "  <schedule at=\"\(text)\" zone=\"UTC\"/>\n\(steps)")
            let late = try site.write(
                "late", "  <schedule cron=\"0 4 * * *\" zone=\"Europe/Berlin\"/>\n\(steps)")
            try site.tell("schedule", file)
            try site.tell("schedule", late)
            try wait(for: "the next due times", atMost: 5, every: 100) {
                try site.list().schedules.allSatisfy { $0.next != nil }
            }
            #expect(try site.list().schedules.map(\.name) == ["due", "late"])
            #expect(try site.list().schedules.first?.next == text + "Z")
            #expect(try site.list().schedules.allSatisfy { $0.who.hasSuffix("(claims ann@ops)") })
            try site.tell("cancel", "late")
            #expect(try site.list().schedules.map(\.name) == ["due"])
            let unknown = try site.ask(["cancel", "late"])
            #expect(unknown.status == 1 && unknown.errors.contains("scheduled are due"), "\(unknown)")

            try wait(for: "the run that is due", atMost: 30, every: 200) {
                try site.history(of: "due").last?.outcome == "done"
            }
            let run = try site.history(of: "due")
            #expect(run.map(\.due) == [text + "Z"])
            pause(milliseconds: 2000)
            #expect(site.lines(of: "due").count == 1)
            #expect(try site.history(of: "due").count == 1)
            #expect(try site.history(of: "late").isEmpty)
            let again = try site.ask(["schedule", file])
            #expect(again.status == 1 && again.errors.contains("is over"), "\(again)")
        }

        @Test("of two operators one wins, and the other is told who; a cancel undoes what was done")
        func twoOperators() throws {
            let lab = try Lab()
            defer { lab.close() }
            let site = try PlaybookSite(lab)
            let files = try ["left", "right"].map {
                try site.write(
                    $0,
                    "  <switchover seat=\"master3\" to=\"fs5\"/>\n  <approve ask=\"Go on?\" timeout=\"5m\"/>")
            }
            let home = try site.cluster.holder(of: "master3")
            var answers: [Launch.Output?] = [nil, nil]
            let asking = zip(files, lab.hosts).enumerated().map { place, pair in
                Asking(place) {
                    try site.ask(["run", pair.0], as: ["ann@left", "bob@right"][place], of: pair.1)
                }
            }
            for question in asking { answers[question.place] = try question.answer() }
            #expect(answers.map { $0?.status }.sorted { ($0 ?? 9) < ($1 ?? 9) } == [0, 1], "\(answers)")
            let winner = answers[0]?.status == 0 ? 0 : 1
            let names = [("left", "ann@left"), ("right", "bob@right")]
            let refusal = answers[1 - winner]?.errors ?? ""
            #expect(refusal.contains(names[winner].0) && refusal.contains(names[winner].1), "\(refusal)")

            let approval = try site.untilStep(2) { $0.outcome == "under way" }
            #expect(approval.title == "approval: Go on?")
            #expect(try site.cluster.holder(of: "master3").name == "fs5")
            let cancelled = try site.ask(["cancel", "--wait", "--timeout", "30s"], seconds: 40)
            #expect(cancelled.status == 0, "\(cancelled)")
            let run = try #require(try site.history(of: names[winner].0).last)
            #expect(run.outcome == "rolled-back" && run.reason?.contains("ann@ops") == true, "\(run)")
            #expect(try lab.waitUntilSettled().seat("master3")?.holder == home.name)
            #expect(try site.history(of: names[1 - winner].0).isEmpty)
            try site.cluster.checkNoOverlap()
        }
    }
}

/// A question that is asked while others are.
private final class Asking: @unchecked Sendable {
    let place: Int
    private let done = DispatchSemaphore(value: 0)
    /// Written before the semaphore is signalled, read after it.
    private var result: Result<Launch.Output, any Error>?

    init(_ place: Int, _ body: @escaping () throws -> Launch.Output) {
        self.place = place
        let boxed = Boxed(body: body)
        DispatchQueue.global().async { [self] in
            result = Result { try boxed.body() }
            done.signal()
        }
    }

    func answer() throws -> Launch.Output {
        done.wait()
        guard let result else { throw LabFailure("a question was not asked") }
        return try result.get()
    }

    /// Given to that one thread.
    private struct Boxed: @unchecked Sendable {
        var body: () throws -> Launch.Output
    }
}
