import Lab
import Testing

extension LabSuites {
    @Suite("A seat is where callers are served")
    struct ServedTests {
        /// Two rings; the service addresses are in the network of the first.
        private func site(nodes: Int) throws -> SwitchCluster {
            try SwitchCluster(nodes: nodes) { $0.rings = 2 }
        }

        /// How long after that moment the address was up on another machine, in milliseconds.
        private func downtime(of address: String, since moment: BootTime, _ site: SwitchCluster) throws
            -> Double
        {
            guard let added = try site.lab.addressHistory().firstAdd(of: site.ip(address), after: moment)
            else {
                throw LabFailure("\(address) came up nowhere")
            }
            return added.at.milliseconds(since: moment)
        }

        private func waitUntilReady(_ site: SwitchCluster, _ count: Int) throws {
            try wait(for: "\(count) slaves to stand ready", atMost: 20, every: 100) {
                try site.lab.status().nodes.count { $0.ready == true } == count
            }
        }

        @Test("what operators do every day takes nobody's service away") func everyday() throws {
            let site = try site(nodes: 4)
            defer { site.close() }
            try waitUntilReady(site, 1)
            let holder = try site.host(of: "alpha")
            let moment = BootTime.now
            // A gateway is added.
            try holder.freeswitch.api("sofia profile alpha rescan")
            try wait(for: "alpha to take calls again", atMost: 2, every: 20) {
                try holder.freeswitch.api("originate sofia/alpha/%nowhere &park").contains(
                    "USER_NOT_REGISTERED")
            }
            // `netplan apply`, as systemd sets the kernel up.
            let machine = holder.machine
            let own = machine.addresses[0] + "/24"
            try machine.check(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/promote_secondaries"])
            try machine.check(
                ["ip", "-batch", "-"], input: "addr del \(own) dev eth0\naddr add \(own) brd + dev eth0\n")
            #expect(try machine.check(["ip", "route", "show", "dev", "eth0"]).contains("10.77.0.0/24"))
            pause(milliseconds: 2500)
            let status = try site.lab.status()
            #expect(status.seats.first { $0.address == site.ip("alpha") }?.holder == holder.name)
            #expect(status.seats.allSatisfy { $0.state == "active" && $0.trouble == nil })
            #expect(try site.lab.addressHistory().firstAdd(of: site.ip("alpha"), after: moment) == nil)
        }

        @Test(
            "a cable of the service network that is out, and a profile that is stopped, move the seat at once"
        )
        func inside() throws {
            let site = try site(nodes: 5)
            defer { site.close() }
            try waitUntilReady(site, 2)
            let calls = try site.place(5, on: ["beta"])
            let first = try site.host(of: "alpha")
            var moment = BootTime.now
            try site.lab.network.setLink(of: first.machine, up: false, ring: 0)
            _ = try site.waitForMove(of: "alpha", from: first, missing: 0)
            var outage = try downtime(of: "alpha", since: moment, site)
            print("service cable out: alpha elsewhere after \(Int(outage)) ms")
            #expect(outage < 5000)
            #expect(
                try site.lab.status().node(first.name)?.blockers.contains { $0.contains("no carrier") }
                    == true)

            let second = try site.host(of: "beta")
            moment = BootTime.now
            // Not within the first ten seconds of a profile's life.
            try wait(for: "beta to be stopped", atMost: 15, every: 100) {
                moment = BootTime.now
                return try second.freeswitch.api("sofia profile beta stop").contains("stopping")
            }
            _ = try site.waitForMove(of: "beta", from: second, missing: 0)
            outage = try downtime(of: "beta", since: moment, site)
            print("profile stopped: beta elsewhere after \(Int(outage)) ms")
            #expect(outage < 5000)
            #expect(calls["beta"]?.count == 10)
            try site.cluster.checkNoOverlap()
        }

        @Test(
            "the callers' network is gone everywhere, for a moment and for longer: no seat moves, also where callers come by IPv6 and heartbeats by IPv4",
            arguments: [false, true])
        func everywhere(isIPv6: Bool) throws {
            let site = try SwitchCluster(nodes: 4) {
                $0.rings = 2
                $0.isIPv6 = isIPv6
            }
            defer { site.close() }
            try waitUntilReady(site, 1)
            pause(milliseconds: 1000)
            let before = try site.lab.status().seats.map(\.holder)
            let machines = site.lab.hosts.map(\.machine)
            for milliseconds in [1500.0, 5000] {
                for machine in machines {
                    try site.lab.network.cut(from: [machine], to: machines.filter { $0 !== machine }, ring: 0)
                }
                pause(milliseconds: milliseconds)
                try site.lab.network.heal()
                pause(milliseconds: 2000)
                #expect(try site.lab.status().seats.map(\.holder) == before)
            }
            try site.cluster.checkNoOverlap()
        }

        @Test("a default route that one machine loses moves its seat, one that all lose moves none")
        func defaultRoute() throws {
            let site = try site(nodes: 4)
            defer { site.close() }
            try waitUntilReady(site, 1)
            func gateway(_ verb: String, _ hosts: [Host]) throws {
                for host in hosts {
                    try host.machine.check([
                        "ip", "route", verb, "default", "via", "10.77.0.254", "dev", "eth0",
                    ])
                }
            }
            try gateway("add", site.lab.hosts)
            let before = try site.lab.status().seats.map(\.holder)
            try gateway("del", site.lab.hosts)
            pause(milliseconds: 4000)
            #expect(try site.lab.status().seats.map(\.holder) == before)
            try gateway("add", site.lab.hosts)
            try waitUntilReady(site, 1)

            let old = try site.host(of: "alpha")
            let moment = BootTime.now
            try gateway("del", [old])
            _ = try site.waitForMove(of: "alpha", from: old, missing: 0)
            let outage = try downtime(of: "alpha", since: moment, site)
            print("default route lost: alpha elsewhere after \(Int(outage)) ms")
            #expect(outage > 1900 && outage < 6000)
            #expect(
                try site.lab.status().node(old.name)?.blockers.contains("the default route by eth0 is gone")
                    == true)
            try site.cluster.checkNoOverlap()
        }

        @Test("a holder that the others cannot reach by SIP gives its seat up, and it does not come back")
        func outside() throws {
            let site = try site(nodes: 4)
            defer { site.close() }
            try waitUntilReady(site, 1)
            let old = try site.host(of: "alpha")
            // Others ask every quarter of a second; their first answers are in.
            pause(milliseconds: 1000)
            let moment = BootTime.now
            try old.machine.check(
                ["nft", "-f", "-"],
                input: "table inet wall {\n chain in {\n type filter hook input priority 0\n"
                    + " udp dport 5060 ip saddr 10.77.0.0/24 ip saddr != { \(site.ip("alpha")) } drop\n }\n}\n"
            )
            let new = try site.waitForMove(of: "alpha", from: old, missing: 0)
            let outage = try downtime(of: "alpha", since: moment, site)
            print("SIP filtered: alpha elsewhere after \(Int(outage)) ms")
            #expect(outage < 2500)
            pause(milliseconds: 3000)
            #expect(try site.host(of: "alpha") === new)
        }
    }
}
