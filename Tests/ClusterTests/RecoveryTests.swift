import Consensus
import Primitives
import Testing

@testable import Cluster

/// `fsdns recover-quorum`: going on without a majority that is lost for good.
@Suite struct RecoveryTests {
    private func formed(_ count: Int, prefer: Int, seed: UInt64) -> Stage {
        var stage = Stage(count, prefer: prefer, seed: seed)
        check(stage.run(.seconds(6)) { $0.holders == [prefer] })
        stage.run(.seconds(1))
        return stage
    }

    private func refusal(_ reply: OperatorReply?) -> String? {
        if case .refused(let reasons)? = reply { reasons.joined(separator: "; ") } else { nil }
    }

    private func recover(_ stage: inout Stage, at machine: Int, without lost: [Int]) -> OperatorReply? {
        let names = lost.map { "fs\($0)" }
        return stage.ask(machine, .recoverQuorum(lost: names, dryRun: false, who: "ops"))
    }

    @Test("the last of three, started anew as well, serves alone; who asked for it stands in the audit trail")
    func alone() throws {
        var stage = formed(3, prefer: 0, seed: 1)
        for machine in 0..<3 { stage.crash(machine) }
        stage.run(.seconds(1))
        stage.start(2)
        stage.run(.seconds(3))
        #expect(refusal(recover(&stage, at: 2, without: [0, 1]))?.contains("listens only since") == true)
        stage.run(.seconds(8))
        #expect(stage.holders == [])
        guard case .accepted? = recover(&stage, at: 2, without: [0, 1]) else {
            Issue.record("not accepted")
            return
        }
        check(stage.run(.seconds(3)) { $0.holders == [2] })
        #expect(stage.voters(by: 2) == 1)
        let trail = try #require(stage.state(2)?.audit.entries)
        #expect(trail.contains { $0.who == "ops" && $0.what == "recover-quorum --lost fs0,fs1" })
        #expect(stage.violations == [])
    }

    @Test(
        "all that were given up come back at once with their old state: none takes part as what it was",
        arguments: [1, 2])
    func allBack(seed: UInt64) throws {
        var stage = formed(5, prefer: 0, seed: seed)
        for lost in 0..<3 { stage.crash(lost) }
        stage.run(.seconds(11))
        guard case .accepted? = recover(&stage, at: 3, without: [0, 1, 2]) else {
            Issue.record("not accepted")
            return
        }
        check(stage.run(.seconds(3)) { !$0.holders.isEmpty })
        for lost in 0..<3 { stage.start(lost) }
        stage.run(.seconds(5))
        for lost in 0..<3 {
            guard case .startAnew(let reason)? = stage.machines[lost].stopped else {
                Issue.record("fs\(lost) goes on")
                continue
            }
            #expect(reason.contains("it was given up by an operator"))
        }
        #expect(stage.holders.count == 1)
        #expect(stage.violations == [])
    }

    @Test("where the operator was wrong, those who live go on undisturbed, and who left them joins them anew")
    func wrong() throws {
        var stage = formed(5, prefer: 0, seed: 3)
        let between = (0..<3).flatMap { a in (3..<5).map { (a, $0) } }
        stage.cut(between)
        stage.run(.seconds(11))
        #expect(stage.holders == [0])
        guard case .accepted? = recover(&stage, at: 3, without: [0, 1, 2]) else {
            Issue.record("not accepted")
            return
        }
        check(stage.run(.seconds(3)) { $0.holders.count == 2 })
        stage.join(between)
        stage.run(.seconds(3))
        #expect(stage.holders == [0])
        for given in 0..<3 { #expect(stage.machines[given].stopped == nil) }
        for left in 3..<5 { #expect(stage.machines[left].stopped != nil) }
    }

    @Test("of two sides that gave each other up one stays", arguments: [1, 2, 3])
    func each(seed: UInt64) throws {
        var stage = formed(5, prefer: 0, seed: seed)
        let between = (0..<2).flatMap { a in (2..<4).map { (a, $0) } }
        stage.crash(4)
        stage.cut(between)
        stage.run(.seconds(12))
        for (asked, lost) in [(0, [2, 3, 4]), (2, [0, 1, 4])] {
            guard case .accepted? = recover(&stage, at: asked, without: lost) else {
                Issue.record("not accepted at fs\(asked)")
                return
            }
        }
        stage.run(.seconds(2))
        stage.join(between)
        stage.run(.seconds(3))
        let ended = (0..<4).filter { stage.machines[$0].stopped != nil }
        #expect(ended == [0, 1] || ended == [2, 3])
        #expect(stage.holders.count == 1)
    }

    @Test(
        "of two sides that gave each other up one stays, also when one of them recovered twice",
        arguments: [1, 2, 3])
    func twice(seed: UInt64) throws {
        var stage = formed(5, prefer: 0, seed: seed)
        for lost in 0..<2 { stage.crash(lost) }
        stage.cut([(2, 4), (3, 4)])
        stage.run(.seconds(12))
        for (asked, lost) in [(2, [0, 1, 4]), (4, [0, 1, 2, 3])] {
            guard case .accepted? = recover(&stage, at: asked, without: lost) else {
                Issue.record("not accepted at fs\(asked)")
                return
            }
        }
        stage.run(.seconds(2))
        stage.crash(2)
        stage.run(.seconds(12))
        guard case .accepted? = recover(&stage, at: 3, without: [2]) else {
            Issue.record("not accepted at fs3")
            return
        }
        stage.run(.seconds(2))
        stage.join([(3, 4)])
        stage.run(.seconds(4))
        #expect(stage.machines[3].stopped == nil, "its term is the higher one")
        #expect(stage.machines[4].stopped != nil)
        #expect(stage.holders == [3])
    }

    @Test("what a leader says is in effect counts only as far as the entries are here")
    func ahead() throws {
        var stage = formed(3, prefer: 0, seed: 4)
        let leader = try #require(stage.leader)
        let other = (leader + 1) % 3
        let node = try #require(stage.machines[other].node)
        let beyond = Epoch(term: node.raft.term, index: node.raft.lastIndex + 40)
        let append = ControlMessage(
            term: node.raft.term, body: .append(previous: beyond, entries: [], commit: beyond.index))
        let sender = MemberID(name: stage.machines[leader].name, birth: stage.machines[leader].birth)
        stage.happen(
            .received(.consensus(append, Rider(effectiveThrough: beyond.index)), from: sender), at: other)
        stage.run(.milliseconds(1))
        let after = try #require(stage.machines[other].node)
        #expect(after.effective.index <= after.raft.commitIndex)
    }

    @Test(
        "one that had no vote any more is given up with the others: what it decided meanwhile counts for nobody"
    )
    func voteless() throws {
        var stage = formed(5, prefer: 0, seed: 6)
        // The first is lost before the others, and has no vote any more at the end.
        stage.crash(0)
        stage.run(.seconds(4))
        for lost in 1..<3 { stage.crash(lost) }
        stage.run(.seconds(11))
        guard case .accepted? = recover(&stage, at: 3, without: [0, 1, 2]) else {
            Issue.record("not accepted")
            return
        }
        // They come back where nobody hears them, and go on deciding for some time.
        let between = (0..<3).flatMap { a in (3..<5).map { (a, $0) } }
        stage.cut(between)
        for lost in 0..<3 { stage.start(lost) }
        stage.run(.seconds(8))
        stage.join(between)
        stage.run(.seconds(2))
        for lost in 0..<3 { #expect(stage.machines[lost].stopped != nil, "fs\(lost) goes on") }
        #expect(stage.holders.count == 1)
        // Whoever leads next, nobody else believes to hold it.
        if let leader = stage.leader { stage.crash(leader) }
        stage.run(.seconds(5))
        #expect(stage.holders.count <= 1)
    }

    @Test("whoever can decide, or may be able to, gives nobody up")
    func refusals() throws {
        var stage = formed(5, prefer: 0, seed: 4)
        stage.run(.seconds(10))
        let healthy = refusal(recover(&stage, at: 1, without: [3, 4])) ?? ""
        #expect(healthy.contains("fs3 is not lost: it is heard"))
        #expect(healthy.contains("a majority is here"))
        func refused(_ lost: [Int]) -> String { refusal(recover(&stage, at: 1, without: lost)) ?? "" }
        for lost in 2...4 { stage.crash(lost) }
        stage.run(.seconds(3))
        #expect(refused([2, 3, 4]).contains("fs2 was heard 3 s ago"))
        stage.run(.seconds(9))
        #expect(refused([2, 3]).contains("fs4 is not heard either"))
        #expect(refused([1, 2, 3, 4]).contains("this is it"))
        #expect(refused([2, 3, 4, 9]).contains("no node fs9"))
        let report = try #require(stage.machines[1].node?.statusReport(at: stage.now))
        #expect(report.warnings.contains { $0.hasPrefix("no majority is heard: 2 of 5 votes") })
        let plan = stage.ask(1, .recoverQuorum(lost: ["fs2", "fs3", "fs4"], dryRun: true, who: "ops"))
        guard case .plan(let lines)? = plan else {
            Issue.record("no plan: \(String(describing: plan))")
            return
        }
        #expect(lines.contains { $0.contains("stolen") && $0.contains("fsdns forget NODE --revoke") })
        #expect(stage.voters(by: 1) == 5)
    }

    @Test("another node cannot ask for it")
    func relayed() throws {
        var stage = formed(3, prefer: 0, seed: 5)
        stage.crash(0)
        stage.crash(1)
        stage.run(.seconds(12))
        let now = stage.now
        let request = OperatorRequest.recoverQuorum(lost: ["fs0", "fs1"], dryRun: false, who: "ops")
        let peer = MemberID(name: "fs1", birth: 2)
        let effects = stage.machines[2].node?.handle(.received(.request(id: 7, request), from: peer), at: now)
        let reply = OperatorReply.refused(["this can only be asked on the machine itself"])
        #expect(effects?.contains(.send(.response(id: 7, reply), to: peer)) == true)
    }
}
