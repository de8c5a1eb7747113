import Calendar
import Foundation
import Primitives
import Testing

@testable import Cluster

@Suite("A schedule of playbooks")
struct PlaybookScheduleTests {
    private let wait = PlaybookStep(line: 1, action: .wait(.seconds(1)), timeout: .seconds(10))

    private func scheduled(_ schedule: PlaybookSchedule = .once(WallTime(seconds: 100))) -> Five {
        var five = Five()
        let playbook = Playbook(name: "upgrade", summary: "", steps: [wait], schedule: schedule)
        five.playbook(.schedule(playbook, who: "ann@desk", considered: WallTime(seconds: 10)))
        return five
    }

    private static let minutes = PlaybookSchedule.cron(
        CronLine(
            minutes: .max, hours: .max, days: .max, months: .max, weekdays: .max, text: "* * * * *",
            isEitherDay: false), zone: "UTC")

    @Test("an instant is started at most once, and older ones not after it") func once() throws {
        var five = scheduled(Self.minutes)
        let id = try #require(five.state.playbooks.schedules.first?.id)
        func start(_ due: Int64) -> PlaybookCommand {
            .start(PlaybookStart(playbook: nil, schedule: id, due: WallTime(seconds: due), who: "ann@desk"))
        }
        #expect(five.playbook(start(120)).refusal == nil)
        five.begin(0)
        five.end(0)
        five.playbook(.finish(run: five.run!.id))
        #expect(five.playbook(start(120)).refusal == "that due run was looked at already")
        #expect(five.playbook(start(60)).refusal == "that due run was looked at already")
        #expect(five.playbook(start(180)).refusal == nil)
    }

    @Test("what was due and is lost has a word in the history") func lost() throws {
        var five = scheduled(Self.minutes)
        let id = try #require(five.state.playbooks.schedules.first?.id)
        let through = WallTime(seconds: 300)
        #expect(five.playbook(.consider(schedule: id, through: through, reason: "too late")).refusal == nil)
        #expect(five.playbook(.consider(schedule: id, through: through, reason: "too late")).refusal != nil)
        #expect(five.state.playbooks.finished.map(\.outcome) == [.skipped("too late")])
        #expect(five.state.playbooks.schedules.first?.considered == through)
    }

    @Test("what was due once is scheduled no more") func single() throws {
        var five = scheduled()
        let id = try #require(five.state.playbooks.schedules.first?.id)
        five.playbook(
            .start(PlaybookStart(playbook: nil, schedule: id, due: WallTime(seconds: 100), who: "ann@desk")))
        #expect(five.state.playbooks.schedules.isEmpty)
        #expect(five.run?.due == WallTime(seconds: 100))
    }

    @Test("a schedule replaces one of its name") func replaced() {
        var five = scheduled()
        let playbook = Playbook(name: "upgrade", summary: "new", steps: [wait], schedule: Self.minutes)
        five.playbook(.schedule(playbook, who: "bob@desk", considered: WallTime(seconds: 20)))
        #expect(five.state.playbooks.schedules.map(\.who) == ["bob@desk"])
    }
}

@Suite("The bounds of playbooks")
struct PlaybookBoundsTests {
    private func reason(_ change: (inout Playbook) -> Void) -> String? {
        let step = PlaybookStep(line: 3, action: .wait(.seconds(1)), timeout: .seconds(10))
        var playbook = Playbook(name: "upgrade", summary: "", steps: [step])
        change(&playbook)
        return playbook.implausibility
    }

    @Test("what no arithmetic could bear is found wherever it stands")
    func durations() {
        #expect(reason { _ in } == nil)
        #expect(reason { $0.steps[0].timeout = .seconds(-1) } == "line 3: a duration is out of bounds")
        #expect(
            reason { $0.steps[0].action = .wait(.seconds(1 << 40)) } == "line 3: a duration is out of bounds")
        #expect(
            reason { playbook in
                let inner = playbook.steps
                playbook.steps[0].action = .forEach(.seats, atMost: 0, pause: .zero, steps: inner)
            } == "line 3: at-most is out of bounds")
        #expect(
            reason { $0.schedule = .once(WallTime(seconds: .max)) }
                == "it is scheduled for an instant out of bounds")
    }

    @Test("too many or too long steps are refused") func size() {
        #expect(
            reason { $0.steps = Array(repeating: $0.steps[0], count: 65) } == "it has more than 64 steps")
        #expect(
            reason { playbook in
                playbook.steps[0].action = .approve(String(repeating: "x", count: 20_000))
            } == "its texts are longer than 16384 bytes")
    }

    @Test("a full history stays within its steps, the newest last") func history() {
        var book = PlaybookBook()
        let step = FinishedRun.Step(line: 1, title: "wait", outcome: "done", undone: nil, output: "")
        for number in 0..<60 {
            book.keep(
                FinishedRun(
                    id: Epoch(term: 1, index: UInt64(number)), name: "upgrade", who: "ann@desk", due: nil,
                    began: .zero, ended: .zero, wall: nil, outcome: .done,
                    steps: Array(repeating: step, count: 100)))
        }
        #expect(book.finished.count == 5)
        #expect(book.finished.last?.id.index == 59)
    }

    @Test("texts are cut at whole characters") func cutting() {
        #expect("grüße".tail(of: 4) == "ße")
        #expect("grüße".cut(to: 6) == "gr…")
        #expect("a\u{1B}[31mb\n".printable == "a [31mb\n")
    }
}

@Suite("The audit trail")
struct AuditTests {
    @Test("a deed is kept with who, what and what came of it") func deed() {
        var five = Five()
        let maintenance = Maintenance(reason: "kernel", who: "ann@desk", since: .zero)
        let asked = AskedCommand(
            who: "ann@desk", what: "rest fs4", why: "kernel",
            command: .maintenance(node: "fs4", maintenance))
        five.apply(.asked(asked))
        five.apply(.asked(asked))
        let entries = five.state.audit.entries.filter { !$0.who.isEmpty }
        #expect(entries.map(\.outcome) == ["agreed", "refused: fs4 is already so"])
        #expect(entries.map(\.what) == ["rest fs4", "rest fs4"])
        #expect(five.state.audit.entries.map(\.number) == [1, 2, 3])
    }

    @Test("the newest 500 are kept, and their numbers have no gap") func bounded() {
        var five = Five()
        for _ in 0..<600 {
            five.apply(.asked(AskedCommand(who: "ann@desk", what: "zone apply", why: "", command: nil)))
        }
        #expect(five.state.audit.entries.count == 500)
        #expect(five.state.audit.entries.last?.number == 600)
        #expect(five.state.audit.entries.first?.number == 101)
        #expect(five.state.audit.entries(after: 598).map(\.number) == [599, 600])
        #expect(five.state.audit.entries(after: 600).isEmpty)
        #expect(five.state.audit.entries(after: 3).count == 500)
    }

    @Test("a state from before playbooks can still be read") func olderState() throws {
        let state = ControlState(clusterID: 1, settings: Five.settings)
        let written = try JSONEncoder().encode(state)
        var object = try #require(JSONSerialization.jsonObject(with: written) as? [String: Any])
        for key in ["playbooks", "audit", "ttl"] { object[key] = nil }
        let older = try JSONSerialization.data(withJSONObject: object)
        #expect(try JSONDecoder().decode(ControlState.self, from: older) == state)
    }
}
