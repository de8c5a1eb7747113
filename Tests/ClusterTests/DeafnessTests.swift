import Consensus
import Testing

@testable import Cluster

@Suite("Nodes that do not hear each other although others hear both") struct DeafnessTests {
    private static let beginning = "heartbeats do not pass on any ring between nodes that others hear: "

    private func sentences(_ stage: Stage) -> [[String]] {
        stage.machines.map { machine in
            let warnings = machine.node?.statusReport(at: stage.now).warnings ?? []
            return warnings.filter { $0.hasPrefix(Self.beginning) }.map {
                String($0.dropFirst(Self.beginning.count).prefix { $0 != ";" })
            }
        }
    }

    @Test(
        "a node that does not hear the leader, or is not heard by it, is named on every node",
        arguments: [0, 1])
    func oneWay(isLeaderDeaf: Int) throws {
        var stage = Stage(4, prefer: 0, seed: 11)
        stage.run(.seconds(5)) { $0.leader != nil }
        stage.run(.seconds(4))
        #expect(sentences(stage).joined().isEmpty)
        let leader = try #require(stage.leader)
        let other = (leader + 1) % 4
        let way =
            isLeaderDeaf == 1 ? Stage.Way(from: other, to: leader) : Stage.Way(from: leader, to: other)
        stage.cutHeartbeats.insert(way)
        stage.run(.seconds(4))
        let expected = "fs\(way.to) does not hear fs\(way.from)"
        #expect(sentences(stage) == [[String]](repeating: [expected], count: 4))
        stage.cutHeartbeats = []
        stage.run(.seconds(4))
        #expect(sentences(stage).joined().isEmpty)
        #expect(stage.violations.isEmpty)
    }

    private func warnings(_ stage: Stage, _ node: Int) -> [String] {
        (stage.machines[node].node?.statusReport(at: stage.now).warnings ?? []).filter {
            $0.contains("heartbeats") && !$0.contains("asks to join")
        }
    }

    /// Formed, and led by another than the last.
    private func formed(_ count: Int, seed: UInt64) -> Stage {
        var seed = seed
        while true {
            var stage = Stage(count, prefer: 0, seed: seed)
            stage.run(.seconds(5)) { $0.leader != nil }
            stage.run(.seconds(4))
            if let leader = stage.leader, leader != count - 1, leader != 0 { return stage }
            seed += 1
        }
    }

    @Test("a node that hears nobody is named as a whole on every other node")
    func deafToAll() {
        var stage = formed(4, seed: 21)
        for other in 0..<3 { stage.cutHeartbeats.insert(.init(from: other, to: 3)) }
        stage.run(.seconds(6))
        let sentence =
            "fs3 hears nobody's heartbeats, though it runs; let UDP in there: look at packet filter, cable and switch "
            + "port of that machine, and fsdns rings there"
        for node in 0..<3 { #expect(warnings(stage, node) == [sentence], "fs\(node)") }
        stage.cutHeartbeats = []
        stage.run(.seconds(8))
        for node in 0..<4 { #expect(warnings(stage, node).isEmpty, "fs\(node)") }
    }

    @Test("a node that nobody hears says so itself, and so does the leader, to whom its link speaks")
    func heardByNobody() throws {
        var stage = formed(4, seed: 31)
        for other in 0..<3 { stage.cutHeartbeats.insert(.init(from: 3, to: other)) }
        stage.run(.seconds(6))
        let sentence =
            "nobody hears the heartbeats of fs3, though it runs; let UDP out of it: look at packet filter, cable and "
            + "switch port of that machine, and fsdns rings there"
        let leader = try #require(stage.leader)
        #expect(warnings(stage, 3) == [sentence])
        #expect(warnings(stage, leader) == [sentence])
    }

    private func halve(_ stage: inout Stage) {
        for (a, b) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
            stage.cutHeartbeats.insert(.init(from: a, to: b))
            stage.cutHeartbeats.insert(.init(from: b, to: a))
        }
    }

    @Test("two halves that do not hear each other are both named, by who hears both and by each of them")
    func halves() {
        var stage = formed(5, seed: 41)
        halve(&stage)
        stage.run(.seconds(6))
        func sentence(_ text: String) -> [String] {
            [
                "heartbeats do not pass between parts of the cluster: \(text); look for the switch, the trunk or the "
                    + "filter between them"
            ]
        }
        #expect(
            warnings(stage, 4)
                == sentence("fs0 and fs1 on one side, fs2 and fs3 on the other do not hear each other"))
        #expect(warnings(stage, 0) == sentence("fs0 and fs1 do not hear fs2 and fs3"))
        #expect(warnings(stage, 3) == sentence("fs2 and fs3 do not hear fs0 and fs1"))
    }

    @Test("where nobody hears both halves, each of them says who is in which")
    func halvesApart() {
        var stage = Stage(4, prefer: 0, seed: 51)
        stage.run(.seconds(5)) { $0.leader != nil }
        stage.run(.seconds(4))
        halve(&stage)
        stage.run(.seconds(8))
        for (node, halves) in [
            (0, "fs0 and fs1 hear each other and nothing of fs2 and fs3"),
            (3, "fs2 and fs3 hear each other and nothing of fs0 and fs1"),
        ] {
            let told = stage.machines[node].node?.statusReport(at: stage.now).warnings ?? []
            #expect(
                told.contains { $0.hasPrefix("no majority is heard: ") && $0.hasSuffix(halves) }, "\(told)")
        }
    }

    private func majority(_ stage: Stage, _ node: Int) -> String? {
        let told = stage.machines[node].node?.statusReport(at: stage.now).warnings ?? []
        return told.first { $0.hasPrefix("no majority is heard: ") }
    }

    /// The ends of all links of a machine, as its service tells them.
    private func linked(_ stage: inout Stage, _ node: Int, to others: [Int]) {
        let members = others.map { MemberID(name: "fs\($0)", birth: UInt64($0) + 1) }
        stage.happen(.linksSeen(members), at: node)
    }

    @Test("halves whose links stand are told to run, and nobody is sent to start them")
    func halvesWithLinks() {
        var stage = Stage(4, prefer: 0, seed: 51)
        stage.run(.seconds(5)) { $0.leader != nil }
        stage.run(.seconds(4))
        for node in 0..<4 { linked(&stage, node, to: (0..<4).filter { $0 != node }) }
        halve(&stage)
        stage.run(.seconds(8))
        #expect(
            majority(stage, 0)
                == "no majority is heard: 2 of 4 votes, nothing can be decided here; fs2 and fs3 run all the same, and "
                + "their links stand (TCP): let UDP pass between fs0 and fs1 on one side, fs2 and fs3 on the other; "
                + "look at packet filters, cables and switch ports, and fsdns rings on both sides")
        #expect(
            warnings(stage, 3).contains {
                $0.hasPrefix(
                    "heartbeats do not pass between parts of the cluster: fs2 and fs3 do not hear fs0 and fs1"
                )
            }, "\(warnings(stage, 3))")
        let lost = OperatorRequest.recoverQuorum(lost: ["fs2", "fs3"], dryRun: true, who: "ops")
        stage.run(.seconds(4))
        guard case .refused(let reasons)? = stage.ask(0, lost) else {
            Issue.record("who runs is given up")
            return
        }
        #expect(reasons.contains { $0.hasPrefix("fs2 is not lost: it is not heard here, and runs") })
    }

    @Test(
        "of those that a deaf node hears no more, only those without a link may be down", arguments: [1, 2])
    func deafWithLinks(_ standing: Int) {
        var stage = formed(3, seed: 61)
        for other in 0..<2 { stage.cutHeartbeats.insert(.init(from: other, to: 2)) }
        linked(&stage, 2, to: Array(0..<standing))
        // What still came by links when it began is no sign any more.
        for other in 0..<2 { stage.cutMessages.insert(.init(from: other, to: 2)) }
        stage.run(.seconds(8))
        let told = majority(stage, 2)
        #expect(told?.contains("start fs1 where down") == (standing == 1), "\(told ?? "")")
        #expect(
            told?.contains(standing == 1 ? "fs0 runs all the same, and its link stands" : "fs0 and fs1 run")
                == true,
            "\(told ?? "")")
    }

    @Test("the link of a machine that lost its power says nothing until TCP must have noticed")
    func staleLink() {
        var stage = formed(3, seed: 71)
        for other in 0..<2 { stage.crash(other) }
        linked(&stage, 2, to: [0, 1])
        for _ in 0..<16 {
            stage.run(.milliseconds(250))
            #expect(majority(stage, 2)?.contains("all the same") != true)
        }
    }

    @Test("a heartbeat whose number is as large as can be is counted, and ends nothing")
    func largest() throws {
        var stage = Stage(3, prefer: 0, seed: 13)
        stage.run(.seconds(5)) { $0.leader != nil }
        stage.run(.seconds(1))
        let said = try #require(stage.machines[0].node?.neighbours.all.first?.heartbeat)
        var largest = said
        largest.sequence = .max
        stage.play(largest, to: 0)
        stage.run(.milliseconds(2))
        #expect(stage.machines[0].node?.statusReport(at: stage.now).nodes.count == 3)
    }

    @Test("two nodes that do not hear each other are named, a node that died is not")
    func bothWays() throws {
        var stage = Stage(4, prefer: 0, seed: 12)
        stage.run(.seconds(5)) { $0.leader != nil }
        stage.run(.seconds(4))
        stage.cut([(1, 2)])
        stage.run(.seconds(4))
        let both = "fs1 and fs2 do not hear each other"
        #expect(
            sentences(stage) == [[both], ["fs1 does not hear fs2"], ["fs2 does not hear fs1"], [both]],
            "neither of the two knows what the other hears")
        stage.join([(1, 2)])
        stage.run(.seconds(4))
        stage.crash(3)
        for _ in 0..<60 {
            stage.run(.milliseconds(50))
            #expect(sentences(stage).joined().isEmpty)
        }
    }
}
