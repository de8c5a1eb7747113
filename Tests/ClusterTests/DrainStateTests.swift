import Cluster
import Testing

@Suite("The drain, as agreed steps")
struct DrainTests {
    private static let path: [Drain.Phase] = [
        .raising, .publishing, .withdrawing, .forgetting, .movingRegistrations, .waitingForCalls,
    ]

    /// A drain of master2 that has come so far.
    private func drained(to phase: Drain.Phase) throws -> Five {
        var five = Five()
        _ = five.beginDrain()
        let position = try #require(Self.path.firstIndex(of: phase))
        for (from, to) in zip(Self.path, Self.path.dropFirst()).prefix(position) {
            #expect(five.advance(from, to).refusal == nil)
        }
        return five
    }

    private func release(_ address: String, _ five: inout Five) throws {
        let grant = try #require(five.state.grant(of: address))
        five.apply(.released(ReleaseNotice(address: address, holder: grant.holder, epoch: grant.epoch)))
    }

    @Test("from begin to finish the addresses rotate and the node is in maintenance")
    func whole() throws {
        var five = Five()
        #expect(five.beginDrain().refusal == nil)
        #expect(five.text == "alpha:fs1 beta:fs2 delta:fs4 gamma:fs3 | slaves fs5 | spare delta")
        five.advance(.raising, .publishing)
        #expect(five.state.seat("master2")?.address == "beta")
        five.advance(.publishing, .withdrawing)
        #expect(five.state.seat("master2")?.address == "delta")
        five.advance(.withdrawing, .forgetting)
        five.advance(.forgetting, .movingRegistrations)
        five.advance(.movingRegistrations, .waitingForCalls)
        #expect(five.state.member("fs2")?.maintenance == nil)
        five.advance(.waitingForCalls, .rotating)
        #expect(five.text == "alpha:fs1 beta:fs2! delta:fs4 gamma:fs3 | slaves fs5 | spare beta")
        #expect(five.apply(.drain(.finish)).refusal == "the drain is not at its end")
        try release("beta", &five)
        five.apply(.drain(.finish))
        #expect(five.text == "alpha:fs1 delta:fs4 gamma:fs3 | slaves fs5 | spare beta")
        #expect(five.state.member("fs2")?.maintenance?.reason == "kernel")
        #expect(five.state.drain == nil)
    }

    @Test("a second drain is refused and names the first")
    func second() {
        var five = Five()
        _ = five.beginDrain()
        #expect(five.beginDrain(of: "master1").refusal == "ann@desk is draining master2 (raising)")
    }

    @Test("what was withdrawn is forgotten after the largest TTL that was served, and a second more")
    func memory() throws {
        var five = try drained(to: .withdrawing)
        let begun = five.state.time
        _ = five.apply(.drain(.advance(from: .withdrawing, to: .forgetting, served: .seconds(300))))
        #expect(five.state.drain?.forgottenAt == begun + .seconds(301))
    }

    @Test("an abort before anything is given up ends where it began", arguments: path)
    func abort(at phase: Drain.Phase) throws {
        let before = Five()
        var five = try drained(to: phase)
        #expect(five.apply(.drain(.abort(reason: "second thoughts"))).refusal == nil)
        #expect(five.state.seat("master2")?.address == "beta")
        if phase != .raising {
            #expect(
                five.apply(.drain(.abort(reason: "again"))).refusal == "the drain is being undone already")
            five.advance(.restoring, .retreating)
            five.advance(.retreating, .emptying)
            five.advance(.emptying, .aborting)
            #expect(five.apply(.drain(.finish)).refusal == "the drain is not at its end")
        }
        try release("delta", &five)
        if phase != .raising { #expect(five.apply(.drain(.finish)).refusal == nil) }
        #expect(five.state.seats == before.state.seats)
        #expect(five.state.grants == before.state.grants)
        #expect(five.state.maintenanceAddresses == before.state.maintenanceAddresses)
        #expect(five.state.drain == nil)
        #expect(five.state.member("fs2")?.maintenance == nil)
    }

    @Test("phones that had moved are told to come back before an undone drain lets the new address go")
    func comeBack() throws {
        var five = try drained(to: .waitingForCalls)
        five.apply(.drain(.abort(reason: "second thoughts")))
        five.advance(.restoring, .retreating)
        five.advance(.retreating, .emptying)
        let emptying = try #require(five.state.drain)
        let end = try #require(emptying.forgottenAt)
        let taker = Five.holder("fs4")
        let duty = try #require(emptying.duty(of: taker, at: end))
        #expect(duty.address == "delta")
        #expect(duty.movesRegistrations)
        #expect(duty.refusesCalls)
        five.advance(.emptying, .aborting)
        #expect(five.state.drain?.duty(of: taker, at: end)?.movesRegistrations == false)
    }

    @Test(
        "what was given up cannot be undone",
        arguments: [[Drain.Phase.rotating], [.hangingUp], [.handingOver], [.handingOver, .lingering]])
    func noReturn(by path: [Drain.Phase]) throws {
        var five = try drained(to: .waitingForCalls)
        var phase = Drain.Phase.waitingForCalls
        for next in path {
            #expect(five.advance(phase, next).refusal == nil)
            phase = next
        }
        let refusal = try #require(five.apply(.drain(.abort(reason: "second thoughts"))).refusal)
        #expect(refusal.hasPrefix("the drain is \(phase.rawValue):"))
        #expect(five.state.drain?.phase == phase)
    }

    @Test("handed over calls keep their address at the taker until they end, and the node is free at once")
    func handover() throws {
        var five = try drained(to: .waitingForCalls)
        five.advance(.waitingForCalls, .handingOver)
        #expect(five.state.member("fs2")?.maintenance != nil)
        #expect(five.state.grant(of: "beta")?.holder == Five.holder("fs4"))
        let epoch = try #require(Five().state.grant(of: "beta")?.epoch)
        let conditions = five.state.grant(of: "beta")?.conditions ?? []
        #expect(conditions.contains(.released(by: Five.holder("fs2"), epoch: epoch)))
        five.apply(.released(ReleaseNotice(address: "beta", holder: Five.holder("fs2"), epoch: epoch)))
        five.advance(.handingOver, .lingering)
        #expect(five.text == "alpha:fs1 beta:fs4 delta:fs4 gamma:fs3 | slaves fs5 | spare beta")
        five.advance(.lingering, .rotating)
        try release("beta", &five)
        five.apply(.drain(.finish))
        #expect(five.text == "alpha:fs1 delta:fs4 gamma:fs3 | slaves fs5 | spare beta")
    }

    @Test(
        "a drained node that dies after its seat moved leaves the seat alone, and its calls go on elsewhere")
    func fromDiesLate() throws {
        var alone = try drained(to: .waitingForCalls)
        alone.fence("fs2")
        #expect(alone.text == "alpha:fs1 delta:fs4 gamma:fs3 | slaves fs5 | spare beta")
        #expect(alone.state.drain == nil)
        #expect(alone.state.member("fs2")?.maintenance != nil)
        var followed = try drained(to: .waitingForCalls)
        #expect(followed.state.addressesWithLeftCalls == ["beta"])
        followed.fence("fs2", grants: ["beta": "fs5"])
        #expect(followed.text == "alpha:fs1 beta:fs5 delta:fs4 gamma:fs3 | slaves  | spare beta")
        #expect(followed.state.drain?.phase == .lingering)
        #expect(followed.state.member("fs2")?.maintenance != nil)
    }

    @Test("a drained node that dies early is taken over, and the new address is given up")
    func fromDiesEarly() {
        var five = Five()
        _ = five.beginDrain()
        five.fence("fs2", grants: ["beta": "fs5"])
        #expect(five.text == "alpha:fs1 beta:fs5 delta:fs4! gamma:fs3 | slaves fs4 | spare delta")
        #expect(five.state.drain == nil)
    }

    @Test(
        "a drained node that dies while both addresses are served is taken over, and the new one is withdrawn first"
    )
    func fromDiesPublishing() throws {
        var five = try drained(to: .publishing)
        five.fence("fs2", grants: ["beta": "fs5"])
        #expect(five.text == "alpha:fs1 beta:fs5 delta:fs4 gamma:fs3 | slaves  | spare delta")
        #expect(five.state.drain?.phase == .restoring)
        #expect(five.state.drain?.from == Five.holder("fs5"))
        #expect(five.state.member("fs5")?.maintenance == nil)
    }

    @Test("a taker that dies after the seat moved gives the seat back when nobody follows it")
    func toDiesLate() throws {
        var five = try drained(to: .withdrawing)
        five.fence("fs4")
        #expect(five.state.seat("master2")?.address == "beta")
        #expect(five.text == "alpha:fs1 beta:fs2 gamma:fs3 | slaves fs5 | spare delta")
    }

    @Test("a taker that dies with a successor is simply followed")
    func toIsFollowed() throws {
        var five = try drained(to: .withdrawing)
        five.fence("fs4", grants: ["delta": "fs5"])
        #expect(five.state.drain?.to == Five.holder("fs5"))
        #expect(five.state.seat("master2")?.address == "delta")
    }

    @Test("a taker whose only heir is the drained node leaves it both addresses, and the drain is undone")
    func toIsFollowedByFrom() throws {
        var five = try drained(to: .waitingForCalls)
        five.fence("fs4", grants: ["delta": "fs2"])
        #expect(five.state.seat("master2")?.address == "beta" && five.state.drain?.phase == .restoring)
    }

    @Test("phases follow each other in one order only")
    func order() {
        var five = Five()
        _ = five.beginDrain()
        #expect(five.advance(.raising, .withdrawing).refusal != nil)
        #expect(five.advance(.publishing, .withdrawing).refusal != nil)
        #expect(five.advance(.raising, .handingOver).refusal != nil)
        #expect(five.advance(.raising, .publishing).refusal == nil)
    }
}
