import Lab

// Faults: what a caller notices of a dead, isolated or stuck master.

extension Bench {
    /// Where the time between the old owner's last and the new owner's first answer went.
    private struct Split {
        var gap: [Double] = []
        var silence: [Double] = []
        var answering: [Double] = []
        var adding: [Double] = []
        var announcing: [Double] = []
    }

    func powerLoss(_ plan: ClusterPlan, name: String, target: String) throws -> [Row] {
        let cluster = try BenchCluster(plan)
        defer { cluster.lab.close() }
        var split = Split()
        for round in 0..<runs(20) {
            let victim = try cluster.victim(round)
            let probe = try cluster.lab.startProbe(of: victim.address)
            pause(milliseconds: 150 + Double.random(in: 0...50))
            let moment = try victim.host.cutPower()
            let added = try cluster.waitForTakeover(victim, after: moment)
            let record = try probe.stop()
            guard let handover = record.handovers.first(where: { $0.from == victim.host.name }) else {
                throw LabFailure("the probe saw no handover from \(victim.host.name)")
            }
            let lastAnswer = handover.at.adding(milliseconds: -handover.gap)
            split.gap.append(handover.gap)
            Self.tell("\(victim.host.name)\(victim.isLeader ? " (leader)" : ""): gap \(handover.gap) ms")
            let others = cluster.others(than: victim)
            let decided = cluster.firstEvent("node-fenced", victim.host.name, after: moment, from: others)
            let machine = try cluster.lab.host(added.machine).machine
            let announced = cluster.lab.announcement(of: victim.address, by: machine, after: moment)
            if let decided, let announced {
                split.silence.append(decided.milliseconds(since: lastAnswer))
                split.adding.append(added.at.milliseconds(since: decided))
                split.announcing.append(announced.milliseconds(since: added.at))
                split.answering.append(handover.at.milliseconds(since: announced))
            }
            try victim.host.powerOn()
            try cluster.lab.waitUntilSettled()
        }
        let overlap = try cluster.overlap()
        return [
            Row(name: name + ": gap at the caller", sample: Sample(split.gap), target: target),
            Row(name: "  last answer → fence committed", sample: Sample(split.silence)),
            Row(name: "  fence committed → address added", sample: Sample(split.adding)),
            Row(name: "  address added → announced", sample: Sample(split.announcing)),
            Row(name: "  announced → first answer", sample: Sample(split.answering)),
            Row(name: "  two holders", sample: Sample([overlap]), target: "0"),
        ]
    }

    func partitions() throws -> [Row] {
        let cluster = try BenchCluster(ClusterPlan())
        defer { cluster.lab.close() }
        let lab = cluster.lab
        var (gaps, holes, leads) = ([Double](), [Double](), [Double]())
        for round in 0..<runs(10) {
            let victim = try cluster.victim(round)
            let others = cluster.others(than: victim)
            let probe = try lab.startProbe(of: victim.address)
            pause(milliseconds: 150 + Double.random(in: 0...50))
            let moment = BootTime.now
            try lab.network.partition(
                [victim.host.machine], from: others.map(\.machine) + [lab.client, lab.nameServer.machine])
            let added = try cluster.waitForTakeover(victim, after: moment)
            pause(milliseconds: 2000)
            let healed = BootTime.now
            try lab.network.heal()
            pause(milliseconds: 4000)
            let end = BootTime.now
            let record = try probe.stop()
            let removed = try lab.addressHistory().firstRemoval(
                of: victim.address, from: victim.host.name, after: moment)
            guard let handover = record.handovers.first, let removed else {
                throw LabFailure("no handover from \(victim.host.name) was seen")
            }
            gaps.append(handover.gap)
            holes.append(record.longestSilence(after: healed, until: end))
            leads.append(added.at.milliseconds(since: removed.at))
            Self.tell("\(victim.host.name): gap \(handover.gap) ms, after healing \(holes.last ?? 0) ms")
            try lab.waitUntilSettled()
        }
        return [
            Row(name: "partition: gap at the caller", sample: Sample(gaps)),
            Row(name: "  old holder let go before the new one added", sample: Sample(leads), target: "> 0"),
            Row(name: "  two holders", sample: Sample([try cluster.overlap()]), target: "0"),
            Row(name: "  longest hole after healing", sample: Sample(holes), target: "max < 50"),
        ]
    }

    func stuckService(killed: Bool) throws -> [Row] {
        let cluster = try BenchCluster(ClusterPlan())
        defer { cluster.lab.close() }
        var (removals, additions, gaps) = ([Double](), [Double](), [Double]())
        for round in 0..<runs(10) {
            let victim = try cluster.victim(round)
            let probe = try cluster.lab.startProbe(of: victim.address)
            pause(milliseconds: 150 + Double.random(in: 0...50))
            let moment = try killed ? victim.host.kill(.service) : victim.host.freeze(.service)
            let added = try cluster.waitForTakeover(victim, after: moment)
            let record = try probe.stop()
            let removed = try cluster.lab.addressHistory().firstRemoval(
                of: victim.address, from: victim.host.name, after: moment)
            guard let removed else {
                throw LabFailure("\(victim.host.name) never let go of \(victim.address)")
            }
            removals.append(removed.at.milliseconds(since: moment))
            additions.append(added.at.milliseconds(since: moment))
            if let handover = record.handovers.first { gaps.append(handover.gap) }
            Self.tell("\(victim.host.name): removed after \(removals.last ?? 0) ms")
            if killed { try victim.host.startService() } else { try victim.host.thaw(.service) }
            try cluster.lab.waitUntilSettled()
        }
        let name = "\(killed ? "SIGKILL" : "SIGSTOP") of the node service"
        return [
            Row(name: name + ": gap at the caller", sample: Sample(gaps)),
            Row(name: "  signal → address removed by the keeper", sample: Sample(removals)),
            Row(name: "  signal → address on another node", sample: Sample(additions)),
            Row(name: "  two holders", sample: Sample([try cluster.overlap()]), target: "0"),
        ]
    }

    func frozenTogether() throws -> [Row] {
        let cluster = try BenchCluster(ClusterPlan())
        defer { cluster.lab.close() }
        var (removals, overlaps) = ([Double](), [Double]())
        for round in 0..<runs(10) {
            let victim = try cluster.victim(round)
            let before = try cluster.lab.addressHistory().overlap(of: victim.address, until: .now)
            let moment = try victim.host.freeze(.both)
            try wait(for: "\(victim.address) to be removed", atMost: 5) {
                try cluster.lab.addressHistory().firstRemoval(
                    of: victim.address, from: victim.host.name, after: moment) != nil
            }
            let history = try cluster.lab.addressHistory()
            let removed = history.firstRemoval(of: victim.address, from: victim.host.name, after: moment)
            if let removed { removals.append(removed.at.milliseconds(since: moment)) }
            overlaps.append(history.overlap(of: victim.address, until: .now) - before)
            Self.tell("\(victim.host.name): removed after \(removals.last ?? 0) ms")
            try victim.host.thaw(.both)
            try cluster.lab.waitUntilSettled()
        }
        return [
            Row(
                name: "SIGSTOP of both: signal → the guard removed it", sample: Sample(removals),
                target: "max < 200"),
            Row(name: "  two holders until then", sample: Sample(overlaps), target: "0"),
        ]
    }
}
