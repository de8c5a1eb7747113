import Lab
import Testing

extension LabSuites {
    @Suite("Calls, phones and limits outlive their machine")
    struct SwitchStoryTests {
        /// Every call counts against the first, by mod_hiredis, and against the second, by mod_hash.
        static let limits = [
            "--limit", "prefix=sim_5,backend=hiredis,realm=trunk,id=carrier1,max=5000",
            "--limit", "prefix=sim_50,backend=hash,realm=trunk,id=carrier2,max=5000",
        ]

        @Test("500 calls and 5,000 phones survive the loss of a master, then of the slave that took over")
        func losses() throws {
            let site = try SwitchCluster { $0.switchArguments = Self.limits }
            defer { site.close() }
            try site.register(1667)
            try site.waitForPhones(1667)
            let calls = try site.place(167)
            try checkLimits(site, total: 501)
            try site.check(calls)

            let first = try site.host(of: "beta")
            var moment = try first.cutPower()
            let second = try site.waitForMove(of: "beta", from: first, missing: 1)
            var back = try site.waitUntilBack(calls, "beta", on: second)
            try site.checkHistory("beta", by: second, legs: 334)
            try site.tell("power loss", "beta", since: moment, on: second, back: back)
            try site.check(calls)
            try site.waitForPhones(1667)
            try checkLimits(site, total: 501)

            moment = try second.cutPower()
            let third = try site.waitForMove(of: "beta", from: second, missing: 2)
            back = try site.waitUntilBack(calls, "beta", on: third)
            try site.checkHistory("beta", by: third, legs: 334)
            try site.tell("second power loss", "beta", since: moment, on: third, back: back)
            try site.check(calls)
            try checkLimits(site, total: 501)

            try first.powerOn()
            let status = try site.lab.waitUntilSettled(missing: 1)
            #expect(status.node(first.name)?.role == "slave")
            try site.waitUntilHealthy([first])
            #expect(first.log.contains("rows of earlier lives were removed"))
            #expect(try CoreDatabaseFile(of: first).rows() == 0)
            try site.waitForPhones(1667)
            try site.check(calls)
            try checkLimits(site, total: 501)
            try site.cluster.checkNoOverlap()
        }

        /// The sums, as every node tells them and as a dialplan anywhere would find them.
        private func checkLimits(_ site: SwitchCluster, total: Int) throws {
            for host in site.whole {
                var lines: [LimitLine] = []
                do {
                    try wait(for: "\(host.name) to count \(total)", atMost: 30, every: 200) {
                        lines = try host.limits()
                        return ["total", "hash"].allSatisfy { kind in
                            lines.filter { $0.kind == kind }.reduce(0) { $0 + $1.total } == total
                        }
                    }
                } catch {
                    throw LabFailure("\(error): \(lines)")
                }
                for line in try host.limits() {
                    #expect(line.nodes.allSatisfy { $0.count > 0 })
                    #expect(line.nodes.reduce(0) { $0 + $1.count } == line.total)
                }
                let asked = try host.freeswitch.api("limit_usage hiredis trunk carrier1")
                #expect(asked == "\(total)", "as \(host.name) is told")
                // mod_hash asks its remotes by the clock.
                try wait(for: "mod_hash of \(host.name) to count \(total)", atMost: 5, every: 100) {
                    try host.freeswitch.api("limit_usage hash trunk carrier2") == "\(total)"
                }
            }
        }

        @Test("a master whose FreeSWITCH alone dies gives its seat away at once, and its calls live on")
        func switchDies() throws {
            let site = try SwitchCluster(nodes: 4)
            defer { site.close() }
            let calls = try site.place(30)
            let old = try site.host(of: "beta")
            let moment = try old.freeswitch.kill()
            let new = try site.waitForMove(of: "beta", from: old, missing: 0)
            let back = try site.waitUntilBack(calls, "beta", on: new)
            try site.checkHistory("beta", by: new, legs: 60)
            try site.tell("death of FreeSWITCH", "beta", since: moment, on: new, back: back)
            let added = try site.lab.addressHistory().firstAdd(of: site.ip("beta"), after: moment)
            if let added { #expect(added.at.milliseconds(since: moment) < 1500) }
            try site.check(calls)

            try old.freeswitch.start()
            try site.waitUntilHealthy([old])
            #expect(try site.lab.status().node(old.name)?.role == "slave")
            try site.check(calls)
            try site.cluster.checkNoOverlap()
        }

        @Test("a master whose FreeSWITCH takes commands but tells nothing loses its seat soon")
        func stuckEvents() throws {
            let site = try SwitchCluster(nodes: 4) { $0.failedAfter = "2s" }
            defer { site.close() }
            let calls = try site.place(30)
            let old = try site.host(of: "beta")
            let moment = BootTime.now
            try old.freeswitch.api("simulator events stuck")
            let new = try site.waitForMove(of: "beta", from: old, missing: 0)
            let back = try site.waitUntilBack(calls, "beta", on: new)
            try site.tell("stuck events", "beta", since: moment, on: new, back: back)
            let added = try site.lab.addressHistory().firstAdd(of: site.ip("beta"), after: moment)
            if let added {
                #expect(added.at.milliseconds(since: moment) >= 1800, "not before it is sure")
                #expect(added.at.milliseconds(since: moment) < 4000)
            }

            // It still had all its calls; they end there, without a word to anybody.
            try wait(for: "the old legs to end", atMost: 10, every: 100) {
                try old.freeswitch.channelCount() == 0
            }
            try site.check(calls)
            try old.freeswitch.api("simulator events flow")
            try site.waitUntilHealthy([old])
            pause(milliseconds: 500)
            try site.check(calls)
            try site.cluster.checkNoOverlap()
        }

        @Test("a switchover keeps every call and every phone")
        func switchover() throws {
            let site = try SwitchCluster(nodes: 4)
            defer { site.close() }
            try site.register(100)
            let calls = try site.place(30)
            try site.waitForPhones(100)
            let old = try site.host(of: "gamma")
            let moment = BootTime.now
            try old.command("switchover", "master3", "--wait")
            let new = try site.waitForMove(of: "gamma", from: old, missing: 0)
            let back = try site.waitUntilBack(calls, "gamma", on: new)
            try site.checkHistory("gamma", by: new, legs: 60)
            try site.tell("switchover", "gamma", since: moment, on: new, back: back)
            try wait(for: "the old legs to end", atMost: 10, every: 100) {
                try old.freeswitch.channelCount() == 0
            }
            try site.check(calls)
            try site.waitForPhones(100)
            try site.cluster.checkNoOverlap()
        }

        @Test("a phone can be called from every machine, before and after its own is lost")
        func phones() throws {
            let site = try SwitchCluster(nodes: 4)
            defer { site.close() }
            try site.register(10)
            try site.waitForPhones(10)
            let user = "alpha-7@" + site.ip("alpha")
            let contact = "sip:alpha-7@\(site.lab.client.addresses[0]):\(Phones.port("alpha"))"
            for host in site.whole {
                #expect(try host.freeswitch.contact(of: user, on: "alpha") == "sofia/alpha/" + contact)
            }
            let old = try site.host(of: "alpha")
            try old.cutPower()
            let new = try site.waitForMove(of: "alpha", from: old, missing: 1)
            try site.waitForPhones(10)
            for host in site.whole {
                #expect(try host.freeswitch.contact(of: user, on: "alpha") == "sofia/alpha/" + contact)
            }
            let line = try new.registrations().first { $0.user == user }
            #expect(line?.node == new.name && line?.address == "alpha")
            if let line { #expect(line.expiresSeconds > 3000 && line.expiresSeconds <= 3600) }
        }
    }
}
