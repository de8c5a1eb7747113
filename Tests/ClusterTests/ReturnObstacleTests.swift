import Primitives
import Testing

@testable import Cluster

/// What an undone drain waits for before the new address is let go.
@Suite("The way back of a drain") struct ReturnObstacleTests {
    private static let taker = Five.holder("fs4")

    /// `fs4`, which has taken `delta` for a drain that is undone since the cluster's time 900 s: forgotten at 950 s.
    private func scene(
        _ change: (inout SwitchReport, inout SwitchReport.AddressLoad) -> Void = { _, _ in }
    ) throws -> (view: ClusterView, drain: Drain) {
        var scene = Scene()
        _ = scene.five.beginDrain()
        for (from, to) in [
            (Drain.Phase.raising, Drain.Phase.publishing), (.publishing, .withdrawing),
            (.withdrawing, .forgetting),
        ] { scene.five.advance(from, to) }
        scene.five.apply(.drain(.abort(reason: "second thoughts")))
        scene.five.advance(.restoring, .retreating)
        scene.five.advance(.retreating, .emptying)
        var drain = try #require(scene.five.state.drain)
        #expect(drain.phase == .emptying && drain.to == Self.taker)
        drain.phaseBegan = .zero + .seconds(900)
        drain.forgottenAt = .zero + .seconds(950)
        var report = SwitchReport(health: .healthy)
        var load = SwitchReport.AddressLoad(address: "delta", registrations: 3, isAnswering: true)
        report.isRefusing = true
        change(&report, &load)
        if load.address == "delta" { report.addresses = [load] }
        scene.change("fs4") { [report] in $0.load = report }
        return (scene.view, drain)
    }

    private func obstacle(
        _ change: (inout SwitchReport, inout SwitchReport.AddressLoad) -> Void = { _, _ in },
        drain alter: (inout Drain) -> Void = { _ in }
    ) throws -> String? {
        var (view, drain) = try scene(change)
        alter(&drain)
        return view.drainObstacle(drain, in: view.state)
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
        var (view, drain) = try scene()
        #expect(
            view.returnObstacle(drain, Five.holder("fs5")) == nil, "it is at another node by now")
        drain.to = Five.holder("fs5")
        #expect(view.returnObstacle(drain, Self.taker) == nil, "nor is this one the taker")
        drain.to = Self.taker
        drain.from = Self.taker
        #expect(view.returnObstacle(drain, Self.taker) == nil, "they are where they came from")
        (view, drain) = try scene()
        drain.to = Five.holder("fs9")
        #expect(view.returnObstacle(drain, drain.to) == nil, "whose switch nobody hears")
    }

    @Test(
        "phones are waited for as long as a drain would, from when both were told to go and nobody remembers")
    func patience() throws {
        let limit = try #require(Drain.Phase.movingRegistrations.rule.timeout)
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
