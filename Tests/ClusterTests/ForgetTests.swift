import Calendar
import Consensus
import Primitives
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
        #expect(forget("fs\(other)")?.hasPrefix("fs\(other) is heard: stop it first") == true)
        #expect(forget("fs\(leader)")?.hasPrefix("fs\(leader) is heard: stop it first") == true)
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

    @Test("an operator revokes what a name had until now, once the leader has read a clock")
    func asked() throws {
        var (stage, leader, _) = try formed()
        let request = OperatorRequest.revoke(node: "fs2", who: "ops")
        #expect(refusal(stage.ask(leader, request))?.hasPrefix("no clock of the leader's") == true)
        stage.happen(.calendar(CalendarReading(now: WallTime(seconds: 5000), answers: [])), at: leader)
        guard case .accepted? = stage.ask(leader, request) else {
            Issue.record("it is refused")
            return
        }
        stage.run(.seconds(1))
        #expect(stage.state(leader)?.revoked?.map(\.name) == ["fs2"])
    }

    @Test("the time a name was forgotten is agreed, and older certificates for it count no more")
    func revoked() throws {
        let holder = Holder(member: MemberID(name: "fs2", birth: 7), incarnation: 1)
        let (stage, leader, _) = try formed()
        var state = ControlState(clusterID: 1, settings: try #require(stage.state(leader)).settings)
        func apply(_ command: ControlCommand, wall: Int64?, _ index: Index) -> Applied {
            state.apply(
                StampedCommand(time: .zero, command: command, wall: wall.map { WallTime(seconds: $0) }),
                at: Epoch(term: 1, index: index))
        }
        func admit() -> ControlCommand { .admit(Admission(holder: holder, kind: .full, settingsVersion: 0)) }
        #expect(apply(admit(), wall: 10, 1).refusal == nil)
        #expect(state.revoked == nil)
        #expect(apply(.forget(holder), wall: 1000, 2).refusal == nil)
        #expect(state.revoked == [Revocation(name: "fs2", at: WallTime(seconds: 1000))])
        let first = try #require(state.revoked?.first)
        #expect(first.covers(certificateFrom: 999) && first.covers(certificateFrom: 1000))
        #expect(!first.covers(certificateFrom: 1001))
        // Joining anew does not make the former certificate good, and being forgotten again takes its place.
        #expect(apply(admit(), wall: 1100, 3).refusal == nil)
        #expect(state.revoked?.count == 1)
        #expect(apply(.forget(holder), wall: nil, 4).refusal == nil)
        #expect(state.revoked == [Revocation(name: "fs2", at: nil)])
        #expect(state.revoked?.first?.covers(certificateFrom: .max) == true, "nobody knows what is newer")
        // A clock that was ahead is no trap: the newest revocation counts, of a member or of nobody.
        #expect(apply(.revokeCertificates(node: "fs2"), wall: nil, 5).refusal != nil)
        #expect(apply(.revokeCertificates(node: "fs2"), wall: 9_000_000, 6).refusal == nil)
        #expect(apply(.revokeCertificates(node: "fs2"), wall: 2000, 7).refusal == nil)
        #expect(apply(.revokeCertificates(node: "fs9"), wall: 2001, 8).refusal == nil)
        #expect(state.revoked?.map(\.name) == ["fs2", "fs9"])
        #expect(state.revoked?.map(\.at?.seconds) == [2000, 2001])
        for number in 0..<600 {
            state.revoked = Revocation.adding(Revocation(name: "n\(number)", at: nil), to: state.revoked)
        }
        #expect(state.revoked?.count == Revocation.limit)
    }
}
