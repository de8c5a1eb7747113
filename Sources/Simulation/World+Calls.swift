import Cluster

// Callers, their calls, and the switches that carry them.

extension World {
    private static let passInterval: Int64 = 200 * millisecond

    mutating func passSwitch(_ machine: Int) {
        agenda.add(.switchTick(machine: machine), at: now.after(nanoseconds: Self.passInterval))
        noteServed()
        guard machines[machine].isUp else { return }
        machines[machine].phones.obey()
        if machines[machine].phones.health == .healthy { passCalls(on: machine) }
        tellSwitch(machine)
    }

    private mutating func passCalls(on machine: Int) {
        let phones = machines[machine].phones
        for held in machines[machine].keeper.held.sorted(by: { $0.address.name < $1.address.name }) {
            let address = held.address.name
            if let duty = phones.duty, duty.hangsUp, duty.address == address { calls[address] = 0 }
            let mayCome = !phones.isPaused && calls.isRemembered(address, at: now)
            let came = calls.pass(
                address, mayCome: mayCome, isRefusing: phones.isRefusing, using: &chance.machines)
            if came, phones.isRefusing {
                judge.object(
                    now, .refusedEarly,
                    "\(machines[machine].name) refuses a caller who found \(address) in DNS within its TTL")
            }
        }
    }

    /// Whatever any server serves now may be remembered for a TTL.
    private mutating func noteServed() {
        guard let servers = nameServers?.servers, let name = blueprint.serviceName else { return }
        for server in servers where server.condition != .silent && server.condition != .unreadable {
            for record in server.zone.records where record.name == name {
                guard case .address(let ip) = record.content,
                    let address = blueprint.settings.addresses.first(where: { $0.ip == ip })
                else { continue }
                calls.served(
                    address.name, until: now.after(nanoseconds: Int64(record.ttl) * 1000 * millisecond))
            }
        }
    }

    /// The node told its switch how things stand.
    mutating func surveyed(_ survey: Survey, _ machine: Int) {
        let before = machines[machine].phones
        machines[machine].phones.surveyed(survey)
        if machines[machine].phones.health == .healthy, !machines[machine].phones.isStubborn { part(machine) }
        if machines[machine].phones != before { tellSwitch(machine) }
    }

    /// Before an address goes elsewhere by plan: what nobody could revive there hears BYE.
    private mutating func part(_ machine: Int) {
        for parting in machines[machine].phones.partings
        where !machines[machine].phones.parted.contains(parting) {
            let ended = calls.endHopeless(parting.address)
            if ended > 0 {
                trace.add(
                    now, machines[machine].name, "switch says BYE to \(ended) calls on \(parting.address)")
            }
            machines[machine].phones.parted.append(parting)
        }
    }

    private mutating func report(of machine: Int) -> SwitchReport {
        let phones = machines[machine].phones
        var report = SwitchReport(health: phones.health)
        // All is well unless something is done to a network.
        if machines.contains(where: { !$0.card.isWell || !$0.card.unanswered.isEmpty }) {
            report.sights = sights(of: machine)
        }
        guard phones.health != .none else { return report }
        let held = machines[machine].keeper.held.map(\.address.name)
        for address in phones.addresses {
            let count = phones.health == .healthy ? calls[address] : 0
            report.addresses.append(
                SwitchReport.AddressLoad(
                    address: address, calls: UInt32(count), recoverable: UInt32(count),
                    isAnswering: phones.health == .healthy && held.contains(address)))
            report.calls += UInt32(count)
        }
        report.isRefusing = phones.isRefusing
        report.arePhonesTold = phones.arePhonesTold
        report.parted = phones.parted
        report.isPausedByOrder = phones.isPaused
        if phones.isPaused { report.blockers = [Blocker(.unanswered, nil, "the switch is paused")] }
        return report
    }

    mutating func tellSwitch(_ machine: Int) {
        guard let life = machines[machine].service?.life else { return }
        let report = report(of: machine)
        guard machines[machine].phones.told != report else { return }
        machines[machine].phones.told = report
        let moment = now.after(nanoseconds: millisecond)
        agenda.add(.event(.switchReported(report), machine: machine, life: life), at: moment)
    }

    mutating func setSwitch(_ machine: Int, _ health: SwitchReport.Health) {
        guard machines[machine].phones.health != .none else { return }
        if machines[machine].phones.health != health {
            trace.add(now, machines[machine].name, "switch is \(health.rawValue)")
        }
        machines[machine].phones.health = health
        // Another process takes calls until it is told otherwise.
        if health != .healthy { machines[machine].phones.isRefusing = false }
        tellSwitch(machine)
    }
}
