@preconcurrency import Glibc
import Lab

// What happens on purpose, or should not happen at all.

extension Bench {
    func gracefulStops() throws -> [Row] {
        let cluster = try BenchCluster(ClusterPlan())
        defer { cluster.lab.close() }
        var gaps: [Double] = []
        for round in 0..<runs(20) {
            let victim = try cluster.victim(round)
            let probe = try cluster.lab.startProbe(of: victim.address)
            pause(milliseconds: 150 + Double.random(in: 0...50))
            let moment = try victim.host.askToStop()
            _ = try cluster.waitForTakeover(victim, after: moment)
            let record = try probe.stop()
            if let handover = record.handovers.first { gaps.append(handover.gap) }
            Self.tell("\(victim.host.name)\(victim.isLeader ? " (leader)" : ""): gap \(gaps.last ?? 0) ms")
            try wait(for: "\(victim.host.name) to end", atMost: 15) { victim.host.exitStatus() != nil }
            try victim.host.startService()
            try cluster.lab.waitUntilSettled()
        }
        return [
            Row(name: "graceful stop: gap at the caller", sample: Sample(gaps), target: "median < 10"),
            Row(name: "  two holders", sample: Sample([try cluster.overlap()]), target: "0"),
        ]
    }

    func switchovers() throws -> [Row] {
        let cluster = try BenchCluster(ClusterPlan())
        defer { cluster.lab.close() }
        var gaps: [Double] = []
        for round in 0..<runs(20) {
            let victim = try cluster.victim(round)
            let probe = try cluster.lab.startProbe(of: victim.address)
            pause(milliseconds: 150 + Double.random(in: 0...50))
            let moment = BootTime.now
            try victim.host.command("switchover", victim.seat)
            _ = try cluster.waitForTakeover(victim, after: moment)
            let record = try probe.stop()
            if let handover = record.handovers.first { gaps.append(handover.gap) }
            Self.tell("\(victim.seat) from \(victim.host.name): gap \(gaps.last ?? 0) ms")
            try cluster.lab.waitUntilSettled()
        }
        return [
            Row(name: "switchover: gap at the caller", sample: Sample(gaps), target: "median < 10"),
            Row(name: "  two holders", sample: Sample([try cluster.overlap()]), target: "0"),
        ]
    }

    /// Drains, each of which publishes one address and withdraws another; the decision is the phase's event.
    func zoneChanges() throws -> [Row] {
        let cluster = try BenchCluster(ClusterPlan())
        defer { cluster.lab.close() }
        let lab = cluster.lab
        try lab.startZoneWatch()
        pause(milliseconds: 300)
        var delays: [Double] = []
        for round in 0..<runs(25) {
            let victim = try cluster.victim(round)
            let start = BootTime.now
            try victim.host.command("drain", victim.seat, "--wait", "--reason", "bench")
            pause(milliseconds: 100)
            let answers = lab.nameServer.machine.text(of: "answers").split(separator: "\n").compactMap {
                $0.split(separator: " ").first.flatMap { Int64($0) }.map(BootTime.init(nanoseconds:))
            }.filter { $0 > start }
            for (phase, answer) in zip(["publishing", "withdrawing"], answers) {
                let decided = try lab.hosts.flatMap { try $0.events() }.filter {
                    $0.kind == "drain-phase" && $0.subject == victim.seat && $0.text.hasSuffix(phase)
                }.compactMap(\.moment).filter { $0 > start }.min()
                if let decided { delays.append(answer.milliseconds(since: decided)) }
            }
            try victim.host.command("undrain", victim.host.name, "--wait")
            try lab.waitUntilSettled()
        }
        return [
            Row(name: "DNS: decision → new answer of BIND", sample: Sample(delays), target: "median < 20")
        ]
    }

    func idle() throws -> [Row] {
        let cluster = try BenchCluster(ClusterPlan())
        defer { cluster.lab.close() }
        let services = cluster.lab.hosts.compactMap(\.servicePid)
        let keepers = cluster.lab.hosts.compactMap(\.keeperPid)
        pause(milliseconds: 2000)
        let seconds = isQuick ? 10.0 : 30.0
        let before = (services + keepers).map(ProcessTable.processorSeconds)
        let start = BootTime.now
        pause(milliseconds: seconds * 1000)
        let after = (services + keepers).map(ProcessTable.processorSeconds)
        let elapsed = BootTime.now.milliseconds(since: start) / 1000
        let shares = zip(before, after).map { ($1 - $0) / elapsed * 100 }
        func resident(_ pid: pid_t) -> Double { ProcessTable.resident(of: pid) / 1_048_576 }
        return [
            Row(
                name: "idle node service: share of one core", unit: "%",
                sample: Sample(shares.prefix(services.count)),
                target: "< 3"),
            Row(name: "  resident", unit: "MiB", sample: Sample(services.map(resident)), target: "< 60"),
            Row(
                name: "  its keeper: share of one core", unit: "%",
                sample: Sample(shares.dropFirst(services.count))),
            Row(name: "  its keeper: resident", unit: "MiB", sample: Sample(keepers.map(resident))),
        ]
    }

    /// Nothing is broken, but the processors are busy with better-priority work, and each FreeSWITCH answers late.
    func falseTakeovers() throws -> [Row] {
        var plan = ClusterPlan()
        plan.switches = true
        let cluster = try BenchCluster(plan)
        defer { cluster.lab.close() }
        let lab = cluster.lab
        let seconds = isQuick ? 60 : 600
        for host in lab.hosts { try host.freeswitch.api("simulator options 400") }
        let before = try changeCount(lab)
        let load = try lab.client.start(
            ["nice", "-n", "-10", "stress-ng", "--cpu", "8", "--timeout", "\(seconds)s"],
            outputFile: "stress.log",
            errorsFile: "stress.log")
        Self.tell("\(seconds) s of nice -n -10 stress-ng --cpu 8, OPTIONS answered after 400 ms")
        guard lab.client.exitStatus(of: load) == 0 else {
            throw LabFailure("stress-ng failed: \(lab.client.text(of: "stress.log"))")
        }
        pause(milliseconds: 2000)
        try lab.waitUntilSettled()
        let changes = try changeCount(lab) - before
        return [
            Row(
                name: "address changes in \(seconds) s under load, OPTIONS answered after 400 ms", unit: "",
                sample: Sample([Double(changes)]),
                target: "0"),
            Row(name: "  two holders", sample: Sample([try cluster.overlap()]), target: "0"),
        ]
    }

    private func changeCount(_ lab: Lab) throws -> Int {
        let history = try lab.addressHistory()
        return ClusterPlan.managedAddresses.map { history.changes(of: $0).count }.reduce(0, +)
    }
}
