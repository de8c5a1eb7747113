import Foundation
import Lab

// A seat is where callers are served: what is noticed of a holder whose machine lives, and how soon.

extension Bench {
    /// A cluster with a switch on every machine and two rings; the service addresses are in the network of the first.
    private struct ServedCluster {
        let cluster: BenchCluster
        var lab: Lab { cluster.lab }

        init(nodes: Int = 5) throws {
            var plan = ClusterPlan()
            plan.nodes = nodes
            plan.rings = 2
            plan.switches = true
            cluster = try BenchCluster(plan)
        }

        /// Waits until so many slaves stand ready: a move to nobody measures nothing.
        func waitUntilReady(_ count: Int) throws {
            try wait(for: "\(count) slaves to stand ready", atMost: 120, every: 100) {
                try lab.status().nodes.count { $0.ready == true } >= count
            }
        }

        /// How long after that moment the address was up on another machine, in milliseconds.
        func outage(_ victim: BenchCluster.Victim, since moment: BootTime) throws -> Double {
            try cluster.waitForTakeover(victim, after: moment).at.milliseconds(since: moment)
        }
    }

    func servedOutages(_ metric: Metric) throws -> [Row] {
        let site = try ServedCluster()
        defer { site.lab.close() }
        var outages: [Double] = []
        for round in 0..<runs(20) {
            try site.waitUntilReady(1)
            let victim = try site.cluster.holder(of: ["alpha", "beta", "gamma"][round % 3])
            // Others ask every quarter of a second; their first answers are in.
            pause(milliseconds: 1000 + Double.random(in: 0...250))
            outages.append(try outage(metric, victim, site))
            Self.tell("\(victim.host.name): up elsewhere after \(outages.last ?? 0) ms")
            try site.lab.waitUntilSettled(atMost: 60)
        }
        let overlap = try site.cluster.overlap()
        let (name, target) =
            switch metric {
            case .cable: ("cable of the service network out, second ring well", "median <= 400")
            case .profileStop: ("profile stopped", "median <= 500")
            default: ("SIP to the holder filtered", "median <= 1300")
            }
        return [
            Row(name: name + ": up elsewhere", sample: Sample(outages), target: target),
            Row(name: "  two holders", sample: Sample([overlap]), target: "0"),
        ]
    }

    private func outage(
        _ metric: Metric, _ victim: BenchCluster.Victim, _ site: ServedCluster
    ) throws -> Double {
        let machine = victim.host.machine
        var moment = BootTime.now
        switch metric {
        case .cable:
            try site.lab.network.setLink(of: machine, up: false, ring: 0)
            defer { try? site.lab.network.setLink(of: machine, up: true, ring: 0) }
            return try site.outage(victim, since: moment)
        case .profileStop:
            let index = ClusterPlan.serviceAddresses.firstIndex(of: victim.address) ?? 0
            let profile = ["alpha", "beta", "gamma"][index]
            // Not within the first ten seconds of a profile's life.
            try wait(for: "\(profile) to be stopped", atMost: 15, every: 100) {
                moment = BootTime.now
                return try victim.host.freeswitch.api("sofia profile \(profile) stop").contains("stopping")
            }
            defer { _ = try? victim.host.freeswitch.api("sofia profile \(profile) start") }
            return try site.outage(victim, since: moment)
        default:
            let asked = ClusterPlan.serviceAddresses.joined(separator: ", ")
            try machine.check(
                ["nft", "-f", "-"],
                input: "table inet wall {\n chain in {\n type filter hook input priority 0\n"
                    + " udp dport 5060 ip saddr 10.77.0.0/24 ip saddr != { \(asked) } drop\n }\n}\n")
            defer { _ = try? machine.check(["nft", "delete", "table", "inet", "wall"]) }
            return try site.outage(victim, since: moment)
        }
    }

    /// Another TTL on all machines, one after another restarted, under calls: nobody is without an answer but for the moves.
    func roll() throws -> [Row] {
        let site = try ServedCluster()
        defer { site.lab.close() }
        try site.waitUntilReady(2)
        let lab = site.lab
        try site.cluster.holder(of: "alpha").host.freeswitch.api("simulator load rate 20")
        try site.cluster.holder(of: "alpha").host.freeswitch.api("simulator load bridged 10000 alpha")
        var changed = lab.plan
        changed.ttl = "5s"
        let file = (lab.hosts[0].clusterFile as NSString).deletingLastPathComponent + "/changed.xml"
        try changed.text.write(toFile: file, atomically: true, encoding: .utf8)
        let probes = try ClusterPlan.serviceAddresses.map { try lab.startProbe(of: $0) }
        var moves = 0
        for host in lab.hosts {
            if try lab.waitUntilSettled().seat(heldBy: host.name) != nil { moves += 1 }
            try host.askToStop()
            try wait(for: "\(host.name) to end", atMost: 20) { host.exitStatus() != nil }
            host.clusterFile = file
            try host.startService()
            try lab.waitUntilSettled(atMost: 60)
        }
        pause(milliseconds: 2000)
        try wait(for: "the new file to be active", atMost: 10, every: 200) {
            !(try lab.status().warnings ?? []).contains { $0.contains("configuration") }
        }
        let gaps = try probes.flatMap { probe in
            let answers = try probe.stop().answers
            return zip(answers, answers.dropFirst()).map { $1.answered.milliseconds(since: $0.answered) }
        }
        Self.tell("\(moves) planned moves; \(gaps.count { $0 > 20 }) silences of more than 20 ms")
        let silences = gaps.filter { $0 > 20 }
        return [
            Row(
                name: "file rolled over 5 nodes: silences > 20 ms", sample: Sample(silences),
                target: "one a move, max < 100"),
            Row(name: "  moves", unit: "", sample: Sample([Double(moves)])),
            Row(name: "  two holders", sample: Sample([try site.cluster.overlap()]), target: "0"),
        ]
    }
}
