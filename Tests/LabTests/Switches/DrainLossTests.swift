import Lab
import Testing

extension LabSuites {
    @Suite("Losses in a drain")
    struct DrainLossTests {
        @Test("the drained machine loses power: its calls end where they were recovered", arguments: [4, 5])
        func drainedLost(nodes: Int) throws {
            let drains = try DrainSite(nodes: nodes)
            defer { drains.close() }
            let site = drains.site
            let old = try site.host(of: "beta")
            let calls = try site.lab.startCalls(to: site.ip("beta"), rate: 25, count: 50, seconds: 0)
            try calls.waitUntilUp(50)
            try old.command("drain", "master2")
            try drains.waitFor(phase: "waiting-for-calls")
            let taker = try site.lab.host(try #require(try drains.drain()?.to))
            // Calls of its own, which must not notice that others are revived beside them.
            let new = try site.lab.startCalls(to: drains.ip("delta"), rate: 25, count: 20, seconds: 0)
            try new.waitUntilUp(20)
            for host in site.whole {
                try wait(for: "\(host.name) to know all calls", atMost: 10, every: 100) {
                    try host.calls().count(where: \.isRevivable) == 70
                }
            }

            let moment = try old.cutPower()
            try drains.waitFor(phase: "lingering")
            try wait(for: "the old address elsewhere", atMost: 10, every: 20) {
                try site.lab.holder(of: site.ip("beta")) != nil
            }
            let heir = try site.lab.host(try #require(try site.lab.holder(of: site.ip("beta"))))
            #expect((heir === taker) == (nodes == 4))
            try wait(for: "the calls on \(heir.name)", atMost: 20, every: 50) {
                try heir.freeswitch.channels().count { $0.profile == "beta" } == 50
            }
            print(
                "the drained machine lost: its calls back on \(heir.name) after "
                    + "\(Int(BootTime.now.milliseconds(since: moment))) ms")
            try site.checkHistory("beta", by: heir, legs: 50)
            #expect(try calls.record().outcomes == ["up": 50])
            #expect(try new.record().outcomes == ["up": 20])
            let status = try site.lab.status(from: site.whole)
            #expect(status.seat("master2")?.address == drains.ip("delta"))
            #expect(status.seat("master2")?.holder == taker.name)

            #expect(try calls.stop().outcomes == ["ended": 50])
            try drains.waitUntilOver(missing: 1)
            #expect(try site.lab.holder(of: site.ip("beta")) == nil)
            #expect(try new.stop().outcomes == ["ended": 20])
            #expect(try drains.call("delta") == "ended")
            for host in site.whole { #expect(try drains.isRefusing(host) == (false, false), "\(host.name)") }
            drains.checkZone()

            // It returns, and is in maintenance as it would have been.
            try old.powerOn()
            try drains.waitUntilOver()
            #expect(try site.lab.status().node(old.name)?.role == "maintenance")
            try site.cluster.checkNoOverlap()
        }

        @Test("the taker loses power: the seat is covered again, and the drain goes on", arguments: [4, 5])
        func takerLost(nodes: Int) throws {
            let drains = try DrainSite(nodes: nodes)
            defer { drains.close() }
            let site = drains.site
            let old = try site.host(of: "beta")
            let calls = try site.lab.startCalls(to: site.ip("beta"), rate: 25, count: 20, seconds: 0)
            try calls.waitUntilUp(20)
            let before = try drains.picture()
            try old.command("drain", "master2")
            try drains.waitFor(phase: "waiting-for-calls")
            let taker = try site.lab.host(try #require(try drains.drain()?.to))
            let new = try site.lab.startCalls(to: drains.ip("delta"), rate: 25, count: 20, seconds: 0)
            try new.waitUntilUp(20)
            // With called legs too, which no switch revives whose outbound calls are paused.
            try taker.freeswitch.api("simulator load bridged 10 delta")
            try wait(for: "bridged calls", atMost: 20, every: 100) {
                try taker.freeswitch.channelCount() == 40
            }
            try taker.freeswitch.api("simulator load stop")
            for host in site.whole {
                try wait(for: "\(host.name) to know all calls", atMost: 10, every: 100) {
                    let calls = try host.calls().filter(\.isRevivable)
                    return calls.count == 50 && calls.count { $0.legs.count == 2 } == 10
                }
            }

            let moment = try taker.cutPower()
            try wait(for: "the seat to be covered", atMost: 20, every: 20) {
                let seat = try? site.lab.status(from: site.whole).seat("master2")
                guard let seat, let holder = seat.holder, holder != taker.name else { return false }
                return try site.lab.holder(of: seat.address) == holder
            }
            let heir = try site.cluster.holder(of: "master2")
            print(
                "the taker lost: master2 on \(heir.name) after "
                    + "\(Int(BootTime.now.milliseconds(since: moment))) ms"
            )
            try wait(for: "the new calls on a switch", atMost: 20, every: 50) {
                try site.whole.map { try $0.freeswitch.channels().count { $0.profile == "delta" } }.max()
                    == 40
            }
            #expect(try new.record().outcomes == ["up": 20])
            #expect(try calls.record().outcomes == ["up": 20])
            #expect(try new.stop().outcomes == ["ended": 20])
            #expect(try calls.stop().outcomes == ["ended": 20])
            // Those between phones inside of the switch end by its word.
            #expect(try site.lab.host(heir.name).freeswitch.channelCount() == 20)
            try heir.freeswitch.api("hupall")
            let status = try drains.waitUntilOver(missing: 1)
            if nodes == 5 {
                #expect(heir !== old && status.seat("master2")?.address == drains.ip("delta"))
                #expect(status.node(old.name)?.role == "maintenance")
            } else {
                // Nobody else is left: the drained node has its seat again.
                #expect(heir === old && status.node(old.name)?.role == "master")
                try drains.expect(before)
            }
            for host in site.whole { #expect(try drains.isRefusing(host) == (false, false), "\(host.name)") }
            drains.checkZone(atLeast: 2)
            try site.cluster.checkAgreement(missing: 1)
            try site.cluster.checkNoOverlap()
        }
    }
}
