import Lab

// What a host on the ring without the key can cost.

extension Bench {
    /// Processor time of a node service for each forged datagram, by kind; and whether leases live through a flood.
    func floods() throws -> [Row] {
        let cluster = try BenchCluster(ClusterPlan())
        defer { cluster.lab.close() }
        let lab = cluster.lab
        let attacker = try lab.addAttacker()
        var rows: [Row] = []
        for kind in RingFlood.Kind.allCases {
            let cost = try costOfOne(kind, lab, attacker)
            Self.tell("\(kind.rawValue): \(cost) µs")
            rows.append(
                Row(name: "forged datagram (\(kind.rawValue)): processor", unit: "µs", sample: Sample([cost]))
            )
        }
        let floods = RingFlood.Kind.allCases.map { (kind: $0, isSpoofing: false) } + [(.header, true)]
        for (kind, isSpoofing) in floods {
            let moment = BootTime.now
            let seconds = isQuick ? 5.0 : 60.0
            let lines = logLines(of: lab)
            let sent = try lab.flood(
                kind, perSecond: 200_000, seconds: seconds, from: attacker, to: Lab.group(),
                isSpoofing: isSpoofing)
            let lost = try leasesLost(in: lab, since: moment)
            let written = zip(lines, logLines(of: lab)).map { Double($1 - $0) / seconds }.max() ?? 0
            let what = kind.rawValue + (isSpoofing ? ", from any address" : "")
            Self.tell("\(what): \(Int(Double(sent) / seconds))/s sent, \(lost) leases lost")
            rows.append(
                Row(
                    name: "\(Int(Double(sent) / seconds))/s (\(what)) to the group: leases lost",
                    unit: "",
                    sample: Sample([Double(lost)]), target: "0"))
            rows.append(
                Row(
                    name: "  log lines a second, of the node with most", sample: Sample([written]),
                    target: "< 2"))
            try lab.waitUntilSettled(atMost: 60)
        }
        let gaps = try RingFlood.Kind.allCases.map { try takeover(under: $0, cluster, attacker) }
        rows.append(
            Row(
                name: "power loss while the group is flooded: gap at the caller", sample: Sample(gaps),
                target: "400"))
        rows.append(Row(name: "  two holders", sample: Sample([try cluster.overlap()]), target: "0"))
        return rows
    }

    private func takeover(under kind: RingFlood.Kind, _ cluster: BenchCluster, _ attacker: Machine) throws
        -> Double
    {
        let victim = try cluster.victim(0)
        let probe = try cluster.lab.startProbe(of: victim.address)
        let flood = try cluster.lab.startFlood(
            kind, perSecond: 200_000, seconds: 8, from: attacker, to: Lab.group())
        pause(milliseconds: 3000)
        let moment = try victim.host.cutPower()
        _ = try cluster.waitForTakeover(victim, after: moment)
        let record = try probe.stop()
        _ = attacker.exitStatus(of: flood)
        guard let handover = record.handovers.first(where: { $0.from == victim.host.name }) else {
            throw LabFailure("the probe saw no handover from \(victim.host.name)")
        }
        Self.tell("\(kind.rawValue): \(victim.host.name) lost, gap \(handover.gap) ms")
        try victim.host.powerOn()
        try cluster.lab.waitUntilSettled(atMost: 60)
        return handover.gap
    }

    private func logLines(of lab: Lab) -> [Int] { lab.hosts.map { $0.log.split(separator: "\n").count } }

    func leasesLost(in lab: Lab, since moment: BootTime) throws -> Int {
        try lab.hosts.reduce(0) { count, host in
            try count
                + host.events().filter { $0.kind == "lease-lost" && ($0.moment ?? moment) > moment }.count
        }
    }

    private func costOfOne(_ kind: RingFlood.Kind, _ lab: Lab, _ attacker: Machine) throws -> Double {
        let victim = lab.hosts[0]
        guard let service = victim.servicePid else { throw LabFailure("no node service runs") }
        let seconds = 4.0
        let idle = ProcessTable.processorSeconds(of: service)
        pause(milliseconds: seconds * 1000)
        let before = ProcessTable.processorSeconds(of: service)
        let sent = try lab.flood(
            kind, perSecond: 20_000, seconds: seconds, from: attacker, to: victim.machine.addresses[0])
        let after = ProcessTable.processorSeconds(of: service)
        return ((after - before) - (before - idle)) / Double(sent) * 1_000_000
    }
}
