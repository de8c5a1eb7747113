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
