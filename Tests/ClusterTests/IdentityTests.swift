import Primitives
import Testing

@testable import Cluster

/// One state directory on two machines, and one that went back in time.
@Suite struct IdentityTests {
    /// Three nodes at rest; `fs2` holds the address and does not lead.
    private func formed(_ count: Int = 3) throws -> Stage {
        for seed in 0..<UInt64(60) {
            var stage = Stage(count, prefer: 2, seed: seed)
            guard stage.run(.seconds(4), until: { $0.holders == [2] }), stage.leader != 2 else { continue }
            stage.run(.seconds(1))
            if stage.holders == [2], stage.voters(by: 2) == count { return stage }
        }
        throw NotFormed()
    }
    private struct NotFormed: Error {}

    private func isAnew(_ machine: StageMachine) -> Bool {
        if case .startAnew? = machine.stopped { true } else { false }
    }

    @Test("a copy of a living node gives the identity up, and the original is not disturbed")
    func copyOfTheLiving() throws {
        var stage = try formed()
        let incarnation = stage.machines[2].node?.me
        let copy = stage.copy(2)
        stage.start(copy)
        check(stage.run(.seconds(2)) { isAnew($0.machines[copy]) })
        stage.run(.seconds(1))
        #expect(stage.holders == [2])
        #expect(stage.machines[2].node?.me == incarnation, "never fenced")
        #expect(stage.violations == [])
        let told = stage.reports.last { $0.by == copy }?.event.text
        #expect(told?.contains("another machine uses it") == true, "\(told ?? "")")
    }

    @Test("as long as a copy is not sure of its identity it neither votes nor acknowledges")
    func silentCopy() throws {
        var stage = try formed()
        let copy = stage.copy(2)
        stage.start(copy)
        stage.run(.milliseconds(600))
        let node = try #require(stage.machines[copy].node)
        #expect(node.doubt != nil)
        #expect(stage.spoken[copy]?.acknowledgements.allSatisfy { $0.sequence == 0 } == true)
        #expect(stage.spoken[copy]?.identity?.isUnsure == true)
        #expect(node.raft.term == stage.machines[2].node?.raft.term)
        let warnings = try #require(stage.machines[0].node?.statusReport(at: stage.now).warnings)
        #expect(!warnings.contains { $0.contains("two machines use") }, "not before it lasts")
    }

    @Test(
        "who was cut off while another machine was taken in under its name learns that, and joins anew when that is gone"
    )
    func replaced() throws {
        var stage = try formed()
        let ways = [(0, 2), (1, 2)]
        stage.cut(ways)
        stage.run(.seconds(2))
        let other = stage.copy(2)
        stage.cut([(2, other)])
        stage.machines[other].birth = 77
        stage.machines[other].incarnation = 0
        stage.machines[other].disk = StageDisk()
        stage.machines[other].formerMachine = .unknown
        stage.start(other)
        check(
            stage.run(.seconds(20)) { stage in
                stage.state(0)?.members.contains { $0.holder.member.birth == 77 && $0.isActive } == true
            })
        stage.crash(other)
        stage.run(.seconds(1))
        stage.join(ways)
        check(stage.run(.seconds(3)) { isAnew($0.machines[2]) })
        if case .startAnew(let text)? = stage.machines[2].stopped {
            #expect(text.contains("another machine was taken in under its name since"))
        }
        stage.start(2)
        check(
            stage.run(.seconds(40)) { stage in
                let birth = stage.machines[2].birth
                return stage.state(0)?.members.contains { $0.holder.member.birth == birth && $0.isActive }
                    == true
            })
        #expect(stage.violations == [])
    }

    @Test("a node that started anew joins as a new member once the name is free")
    func joinsAnew() throws {
        var stage = try formed()
        let copy = stage.copy(2)
        stage.start(copy)
        check(stage.run(.seconds(2)) { isAnew($0.machines[copy]) })
        stage.crash(2)
        stage.start(copy)
        check(
            stage.run(.seconds(5)) { stage in
                stage.state(0)?.member("fs2")?.isActive == true
                    && stage.state(0)?.member("fs2")?.holder.member.birth == stage.machines[copy].birth
            })
        #expect(stage.violations == [])
    }

    @Test("a state directory from before the newest start of its node is not used")
    func olderStart() throws {
        var stage = try formed()
        let backup = stage.machines[2]
        for _ in 0..<3 {
            stage.crash(2)
            stage.run(.milliseconds(500))
            stage.start(2)
            stage.run(.seconds(2))
        }
        stage.crash(2)
        stage.run(.seconds(1))
        stage.machines[2].disk = backup.disk
        stage.machines[2].incarnation = backup.incarnation
        stage.machines[2].boot += 1000
        stage.start(2)
        check(stage.run(.seconds(2)) { isAnew($0.machines[2]) })
        stage.start(2)
        check(stage.run(.seconds(5)) { $0.state(0)?.member("fs2")?.isActive == true })
        #expect(stage.violations == [])
    }

    @Test("a state directory without what its member acknowledged is not used", arguments: [false, true])
    func olderLog(hasNewLeader: Bool) throws {
        var stage = try formed(5)
        let disk = stage.machines[2].disk
        for _ in 0..<3 {
            stage.crash(4)
            stage.run(.seconds(1))
            stage.start(4)
            stage.run(.seconds(2))
        }
        #expect(disk.restored != stage.machines[2].disk.restored)
        stage.crash(2)
        stage.run(.seconds(1))
        if hasNewLeader {
            stage.crash(try #require(stage.leader))
            stage.run(.seconds(2))
        }
        stage.machines[2].disk = disk
        stage.machines[2].boot += 1000
        stage.start(2)
        check(stage.run(.seconds(2)) { isAnew($0.machines[2]) })
    }

    @Test("a restarted node takes part as soon as the others have heard it")
    func restart() throws {
        var stage = try formed()
        stage.crash(0)
        stage.run(.milliseconds(500))
        stage.start(0)
        let began = stage.now
        check(stage.run(.seconds(2)) { $0.machines[0].node?.doubt == nil })
        #expect(stage.now - began < .milliseconds(60))
        check(stage.run(.seconds(2)) { $0.state(1)?.member("fs0")?.isActive == true })
    }

    @Test("where a machine is missing, one that was switched on waits two seconds, then takes part")
    func restartOfTheLast() throws {
        var stage = try formed()
        stage.crash(0)
        stage.run(.seconds(1))
        stage.crash(1)
        stage.run(.milliseconds(500))
        stage.machines[1].boot += 1000
        stage.start(1)
        let began = stage.now
        check(stage.run(.seconds(4)) { $0.machines[1].node?.doubt == nil })
        #expect(stage.now - began > .milliseconds(1900) && stage.now - began < .milliseconds(2300))
        check(stage.run(.seconds(5)) { !$0.holders.isEmpty })
    }

    @Test("after a loss of power everywhere the cluster is there again", arguments: [3, 2])
    func powerLoss(back: Int) throws {
        var stage = try formed()
        for machine in 0..<3 {
            stage.crash(machine)
            stage.machines[machine].boot += 1000
        }
        stage.run(.seconds(5))
        for machine in 0..<back { stage.start(machine) }
        check(stage.run(.seconds(8)) { !$0.holders.isEmpty })
        #expect(stage.machines[0..<back].allSatisfy { $0.node != nil })
        #expect(stage.violations == [])
    }

    @Test("of two machines that start together from one state directory at most one keeps the identity")
    func twins() throws {
        var stage = try formed()
        stage.crash(2)
        let copy = stage.copy(2)
        stage.run(.seconds(1))
        stage.machines[2].boot += 1000
        stage.start(2)
        stage.start(copy)
        stage.run(.seconds(3))
        #expect(
            [2, copy].count { stage.machines[$0].node?.doubt == nil && stage.machines[$0].node != nil } <= 1)
        #expect([2, copy].count { isAnew(stage.machines[$0]) } >= 1)
        #expect(stage.violations == [])
    }

    @Test("of two lives that both took part the one that knows less gives up, never both")
    func afterAPartition() throws {
        var stage = try formed(3)
        let copy = stage.copy(2)
        // The copy meets fs0 only, the original fs1 only.
        stage.cut([(0, 1), (0, 2), (copy, 1), (copy, 2)])
        stage.start(copy)
        stage.run(.seconds(4))
        stage.join([(0, 1), (0, 2), (copy, 1), (copy, 2)])
        stage.run(.seconds(4))
        #expect([2, copy].count { isAnew(stage.machines[$0]) } == 1)
    }
}
