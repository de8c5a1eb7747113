import Glibc
import Lab

// What a host on the ring can cost, without the key and with it.

extension Bench {
    /// Processor time of a node service for each forged datagram, by kind; and whether leases live through a flood.
    func floods() throws -> [Row] {
        let cluster = try BenchCluster(ClusterPlan())
        defer { cluster.lab.close() }
        let lab = cluster.lab
        let attacker = try lab.addAttacker()
        var rows: [Row] = []
        for kind in RingFlood.Kind.keyless {
            let cost = try costOfOne(kind, lab, attacker)
            Self.tell("\(kind.rawValue): \(cost) µs")
            rows.append(
                Row(name: "forged datagram (\(kind.rawValue)): processor", unit: "µs", sample: Sample([cost]))
            )
        }
        for kind in RingFlood.Kind.keyless {
            rows += try livesThrough(kind, cluster, attacker)
            rows += try livesThrough(kind, cluster, attacker, isUnicast: true)
        }
        rows += try livesThrough(.header, cluster, attacker, isSpoofing: true)
        let gaps = try RingFlood.Kind.keyless.map { try takeover(under: $0, cluster, attacker) }
        rows.append(
            Row(
                name: "power loss while the group is flooded: gap at the caller", sample: Sample(gaps),
                target: "400"))
        rows.append(Row(name: "  two holders", sample: Sample([try cluster.overlap()]), target: "0"))
        return rows
    }

    /// The same of one who has the cluster's key, where links need certificates: what he sends must be checked to the end.
    func signedFloods() throws -> [Row] {
        var plan = ClusterPlan()
        plan.certificates = true
        let cluster = try BenchCluster(plan)
        defer { cluster.lab.close() }
        let attacker = try cluster.lab.addAttacker()
        let cost = try costOfOne(.signed, cluster.lab, attacker, perSecond: 4000)
        Self.tell("signed: \(cost) µs")
        var rows = [
            Row(name: "forged datagram (signed, with the key): processor", unit: "µs", sample: Sample([cost]))
        ]
        for rate in [4000, 8000, 12_000, 16_000] {
            rows += try livesThrough(.signed, cluster, attacker, isUnicast: true, perSecond: rate)
        }
        return rows
    }

    /// To the group for a minute, to one node for a third of that.
    private func livesThrough(
        _ kind: RingFlood.Kind, _ cluster: BenchCluster, _ attacker: Machine, isUnicast: Bool = false,
        isSpoofing: Bool = false, perSecond: Int = 200_000
    ) throws -> [Row] {
        let lab = cluster.lab
        let moment = BootTime.now
        let seconds = (isQuick ? 5.0 : 60.0) / (isUnicast ? 3 : 1)
        let lines = logLines(of: lab)
        let sent = try lab.flood(
            kind, perSecond: perSecond, seconds: seconds, from: attacker,
            to: isUnicast ? lab.hosts[0].machine.addresses[0] : Lab.group(), isSpoofing: isSpoofing)
        let lost = try leasesLost(in: lab, since: moment)
        let written = zip(lines, logLines(of: lab)).map { Double($1 - $0) / seconds }.max() ?? 0
        let what =
            "\(Int(Double(sent) / seconds))/s (\(kind.rawValue)\(isSpoofing ? ", from any address" : "")) "
            + (isUnicast ? "to one node" : "to the group")
        Self.tell("\(what): \(lost) leases lost, \(written) log lines a second")
        try lab.waitUntilSettled(atMost: 60)
        return [
            Row(name: "\(what): leases lost", unit: "", sample: Sample([Double(lost)]), target: "0"),
            Row(
                name: "  log lines a second, of the node with most", unit: "", sample: Sample([written]),
                target: "< 2"),
        ]
    }

    private func takeover(under kind: RingFlood.Kind, _ cluster: BenchCluster, _ attacker: Machine) throws
        -> Double
    {
        try takeover(of: try cluster.victim(0), amid: kind.rawValue, after: 3000, cluster, attacker) {
            try cluster.lab.startFlood(
                kind, perSecond: 200_000, seconds: 8, from: attacker, to: Lab.group())
        }
    }

    /// A master loses its power so many milliseconds after a flood began; afterwards all is as before.
    ///
    /// - Returns: how long its seat was not served.
    func takeover(
        of victim: BenchCluster.Victim, amid what: String, after wait: Double, _ cluster: BenchCluster,
        _ attacker: Machine, startFlood: () throws -> pid_t
    ) throws -> Double {
        let probe = try cluster.lab.startProbe(of: victim.address)
        let flood = try startFlood()
        pause(milliseconds: wait)
        let moment = try victim.host.cutPower()
        _ = try cluster.waitForTakeover(victim, after: moment)
        let record = try probe.stop()
        _ = attacker.exitStatus(of: flood)
        guard let handover = record.handovers.first(where: { $0.from == victim.host.name }) else {
            throw LabFailure("the probe saw no handover from \(victim.host.name)")
        }
        Self.tell("\(what), \(victim.host.name) lost: gap \(handover.gap) ms")
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

    private func costOfOne(
        _ kind: RingFlood.Kind, _ lab: Lab, _ attacker: Machine, perSecond: Int = 20_000
    ) throws -> Double {
        let victim = lab.hosts[0]
        guard let service = victim.servicePid else { throw LabFailure("no node service runs") }
        let seconds = 4.0
        let idle = ProcessTable.processorSeconds(of: service)
        pause(milliseconds: seconds * 1000)
        let before = ProcessTable.processorSeconds(of: service)
        let sent = try lab.flood(
            kind, perSecond: perSecond, seconds: seconds, from: attacker, to: victim.machine.addresses[0])
        let after = ProcessTable.processorSeconds(of: service)
        return ((after - before) - (before - idle)) / Double(sent) * 1_000_000
    }
}
