import Lab
import Testing

extension LabSuites {
    @Suite("Drains that end calls, or take them along")
    struct DrainEndingTests {
        @Test("500 calls are handed over within 50 ms of silence, and the node is free at once")
        func handover() throws {
            let drains = try DrainSite()
            defer { drains.close() }
            let site = drains.site
            let old = try site.host(of: "beta")
            let calls = try site.lab.startCalls(to: site.ip("beta"), rate: 50, count: 500, seconds: 0)
            try calls.waitUntilUp(500)
            try wait(for: "all calls to be recoverable everywhere", atMost: 30, every: 200) {
                try site.whole.allSatisfy { try $0.calls().count(where: \.isRevivable) == 500 }
            }
            let probe = try site.lab.startProbe(of: site.ip("beta"))
            pause(milliseconds: 300)
            let start = BootTime.now
            try old.command("drain", "master2", "--handover", "--reason", "kernel")
            try drains.waitFor(phase: "lingering")
            let taken = BootTime.now
            let status = try site.lab.status()
            #expect(status.node(old.name)?.role == "maintenance")
            #expect(status.seat("master2")?.address == drains.ip("delta"))
            let taker = try site.lab.host(try #require(status.maintenance.drain?.to))
            #expect(try site.lab.holder(of: site.ip("beta")) == taker.name)
            try wait(for: "the calls on the taker", atMost: 30, every: 50) {
                try taker.freeswitch.channels().count { $0.profile == "beta" } == 500
            }
            let back = BootTime.now
            try wait(for: "the drained switch to be empty", atMost: 20, every: 50) {
                try old.freeswitch.channelCount() == 0
            }
            pause(milliseconds: 1000)
            let record = try probe.stop()
            let silence = record.handovers.map(\.gap)
            #expect(record.handovers.map(\.from) == [old.name] && record.handovers.map(\.to) == [taker.name])
            #expect(silence.allSatisfy { $0 < 50 })
            try site.checkHistory("beta", by: taker, legs: 500)
            let line = try #require(try taker.history().last { $0.address == "beta" })
            print(
                "handover: \(Int(taken.milliseconds(since: start))) ms to lingering, the address silent for "
                    + "\(silence) ms, all calls back after \(Int(back.milliseconds(since: start))) ms; told: "
                    + "\(line.recovered) of \(line.legs) legs in \(line.milliseconds) ms")

            // Nobody was told BYE, everybody was asked once by the taker, and all is still up.
            let during = try calls.record()
            #expect(during.outcomes == ["up": 500])
            #expect(during.calls.allSatisfy { !$0.asked.isEmpty })
            pause(milliseconds: 1500)
            #expect(try drains.drain()?.phase == "lingering")
            #expect(try drains.drain()?.callsLeft == 500)
            #expect(try drains.call("delta") == "ended")

            let after = try calls.stop()
            #expect(after.outcomes == ["ended": 500])
            try drains.waitUntilOver()
            #expect(try site.lab.holder(of: site.ip("beta")) == nil)
            #expect(
                try drains.phases(by: old) == [
                    "raising", "publishing", "withdrawing", "forgetting", "handing-over", "lingering",
                    "rotating",
                ])
            for host in site.whole { #expect(try drains.isRefusing(host) == (false, false), "\(host.name)") }
            drains.checkZone()
            try old.command("undrain", old.name, "--wait")
            try site.cluster.checkAgreement()
            try site.cluster.checkNoOverlap()
        }

        @Test("calls left at the deadline are hung up, and the address goes")
        func hangup() throws {
            let drains = try DrainSite()
            defer { drains.close() }
            let site = drains.site
            let old = try site.host(of: "beta")
            let calls = try site.lab.startCalls(to: site.ip("beta"), rate: 25, count: 50, seconds: 0)
            try calls.waitUntilUp(50)
            let other = try site.lab.startCalls(to: site.ip("alpha"), rate: 25, count: 5, seconds: 0)
            try other.waitUntilUp(5)
            let start = BootTime.now
            let pid = try old.startCommand(
                "drain", "master2", "--deadline", "8s", "--on-deadline", "hangup", "--wait", file: "drain")
            try drains.waitFor(phase: "waiting-for-calls")
            #expect(try calls.record().up == 50)
            #expect(old.machine.exitStatus(of: pid) == 0, "\(old.machine.text(of: "drain"))")
            try drains.waitUntilOver()
            let record = try calls.waitUntilOver()
            #expect(record.outcomes == ["dropped": 50])
            let first = record.calls.compactMap { $0.end?.at }.min()
            let removed = try site.lab.addressHistory().firstRemoval(
                of: site.ip("beta"), from: old.name, after: start)
            let last = record.calls.compactMap { $0.end?.at }.max()
            if let first, let last, let removed {
                #expect(first.milliseconds(since: start) >= 7900)
                #expect(removed.at > last, "they are told before the address goes")
                print(
                    "hangup: first BYE after \(Int(first.milliseconds(since: start))) ms, all 50 within "
                        + "\(Int(last.milliseconds(since: first))) ms, the address gone "
                        + "\(Int(removed.at.milliseconds(since: last))) ms later")
            } else {
                Issue.record("no BYE, or the address stayed")
            }
            let phases = try drains.phases(by: old)
            #expect(phases.suffix(3) == ["waiting-for-calls", "hanging-up", "rotating"])
            #expect(try other.stop().outcomes == ["ended": 5])
            #expect(try site.lab.status().node(old.name)?.role == "maintenance")
            try site.cluster.checkNoOverlap()
        }

        @Test("a drain that may not take longer ends where it began")
        func deadlineAborts() throws {
            let drains = try DrainSite()
            defer { drains.close() }
            let site = drains.site
            let old = try site.host(of: "beta")
            let calls = try site.lab.startCalls(to: site.ip("beta"), rate: 25, count: 10, seconds: 0)
            try calls.waitUntilUp(10)
            let before = try drains.picture()
            #expect(before.refusing == [])
            let pid = try old.startCommand(
                "drain", "master2", "--deadline", "6s", "--on-deadline", "abort", "--wait", file: "drain")
            try drains.waitFor(phase: "waiting-for-calls")
            #expect(old.machine.exitStatus(of: pid) != 0)
            let told = try old.events().filter { $0.kind == "drain-aborted" }.map(\.text)
            #expect(told.count == 1 && told.allSatisfy { $0.contains("deadline passed") }, "\(told)")
            try drains.waitUntilOver()
            try drains.expect(before)
            #expect(try drains.call("beta") == "ended")
            #expect(try calls.stop().outcomes == ["ended": 10])
            #expect(try site.lab.status().node(old.name)?.role == "master")
            drains.checkZone()
            try site.cluster.checkAgreement()
            try site.cluster.checkNoOverlap()
        }
    }
}
