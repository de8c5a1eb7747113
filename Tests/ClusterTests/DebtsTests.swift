import Consensus
import Primitives
import Testing

@testable import Cluster

/// Members that are heard and do not follow.
@Suite struct DebtsTests {
    private let holder = Holder(member: MemberID(name: "fs2", birth: 2), incarnation: 1 << 32)
    private func at(_ seconds: Double) -> Instant { .zero + .milliseconds(Int64(seconds * 1000)) }

    @Test("a debt counts from its beginning, and what is given in between ends it")
    func patience() {
        var debts = Debts()
        debts.note([(holder, .entries(matched: 7))], at: at(1))
        debts.note([(holder, .entries(matched: 7))], at: at(5.9))
        #expect(debts.reason(against: holder, at: at(5.9)) == nil)
        #expect(debts.reason(against: holder, at: at(6)) == "it is heard, but takes no decisions")
        debts.note([(holder, .entries(matched: 8))], at: at(6.1))
        #expect(debts.reason(against: holder, at: at(7)) == nil, "it is slow, and follows")
        debts.note([], at: at(8))
        debts.note([(holder, .entries(matched: 8))], at: at(8.1))
        #expect(debts.reason(against: holder, at: at(12)) == nil)
    }

    @Test("another life of the same node owes nothing of the former one's")
    func lives() {
        var debts = Debts()
        let kind = Debts.Kind.release(address: "alpha", epoch: Epoch(term: 2, index: 9))
        debts.note([(holder, kind)], at: at(1))
        var next = holder
        next.incarnation += 1
        debts.note([(holder, kind)], at: at(7))
        #expect(debts.reason(against: holder, at: at(7)) == "it is heard, but does not let go of alpha")
        #expect(debts.reason(against: next, at: at(7)) == nil)
    }

    @Test(
        "a master that gets no messages any more, while its heartbeats pass, is replaced, and waited for as long as a lease"
    )
    func deafHolder() throws {
        var stage = Stage(4, prefer: 2, seed: 3)
        var seed: UInt64 = 3
        while !stage.run(.seconds(4), until: { $0.holders == [2] }) || stage.leader == 2 {
            seed += 1
            stage = Stage(4, prefer: 2, seed: seed)
        }
        stage.run(.seconds(1))
        for other in [0, 1, 3] {
            stage.cutMessages.insert(.init(from: other, to: 2))
            stage.cutMessages.insert(.init(from: 2, to: other))
        }
        stage.run(.seconds(20))
        #expect(stage.holders == [2], "nothing was decided that it does not know")
        let leader = try #require(stage.leader)
        let spare = try #require([0, 1, 3].first { $0 != leader })
        _ = stage.ask(leader, .switchover(seat: "master1", to: "fs\(spare)", dryRun: false, who: "ops"))
        stage.run(.seconds(3))
        let warnings = try #require(stage.machines[leader].node?.statusReport(at: stage.now).warnings)
        #expect(warnings.contains("fs2 is fenced after 5 s of this: it is heard, but takes no decisions"))
        check(stage.run(.seconds(4)) { !$0.holders.isEmpty && !$0.holders.contains(2) })
        let note = stage.machines[leader].node?.statusReport(at: stage.now).nodes.first { $0.name == "fs2" }?
            .note
        #expect(note?.contains("takes no decisions") == true, "\(note ?? "")")
        for other in [0, 1, 3] {
            stage.cutMessages.remove(.init(from: other, to: 2))
            stage.cutMessages.remove(.init(from: 2, to: other))
        }
        check(stage.run(.seconds(10)) { $0.state(leader)?.member("fs2")?.isActive == true })
        #expect(stage.violations == [])
    }

    @Test(
        "a holder that serves nobody, and that decisions do not reach, is not waited for as long as others",
        arguments: [false, true])
    func unserving(isReached: Bool) throws {
        var stage = Stage(4, prefer: 1, seed: 11)
        try #require(stage.run(.seconds(4)) { $0.holders == [1] && $0.voters(by: $0.leader ?? 1) == 4 })
        try #require(stage.leader != 1)
        stage.run(.seconds(1))
        if !isReached {
            for other in [0, 2, 3] {
                stage.cutMessages.insert(Stage.Way(from: 1, to: other))
                stage.cutMessages.insert(Stage.Way(from: other, to: 1))
            }
        }
        let sight = NetworkSight(
            address: "alpha", condition: .noCarrier(interface: "eth0"), hardware: nil, company: .unknown)
        stage.happen(.networkSeen([sight]), at: 1)
        let moment = stage.now
        check(stage.run(.seconds(8)) { !$0.holders.isEmpty && $0.holders != [1] })
        let took = stage.now - moment
        #expect(isReached ? took < .milliseconds(300) : took > .seconds(1) && took < .milliseconds(1600))
        #expect(stage.violations == [])
    }
}
