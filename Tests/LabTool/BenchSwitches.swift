import Lab

// What becomes of calls and registrations, with a stand-in FreeSWITCH on every machine.

extension Bench {
    private static let calls = 200

    /// Power loss of a machine with 200 bridged calls, until the switch that takes over was told to recover them.
    func recovery() throws -> [Row] {
        var plan = ClusterPlan()
        plan.nodes = 4
        plan.switches = true
        let cluster = try BenchCluster(plan)
        defer { cluster.lab.close() }
        let lab = cluster.lab
        var (firsts, lasts, ends, returned) = ([Double](), [Double](), [Double](), [Double]())
        for round in 0..<runs(15) {
            let victim = try cluster.holder(of: "alpha")
            try fill(victim.host, "alpha", lab)
            let others = cluster.others(than: victim)
            let watches = try others.map {
                try SwitchWatch(of: $0.machine, names: "API", password: SwitchProcess.password)
            }
            pause(milliseconds: 500 + Double.random(in: 0...50))
            let moment = try victim.host.cutPower()
            let added = try cluster.waitForTakeover(victim, after: moment)
            let taker = try lab.host(added.machine)
            var line: RecoveryLine?
            try wait(for: "the calls of alpha to be recovered", atMost: 30, every: 100) {
                line = try taker.history().last { $0.address == "alpha" && $0.node == taker.name }
                let isOver = try taker.events().contains {
                    $0.kind == "recovered" && ($0.moment ?? moment) > moment
                }
                return line != nil && isOver
            }
            let watch = others.firstIndex { $0 === taker }.map { watches[$0] }
            let commands = (watch?.heard(after: moment) ?? []).filter {
                $0.fields["API-Command"] == "sofia"
                    && $0.fields["API-Command-Argument"]?.hasSuffix("alpha%20recover") == true
            }.compactMap(\.date)
            guard let first = commands.first, let last = commands.last, let line else {
                throw LabFailure("\(taker.name) was not told to recover\n\(lab.troubles())")
            }
            firsts.append(first.milliseconds(since: added.at))
            lasts.append(last.milliseconds(since: added.at))
            ends.append(Double(line.milliseconds))
            returned.append(Double(line.recovered) * 100 / Double(max(1, line.legs)))
            Self.tell(
                "round \(round): \(taker.name) recovers after \(firsts.last ?? 0) ms, the last of \(commands.count) "
                    + "batches after \(lasts.last ?? 0) ms; \(line.recovered) of \(line.legs) legs")
            try victim.host.powerOn()
            try lab.waitUntilSettled()
        }
        return [
            Row(
                name: "200 calls: address up → rows staged, recover issued", sample: Sample(firsts),
                target: "< 60"),
            Row(name: "  … → the last batch's recover issued", sample: Sample(lasts)),
            Row(name: "  recovery begun → all confirmed", sample: Sample(ends)),
            Row(name: "  legs that came back", unit: "%", sample: Sample(returned), target: "100"),
        ]
    }

    /// Brings the switch that holds the address to 200 calls, and waits until the other nodes know them.
    private func fill(_ host: Host, _ address: String, _ lab: Lab) throws {
        let freeswitch = try host.freeswitch
        // Those of the last round are none of its load.
        try freeswitch.api("simulator load stop")
        try freeswitch.api("hupall")
        try wait(for: "\(host.name) to have no calls", atMost: 30, every: 100) {
            try freeswitch.channelCount() == 0
        }
        try freeswitch.api("simulator load rate 200")
        try freeswitch.api("simulator load bridged \(Self.calls) \(address)")
        try wait(for: "\(host.name) to have 200 calls", atMost: 60, every: 200) {
            try freeswitch.channelCount() >= 2 * Self.calls
        }
        try wait(for: "the calls to be known everywhere", atMost: 30, every: 200) {
            try lab.hosts.allSatisfy {
                try $0.calls().filter { $0.address == address && $0.isRecoverable }.count == Self.calls
            }
        }
    }

    // MARK: Registrations

    /// 1,000 phones a second register at one node's switch; when every other switch took what it was told.
    func registrations() throws -> [Row] {
        var plan = ClusterPlan()
        plan.nodes = 3
        plan.switches = true
        plan.injectionsPerSecond = 2000
        let cluster = try BenchCluster(plan)
        defer { cluster.lab.close() }
        let lab = cluster.lab
        let holder = try cluster.holder(of: "alpha").host
        let others = lab.hosts.filter { $0 !== holder }
        let seconds = isQuick ? 5 : 20
        let password = SwitchProcess.password
        let here = try SwitchWatch(of: holder.machine, names: "CUSTOM sofia::register", password: password)
        // What is injected comes by on the switch's own bus once it is accepted.
        let there = try others.map {
            try SwitchWatch(of: $0.machine, names: "CUSTOM multicast::event", password: password)
        }
        let moment = BootTime.now
        _ = try lab.client.check(
            [Programs().lab, "register", ClusterPlan.serviceAddresses[0], "\(1000 * seconds)", "1000"],
            seconds: Double(seconds) + 60)
        do {
            try wait(for: "every registration to be injected", atMost: 60, every: 200) {
                there.allSatisfy { $0.heard(after: moment).count >= 1000 * seconds }
            }
        } catch {
            let counts = ([here] + there).map { $0.heard(after: moment).count }
            throw LabFailure("\(error): heard \(counts) of \(1000 * seconds)\n\(lab.troubles())")
        }
        var begun: [String: BootTime] = [:]
        for event in here.heard(after: moment) {
            if let call = event.fields["call-id"], begun[call] == nil { begun[call] = event.at }
        }
        var delays: [Double] = []
        for event in there.flatMap({ $0.heard(after: moment) }) {
            if let call = event.fields["orig-call-id"], let begun = begun[call] {
                delays.append(event.at.milliseconds(since: begun))
            }
        }
        let sample = Sample(delays)
        let late = sample.values.isEmpty ? 0 : sample.values[(sample.values.count * 99 + 99) / 100 - 1]
        return [
            Row(
                name: "1,000 registrations/s: event here → in another switch", sample: sample,
                target: "median <= 5"),
            Row(name: "  p99", sample: Sample([late]), target: "<= 20"),
        ]
    }
}

extension BenchCluster {
    /// The machine that holds a seat's address, by the address's name.
    func holder(of address: String) throws -> Victim {
        let ips = Dictionary(
            uniqueKeysWithValues: zip(["alpha", "beta", "gamma"], ClusterPlan.serviceAddresses))
        let status = try lab.waitUntilSettled()
        guard let seat = status.seats.first(where: { $0.address == ips[address] }), let name = seat.holder
        else {
            throw LabFailure("nobody holds \(address)")
        }
        return Victim(
            host: try lab.host(name), seat: seat.name, address: seat.address, isLeader: name == status.leader)
    }
}
