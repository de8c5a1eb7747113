import Testing

@testable import Cluster

/// What an operator may call a seat or a node, and what becomes of words that name nothing.
@Suite("Words of operators") struct OperatorWordTests {
    private func settled() throws -> (stage: Stage, leader: Int, holder: String) {
        var stage = Stage(3, prefer: 0, seed: 4)
        let isHeld = stage.run(.seconds(10)) { $0.leader != nil && $0.holders.count == 1 }
        #expect(isHeld)
        stage.run(.seconds(1))
        return (stage, try #require(stage.leader), stage.machines[stage.holders[0]].name)
    }

    private func refusals(_ reply: OperatorReply?) -> [String] {
        if case .refused(let reasons) = reply { reasons } else { ["\(String(describing: reply))"] }
    }

    @Test("a seat is meant by its name, its address's name or IP, and the node that holds it") func seats()
        throws
    {
        let (stage, leader, holder) = try settled()
        let state = try #require(stage.state(leader))
        for word in ["master1", "alpha", "10.77.0.11", holder] {
            #expect(state.seat(meant: word)?.name == "master1", "\(word)")
        }
        for word in ["master9", "beta", "10.77.0.12", "fs9", ""] {
            #expect(state.seat(meant: word) == nil, "\(word)")
        }
    }

    @Test("a switchover by an address is planned as one by the seat's name") func switchover() throws {
        let (settled, leader, holder) = try settled()
        var stage = settled
        let words = ["master1", "alpha", "10.77.0.11", holder]
        let plans = words.map {
            stage.ask(leader, .switchover(seat: $0, to: nil, dryRun: true, who: "ops"))
        }
        #expect(Set(plans).count == 1, "\(plans)")
        guard case .plan = plans[0] else {
            Issue.record("\(String(describing: plans[0]))")
            return
        }
    }

    @Test("a node without a seat is told to be one, and how a seat comes there") func seatless() throws {
        let (settled, leader, holder) = try settled()
        var stage = settled
        let other = try #require(["fs0", "fs1", "fs2"].first { $0 != holder })
        #expect(
            refusals(stage.ask(leader, .switchover(seat: other, to: nil, dryRun: true, who: "ops"))) == [
                "\(other) is a node without a seat (slave); the seats are master1; to move one there: fsdns switchover "
                    + "SEAT --to \(other)"
            ])
        let unknown = refusals(stage.ask(leader, .switchover(seat: "fs9", to: nil, dryRun: true, who: "ops")))
        #expect(
            unknown == [
                "“fs9” is no seat, service address or node; the seats are master1, the nodes are fs0, fs1, fs2"
            ])
    }

    @Test("what only another program than fsdns would ask is refused by the node as well") func senseless()
        throws
    {
        let (settled, leader, _) = try settled()
        var stage = settled
        #expect(refusals(stage.ask(leader, .revoke(node: " ", who: "ops"))) == ["no node is named"])
        #expect(stage.state(leader)?.revoked ?? [] == [])
        var request = DrainRequest(
            target: "master1", deadline: nil, onDeadline: .wait, reason: "", dryRun: false, who: "ops",
            returnAfter: .zero)
        let sentence = "a node comes back, and a deadline passes, only after a time above 0 s"
        #expect(refusals(stage.ask(leader, .drain(request))) == [sentence])
        request.returnAfter = nil
        request.deadline = .seconds(-1)
        #expect(refusals(stage.ask(leader, .drain(request))) == [sentence])
    }

    @Test("a node whose link to the leader is cut shows what it sees itself, and says so") func ownView()
        throws
    {
        let (settled, leader, _) = try settled()
        var stage = settled
        let deaf = try #require([0, 1, 2].first { $0 != leader })
        stage.cutMessages = [Stage.Way(from: leader, to: deaf)]
        guard case .status(let report) = stage.ask(deaf, .status) else {
            Issue.record("status is answered")
            return
        }
        #expect(report.node == "fs\(deaf)")
        #expect(
            report.warnings.first
                == "only what fs\(deaf) sees itself: fs\(leader), which leads, did not answer it")
        stage.cutMessages = []
        stage.run(.seconds(1))
        guard case .status(let later) = stage.ask(deaf, .status) else {
            Issue.record("status is answered")
            return
        }
        #expect(!later.warnings.contains { $0.hasPrefix("only what") })
    }

    @Test("words that name nothing are refused with what there is") func unknown() throws {
        let (settled, leader, holder) = try settled()
        var stage = settled
        let known = "the seats are master1, the nodes are fs0, fs1, fs2"
        let drain = DrainRequest(
            target: "fs9", deadline: nil, onDeadline: .wait, reason: "", dryRun: true, who: "ops")
        #expect(refusals(stage.ask(leader, .drain(drain))).first?.hasSuffix(known) == true)
        let reply = stage.ask(leader, .switchover(seat: "beta", to: nil, dryRun: true, who: "ops"))
        #expect(refusals(reply).first?.hasSuffix(known) == true)
        let toNobody = stage.ask(leader, .switchover(seat: "master1", to: "fs9", dryRun: true, who: "ops"))
        #expect(refusals(toNobody) == ["no node fs9; the nodes are fs0, fs1, fs2"])
        let toItself = stage.ask(leader, .switchover(seat: "master1", to: holder, dryRun: true, who: "ops"))
        #expect(refusals(toItself) == ["\(holder) holds an address"])
        let undrain = stage.ask(leader, .undrain(node: "fs9", who: "ops"))
        #expect(refusals(undrain) == ["no node fs9; the nodes are fs0, fs1, fs2"])
    }

    @Test("a spare that is drained is in maintenance; that no slave is left is said once") func spares()
        throws
    {
        let (settled, leader, holder) = try settled()
        var stage = settled
        for machine in stage.machines where machine.name != holder {
            let drain = DrainRequest(
                target: machine.name, deadline: nil, onDeadline: .wait, reason: "", dryRun: false, who: "ops")
            let reply = stage.ask(leader, .drain(drain))
            guard case .accepted = reply else {
                Issue.record("\(String(describing: reply))")
                return
            }
            stage.run(.milliseconds(200))
        }
        let state = try #require(stage.state(leader))
        #expect(state.members.filter { $0.name != holder }.allSatisfy { state.role(of: $0) == .maintenance })
        let drain = DrainRequest(
            target: holder, deadline: nil, onDeadline: .wait, reason: "", dryRun: true, who: "ops")
        let reasons = refusals(stage.ask(leader, .drain(drain)))
        #expect(reasons.filter { $0.contains("no slave is ready") } == ["no slave is ready: there is none"])
    }
}
