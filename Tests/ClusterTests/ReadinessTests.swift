import Consensus
import Primitives
import Testing

@testable import Cluster

private func at(_ milliseconds: Int) -> Instant { .zero + .seconds(10) + .milliseconds(milliseconds) }

/// What keeps a node from serving, and for how long.
@Suite("Readiness") struct ReadinessTests {
    private func sight(
        _ condition: NetworkSight.Condition, _ company: NetworkSight.Company = .heard
    ) -> [NetworkSight] { [NetworkSight(address: "alpha", condition: condition, company: company)] }

    @Test("the gravest thing decides, and only what concerns the address") func gravest() {
        let view = ServiceView(blockers: [
            Blocker(.replica, "alpha", "not in step"), Blocker(.link, "beta", "eth1 has no carrier"),
            Blocker(.database, nil, "core.db is read-only"),
        ])
        #expect(view.readiness(for: "alpha").readiness == .degraded)
        #expect(view.readiness(for: "beta").blocker?.kind == .link)
        #expect(ServiceView().readiness(for: "alpha").readiness == .ready)
        #expect(view.canJudge("alpha") && !view.canJudge("beta"))
    }

    @Test("a carrier that is lost counts at once; a route that is missed for a moment does not")
    func patience() {
        var network = NetworkView()
        let isNew = network.seen(sight(.well), at: at(0))
        let isNewAgain = network.seen(sight(.well), at: at(10))
        #expect(isNew && !isNewAgain)
        #expect(network.blockers(at: at(10)).isEmpty)
        _ = network.seen(sight(.noRoute(interface: "eth0")), at: at(100))
        #expect(network.blockers(at: at(140)).isEmpty)
        #expect(network.blockers(at: at(150)).map(\.kind) == [.link])
        _ = network.seen(sight(.noCarrier(interface: "eth0")), at: at(200))
        #expect(network.blockers(at: at(200)).map(\.kind) == [.link])
    }

    @Test(
        "without a default route a node is not to be chosen at once, and gives up what it holds only when that lasts"
    )
    func gateway() {
        var network = NetworkView()
        _ = network.seen(sight(.well), at: at(0))
        _ = network.seen(sight(.noGateway(interface: "eth0")), at: at(1000))
        #expect(network.blockers(at: at(1000)).map(\.kind) == [.unsettled])
        #expect(Blocker.Kind.unsettled.readiness < .unserving && Blocker.Kind.unsettled.readiness > .degraded)
        #expect(network.blockers(at: at(3000)).map(\.kind) == [.gateway])
        #expect(Blocker.Kind.gateway.readiness == .unserving)
    }

    @Test("a link that comes and goes is trusted later each time, up to a minute") func flapping() {
        var network = NetworkView()
        _ = network.seen(sight(.well), at: at(0))
        var waits: [Duration] = []
        var now = at(1000)
        for _ in 0..<8 {
            _ = network.seen(sight(.noCarrier(interface: "eth0")), at: now)
            now = now + .seconds(1)
            _ = network.seen(sight(.well), at: now)
            var settled = now
            while !network.blockers(at: settled).isEmpty { settled = settled + .milliseconds(500) }
            waits.append(settled - now)
            now = now + .seconds(1)
        }
        #expect(waits == waits.sorted() && waits.last == .seconds(60) && waits[0] <= .seconds(5))
    }

    @Test("a node that hears nobody in a network that it speaks in is not relied on there") func alone() {
        var network = NetworkView()
        _ = network.seen(sight(.well, .missing), at: at(0))
        #expect(network.blockers(at: at(0)).map(\.kind) == [.alone])
        #expect(Blocker.Kind.alone.readiness == .unsettled)
    }

    @Test("what the keeper could not hold is left alone longer each time") func keeper() {
        var troubles = KeeperTroubles()
        troubles.failed("alpha", "no room", at: at(0))
        #expect(troubles.blockers(at: at(29_000)).map(\.kind) == [.keeper])
        #expect(troubles.blockers(at: at(30_000)).isEmpty)
        troubles.failed("alpha", "no room", at: at(31_000))
        #expect(troubles.blockers(at: at(90_000)).count == 1 && troubles.blockers(at: at(91_000)).isEmpty)
        troubles.failed("alpha", "no room", at: at(91_500))
        troubles.forget("alpha")
        #expect(troubles.blockers(at: at(91_500)).isEmpty)
    }

    @Test("a move that nobody asked for counts against flapping; an operator's does not") func counted()
        throws
    {
        let members = ["fs1", "fs2"].map {
            Holder(member: MemberID(name: $0, birth: 1), incarnation: 1 << 32)
        }
        let address = ServiceAddress(
            name: "alpha", ip: try #require(IPAddress("10.0.0.11")), prefixLength: 24)
        var state = ControlState(
            clusterID: 1,
            settings: ClusterSettings(
                cluster: "pbx", expect: 2, addresses: [address],
                seats: [SeatRule(name: "master1", address: "alpha")]))
        var index: Index = 0
        func apply(_ command: ControlCommand) -> Applied {
            index += 1
            return state.apply(
                StampedCommand(time: .zero, command: command), at: Epoch(term: 1, index: index))
        }
        for member in members {
            _ = apply(.admit(Admission(holder: member, kind: .full, settingsVersion: 0)))
        }
        _ = apply(.grant(address: "alpha", to: members[0], reason: "", isAutomatic: false))
        var move = Move(address: "alpha", from: members[0], to: members[1], reason: "asked")
        #expect(apply(.move(move)).refusal == nil && state.takeovers.isEmpty)
        move = Move(address: "alpha", from: members[1], to: members[0], reason: "eth0 has no carrier")
        move.isAutomatic = true
        #expect(apply(.move(move)).refusal == nil && state.takeovers.count == 1)
    }
}
