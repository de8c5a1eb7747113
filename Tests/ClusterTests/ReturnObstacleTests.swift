import Primitives
import Testing

@testable import Cluster

/// What an undone drain waits for before the new address is let go.
@Suite("The way back of a drain") struct ReturnObstacleTests {
    private static let taker = Five.holder("fs4")
    private let now = Instant.zero + .seconds(1000)

    /// `fs4`, which leads and has taken `delta` for a drain that is undone since the cluster's time 900 s: forgotten at 950 s.
    private func scene(
        _ change: (inout SwitchReport, inout SwitchReport.AddressLoad) -> Void = { _, _ in }
    ) throws -> (node: Node, state: ControlState, drain: Drain) {
        var five = Five()
        _ = five.beginDrain()
        for (from, to) in [
            (Drain.Phase.raising, Drain.Phase.publishing), (.publishing, .withdrawing),
            (.withdrawing, .forgetting),
        ] { five.advance(from, to) }
        five.apply(.drain(.abort(reason: "second thoughts")))
        five.advance(.restoring, .retreating)
        five.advance(.retreating, .emptying)
        var drain = try #require(five.state.drain)
        #expect(drain.phase == .emptying && drain.to == Self.taker)
        drain.phaseBegan = .zero + .seconds(900)
        drain.forgottenAt = .zero + .seconds(950)
        var node = Node(
            name: "fs4", birth: Self.taker.member.birth, incarnation: Self.taker.incarnation, kind: .full,
            settings: Five.settings, restored: .init(), seed: 1, at: .zero)
        var report = SwitchReport(health: .healthy)
        var load = SwitchReport.AddressLoad(address: "delta", registrations: 3, isAnswering: true)
        report.isRefusing = true
        change(&report, &load)
        if load.address == "delta" { report.addresses = [load] }
        node.load = report
        return (node, five.state, drain)
    }

    private func obstacle(
        _ change: (inout SwitchReport, inout SwitchReport.AddressLoad) -> Void = { _, _ in },
        drain alter: (inout Drain) -> Void = { _ in }
    ) throws -> String? {
        var (node, state, drain) = try scene(change)
        alter(&drain)
        return node.drainObstacle(drain, in: state, at: now)
    }

    @Test("resolvers, new calls, calls and then phones are waited for, each by name") func inOrder() throws {
        let told: (inout SwitchReport, inout SwitchReport.AddressLoad) -> Void = { report, _ in
            report.arePhonesTold = true
        }
        #expect(
            try obstacle(drain: { $0.forgottenAt = .zero + .seconds(1010) })
                == "clients to forget delta (11 s of TTL left)")
        #expect(
            try obstacle({ report, _ in report.isRefusing = false })
                == "FreeSWITCH on fs4 to refuse new calls")
        #expect(
            try obstacle({ report, _ in report.health = .unhealthy })
                == "FreeSWITCH on fs4, which is unhealthy, to tell its calls")
        #expect(try obstacle({ _, load in load.address = "alpha" }) == "FreeSWITCH on fs4 to tell its calls")
        #expect(try obstacle({ _, load in load.calls = 2 }) == "2 calls on delta")
        #expect(try obstacle() == "phones to be told: 3 are at delta")
        #expect(try obstacle(told) == nil)
    }

    @Test("no phone is waited for where none is there, or none can be told") func nobody() throws {
        #expect(try obstacle({ _, load in load.registrations = 0 }) == nil)
        #expect(try obstacle({ report, _ in report.health = .none }) == nil)
        var (node, _, drain) = try scene()
        #expect(
            node.returnObstacle(drain, Five.holder("fs5"), at: now) == nil, "it is at another node by now")
        drain.to = Five.holder("fs5")
        #expect(node.returnObstacle(drain, Self.taker, at: now) == nil, "nor is this one the taker")
        drain.to = Self.taker
        drain.from = Self.taker
        #expect(node.returnObstacle(drain, Self.taker, at: now) == nil, "they are where they came from")
        (node, _, drain) = try scene()
        drain.to = Five.holder("fs9")
        #expect(node.returnObstacle(drain, drain.to, at: now) == nil, "whose switch nobody hears")
    }

    @Test(
        "phones are waited for as long as a drain would, from when both were told to go and nobody remembers")
    func patience() throws {
        let limit = try #require(Drain.Phase.movingRegistrations.timeout)
        func isWaitedFor(forgottenAt: Duration?, phaseBegan: Duration) throws -> Bool {
            try obstacle(drain: { drain in
                drain.forgottenAt = forgottenAt.map { .zero + $0 }
                drain.phaseBegan = .zero + phaseBegan
            }) != nil
        }
        let past = Duration.seconds(1000) - limit
        #expect(try isWaitedFor(forgottenAt: past + .seconds(1), phaseBegan: .zero))
        #expect(try !isWaitedFor(forgottenAt: past, phaseBegan: .zero))
        #expect(try isWaitedFor(forgottenAt: past - .seconds(100), phaseBegan: past + .seconds(1)))
        #expect(
            try !isWaitedFor(forgottenAt: nil, phaseBegan: past + .seconds(1)), "nothing was withdrawn yet")
    }
}
