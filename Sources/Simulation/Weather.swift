import Primitives

/// What can go wrong in a world.
package enum Fault: Int, Hashable, Sendable, CaseIterable {
    // Steady, for the whole storm.
    case loss, duplication, reordering, damage, distance
    // Between machines, for a while.
    case oneWayCut, partition, isolation, brokenLink, slowLink
    // On one machine.
    case serviceSleep, keeperSleep, machineSleep, stall, crash, kill, keeperDeath, diskLoss, shutdown
    case slowDisk, diskFailure, switchFailure, kernelRefusal
    // Around the zone.
    case serverTrouble, primaryTrouble
    // People.
    case operators
    // The network of the service addresses, which heartbeats do without.
    case serviceCut, serviceFilter, noNetwork
}

/// How often each fault comes in one world: whole classes are off, so that the others are seen alone.
struct Weather: Hashable, Sendable {
    enum Frequency: Int, Hashable, Sendable { case off, rare, common }

    /// By the fault's number.
    private var frequencies: [Frequency]

    static let calm = Weather(frequencies: Fault.allCases.map { _ in .off })
    /// Between two draws of every fault.
    static let gust = 100 * millisecond

    private init(frequencies: [Frequency]) { self.frequencies = frequencies }

    static func draw(using chance: inout SeededGenerator) -> Weather {
        let frequencies = Fault.allCases.map { _ in
            chance.pick([Frequency.off, .off, .off, .rare, .rare, .common])
        }
        return Weather(frequencies: frequencies)
    }

    subscript(_ fault: Fault) -> Frequency {
        get { frequencies[fault.rawValue] }
        set { frequencies[fault.rawValue] = newValue }
    }

    func perMille(_ fault: Fault) -> Int {
        switch self[fault] {
        case .off: 0
        case .rare: 12
        case .common: 60
        }
    }

    /// In the words of the trace.
    var summary: String {
        let there = Fault.allCases.filter { self[$0] != .off }
        return there.map { self[$0] == .common ? "much \($0)" : "\($0)" }.joined(separator: ", ")
    }
}

extension World {
    mutating func beginStorm() {
        isStormy = true
        trace.add(now, "weather", weather.summary)
        func steady(_ fault: Fault, _ rare: Int, _ common: Int) -> Int {
            switch weather[fault] {
            case .off: 0
            case .rare: rare
            case .common: common
            }
        }
        network.loss = steady(.loss, 20, 200)
        network.duplication = steady(.duplication, 20, 150)
        network.reordering = steady(.reordering, 20, 150)
        network.damage = steady(.damage, 2, 20)
        let farthest = Int64(steady(.distance, 3, 15)) * millisecond
        network.delay = 60 * microsecond...(farthest == 0 ? 300 * microsecond : farthest)
        agenda.add(.weather, at: now.after(nanoseconds: Weather.gust))
        agenda.add(.operatorActs, at: now.after(nanoseconds: Weather.gust))
    }

    /// Everything heals, everyone who may starts again; what is done is done.
    mutating func endStorm() {
        isStormy = false
        endStormFaults()
        calendar.isOver = true
        trace.add(now, "weather", "calm")
        network.healAll()
        network.loss = 0
        network.duplication = 0
        network.reordering = 0
        network.damage = 0
        network.delay = 60 * microsecond...300 * microsecond
        for server in nameServers?.servers.indices ?? 0..<0 { setServer(server, .well) }
        for address in blueprint.settings.addresses.map(\.name)
        where machines.contains(where: { $0.card.unplaceable.contains(address) }) {
            place(address, isPlaceable: true)
        }
        for machine in machines.indices { mend(machine) }
        // What was due in the storm and not begun is due no more.
        if calendar.isUsed { for machine in machines.indices { readCalendar(machine) } }
    }

    private mutating func mend(_ machine: Int) {
        machines[machine].disk.slowness = 0
        machines[machine].disk.isFailing = false
        machines[machine].keeper.refusesUntil = .zero
        machines[machine].service?.stall = nil
        plug(machine, true)
        filter(machine, false)
        setSwitch(machine, .healthy)
        if machines[machine].keeper.condition == .asleep { wakeKeeper(machine) }
        if machines[machine].service?.isAsleep == true { wakeService(machine) }
        if !machines[machine].isUp, !machines[machine].isCopy { planBoot(machine, after: 100 * millisecond) }
    }

    /// One gust: every fault may begin.
    mutating func blow() {
        guard isStormy else { return }
        agenda.add(.weather, at: now.after(nanoseconds: Weather.gust))
        for fault in Fault.allCases where chance.weather.happens(perMille: weather.perMille(fault)) {
            strike(fault)
        }
    }

    private mutating func strike(_ fault: Fault) {
        switch fault {
        case .loss, .duplication, .reordering, .damage, .distance, .operators: break
        case .serviceCut, .serviceFilter, .noNetwork: strikeService(fault)
        case .oneWayCut, .partition, .isolation, .brokenLink, .slowLink: strikeNetwork(fault)
        case .serverTrouble, .primaryTrouble: strikeServers(fault)
        case .serviceSleep, .keeperSleep, .machineSleep, .stall, .crash, .kill, .keeperDeath, .diskLoss,
            .shutdown, .slowDisk, .diskFailure, .switchFailure, .kernelRefusal:
            strike(fault, machine: chance.weather.draw(0...(machines.count - 1)))
        }
    }

    private mutating func strikeService(_ fault: Fault) {
        let end = now.after(nanoseconds: chance.weather.drawSpan(50 * millisecond...4000 * millisecond))
        if fault == .noNetwork {
            let address = chance.weather.pick(blueprint.settings.addresses.map(\.name))
            place(address, isPlaceable: false)
            agenda.add(.networkReturns(address), at: end)
            return
        }
        let machine = chance.weather.draw(0...(machines.count - 1))
        if fault == .serviceCut { plug(machine, false) } else { filter(machine, true) }
        agenda.add(.cardReturns(machine: machine), at: end)
    }

    private mutating func strikeNetwork(_ fault: Fault) {
        let from = chance.weather.draw(0...(machines.count - 1))
        let to = (from + chance.weather.draw(1...(machines.count - 1))) % machines.count
        let link = Link(from: from, to: to)
        switch fault {
        case .brokenLink: disconnect(link)
        case .slowLink:
            network.slow(link, by: chance.weather.drawSpan(5 * millisecond...600 * millisecond))
            let end = now.after(nanoseconds: chance.weather.draw(100...2000) * millisecond)
            agenda.add(.quicken(link), at: end)
        default:
            var cut = Cut(links: [link])
            if fault == .isolation { cut = network.boundary(of: [from]) }
            if fault == .partition {
                let group = machines.indices.filter { _ in chance.weather.happens(perMille: 500) }
                cut = network.boundary(of: group)
            } else if fault == .oneWayCut, chance.weather.happens(perMille: 300) {
                cut.links = network.boundary(of: [from]).links.filter { $0.from == from }
            }
            guard !cut.links.isEmpty else { return }
            self.cut(cut)
            let end = now.after(nanoseconds: chance.weather.drawSpan(20 * millisecond...4000 * millisecond))
            agenda.add(.heal(cut), at: end)
        }
    }

    private mutating func strike(_ fault: Fault, machine: Int) {
        let nap = chance.weather.drawSpan(5 * millisecond...3000 * millisecond)
        let pause = chance.weather.drawSpan((storm == nil ? 100 : 2) * millisecond...3000 * millisecond)
        let end = now.after(nanoseconds: nap)
        switch fault {
        case .serviceSleep: sleep(.service, of: machine, nanoseconds: nap)
        case .keeperSleep: sleep(.keeper, of: machine, nanoseconds: nap)
        case .machineSleep:
            sleep(.keeper, of: machine, nanoseconds: nap + chance.weather.draw(-4...4) * millisecond)
            sleep(.service, of: machine, nanoseconds: nap)
        case .stall: machines[machine].service?.stall = (chance.weather.draw(0...3), nap)
        case .crash: crash(machine, restartAfter: pause)
        case .kill: kill(machine, restartAfter: pause)
        case .keeperDeath: killKeeper(of: machine)
        case .diskLoss:
            guard !hasLostADisk else { return }
            hasLostADisk = true
            wipe(machine, restartAfter: pause)
        case .shutdown: shutDown(machine)
        case .slowDisk:
            machines[machine].disk.slowness = chance.weather.drawSpan(5 * millisecond...500 * millisecond)
            agenda.add(.diskQuickens(machine: machine), at: end)
        case .diskFailure: machines[machine].disk.isFailing = true
        case .switchFailure:
            setSwitch(machine, .unhealthy)
            agenda.add(.switchRecovered(machine: machine), at: end)
        case .kernelRefusal: machines[machine].keeper.refusesUntil = end
        default: break
        }
    }

    private mutating func strikeServers(_ fault: Fault) {
        guard let count = nameServers?.servers.count else { return }
        let server = fault == .primaryTrouble ? 0 : chance.weather.draw(0...(count - 1))
        let trouble: [NameServers.Condition] =
            server == 0
            ? [.refusing, .silent, .forgetful, .tardy, .unreadable, .ignoring, .keepingTTL]
            : [.silent, .unreadable]
        setServer(server, chance.weather.pick(trouble))
        let end = now.after(nanoseconds: chance.weather.drawSpan(100 * millisecond...3000 * millisecond))
        agenda.add(.serverRecovers(server), at: end)
    }
}
