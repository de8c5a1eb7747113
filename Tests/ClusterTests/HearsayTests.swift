import Primitives
import Testing

@testable import Cluster

/// A node that the answering one does not hear is not thereby dead: what others hear of it is told.
@Suite("What status knows by the words of others") struct HearsayTests {
    private func report(_ stage: Stage, _ node: Int) throws -> StatusReport {
        try #require(stage.machines[node].node?.statusReport(at: stage.now))
    }

    /// Four nodes; `fs2` holds the seat, another leads.
    private func formed(_ count: Int = 4, takeoversPerHour: Int = 100) -> Stage {
        var seed: UInt64 = 61
        while true {
            var stage = Stage(count, prefer: 2, seed: seed, takeoversPerHour: takeoversPerHour)
            let isFormed = stage.run(.seconds(4)) { $0.holders == [2] && $0.leader != nil }
            stage.run(.seconds(4))
            if isFormed, let leader = stage.leader, leader != 2 { return stage }
            seed += 1
        }
    }

    @Test(
        "a seat whose holder the leader does not hear, or that does not hear the leader, is held, as the others hear",
        arguments: [true, false])
    func oneWay(isLeaderDeaf: Bool) throws {
        var stage = formed()
        let leader = try #require(stage.leader)
        let others = [0, 1, 3].filter { $0 != leader }.map { "fs\($0)" }
        stage.cutHeartbeats.insert(
            isLeaderDeaf ? .init(from: 2, to: leader) : .init(from: leader, to: 2))
        stage.run(.seconds(5))
        #expect(stage.holders == [2] && stage.leader == leader)
        let report = try report(stage, leader)
        let seat = try #require(report.seats.first)
        #expect(seat.state == .active && seat.isStateKnown == true)
        #expect(seat.heardBy == others && seat.unheardBy == "fs\(leader)")
        let line = try #require(report.nodes.first { $0.name == "fs2" })
        #expect(line.heardBy?.map(\.node) == others)
        #expect(line.heardBy?.allSatisfy { $0.ms < 200 } == true)
        #expect(line.lease == "unknown" && line.addresses == ["10.77.0.11"])
        let sentence =
            "fs2, which has master1, is not heard by fs\(leader), but \(others[0]) and \(others[1]) hear it, and so does "
            + "a majority: the seat stays there; let UDP pass from fs2 to fs\(leader) and back"
        #expect(report.warnings.filter { $0.contains("master1") } == [sentence])
        #expect(!report.warnings.contains { $0.contains("loses the quorum") }, "fs2 has its vote")
        // Who hears it says nothing of the kind.
        let heard = try self.report(stage, try #require([0, 1, 3].first { $0 != leader }))
        #expect(heard.seats.first?.state == .active && heard.seats.first?.unheardBy == nil)
        #expect(heard.nodes.first { $0.name == "fs2" }?.lease == "valid")
    }

    @Test("a node that is cut off after a seat was lost does not know whether it is served by now")
    func cutOffAfterALoss() throws {
        var stage = formed(4, takeoversPerHour: 0)
        stage.crash(2)
        stage.run(.seconds(3))
        let leader = try #require(stage.leader)
        let node = try #require([0, 1, 3].first { $0 != leader })
        let before = try report(stage, node)
        #expect(before.seats.first?.state == .uncovered && before.seats.first?.isStateKnown == true)
        #expect(before.warnings.contains { $0.hasPrefix("master1 is not served") })
        let others = [0, 1, 3].filter { $0 != node }
        stage.cut(others.flatMap { [($0, node), (node, $0)] })
        stage.run(.seconds(2))
        let after = try report(stage, node)
        #expect(after.seats.first?.isStateKnown == false && after.seats.first?.unheardBy == "fs\(node)")
        #expect(!after.warnings.contains { $0.hasPrefix("master1 is not served") })
        #expect(
            after.warnings.contains(
                "whether master1 is served is not known here: fs\(node) hears no majority, and others may decide without it; "
                    + "ask another node: fsdns status"))
    }

    @Test("a slave that only others hear is told to be so, not to be silent")
    func slave() throws {
        var stage = formed()
        let leader = try #require(stage.leader)
        let slave = try #require([0, 1, 3].first { $0 != leader })
        let other = try #require([0, 1, 3].first { $0 != leader && $0 != slave })
        stage.cutHeartbeats.insert(.init(from: slave, to: leader))
        stage.run(.seconds(5))
        let names = [other, 2].sorted().map { "fs\($0)" }
        let reason =
            "fs\(slave) is not heard by fs\(leader), although \(names[0]) and \(names[1]) hear it"
        let report = try report(stage, leader)
        let line = try #require(report.nodes.first { $0.name == "fs\(slave)" })
        #expect(line.ready == false && line.blockers == [reason])
        #expect(
            report.warnings.contains("slave fs\(slave) is not ready and is chosen last: \(reason)"),
            "\(report.warnings)")
    }

    @Test("a node that hears too few to know says of no seat that it is uncovered")
    func alone() throws {
        var stage = formed(5)
        let leader = try #require(stage.leader)
        let lone = try #require([0, 1, 3, 4].first { $0 != leader })
        stage.cut((0..<5).filter { $0 != lone }.map { (lone, $0) })
        stage.run(.seconds(3))
        #expect(stage.holders == [2])
        let report = try report(stage, lone)
        #expect(report.seats.first?.isStateKnown == false)
        #expect(report.nodes.first { $0.name == "fs2" }?.lease == "unknown")
        #expect(
            report.warnings.contains(
                "whether fs2 holds master1 is not known here: fs\(lone) hears neither fs2 nor enough others to tell; ask "
                    + "on fs2: fsdns status"), "\(report.warnings)")
    }

    @Test("a holder that died is not covered, by nobody's words, before and after its fence")
    func died() throws {
        var stage = formed(takeoversPerHour: 0)
        let leader = try #require(stage.leader)
        stage.crash(2)
        for _ in 0..<60 {
            stage.run(.milliseconds(50))
            #expect(try report(stage, leader).seats.first?.isStateKnown == true)
        }
        #expect(try report(stage, leader).seats.first?.state == .uncovered)
        #expect(try report(stage, leader).nodes.first { $0.name == "fs2" }?.lease == "expired")
    }
}
