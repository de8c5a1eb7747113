import Lab

// A leader that somebody with the cluster's key floods, and a master that loses its power meanwhile.

extension Bench {
    func floodedLeaders() throws -> [Row] {
        var plan = ClusterPlan()
        plan.certificates = true
        let cluster = try BenchCluster(plan)
        defer { cluster.lab.close() }
        let attacker = try cluster.lab.addAttacker()
        var rows: [Row] = []
        for rate in [4000, 14_000, 40_000] {
            // Soon after its beginning, and when all that it moves has moved.
            for seconds in [0.7, 3.0] {
                var gaps: [Double] = []
                for round in 0..<runs(10) {
                    gaps.append(
                        try takeover(underFloodOfLeader: rate, after: seconds, round, cluster, attacker))
                }
                rows.append(
                    Row(
                        name: "power loss \(seconds) s into \(rate)/s (signed) to the leader: gap",
                        sample: Sample(gaps), target: "400"))
            }
        }
        rows.append(Row(name: "  two holders", sample: Sample([try cluster.overlap()]), target: "0"))
        return rows
    }

    /// - Returns: how long the seat of a master was not served.
    private func takeover(
        underFloodOfLeader rate: Int, after seconds: Double, _ round: Int, _ cluster: BenchCluster,
        _ attacker: Machine
    ) throws -> Double {
        let lab = cluster.lab
        let leader = try seatlessLeader(of: cluster)
        let victim = try cluster.victim(round % 3)
        // To the group, in frames that only the leader gets: they wait where heartbeats of the others do.
        try attacker.check([
            "ip", "route", "replace", Lab.group() + "/32", "via", leader.machine.addresses[0],
        ])
        return try takeover(
            of: victim, amid: "\(rate)/s to \(leader.name)",
            after: seconds * 1000 + Double.random(in: 0...50),
            cluster, attacker
        ) {
            try lab.startFlood(
                .signed, perSecond: rate, seconds: seconds + 3, from: attacker, to: Lab.group())
        }
    }

    private func seatlessLeader(of cluster: BenchCluster) throws -> Host {
        let status = try cluster.lab.waitUntilSettled()
        guard let name = status.leader else { throw LabFailure("nobody leads") }
        let leader = try cluster.lab.host(name)
        if let seat = status.seat(heldBy: name) {
            try leader.command("switchover", seat.name)
            try cluster.lab.waitUntilSettled()
        }
        return leader
    }
}
