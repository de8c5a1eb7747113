import Testing

@testable import Cluster

extension Five {
    @discardableResult
    mutating func playbook(_ command: PlaybookCommand, at time: ClusterTime = .zero) -> Applied {
        apply(.playbook(command), at: time)
    }

    /// Starts a run of these steps by hand.
    @discardableResult
    mutating func start(_ steps: [PlaybookStep], _ change: (inout Playbook) -> Void = { _ in }) -> Applied {
        var playbook = Playbook(name: "upgrade", summary: "kernel", steps: steps)
        change(&playbook)
        return self.playbook(.start(PlaybookStart(playbook: playbook, who: "ann@desk")))
    }

    @discardableResult
    mutating func begin(_ step: Int, at time: ClusterTime = .zero) -> Applied {
        playbook(.begin(run: run!.id, step: step), at: time)
    }

    @discardableResult
    mutating func end(_ step: Int, _ verdict: StepOutcome.Verdict = .done(nil), output: String = "")
        -> Applied
    {
        playbook(.outcome(run!.id(of: step)!, StepOutcome(verdict, output: output)))
    }

    /// A free node goes to rest, as a drain step has it.
    mutating func rest(_ step: Int, _ node: String) {
        begin(step)
        playbook(.rest(run!.id(of: step)!, Self.holder(node), reason: "kernel"))
    }

    var run: PlaybookRun? { state.playbooks.run }

    /// `done | under way | waiting`
    var steps: String { run?.steps.map(\.condition.text).joined(separator: " | ") ?? "none" }
}

private func step(_ action: PlaybookAction, undo: CommandOrder? = nil) -> PlaybookStep {
    PlaybookStep(line: 1, action: action, timeout: .seconds(10), undo: undo)
}

private func order(_ node: String) -> CommandOrder {
    CommandOrder(node: node, program: "/bin/true", arguments: [], timeout: .seconds(1))
}

private let wait = step(.wait(.seconds(1)))
private func drain(_ target: String) -> PlaybookStep {
    step(.drain(target: target, deadline: nil, onDeadline: .wait, reason: ""))
}

@Suite("A run of a playbook")
struct PlaybookRunTests {
    @Test("a for-each becomes its steps for every item, one item after the other")
    func expansion() throws {
        var five = Five()
        let inner = [drain("${item}"), step(.run(order("${node}")))]
        five.start([
            wait, step(.forEach(.seats, atMost: 1, pause: .seconds(5), steps: inner)),
            step(.undrain(node: "fs1")),
        ])
        let run = try #require(five.run)
        #expect(
            run.steps.map(\.action.title) == [
                "wait 1 s", "drain master1", "run /bin/true on ${node}", "drain master2",
                "run /bin/true on ${node}", "drain master3", "run /bin/true on ${node}", "undrain fs1",
            ])
        #expect(run.steps.map(\.after) == [[], [0], [1], [2], [3], [4], [5], [6]])
        #expect(run.steps.map(\.pause.milliseconds) == [0, 0, 0, 5000, 0, 5000, 0, 0])
    }

    @Test("with at most two items, the third comes after the first and what follows after the last two")
    func lanes() throws {
        var five = Five()
        five.start([step(.forEach(.seats, atMost: 2, pause: .zero, steps: [wait])), wait])
        #expect(try #require(five.run).steps.map(\.after) == [[], [], [0], [1, 2]])
    }

    @Test("a for-each of nothing is stepped over") func nothing() throws {
        var five = Five()
        five.start([wait, step(.forEach(.named([]), atMost: 1, pause: .zero, steps: [wait])), wait])
        #expect(try #require(five.run).steps.map(\.after) == [[], [0]])
    }

    @Test("too many steps are refused") func tooMany() {
        var five = Five()
        let items = (0..<200).map { "\($0)" }
        let applied = five.start([
            step(.forEach(.named(items), atMost: 1, pause: .zero, steps: [wait, wait]))
        ])
        #expect(applied.refusal == "upgrade cannot run: it has more than 256 steps with all its items")
    }

    @Test("a second run is refused, naming who runs the first") func oneRun() {
        var five = Five()
        five.start([wait])
        #expect(five.start([wait]).refusal == "ann@desk runs upgrade already")
    }

    @Test("a step begins once, and only after the one before it and the pause")
    func inOrder() {
        var five = Five()
        five.start([wait, wait])
        #expect(five.begin(1).refusal == "that step cannot begin now")
        five.begin(0)
        #expect(five.begin(0).refusal == "that step cannot begin now")
        five.end(0)
        #expect(five.begin(1).refusal == nil)
        #expect(five.steps == "done | under way")
    }

    @Test("an outcome of another beginning changes nothing") func otherBeginning() throws {
        var five = Five()
        five.start([wait])
        five.begin(0)
        var id = try #require(five.run?.id(of: 0))
        id.begun.index += 1
        #expect(five.playbook(.outcome(id, StepOutcome(.done(nil)))).refusal == "that step is not under way")
        #expect(five.steps == "under way")
    }

    @Test("a run is given to one life of one node, once") func assigned() throws {
        var five = Five()
        five.start([
            step(.run(Cluster.CommandOrder(node: "fs4", program: "/x", arguments: [], timeout: .seconds(1))))
        ])
        five.begin(0)
        let id = try #require(five.run?.id(of: 0))
        #expect(five.playbook(.assign(id, Five.holder("fs4"))).refusal == nil)
        #expect(five.playbook(.assign(id, Five.holder("fs5"))).refusal == "somebody executes it already")
    }

    @Test("a life that is not active is given nothing") func fencedExecutor() throws {
        var five = Five()
        five.start([step(.run(order("fs4")))])
        five.begin(0)
        let id = try #require(five.run?.id(of: 0))
        #expect(five.playbook(.assign(id, Five.holder("fs4", 2))).refusal == "fs4/2 is not active")
    }

    @Test("a run ends when all its steps are done, and not before") func finish() throws {
        var five = Five()
        five.start([wait])
        let id = try #require(five.run?.id)
        #expect(five.playbook(.finish(run: id)).refusal == "steps of upgrade are left")
        five.begin(0)
        #expect(five.playbook(.finish(run: id)).refusal == "a step of upgrade is under way")
        five.end(0)
        #expect(five.playbook(.finish(run: id)).refusal == nil)
        #expect(five.state.playbooks.finished.map(\.outcome) == [.done])
        #expect(five.run == nil)
    }

    @Test("${node} is the node the drain of the same item put into maintenance") func node() throws {
        var five = Five()
        let inner = [drain("${item}"), step(.run(order("${node}")))]
        five.start([step(.forEach(.named(["fs4", "fs5"]), atMost: 2, pause: .zero, steps: inner))])
        five.rest(0, "fs4")
        five.rest(2, "fs5")
        five.begin(1)
        five.begin(3)
        #expect(
            try #require(five.run).steps.map(\.action.title) == [
                "drain fs4", "run /bin/true on fs4", "drain fs5", "run /bin/true on fs5",
            ])
    }

    @Test("${node} without a drain before it fails the step") func noNode() {
        var five = Five()
        five.start([step(.run(order("${node}")))])
        five.begin(0)
        #expect(five.steps == "failed: no drain of this run has put a node into maintenance before it")
    }

    @Test("output is kept from its end, for a step and for a run") func output() throws {
        var five = Five()
        five.start((0..<20).map { _ in step(.run(order("fs4"))) })
        for number in 0..<20 {
            five.begin(number)
            five.end(number, output: String(repeating: "x", count: 9000) + "end")
        }
        let sizes = try #require(five.run).steps.map(\.output.utf8.count)
        #expect(sizes[0] == 4096)
        #expect(sizes.reduce(0, +) == 65_536)
        #expect(try #require(five.run).steps[0].output.hasSuffix("end"))
    }
}

@Suite("A run that does not go on")
struct PlaybookUndoTests {
    @Test("a failed step skips the rest and begins to undo") func failure() {
        var five = Five()
        five.start([drain("fs4"), step(.run(order("fs4"))), wait])
        five.rest(0, "fs4")
        five.begin(1)
        five.end(1, .failed("exited with 1"))
        #expect(
            five.steps == "done: it held no address | failed: exited with 1 | skipped: the run ended before")
        #expect(five.run?.phase.word == "undoing")
        #expect(five.run?.nextToUndo == 0)
    }

    @Test("steps are undone newest first, one after the other") func newestFirst() throws {
        var five = Five()
        five.start([drain("fs4"), step(.run(order("fs4")), undo: order("fs4")), wait])
        five.rest(0, "fs4")
        five.begin(1)
        five.end(1)
        let run = try #require(five.run?.id)
        five.playbook(.abandon(run: run, reason: "cancelled", undoes: true))
        #expect(five.playbook(.beginUndo(run: run, step: 0)).refusal == "that step cannot be undone now")
        #expect(five.playbook(.beginUndo(run: run, step: 1)).refusal == nil)
        #expect(five.playbook(.beginUndo(run: run, step: 0)).refusal == "that step cannot be undone now")
        five.end(1)
        five.playbook(.beginUndo(run: run, step: 0))
        five.playbook(.undrain(try #require(five.run?.id(of: 0))))
        #expect(five.state.member("fs4")?.maintenance == nil)
        #expect(five.playbook(.finish(run: run)).refusal == nil)
        #expect(five.state.playbooks.finished.last?.outcome == .rolledBack("cancelled"))
    }

    @Test("an undo that failed is told, and the older steps are undone all the same") func partly() throws {
        var five = Five()
        five.start([drain("fs4"), step(.run(order("fs4")), undo: order("fs4"))])
        five.rest(0, "fs4")
        five.begin(1)
        five.end(1)
        let run = try #require(five.run?.id)
        five.playbook(.abandon(run: run, reason: "cancelled", undoes: true))
        five.playbook(.beginUndo(run: run, step: 1))
        five.end(1, .failed("exited with 3"))
        #expect(five.run?.nextToUndo == 0)
        five.playbook(.beginUndo(run: run, step: 0))
        five.playbook(.undrain(try #require(five.run?.id(of: 0))))
        five.playbook(.finish(run: run))
        #expect(five.state.playbooks.finished.last?.outcome == .rolledBackPartly("cancelled"))
        #expect(five.state.playbooks.finished.last?.steps[1].undone == "not undone: exited with 3")
    }

    @Test("what was done to a node that is in service again is not undone under its calls") func inService()
        throws
    {
        var five = Five()
        five.start([
            drain("fs4"), step(.run(order("fs4")), undo: order("fs4")), step(.undrain(node: "fs4")), wait,
        ])
        five.rest(0, "fs4")
        five.begin(1)
        five.end(1)
        five.begin(2)
        five.playbook(.undrain(try #require(five.run?.id(of: 2))))
        five.end(2)
        let run = try #require(five.run?.id)
        five.playbook(.abandon(run: run, reason: "cancelled", undoes: true))
        five.playbook(.beginUndo(run: run, step: 1))
        #expect(five.run?.steps[1].undoing == .done("fs4 is in service again; its undo was not run"))
    }

    @Test("maintenance that somebody else gave is not taken away") func foreignMaintenance() throws {
        var five = Five()
        five.start([drain("fs4"), wait])
        five.rest(0, "fs4")
        five.apply(.maintenance(node: "fs4", nil))
        let other = Maintenance(reason: "disk", who: "bob@desk", since: ClusterTime(nanoseconds: 5))
        five.apply(.maintenance(node: "fs4", other))
        let run = try #require(five.run?.id)
        five.playbook(.abandon(run: run, reason: "cancelled", undoes: true))
        five.playbook(.beginUndo(run: run, step: 0))
        #expect(five.run?.steps[0].undoing == .done("fs4 was back in service"))
        #expect(five.state.member("fs4")?.maintenance == other)
    }

    @Test("a failure elsewhere ends the run, one of its own does not") func nodeFailure() {
        var five = Five()
        five.start([drain("fs4"), wait, wait])
        five.rest(0, "fs4")
        five.fence("fs4")
        #expect(five.run?.isRunning == true)
        five.fence("fs5", .left)
        #expect(five.run?.isRunning == true)
        five.fence("fs3")
        #expect(five.run?.phase == .undoing("fs3 failed: nothing was heard from it"))
    }

    @Test("a run that bears failures goes on") func bears() {
        var five = Five()
        five.start([wait]) { $0.aborts.onNodeFailure = false }
        five.fence("fs3")
        #expect(five.run?.isRunning == true)
    }

    @Test("a run that does not roll back stops, and a cancel undoes it all the same") func stopping() throws {
        var five = Five()
        five.start([drain("fs4"), wait]) { $0.rollsBack = false }
        five.rest(0, "fs4")
        five.begin(1)
        five.end(1, .failed("too late"))
        #expect(five.run?.phase.word == "stopping")
        #expect(five.run?.nextToUndo == nil)
        let run = try #require(five.run?.id)
        five.playbook(.abandon(run: run, reason: "cancelled", undoes: true))
        #expect(five.run?.nextToUndo == 0)
        #expect(
            five.playbook(.abandon(run: run, reason: "again", undoes: true)).refusal
                == "upgrade is being undone already")
    }

    @Test("a notice that nobody got ends no run") func notice() {
        var five = Five()
        five.start([step(.notify(.webhook("http://pager/"))), wait])
        five.begin(0)
        five.end(0, .failed("no answer"))
        #expect(five.steps == "done: not delivered: no answer | waiting")
    }
}
