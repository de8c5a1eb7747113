import Cluster

/// An event with a decision behind it, told by one machine.
private struct Telling: Hashable, Sendable {
    var event: ClusterEvent
    var machine: Int
}

extension ClusterEvent.Kind {
    /// Whether it tells of a command that was agreed: another one has another epoch.
    fileprivate var isAgreed: Bool {
        switch self {
        case .nodeAdmitted, .nodeFenced, .seatGranted, .seatMoving, .seatUncovered, .takeover, .drainPhase,
            .drainAborted, .drainFinished, .maintenance, .configuration, .playbookStarted, .playbookFinished,
            .playbookRolledBack:
            true
        default: false
        }
    }
}

/// A whole cluster pretended: real nodes on pretended machines, with a judge who sees them in true time.
///
/// A value: copy it to branch a story. Nothing in it depends on anything but the blueprint and the seed.
package struct World: Sendable {
    package let seed: UInt64
    package let blueprint: Blueprint
    package internal(set) var now = Moment.zero
    package internal(set) var trace: Trace
    var agenda = Agenda()
    var chance: Chance
    var machines: [Machine]
    var network: Network
    var nameServers: NameServers?
    var judge: Judge
    var workload = Workload()
    var calls: PretendCalls
    var weather = Weather.calm
    /// Beside the weather; nil where there is none.
    var storm: Storm?
    var calendar = PretendCalendar()
    /// What programs and probes of playbooks find.
    var checksHold = true
    /// Playbooks of a scenario, by the order they were written.
    var shelf: [Playbook] = []
    /// Runs may be under way when calm begins.
    var usesPlaybooks = false
    /// Faults may begin; false in calm.
    var isStormy = false
    /// Nil while nobody watches.
    var coverage: Coverage?
    /// One disk in a world's life: a majority of voters that forgets is nothing a cluster can survive.
    var hasLostADisk = false
    /// Of a scenario.
    var backup: PretendDisk?
    /// Copies cannot be told by the number of their machine.
    var copyKeepsHost = false
    /// Told by a node already; looked up, never iterated.
    private var agreedEvents: Set<ClusterEvent> = []
    /// The same by the machines that told it, in whichever life.
    private var tellings: Set<Telling> = []
    /// Handled events of nodes and frames carried, for the books.
    package internal(set) var steps = 0

    package init(_ blueprint: Blueprint, seed: UInt64, keepsTrace: Bool) {
        self.seed = seed
        self.blueprint = blueprint
        trace = Trace(isKept: keepsTrace)
        var chance = Chance(seed: seed)
        machines = blueprint.machines.map { plan in
            Machine(
                name: plan.name, kind: plan.kind, settings: plan.settings ?? blueprint.settings,
                release: plan.release,
                clock: MachineClock(offset: plan.clockOffset, drift: plan.drift),
                disk: PretendDisk(birth: chance.machines.next()), phones: PretendSwitch(health: plan.health),
                staysDown: plan.isCopy, isCopy: plan.isCopy)
        }
        self.chance = chance
        network = Network(count: blueprint.machines.count)
        nameServers = blueprint.settings.dns.map {
            NameServers($0, records: blueprint.foreignRecords + blueprint.formerRecords)
        }
        judge = Judge(blueprint)
        calls = PretendCalls(blueprint.settings.addresses)
        calendar.errors = Array(repeating: 0, count: blueprint.machines.count)
        for i in machines.indices {
            machines[i].keeper.ignoresExpiry = blueprint.sabotage == .keeperIgnoresExpiry
            agenda.add(.switchTick(machine: i), at: Moment(nanoseconds: Int64(i + 1) * 7 * millisecond))
        }
    }

    /// What went wrong first.
    package var violation: Violation? { judge.violation }

    func index(of name: String) -> Int? { machines.firstIndex { $0.name == name } }

    // MARK: - Time

    /// Lets time pass until `end`, or until the judge objects.
    mutating func run(until end: Moment) {
        while judge.violation == nil {
            let (moment, machine, isKeeper) = earliestDeadline()
            let planned = agenda.next ?? .never
            guard min(moment, planned) <= end else { break }
            if planned <= moment {
                now = max(now, planned)
                if let occurrence = agenda.take() { occur(occurrence) }
            } else if isKeeper {
                now = max(now, moment)
                endHolds(machine)
            } else {
                now = max(now, moment)
                tick(machine)
            }
            if coverage != nil { noteCoverage() }
        }
        now = max(now, end)
    }

    package mutating func run(for duration: Duration) { run(until: now + duration) }

    /// The first machine in the order of the blueprint wins a tie; its keeper comes before its node service.
    private func earliestDeadline() -> (Moment, machine: Int, isKeeper: Bool) {
        var best = (Moment.never, machine: 0, isKeeper: false)
        for i in machines.indices {
            if machines[i].holdEnd < best.0 { best = (machines[i].holdEnd, machine: i, isKeeper: true) }
            if machines[i].tickDue < best.0 { best = (machines[i].tickDue, machine: i, isKeeper: false) }
        }
        return best
    }

    private mutating func tick(_ machine: Int) {
        guard machines[machine].service != nil else {
            machines[machine].tickDue = .never
            return
        }
        if machines[machine].lastTick != now { machines[machine].ticksNow = 0 }
        machines[machine].lastTick = now
        machines[machine].ticksNow += 1
        if machines[machine].ticksNow > 100 {
            judge.object(now, .spinning, "\(machines[machine].name) wants to be ticked again and again")
        }
        deliver(.tick, to: machine)
    }

    // MARK: - Occurrences

    private mutating func occur(_ occurrence: Occurrence) {
        switch occurrence {
        case .heartbeat(let heartbeat, let machine): deliver(.heard(heartbeat), to: machine)
        case .message(let message, let link, let connection):
            arrive(message, over: link, connection: connection)
        case .event(let event, let machine, let life): deliver(event, to: machine, life: life)
        case .written(let machine, let birth, let life): written(machine, birth: birth, life: life)
        case .keeperAsked(let request, let machine, let life): askKeeper(request, of: machine, life: life)
        case .keeperOrphaned(let machine, let life): orphanKeeper(of: machine, life: life)
        case .keeperStarted(let machine, let life): keeperStarted(machine, life: life)
        case .lifetimesEnd(let machine): endLifetimes(machine)
        case .boot(let machine): boot(machine)
        case .wake(let machine, let life, let sleeper, let nap):
            wake(sleeper, of: machine, life: life, nap: nap)
        case .heal(let cut): heal(cut)
        case .quicken(let link): network.slow(link, by: 0)
        case .reconnect(let link): reconnect(link)
        case .switchTick(let machine): passSwitch(machine)
        case .switchRecovered(let machine): setSwitch(machine, .healthy)
        case .cardReturns(let machine):
            plug(machine, true)
            filter(machine, false)
        case .networkReturns(let address): place(address, isPlaceable: true)
        case .diskQuickens(let machine): machines[machine].disk.slowness = 0
        case .updateArrives(let update, let asker, let isAnswered):
            updateArrives(update, from: asker, isAnswered: isAnswered)
        case .secondaryRefreshes(let server): refresh(secondary: server)
        case .serverRecovers(let server): setServer(server, .well)
        case .weather: blow()
        case .fileComes: fileComes()
        case .rollGoesOn: rollGoesOn()
        case .upgradeGoesOn: upgradeGoesOn()
        case .operatorActs: operatorActs()
        case .squall, .linkChanges, .meet, .crashes, .peerLinkHeals, .unmutes, .switchFails, .isToldToStop,
            .copyEnds:
            occurInStorm(occurrence)
        case .operatorsPatienceEnds(let request): endPatience(request)
        case .plannerActs: plannerActs()
        case .commandEnds(let id, let result, let machine, let life):
            endCommand(id, result, of: machine, life: life)
        case .serviceDies(let machine, let life):
            if machines[machine].service?.life == life { kill(machine, restartAfter: 400 * millisecond) }
        case .calendarTurns(let machine): turnCalendar(machine)
        case .calendarRead(let machine): readCalendar(machine)
        }
    }

    // MARK: - Node services

    mutating func deliver(_ event: Event, to machine: Int, life: Int? = nil) {
        let instant = machines[machine].clock.instant(at: now)
        // In place: a service is large, and copying it would cost more than what it does.
        guard let handled = machines[machine].service?.take(event, at: instant, life: life) else { return }
        steps += 1
        if !handled.effects.isEmpty { perform(handled.effects, of: machine) }
        settle(machine, handled)
    }

    /// After a node handled something: when it wants to be ticked, and what it now believes was agreed.
    private mutating func settle(_ machine: Int, _ handled: Service.Handled) {
        machines[machine].tickDue = .never
        if let deadline = handled.deadline, machines[machine].service?.isRunning == true {
            machines[machine].tickDue = max(now, machines[machine].clock.moment(reaching: deadline))
        }
        if let term = machines[machine].service?.node.raft.term { judge.observe(term: term, now) }
        if let (state, index) = handled.news {
            judgeFormat(of: machine, state)
            judge.observe(state, at: index, of: machines[machine].name, calls, now)
        }
    }

    /// Executes effects in order, unless a stall comes in between.
    private mutating func perform(_ effects: [Effect], of machine: Int) {
        if let stall = machines[machine].service?.stall, effects.count > stall.effects {
            machines[machine].service?.stall = nil
            machines[machine].service?.inHand = Array(effects.dropFirst(stall.effects))
            for effect in effects.prefix(stall.effects) { perform(effect, of: machine) }
            sleep(.service, of: machine, nanoseconds: stall.nanoseconds)
            return
        }
        for effect in effects { perform(effect, of: machine) }
    }

    mutating func performInHand(_ machine: Int) {
        guard let effects = machines[machine].service?.inHand, !effects.isEmpty else { return }
        machines[machine].service?.inHand = []
        for effect in effects { perform(effect, of: machine) }
    }

    private mutating func perform(_ effect: Effect, of machine: Int) {
        guard let life = machines[machine].service?.life else { return }
        switch effect {
        case .beat(let heartbeat): beat(heartbeat, from: machine)
        case .send(let message, let receiver): send(message, to: receiver, from: machine)
        case .store(let request): write(.store(request), machine)
        case .recordIncarnation(let number): write(.incarnation(number), machine)
        case .hold(let address, let until, let epoch):
            tellKeeper(.hold(address, until: until, epoch: epoch), of: machine, life: life)
        case .release(let address, let epoch):
            tellKeeper(.release(address, epoch: epoch), of: machine, life: life)
        case .announce(let address):
            trace.add(now, machines[machine].name, "announces \(address.ip)")
        case .readZone(let id, let questions): readZone(id, questions, for: machine, life: life)
        case .updateZone(let id, let update): updateZone(id, update, for: machine, life: life)
        case .answer(let id, let reply): answered(id, reply, by: machine)
        // The pretended switches keep no state that would have to move.
        case .surveyed(let survey): surveyed(survey, machine)
        case .report(let event): report(event, of: machine)
        case .stop(let reason): stop(machine, reason)
        case .watchCalendar(let questions): watchCalendar(questions, of: machine)
        case .runCommand(let id, let order, let context):
            runCommand(id, order, context, on: machine, life: life)
        case .stopCommand(let id): stopCommand(id, on: machine, life: life)
        case .check(let id, let check, _): look(id, check, of: machine, life: life)
        case .notify(let id, let url, let context): notify(id, url, context, of: machine, life: life)
        case .audited(let entries): audited(entries, by: machine)
        case .failNode:
            // After the other effects of the same moment, as the end of a process is.
            agenda.add(.serviceDies(machine: machine, life: life), at: now)
        }
    }

    /// What was agreed is told by every node; the trace has it once.
    private mutating func report(_ event: ClusterEvent, of machine: Int) {
        guard trace.isKept else { return }
        if event.kind.isAgreed, event.epoch != nil,
            !tellings.insert(Telling(event: event, machine: machine)).inserted
        {
            judge.object(now, .retold, "\(machines[machine].name) tells again: \(event.text)")
        }
        if event.epoch != nil, !agreedEvents.insert(event).inserted { return }
        trace.add(
            now, machines[machine].name,
            "\(event.kind.rawValue) \(event.subject): \(event.text)\(event.epoch.map { " @\($0)" } ?? "")")
    }
}
