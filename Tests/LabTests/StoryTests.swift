import Lab
import Testing

extension LabSuites {
    @Suite("The whole story, with real machines' parts")
    struct StoryTests {
        @Test(
            "a cluster forms, publishes, survives a dead master, drains, survives a partition and says goodbye"
        )
        func story() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            try cluster.checkFormation()
            try cluster.powerLoss(of: "master1")
            try cluster.drainAndBack("master2")
            try cluster.partition("master3")
            try cluster.gracefulStop("master1")
            try cluster.checkNoOverlap()
        }

        @Test("a dead leader that is also a master is survived as any other")
        func deadLeader() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let seat = try cluster.seatOfLeader()
            try cluster.powerLoss(of: seat)
            try cluster.checkNoOverlap()
        }

        @Test("machines that return after power loss are slaves, and the next loss is survived too")
        func losses() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            for seat in ["master1", "master2", "master3"] {
                let dead = try cluster.powerLoss(of: seat)
                try dead.powerOn()
                let status = try lab.waitUntilSettled()
                #expect(status.node(dead.name)?.role == "slave")
            }
            try cluster.checkNoOverlap()
        }

        @Test("two networks: the loss of either changes nothing", arguments: [0, 1])
        func ringLoss(ring: Int) throws {
            var plan = ClusterPlan()
            plan.rings = 2
            let lab = try Lab(plan)
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let before = try lab.status()
            let machines = lab.hosts.map(\.machine)
            for machine in machines {
                try lab.network.cut(from: [machine], to: machines.filter { $0 !== machine }, ring: ring)
            }
            pause(milliseconds: 1500)
            let after = try lab.waitUntilSettled()
            #expect(after.seats.map(\.holder) == before.seats.map(\.holder))
            try cluster.checkNoOverlap()
        }

        @Test("a master that hears but is not heard is replaced without two holders")
        func oneWay() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let mute = try cluster.holder(of: "master2")
            let others = lab.hosts.filter { $0 !== mute }
            try lab.network.cut(from: [mute.machine], to: others.map(\.machine) + [lab.client])
            try wait(for: "another holder of master2", atMost: 10) {
                let holder = try lab.status(from: others).seat("master2")?.holder
                return holder != nil && holder != mute.name
            }
            try lab.network.heal()
            try lab.waitUntilSettled()
            try cluster.checkNoOverlap()
        }
    }
}

/// A formed cluster in a lab, and the acts of the story with what must be true after each.
struct RunningCluster {
    let lab: Lab

    /// Starts every node and waits until all seats are held.
    init(_ lab: Lab) throws {
        self.lab = lab
        for host in lab.hosts { try host.start() }
        try lab.waitUntilSettled()
    }

    func holder(of seat: String) throws -> Host {
        guard let name = try lab.status().seat(seat)?.holder else { throw LabFailure("nobody holds \(seat)") }
        return try lab.host(name)
    }

    func address(of seat: String) throws -> String {
        guard let address = try lab.status().seat(seat)?.address else { throw LabFailure("no seat \(seat)") }
        return address
    }

    /// A seat that the leader holds; a leader without one is stopped until one with a seat leads.
    func seatOfLeader() throws -> String {
        for _ in 0..<10 {
            let status = try lab.waitUntilSettled()
            if let leader = status.leader, let seat = status.seat(heldBy: leader) { return seat.name }
            guard let leader = status.leader else { continue }
            try stop(lab.host(leader))
            try lab.host(leader).startService()
            try lab.waitUntilSettled()
        }
        throw LabFailure("no master ever led")
    }

    /// The kernels' lists, the status and DNS agree on these addresses.
    func checkAgreement(missing: Int = 0) throws {
        let status = try lab.waitUntilSettled(missing: missing)
        for seat in status.seats { #expect(try lab.holder(of: seat.address) == seat.holder) }
        for address in status.maintenance.addresses { #expect(try lab.holder(of: address) == nil) }
        let published = status.seats.map(\.address).sorted()
        try wait(for: "BIND to serve \(published)", atMost: 5) {
            try lab.nameServer.answer(ClusterPlan.serviceName) == published
        }
        for seat in status.seats {
            #expect(try lab.nameServer.answer(seat.name + ".voip.example.net") == [seat.address])
        }
        let rotating = published + status.maintenance.addresses
        #expect(rotating.sorted() == ClusterPlan.managedAddresses.sorted())
    }

    func checkFormation() throws {
        let status = try lab.waitUntilSettled()
        #expect(status.seats.map(\.holder) == ["fs1", "fs2", "fs3"])
        #expect(status.seats.map(\.address) == ClusterPlan.serviceAddresses)
        #expect(status.nodes.filter { $0.role == "slave" }.compactMap(\.position).sorted() == [1, 2])
        #expect(status.quorum.votes == 5 && status.quorum.needed == 3 && status.quorum.have == 5)
        try checkAgreement()
        #expect(try lab.nameServer.answer("_sip._udp.voip.example.net", "SRV").count == 3)
        #expect(try lab.nameServer.answer("_fsdns.sip.voip.example.net", "TXT").count == 1)
    }

    /// Cuts the power of the seat's holder; the primary slave has its address afterwards. Returns the dead
    /// host.
    @discardableResult
    func powerLoss(of seat: String) throws -> Host {
        let victim = try holder(of: seat)
        let address = try address(of: seat)
        let primary = try lab.status().nodes.first { $0.position == 1 }?.name
        let probe = try lab.startProbe(of: address)
        pause(milliseconds: 100)
        try victim.cutPower()
        let survivors = lab.hosts.filter { $0.machine.isPowered }
        let status = try lab.waitUntilSettled(missing: 1, from: survivors)
        pause(milliseconds: 100)
        let record = try probe.stop()
        #expect(status.seat(seat)?.holder == primary)
        #expect(status.seat(seat)?.address == address)
        #expect(record.handovers.map(\.from) == [victim.name])
        #expect(record.handovers.map(\.to) == [primary])
        #expect(record.handovers.allSatisfy { $0.gap < 2000 })
        try checkAgreement(missing: 1)
        return victim
    }

    func drainAndBack(_ seat: String) throws {
        let drained = try holder(of: seat)
        let before = try lab.status()
        let old = try address(of: seat)
        guard let new = before.maintenance.addresses.first else { throw LabFailure("no maintenance address") }
        let missing = lab.hosts.filter { !$0.machine.isPowered }.count
        try drained.command("drain", seat, "--reason", "lab", "--wait")
        let during = try lab.waitUntilSettled(missing: missing)
        #expect(during.seat(seat)?.address == new)
        #expect(during.maintenance.addresses == [old])
        #expect(during.node(drained.name)?.role == "maintenance")
        try checkAgreement(missing: missing)
        try drained.command("undrain", drained.name, "--wait")
        let after = try lab.waitUntilSettled(missing: missing)
        #expect(after.node(drained.name)?.role == "slave")
        #expect(after.seats.map(\.holder) == during.seats.map(\.holder))
        try checkAgreement(missing: missing)
    }

    /// Isolates the seat's holder; it lets go before anyone takes over, and after healing nobody waits.
    func partition(_ seat: String) throws {
        let alone = try holder(of: seat)
        let address = try address(of: seat)
        let others = lab.hosts.filter { $0 !== alone && $0.machine.isPowered }
        let missing = lab.hosts.count - others.count
        let probe = try lab.startProbe(of: address)
        pause(milliseconds: 100)
        let start = BootTime.now
        try lab.network.partition(
            [alone.machine], from: others.map(\.machine) + [lab.client, lab.nameServer.machine])
        let status = try lab.waitUntilSettled(missing: missing, from: others)
        #expect(status.seat(seat)?.holder != alone.name)
        let healed = BootTime.now
        try lab.network.heal()
        try lab.waitUntilSettled(missing: missing - 1, from: others)
        pause(milliseconds: 1000)
        let end = BootTime.now
        let record = try probe.stop()

        let history = try lab.addressHistory()
        let added = history.firstAdd(of: address, after: start)
        let removed = history.firstRemoval(of: address, from: alone.name, after: start)
        #expect(added?.machine == status.seat(seat)?.holder)
        if let added, let removed { #expect(removed.at < added.at) } else { Issue.record("no move was seen") }
        #expect(record.handovers.map(\.from) == [alone.name])
        #expect(record.longestSilence(after: healed, until: end) < 500)
        #expect(try lab.status(from: others).node(alone.name)?.role == "slave")
        try checkAgreement(missing: missing - 1)
    }

    private func stop(_ host: Host) throws {
        try host.askToStop()
        var status: Int32?
        try wait(for: "\(host.name) to end", atMost: 15) {
            status = host.exitStatus()
            return status != nil
        }
        #expect(status == 0, "\(host.log.suffix(2000))")
    }

    func gracefulStop(_ seat: String) throws {
        let leaving = try holder(of: seat)
        let address = try address(of: seat)
        let probe = try lab.startProbe(of: address)
        pause(milliseconds: 100)
        let start = BootTime.now
        try stop(leaving)
        let others = lab.hosts.filter { $0 !== leaving && $0.machine.isPowered }
        let status = try lab.waitUntilSettled(missing: lab.hosts.count - others.count, from: others)
        pause(milliseconds: 100)
        let record = try probe.stop()
        #expect(status.seat(seat)?.holder != leaving.name)
        #expect(record.handovers.map(\.from) == [leaving.name])
        #expect(record.longestSilence(after: start, until: .now) < 2000)
        #expect(try leaving.machine.kernelAddresses() == leaving.machine.addresses)
    }

    /// No address was ever on two machines.
    func checkNoOverlap() throws {
        let history = try lab.addressHistory()
        for address in lab.plan.addresses {
            #expect(history.overlap(of: address, until: .now) == 0, "two machines had \(address)")
        }
    }
}
