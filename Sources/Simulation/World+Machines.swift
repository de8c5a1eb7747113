import Cluster
import Consensus
import Primitives

// Lives of node services: start, stop, sleep, and what lies on the disk.

extension World {
    /// Between two processes of one machine, in nanoseconds; always the same, so that order is kept.
    static let pipeDelay = 40 * microsecond

    // MARK: - Starting and ending

    mutating func planBoot(_ machine: Int, after nanoseconds: Int64) {
        agenda.add(.boot(machine: machine), at: now.after(nanoseconds: nanoseconds))
    }

    mutating func boot(_ machine: Int) {
        guard machines[machine].service == nil, !machines[machine].staysDown else { return }
        let place = place(of: machine)
        setForeignDiskAside(machine, place)
        let disk = machines[machine].disk
        if let fault = disk.restored.fault {
            judge.object(now, .storage, "\(machines[machine].name) finds a broken log: \(fault)")
            return
        }
        if refusesDisk(machine) { return }
        machines[machine].life += 1
        let life = machines[machine].life
        let low = chance.machines.next() & 0xFFFF_FFFF
        let incarnation = ((disk.incarnation >> 32) + 1) << 32 | low
        machines[machine].disk.recordNow(incarnation: incarnation, on: place)
        let member = MemberID(name: machines[machine].name, birth: disk.birth)
        let node = Node(
            name: member.name, birth: member.birth, incarnation: incarnation, kind: machines[machine].kind,
            settings: machines[machine].settings, restored: disk.restored, seed: chance.machines.next(),
            machine: place, formerMachine: disk.machine, anew: disk.anew,
            release: machines[machine].release, at: machines[machine].clock.instant(at: now))
        trace.add(now, member.name, "starts as incarnation \(incarnation >> 32)")
        machines[machine].service = Service(node: node, member: member, life: life, startedAt: now)
        machines[machine].phones.told = nil
        machines[machine].tickDue = now
        machines[machine].card.told = []
        tellSwitch(machine)
        tellNetwork(machine)
        let start = chance.machines.draw(1...5) * millisecond
        let former = machines[machine].keeper.lingersUntil.nanoseconds - now.nanoseconds
        startKeeper(of: machine, life: life, after: max(start, former + Self.pipeDelay))
        if storm != nil, isStormy, happensInStorm(perMille: 300) { playGhosts(to: machine) }
    }

    private func place(of machine: Int) -> MachineID {
        // A clone of a virtual machine has the number of the one it was cloned from.
        var host = machine
        if copyKeepsHost, machines[machine].isCopy { host = index(of: machines[machine].name) ?? machine }
        return MachineID(
            host: UInt64(host) + 1, boot: UInt64(machines[machine].boots) << 32 | UInt64(machine) + 1)
    }

    /// As the service does it: what was written on another machine is not used on this one.
    private mutating func setForeignDiskAside(_ machine: Int, _ place: MachineID) {
        let former = machines[machine].disk.machine
        guard former.host != 0, former.host != place.host else { return }
        setDiskAside(machine, "its state directory was copied from another machine")
    }

    private mutating func setDiskAside(_ machine: Int, _ reason: String) {
        trace.add(now, machines[machine].name, "sets its state directory aside")
        machines[machine].disk = PretendDisk(birth: chance.machines.next())
        machines[machine].disk.anew = reason
    }

    /// Power is lost: both processes, the addresses and the writes under way are gone.
    mutating func crash(_ machine: Int, restartAfter nanoseconds: Int64?) {
        guard machines[machine].isUp || machines[machine].keeper.condition != .absent else { return }
        trace.add(now, machines[machine].name, "loses power")
        machines[machine].keeper.vanish()
        if storm != nil { machines[machine].boots += 1 }
        endService(machine, restartAfter: nanoseconds)
    }

    /// Only the node service dies; its keeper finds the socket closed.
    mutating func kill(_ machine: Int, restartAfter nanoseconds: Int64?) {
        guard machines[machine].isUp else { return }
        trace.add(now, machines[machine].name, "node service is killed")
        endService(machine, restartAfter: nanoseconds)
    }

    /// SIGTERM: the node service gives its seats away, then ends.
    mutating func shutDown(_ machine: Int) {
        guard machines[machine].isUp else { return }
        trace.add(now, machines[machine].name, "node service is asked to end")
        machines[machine].service?.isStopping = true
        deliver(.shutdownRequested, to: machine)
    }

    /// The disk is replaced by an empty one.
    mutating func wipe(_ machine: Int, restartAfter nanoseconds: Int64?) {
        crash(machine, restartAfter: nil)
        trace.add(now, machines[machine].name, "has a new, empty disk")
        machines[machine].disk = PretendDisk(birth: chance.machines.next())
        if let nanoseconds { planBoot(machine, after: nanoseconds) }
    }

    mutating func stop(_ machine: Int, _ reason: StopReason) {
        let name = machines[machine].name
        switch reason {
        case .shutdown:
            trace.add(now, name, "node service ends")
            if let held = machines[machine].keeper.held.first {
                judge.object(now, .emptyHands, "\(name) stops while it holds \(held.address.name)")
            }
        case .fatal(let text):
            trace.add(now, name, "node service gives up: \(text)")
        case .startAnew(let text):
            trace.add(now, name, "node service gives up: \(text)")
            setDiskAside(machine, text)
        }
        endService(machine, restartAfter: chance.machines.draw(300...2500) * millisecond)
    }

    private mutating func endService(_ machine: Int, restartAfter nanoseconds: Int64?) {
        guard let life = machines[machine].service?.life else { return }
        machines[machine].service = nil
        machines[machine].tickDue = .never
        let pending = machines[machine].disk.underWay.count
        let losesAll = blueprint.sabotage == .lyingDisk || machines[machine].disk.isFailing
        let isStruck = isStormy && happensInStorm(perMille: 600)
        let kept = losesAll || isStruck ? 0 : chance.disks.draw(0...pending)
        machines[machine].disk.crash(keeping: kept)
        machines[machine].disk.isFailing = false
        for other in machines.indices where other != machine {
            disconnect(Link(from: machine, to: other))
            disconnect(Link(from: other, to: machine))
        }
        let moment = now.after(nanoseconds: Self.pipeDelay + drawLingering())
        machines[machine].keeper.lingersUntil = moment
        agenda.add(.keeperOrphaned(machine: machine, life: life), at: moment)
        if let nanoseconds { planBoot(machine, after: nanoseconds) }
    }

    /// How long a keeper does not notice that its node service is gone; its holds end all the same.
    private mutating func drawLingering() -> Int64 {
        guard isStormy, let storm, happensInStorm(perMille: 600) else { return 0 }
        return drawSpanInStorm(millisecond...storm.span)
    }

    // MARK: - Sleep

    mutating func sleep(_ sleeper: Sleeper, of machine: Int, nanoseconds: Int64) {
        let nap: Int
        switch sleeper {
        case .service:
            guard machines[machine].service?.isAsleep == false else { return }
            machines[machine].service?.isAsleep = true
            machines[machine].service?.naps += 1
            nap = machines[machine].service?.naps ?? 0
            machines[machine].tickDue = .never
        case .keeper:
            guard machines[machine].keeper.isAwake else { return }
            machines[machine].keeper.sleep(lifetimesEnd: planLifetimesEnd(machine))
            nap = machines[machine].keeper.naps
            updateHoldEnd(machine)
        }
        let life = machines[machine].life
        trace.add(now, machines[machine].name, "\(sleeper) is stopped for \(nanoseconds / millisecond)ms")
        let moment = now.after(nanoseconds: nanoseconds)
        agenda.add(.wake(machine: machine, life: life, sleeper, nap: nap), at: moment)
    }

    mutating func wake(_ sleeper: Sleeper, of machine: Int, life: Int, nap: Int) {
        guard machines[machine].life == life else { return }
        switch sleeper {
        case .service:
            guard let service = machines[machine].service, service.isAsleep, service.naps == nap
            else { return }
            trace.add(now, machines[machine].name, "service goes on")
            wakeService(machine)
        case .keeper:
            guard machines[machine].keeper.condition == .asleep, machines[machine].keeper.naps == nap
            else { return }
            trace.add(now, machines[machine].name, "keeper goes on")
            wakeKeeper(machine)
        }
    }

    /// What was in hand comes first, as for any stopped thread; then the late tick or the waiting frames.
    mutating func wakeService(_ machine: Int) {
        guard let life = machines[machine].service?.life else { return }
        machines[machine].service?.isAsleep = false
        performInHand(machine)
        let ticksFirst = chance.machines.happens(perMille: 500)
        if ticksFirst { deliver(.tick, to: machine, life: life) }
        let inbox = machines[machine].service?.inbox ?? []
        machines[machine].service?.inbox = []
        for event in inbox { deliver(event, to: machine, life: life) }
        if !ticksFirst { deliver(.tick, to: machine, life: life) }
    }

    // MARK: - The disk

    mutating func write(_ write: PretendDisk.Write, _ machine: Int) {
        guard let life = machines[machine].service?.life else { return }
        if case .store(let request) = write { stormSees(request, on: machine) }
        machines[machine].disk.begin(write)
        if machines[machine].disk.underWay.count > Judge.mostWrites {
            judge.object(now, .bounds, "\(machines[machine].name) has too many writes under way")
        }
        flush(machine, life)
        if blueprint.sabotage == .lyingDisk {
            let told = now.after(nanoseconds: Self.pipeDelay)
            agenda.add(.event(Self.event(of: write), machine: machine, life: life), at: told)
        }
    }

    private mutating func flush(_ machine: Int, _ life: Int) {
        guard machines[machine].disk.beginFlush() else { return }
        let slowness = machines[machine].disk.slowness
        let took =
            chance.disks.draw(100 * microsecond...2 * millisecond)
            + (slowness > 0 ? chance.disks.draw(0...slowness) : 0) + machines[machine].disk.stall
        machines[machine].disk.stall = 0
        let end = now.after(nanoseconds: took)
        machines[machine].disk.busyUntil = end
        let birth = machines[machine].disk.birth
        agenda.add(.written(machine: machine, birth: birth, life: life), at: end)
    }

    mutating func written(_ machine: Int, birth: UInt64, life: Int) {
        guard machines[machine].life == life, machines[machine].disk.birth == birth,
            machines[machine].service != nil
        else { return }
        let hasFailed = machines[machine].disk.isFailing
        for write in machines[machine].disk.endFlush() {
            if hasFailed {
                deliver(Self.failure(of: write), to: machine, life: life)
            } else if blueprint.sabotage != .lyingDisk {
                deliver(Self.event(of: write), to: machine, life: life)
            }
        }
        if machines[machine].service?.life == life { flush(machine, life) }
    }

    private static func event(of write: PretendDisk.Write) -> Event {
        switch write {
        case .store(let request): .stored(sequence: request.sequence)
        case .incarnation(let number): .incarnationRecorded(number)
        }
    }

    private static func failure(of write: PretendDisk.Write) -> Event {
        switch write {
        case .store(let request): .storeFailed(sequence: request.sequence, reason: "the disk is full")
        case .incarnation: .storeFailed(sequence: 0, reason: "the disk is full")
        }
    }
}
