import Lab
import Testing

extension LabSuites {
    @Suite("One limit for the whole cluster")
    struct SharedLimitTests {
        private func cluster(_ policies: [(name: String, policy: String)] = []) throws -> SwitchCluster {
            try SwitchCluster(nodes: 3) { plan in
                plan.limitsWhenSplit = policies
                plan.switchArguments = [
                    "--limit", "prefix=sim_5,backend=hiredis,realm=trunk,id=carrier1,max=20",
                    "--limit", "prefix=sim_50,backend=hash,realm=trunk,id=carrier2,max=1000",
                ]
            }
        }

        /// Wants so many calls at each address, and returns how many there are at each once that is steady.
        private func answered(_ site: SwitchCluster, wanting count: Int, _ addresses: [String]) throws
            -> [Int]
        {
            let hosts = try addresses.map(site.host)
            // Few enough at a time that no check waits longer than mod_hiredis waits for an answer: then calls pass.
            for (host, address) in zip(hosts, addresses) {
                try host.freeswitch.api("simulator load rate 10")
                try host.freeswitch.api("simulator load bridged \(count) \(address)")
            }
            pause(milliseconds: 2000)
            for host in hosts { try host.freeswitch.api("simulator load stop") }
            pause(milliseconds: 1000)
            return try hosts.map { try $0.freeswitch.channelCount() / 2 }
        }

        @Test("twenty calls may be up in all: the rest is refused, whichever machine they come to")
        func total() throws {
            let site = try cluster()
            defer { site.close() }
            #expect(try answered(site, wanting: 12, ["alpha"]) == [12])
            #expect(try answered(site, wanting: 12, ["beta"]) == [8])
            #expect(try answered(site, wanting: 12, ["gamma"]) == [0])
            // Whatever was refused is given back, and so is what ends.
            #expect(try answered(site, wanting: 2, ["alpha"]) == [2])
            #expect(try answered(site, wanting: 12, ["gamma"]) == [10])
            let sum = 20
            for host in site.whole {
                try wait(for: "\(host.name) to count \(sum)", atMost: 10, every: 100) {
                    try host.freeswitch.api("limit_usage hiredis trunk carrier1") == "\(sum)"
                        && host.freeswitch.api("limit_usage hash trunk carrier2") == "\(sum)"
                }
            }
        }

        @Test(
            "on the lost side of a split a closed limit refuses every call and an open one counts its own",
            arguments: [("closed", 0), ("open", 5)])
        func split(policy: String, expected: Int) throws {
            let site = try cluster([("carrier1", policy)])
            defer { site.close() }
            let lost = try site.host(of: "gamma")
            try lost.freeswitch.api("simulator load rate 10")
            try site.lab.network.partition(
                [lost.machine],
                from: site.lab.hosts.filter { $0 !== lost }.map(\.machine)
                    + [site.lab.client, site.lab.nameServer.machine])
            let others = site.lab.hosts.filter { $0 !== lost }
            try wait(for: "\(lost.name) to be missed", atMost: 10, every: 100) {
                try site.lab.status(from: others).seat("master3")?.holder != lost.name
            }
            // A call that reached the lonely machine all the same: its phone is on the same side.
            try lost.freeswitch.api("simulator load bridged 5 gamma")
            pause(milliseconds: 2500)
            try lost.freeswitch.api("simulator load stop")
            pause(milliseconds: 500)
            #expect(try lost.freeswitch.channelCount() == 2 * expected)
            // The others go on as before, without the lost one.
            #expect(try answered(site, wanting: 5, ["alpha"]) == [5])
        }
    }
}
