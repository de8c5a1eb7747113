import Primitives
import Testing

@testable import Cluster

/// What a leader proposes, plan by plan, each on a view that no node made.
@Suite("Plans of a leader") struct PlanTests {
    private static func holder(_ name: String) -> Holder { Five.holder(name) }

    @Test("a spare is ready until one thing is wrong with it, which is named") func readiness() {
        func unreadiness(of node: String, _ change: (inout Scene) -> Void) -> String? {
            var scene = Scene()
            change(&scene)
            return scene.view.unreadiness(of: Self.holder(node), in: scene.five.state)
        }
        #expect(unreadiness(of: "fs4") { _ in } == nil)
        #expect(unreadiness(of: "fs1") { _ in } == "fs1 holds an address")
        #expect(unreadiness(of: "fs4") { $0.silence["fs4"] = .seconds(9) } == "fs4 is silent")
        #expect(
            unreadiness(of: "fs4") { $0.change("fs4") { $0.leaseValid = false } } == "fs4 has no lease")
        #expect(
            unreadiness(of: "fs4") { $0.change("fs4") { $0.keeperEmpty = false } }
                == "the keeper on fs4 is not ready")
        #expect(unreadiness(of: "fs5") { $0.isLeaving = true } == "fs5 is stopping")
        #expect(
            unreadiness(of: "fs5") { $0.load.health = .unhealthy } == "FreeSWITCH on fs5 is unhealthy")
    }

    @Test("whoever can serve callers better comes first, and who cannot hold an address never") func takers()
    {
        func takers(_ kind: Blocker.Kind) -> [String] {
            var scene = Scene()
            scene.change("fs4") { $0.service = ServiceView(blockers: [Blocker(kind, "alpha", "wrong")]) }
            return scene.view.takers(for: "alpha", in: scene.five.state).map(\.name)
        }
        #expect(takers(.room) == ["fs4", "fs5"])
        #expect(takers(.media) == ["fs5", "fs4"])
        #expect(takers(.interface) == ["fs5"])
    }

    @Test("a holder that enough voters do not hear is fenced, and a spare takes its address")
    func silentHolder() {
        var scene = Scene()
        scene.silence["fs1"] = scene.five.state.settings.timing.deadAfter
        var fence = Fence(holder: Self.holder("fs1"), basis: .silence, grants: [])
        fence.grants = [Succession(address: "alpha", to: Self.holder("fs4"))]
        #expect(scene.commands { $0.fenceTheLost() } == [.fence(fence)])
        scene.hearers["fs1"] = ["fs2", "fs3", "fs4"]
        #expect(scene.commands { $0.fenceTheLost() }.isEmpty, "most others hear it")
        scene.hearers = [:]
        scene.startedAt = scene.now - .milliseconds(1)
        #expect(scene.commands { $0.fenceTheLost() }.isEmpty, "this node has only just begun to listen")
    }

    @Test("two that are lost at once are followed by different spares") func twoSilent() {
        var scene = Scene()
        for node in ["fs1", "fs2"] { scene.silence[node] = .seconds(9) }
        let fences = scene.commands { $0.fenceTheLost() }.flatMap(\.fences)
        #expect(fences.map(\.holder.name) == ["fs1", "fs2"])
        #expect(fences.flatMap(\.grants).map(\.to.name) == ["fs4", "fs5"])
    }

    @Test("an empty seat goes to the first spare, unless another empty seat prefers that one")
    func assignment() {
        var scene = Scene()
        scene.five.fence("fs1", .left)
        func grants() -> [String] {
            scene.commands { $0.coverSeats() }.map { command in
                guard case .grant(let address, let to, _, _) = command else { return "\(command)" }
                return "\(address) \(to.name)"
            }
        }
        #expect(grants() == ["alpha fs4"])
        scene.five.fence("fs2", .left)
        #expect(grants() == ["alpha fs4", "beta fs5"])
        scene.silence["fs4"] = .seconds(9)
        #expect(grants() == ["alpha fs5"], "one spare takes one address")
    }

    @Test(
        "a seat that nobody has goes to whose switch still has its calls, and waits a moment to learn which that is"
    )
    func callsThatWentOn() {
        var scene = Scene()
        scene.five.fence("fs1", .left)
        func taker() -> String? {
            let commands = scene.commands { $0.coverSeats() }
            guard case .grant("alpha", let to, _, _)? = commands.first else { return nil }
            return to.name
        }
        #expect(taker() == "fs4")
        scene.load.addresses = [SwitchReport.AddressLoad(address: "alpha", calls: 3)]
        #expect(taker() == "fs5")
        scene.load.addresses[0].calls = 0
        scene.change("fs5") { $0.load.health = .unknown }
        scene.load.health = .unknown
        #expect(taker() == "fs4", "this node runs for long, and has a copy of the calls")
        scene.startedAt = scene.now - .seconds(1)
        #expect(taker() == nil, "the switch of fs5 was not reached yet")
        scene.startedAt = scene.now - .seconds(60)
        #expect(taker() == "fs4")
    }

    @Test("a seat that nobody has is not given to a node whose switch does not run its profile")
    func noProfile() {
        var scene = Scene()
        scene.five.fence("fs1", .left)
        for node in ["fs4", "fs5"] {
            scene.change(node) { $0.service = ServiceView(blockers: [Blocker(.profile, "alpha", "none")]) }
        }
        let commands = scene.commands { $0.coverSeats() }
        #expect(
            !commands.contains { if case .grant(_, Self.holder("fs4"), _, _) = $0 { true } else { false } })
    }

    @Test("a drain goes on when its phase is done, and is undone when that takes too long") func drain()
        throws
    {
        var scene = Scene()
        #expect(scene.five.beginDrain().refusal == nil)
        scene.time = .zero + .seconds(1)
        scene.change("fs4") { $0.load.addresses = [] }
        #expect(scene.commands { $0.advanceDrain() }.isEmpty)
        scene.time = .zero + (try #require(Drain.Phase.raising.rule.timeout))
        #expect(
            scene.commands { $0.advanceDrain() } == [
                .drain(
                    .abort(
                        reason:
                            "raising took longer than 60 s: it waited for FreeSWITCH on fs4 to answer at delta"
                    ))
            ])
        scene.change("fs4") { $0.load.addresses = [.init(address: "delta", isAnswering: true)] }
        #expect(
            scene.commands { $0.advanceDrain() } == [
                .drain(.advance(from: .raising, to: .publishing, served: .zero))
            ])
    }

    /// Calls of `beta` were handed over to `fs4`, which is lost; `fs5` has the seat.
    private func leftCalls() -> Scene {
        var scene = Scene()
        _ = scene.five.beginDrain()
        let phases: [Drain.Phase] = [
            .raising, .publishing, .withdrawing, .forgetting, .movingRegistrations, .waitingForCalls,
            .handingOver, .lingering,
        ]
        for (from, to) in zip(phases, phases.dropFirst()) { scene.five.advance(from, to) }
        for grant in scene.five.state.grants {
            for case .released(let by, let epoch) in grant.conditions {
                scene.five.apply(
                    .released(ReleaseNotice(address: grant.address, holder: by, epoch: epoch)))
            }
        }
        scene.five.fence("fs4", grants: ["delta": "fs5"])
        return scene
    }

    @Test("left calls are brought back by whoever has the seat, for as long as anybody waits for them")
    func leftCallsAreCovered() {
        var scene = leftCalls()
        #expect(scene.five.state.grant(of: "beta") == nil && scene.five.state.drain?.phase == .lingering)
        #expect(
            scene.commands { $0.coverLeftCalls() } == [
                .grant(
                    address: "beta", to: Scene.me, reason: "calls of master2 were left there",
                    isAutomatic: true)
            ])
        scene.leadership.callsLostSince = scene.now - Leadership.callPatience
        #expect(scene.commands { $0.coverLeftCalls() }.isEmpty)
    }

    @Test("left calls go to whose switch has them still, before any spare") func leftCallsThatWentOn() {
        var scene = leftCalls()
        scene.five.apply(.maintenance(node: "fs2", nil))
        func taker() -> String? {
            guard case .grant("beta", let to, _, _)? = scene.commands({ $0.coverLeftCalls() }).first else {
                return nil
            }
            return to.name
        }
        #expect(taker() == "fs2")
        scene.load.addresses = [SwitchReport.AddressLoad(address: "beta", calls: 2)]
        #expect(taker() == "fs5")
    }

    @Test("a seat whose holder serves nobody moves to who would, and stays where nobody would")
    func unserved() {
        var scene = Scene()
        let down = ServiceView(blockers: [Blocker(.link, nil, "no carrier")])
        scene.change("fs1") { $0.service = down }
        var move = Move(
            address: "alpha", from: Self.holder("fs1"), to: Self.holder("fs4"), reason: "fs1: no carrier")
        move.isAutomatic = true
        #expect(scene.commands { $0.relieveUnserved() } == [.move(move)])
        scene.change("fs4") { $0.service = down }
        scene.load.health = .unhealthy
        #expect(scene.commands { $0.relieveUnserved() }.isEmpty)
    }
}
