import Lab
import Testing

extension LabSuites {
    @Suite("Drains with calls")
    struct DrainTests {
        private static let whole = [
            "raising", "publishing", "withdrawing", "forgetting", "moving-registrations",
            "waiting-for-calls",
        ]

        @Test("it waits for calls, refuses only new ones, and the address answers till its end")
        func withCalls() throws {
            let drains = try DrainSite()
            defer { drains.close() }
            let site = drains.site
            let old = try site.host(of: "beta")
            let calls = try site.lab.startCalls(to: site.ip("beta"), rate: 25, count: 25, seconds: 0)
            try calls.waitUntilUp(25)
            try site.lab.startOptions(to: site.ip("beta"))
            pause(milliseconds: 300)
            let start = BootTime.now

            let pid = try old.startCommand("drain", "master2", "--reason", "kernel", "--wait", file: "drain")
            try drains.waitFor(phase: "waiting-for-calls")
            try wait(for: "the switch to refuse", atMost: 5, every: 50) {
                try drains.isRefusing(old).inbound && drains.isRefusing(old).outbound
            }
            for _ in 0..<3 { #expect(try drains.call("beta") == "refused 503") }
            #expect(try drains.call("delta") == "ended")
            pause(milliseconds: 1500)
            let held = try drains.drain()
            #expect(held?.phase == "waiting-for-calls" && held?.callsLeft == 25)
            #expect(held?.waitingFor == "25 calls on beta")
            #expect(try calls.record().up == 25)
            #expect(try site.lab.holder(of: site.ip("beta")) == old.name)

            let end = BootTime.now
            let record = try calls.stop()
            #expect(record.outcomes == ["ended": 25])
            #expect(old.machine.exitStatus(of: pid) == 0, "\(old.machine.text(of: "drain"))")
            let status = try drains.waitUntilOver()
            #expect(try drains.phases(by: old) == Self.whole + ["rotating"])
            #expect(status.seat("master2")?.address == drains.ip("delta"))
            #expect(status.maintenance.addresses == [site.ip("beta")])
            #expect(status.node(old.name)?.role == "maintenance")
            let removed = try site.lab.addressHistory().firstRemoval(
                of: site.ip("beta"), from: old.name, after: start)
            #expect(removed != nil)
            if let removed {
                #expect(removed.at > end)
                drains.checkOptions("beta", from: start, until: removed.at)
            }
            try wait(for: "the switch to refuse no longer", atMost: 5, every: 50) {
                try !drains.isRefusing(old).inbound && !drains.isRefusing(old).outbound
            }
            drains.checkZone()
            try old.command("undrain", old.name, "--wait")
            #expect(try site.lab.status().node(old.name)?.role == "slave")
            try site.cluster.checkAgreement()
            try site.cluster.checkNoOverlap()
        }

        @Test("50 calls a second that follow DNS never notice it")
        func underLoad() throws {
            let drains = try DrainSite()
            defer { drains.close() }
            let site = drains.site
            let old = try site.host(of: "beta")
            let calls = try site.lab.startCalls(to: nil, rate: 50, count: 1600, seconds: 4)
            pause(milliseconds: 6000)
            let start = BootTime.now
            try old.command("drain", "master2", "--wait", seconds: 60)
            let took = BootTime.now.milliseconds(since: start)
            let record = try calls.waitUntilOver()
            try drains.waitUntilOver()

            let places = Dictionary(grouping: record.calls, by: \.address).mapValues(\.count)
            print(
                "drain under load: \(Int(took)) ms; \(record.calls.count) calls: \(record.summary); at "
                    + places.keys.sorted().map { "\($0) \(places[$0] ?? 0)" }.joined(separator: ", "))
            #expect(record.outcomes == ["ended": 1600] && record.nowhere == 0)
            drains.checkZone()
            let late = record.calls.filter { $0.address == site.ip("beta") }.map(\.sent).max()
            let served = try #require(drains.lastServed("beta"))
            let last = try #require(late)
            let delay = last.milliseconds(since: served)
            print("the last call to the drained address came \(Int(delay)) ms after DNS named it last")
            #expect(last > start && delay < 2000 + 1000)
            #expect(record.calls.contains { $0.address == drains.ip("delta") })
            try site.cluster.checkNoOverlap()
        }
    }
}
