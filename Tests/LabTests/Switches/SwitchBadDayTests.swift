import Lab
import Testing

extension LabSuites {
    @Suite("Bad days of a recovery: half dead machines, slaves that die at it, databases that refuse")
    struct SwitchBadDayTests {
        @Test("when only the node service dies its calls move, and the old switch's end without a word")
        func serviceDies() throws {
            let site = try SwitchCluster(nodes: 4)
            defer { site.close() }
            let calls = try site.place(30)
            let old = try site.host(of: "beta")
            let moment = try old.kill(.service)
            let new = try site.waitForMove(of: "beta", from: old, missing: 1)
            let back = try site.waitUntilBack(calls, "beta", on: new)
            try site.checkHistory("beta", by: new, legs: 60)
            try site.tell("death of the node service", "beta", since: moment, on: new, back: back)
            try site.check(calls)
            #expect(try old.freeswitch.channelCount() == 60, "nobody told the old switch yet")

            try old.startService()
            try site.lab.waitUntilSettled()
            try wait(for: "the old legs to end", atMost: 15, every: 100) {
                try old.freeswitch.channelCount() == 0
            }
            pause(milliseconds: 500)
            try site.check(calls)
            #expect(try site.lab.status().node(old.name)?.role == "slave")
            try site.cluster.checkNoOverlap()
        }

        @Test("when the slave dies amid its recovery the next one goes on, and no call lives twice")
        func slaveDiesToo() throws {
            let site = try SwitchCluster()
            defer { site.close() }
            let calls = try site.place(60)
            let first = try site.host(of: "beta")
            let start = try first.cutPower()
            var second: Host?
            try wait(for: "beta on a slave", atMost: 10, every: 5) {
                second = try site.lab.holder(of: site.ip("beta")).map(site.lab.host)
                return second != nil
            }
            guard let second else { return }
            pause(milliseconds: 200)
            let revived = try second.freeswitch.channelCount()
            let moment = try second.cutPower()
            let third = try site.waitForMove(of: "beta", from: second, missing: 2)
            let back = try site.waitUntilBack(calls, "beta", on: third)
            try site.tell(
                "power loss of the slave with \(revived) of 120 legs revived", "beta", since: moment,
                on: third,
                back: back)
            try site.check(calls)
            #expect(back.milliseconds(since: start) < 20_000)
            try site.cluster.checkNoOverlap()
        }

        @Test("a slave that only small packets reach is not ready, says so, and is not chosen")
        func blackHole() throws {
            let site = try SwitchCluster()
            defer { site.close() }
            let deaf = try slave(of: site)
            try deaf.machine.check(
                ["nft", "-f", "-"],
                input: "table inet hole {\n chain in {\n type filter hook input priority 0\n"
                    + " meta l4proto tcp meta length > 1000 drop\n }\n}\n")
            let calls = try site.place(60, unknownTo: deaf)
            try wait(for: "the slave's blocker", atMost: 20, every: 200) {
                let line = try site.lab.status().node(deaf.name)
                return line?.ready == false && line?.blockers.contains { $0.contains("(MTU)") } == true
            }
            let old = try site.host(of: "beta")
            let moment = try old.cutPower()
            let new = try site.waitForMove(of: "beta", from: old, missing: 1)
            #expect(new !== deaf)
            let back = try site.waitUntilBack(calls, "beta", on: new)
            try site.tell(
                "power loss, a slave behind a narrow path", "beta", since: moment, on: new, back: back)
            try deaf.machine.check(["nft", "delete", "table", "inet", "hole"])
            try wait(for: "the slave to be ready again", atMost: 60, every: 200) {
                try site.lab.status().node(deaf.name)?.ready == true
            }
            try site.check(calls)
            try site.cluster.checkNoOverlap()
        }

        @Test("a core.db that another process locks for five seconds delays the recovery and loses nothing")
        func lockedDatabase() throws {
            let site = try SwitchCluster(nodes: 4)
            defer { site.close() }
            let calls = try site.place(30)
            let old = try site.host(of: "beta")
            let slave = try slave(of: site)
            try CoreDatabaseFile(of: slave).lock(seconds: 5)
            let moment = try old.cutPower()
            let new = try site.waitForMove(of: "beta", from: old, missing: 1)
            #expect(new === slave)
            let back = try site.waitUntilBack(calls, "beta", on: new)
            try site.tell("power loss, core.db locked", "beta", since: moment, on: new, back: back)
            try site.checkHistory("beta", by: new, legs: 60)
            try site.check(calls)
            try site.cluster.checkNoOverlap()
        }

        @Test("a core.db that is no database is named, costs its calls and nothing else")
        func spoiltDatabase() throws {
            let site = try SwitchCluster(nodes: 4)
            defer { site.close() }
            var calls = try site.place(20)
            let old = try site.host(of: "beta")
            let slave = try slave(of: site)
            try CoreDatabaseFile(of: slave).spoil()
            try old.cutPower()
            let new = try site.waitForMove(of: "beta", from: old, missing: 1)
            #expect(new === slave)
            // They are given up a minute after they were lost: until then the file may be mended.
            try wait(for: "what became of the calls", atMost: 90, every: 100) {
                try new.history().contains { $0.address == "beta" && $0.node == new.name }
            }
            let line = try new.history().last { $0.address == "beta" && $0.node == new.name }
            #expect(line?.recovered == 0)
            #expect(line?.legs == 40)
            #expect(line?.lost.count == 40)
            #expect(line?.lost.first?.reason.contains("database") == true)
            #expect(new.servicePid != nil && new.exitStatus() == nil)

            // The other masters never noticed.
            calls["beta"] = nil
            for address in calls.keys.sorted() {
                let channels = try site.host(of: address).freeswitch.channels().map(\.uuid)
                #expect(Set(channels) == calls[address] && channels.count == 40)
            }
        }

        /// Who is to take over next.
        private func slave(of site: SwitchCluster) throws -> Host {
            guard let name = try site.lab.status().nodes.first(where: { $0.position == 1 })?.name else {
                throw LabFailure("no slave")
            }
            return try site.lab.host(name)
        }
    }
}
