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
            let sent = try lab.flood(
                kind, perSecond: 200_000, seconds: seconds, from: attacker, to: Lab.group(),
                isSpoofing: isSpoofing)
            let lost = try leasesLost(in: lab, since: moment)
            let what = kind.rawValue + (isSpoofing ? ", from any address" : "")
            Self.tell("\(what): \(Int(Double(sent) / seconds))/s sent, \(lost) leases lost")
            rows.append(
                Row(
                    name: "\(Int(Double(sent) / seconds))/s (\(what)) to the group: leases lost",
                    unit: "",
                    sample: Sample([Double(lost)]), target: "0"))
            try lab.waitUntilSettled(atMost: 60)
        }
        return rows
    }

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
