import Consensus
import Testing

@testable import Cluster

/// Nodes that are gone for good.
@Suite struct ForgetTests {
    private func formed() throws -> (Stage, leader: Int, other: Int) {
        for seed in 0..<UInt64(60) {
            var stage = Stage(3, prefer: 2, seed: seed)
            guard stage.run(.seconds(4), until: { $0.holders == [2] }), let leader = stage.leader, leader != 2
            else { continue }
            stage.run(.seconds(1))
            return (stage, leader, 1 - leader)
        }
        throw NotFormed()
    }
    private struct NotFormed: Error {}

    private func refusal(_ reply: OperatorReply?) -> String? {
        if case .refused(let reasons)? = reply { reasons.joined(separator: "; ") } else { nil }
    }

    @Test("a node that is heard, holds an address or is unknown is not forgotten")
    func refusals() throws {
        var (stage, leader, other) = try formed()
        func forget(_ node: String) -> String? { refusal(stage.ask(leader, .forget(node: node, who: "ops"))) }
        #expect(forget("fs\(other)") == "fs\(other) is heard: stop it first")
        #expect(forget("fs\(leader)") == "fs\(leader) is heard: stop it first")
        #expect(forget("fs9") == "no node fs9; the nodes are fs0, fs1, fs2")
        let state = try #require(stage.state(leader))
        let holder = try #require(state.member("fs2")?.holder)
        #expect(state.obstacle(toForgetting: holder)?.hasPrefix("fs2 holds alpha") == true)
    }

    @Test("a forgotten node votes no more, is in no status, and joins as a new one when it comes back")
    func forgotten() throws {
        var (stage, leader, other) = try formed()
        stage.crash(other)
        stage.run(.seconds(3))
        #expect(stage.voters(by: leader) == 3, "of three voters a failed one stays")
        let reply = stage.ask(leader, .forget(node: "fs\(other)", who: "ops"))
        guard case .accepted? = reply else {
            Issue.record("\(String(describing: reply))")
            return
        }
        stage.run(.seconds(1))
        #expect(stage.voters(by: leader) == 2)
        let report = try #require(stage.machines[leader].node?.statusReport(at: stage.now))
        #expect(!report.nodes.contains { $0.name == "fs\(other)" })
        #expect(stage.state(leader)?.audit.entries.last { !$0.who.isEmpty }?.what == "forget fs\(other)")
        stage.start(other)
        check(
            stage.run(.seconds(8)) { stage in
                stage.state(leader)?.member("fs\(other)")?.isActive == true && stage.voters(by: leader) == 3
            })
        #expect(stage.state(leader)?.forgotten == nil)
        #expect(stage.violations == [])
    }
}
