import Cluster
import Primitives

// Who has which address in true time: keepers add and remove, the judge looks at every addition.

extension World {
    mutating func startKeeper(of machine: Int, life: Int, after nanoseconds: Int64) {
        let moment = now.after(nanoseconds: nanoseconds)
        agenda.add(.keeperStarted(machine: machine, life: life), at: moment)
    }

    mutating func keeperStarted(_ machine: Int, life: Int) {
        guard machines[machine].service?.life == life else { return }
        for held in machines[machine].keeper.held {
            trace.add(now, machines[machine].name, "- \(held.address.ip) (left over)")
        }
        machines[machine].keeper.start(life: life)
        updateHoldEnd(machine)
        reply(.keeperReady, to: machine)
    }

    /// The keeper process dies; the node service is told, and starts another after a while.
    mutating func killKeeper(of machine: Int) {
        guard machines[machine].keeper.condition != .absent, let life = machines[machine].service?.life
        else { return }
        trace.add(now, machines[machine].name, "keeper is killed")
        machines[machine].keeper.die(lifetimesEnd: planLifetimesEnd(machine))
        updateHoldEnd(machine)
        reply(.keeperLost(endsByItself: true), to: machine)
        startKeeper(of: machine, life: life, after: chance.machines.draw(2...80) * millisecond)
    }

    mutating func tellKeeper(_ request: KeeperRequest, of machine: Int, life: Int) {
        let moment = now.after(nanoseconds: Self.pipeDelay)
        agenda.add(.keeperAsked(request, machine: machine, life: life), at: moment)
    }

    mutating func askKeeper(_ request: KeeperRequest, of machine: Int, life: Int) {
        guard machines[machine].keeper.life == life else { return }
        switch machines[machine].keeper.condition {
        case .absent: return
        case .asleep: machines[machine].keeper.waiting.append(request)
        case .awake:
            let free = machines[machine].keeper.busyUntil
            if now < free {
                agenda.add(.keeperAsked(request, machine: machine, life: life), at: free)
            } else {
                handle(request, machine)
            }
        }
    }

    private mutating func handle(_ request: KeeperRequest, _ machine: Int) {
        endHolds(machine)
        let instant = machines[machine].clock.instant(at: now)
        let answer = machines[machine].keeper.handle(request, at: instant, now)
        updateHoldEnd(machine)
        switch (request, answer) {
        case (.hold(let address, _, let epoch), .added):
            trace.add(now, machines[machine].name, "+ \(address.ip) @\(epoch)")
            judgeAddition(of: address, epoch, machine)
            reply(.keeperHeld(address: address.name, epoch: epoch), to: machine)
        case (.hold(let address, _, let epoch), .renamed):
            judge.added(address, epoch, by: machines[machine].name, now)
            reply(.keeperHeld(address: address.name, epoch: epoch), to: machine)
        case (.hold(let address, _, let epoch), .refused(let reason)):
            reply(.keeperFailed(address: address.name, epoch: epoch, reason: reason), to: machine)
        case (.release(let address, let epoch), .removed):
            trace.add(now, machines[machine].name, "- \(address.ip) (asked)")
            reply(.keeperReleased(address: address.name, epoch: epoch, cause: "asked"), to: machine)
        case (.hold, .none), (.hold, .removed), (.release, _): break
        }
    }

    private mutating func reply(_ event: Event, to machine: Int) {
        guard let life = machines[machine].service?.life else { return }
        let moment = now.after(nanoseconds: Self.pipeDelay)
        agenda.add(.event(event, machine: machine, life: life), at: moment)
    }

    // MARK: - Ends

    mutating func updateHoldEnd(_ machine: Int) {
        machines[machine].holdEnd =
            machines[machine].keeper.nextEnd.map { machines[machine].clock.moment(reaching: $0) } ?? .never
    }

    /// An awake keeper removes what may be held no longer.
    mutating func endHolds(_ machine: Int) {
        let instant = machines[machine].clock.instant(at: now)
        for held in machines[machine].keeper.endHolds(at: instant) {
            trace.add(now, machines[machine].name, "- \(held.address.ip) (its time ended)")
            let event = Event.keeperReleased(
                address: held.address.name, epoch: held.epoch, cause: "its time ended")
            reply(event, to: machine)
        }
        updateHoldEnd(machine)
    }

    mutating func orphanKeeper(of machine: Int, life: Int) {
        guard machines[machine].keeper.life == life, machines[machine].keeper.condition != .absent
        else { return }
        for held in machines[machine].keeper.orphan() {
            trace.add(now, machines[machine].name, "- \(held.address.ip) (node service is gone)")
        }
        updateHoldEnd(machine)
    }

    mutating func wakeKeeper(_ machine: Int) {
        machines[machine].keeper.wake()
        endHolds(machine)
        if machines[machine].keeper.isOrphaned {
            orphanKeeper(of: machine, life: machines[machine].keeper.life)
            return
        }
        let waiting = machines[machine].keeper.waiting
        machines[machine].keeper.waiting = []
        for request in waiting { handle(request, machine) }
    }

    /// Two seconds after the last renewal, which was up to half a second ago, and the kernel is a little late.
    mutating func planLifetimesEnd(_ machine: Int) -> Moment {
        let end = now.after(nanoseconds: chance.machines.draw(1522...2410) * millisecond)
        agenda.add(.lifetimesEnd(machine: machine), at: end)
        return end
    }

    mutating func endLifetimes(_ machine: Int) {
        for held in machines[machine].keeper.endLifetimes(at: now) {
            trace.add(now, machines[machine].name, "- \(held.address.ip) (by the kernel)")
        }
        updateHoldEnd(machine)
    }

    // MARK: - Invariant 1

    private mutating func judgeAddition(of address: ServiceAddress, _ epoch: Epoch, _ machine: Int) {
        judge.added(address, epoch, by: machines[machine].name, now)
        for other in machines.indices where other != machine {
            guard let held = machines[other].keeper.holding(address.name), !isExcused(held, on: other)
            else { continue }
            judge.object(
                now, .twoHolders,
                "\(machines[machine].name) takes \(address.ip) @\(epoch) while \(machines[other].name) has it "
                    + "@\(held.epoch)")
        }
    }

    /// A stopped or dead keeper cannot remove what its node service let go of; the kernel will (layer 3).
    private func isExcused(_ held: PretendKeeper.Held, on machine: Int) -> Bool {
        guard !machines[machine].keeper.isAwake else { return false }
        if held.until <= machines[machine].clock.instant(at: now) { return true }
        return machines[machine].keeper.waiting.contains { request in
            if case .release(let address, _) = request { address.name == held.address.name } else { false }
        }
    }

    /// The machines that have an address now, in the order of the blueprint.
    package func holders(of address: String) -> [String] {
        machines.filter { $0.keeper.holding(address) != nil }.map(\.name)
    }
}
