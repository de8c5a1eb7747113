import Cluster

// Decisions that are being written draw the storm.

extension World {
    /// A node service gives its disk something to write.
    mutating func stormSees(_ request: PretendDisk.Request, on machine: Int) {
        guard isStormy, storm != nil else { return }
        for entry in request.entries {
            guard case .command(let stamped) = entry.payload else { continue }
            var command = stamped.command
            if case .asked(let asked) = command, let inner = asked.command { command = inner }
            switch command {
            case .fence(let fence): fenceIsWritten(fence, machine)
            case .move(let move): moveIsWritten(move, machine)
            default: break
            }
        }
    }

    /// The fence waits for the disk; the machine may crash meanwhile and come back without it, and hear the fenced
    /// holder again.
    private mutating func fenceIsWritten(_ fence: Fence, _ machine: Int) {
        guard let storm else { return }
        if machines[machine].service?.node.isLeader == true, storm.victim?.of != fence.holder {
            guard happensInStorm(perMille: storm.theme.perMilleOfFences) else { return }
            let other = Int(drawInStorm(0...Int64(machines.count - 1)))
            let prey = happensInStorm(perMille: 400) ? machine : other
            self.storm?.victim = (prey, fence.holder)
        }
        guard let victim = self.storm?.victim, victim.machine == machine, victim.of == fence.holder
        else { return }
        let span = storm.span
        machines[machine].disk.stall = drawInStorm(span / 4...span * 3)
        guard happensInStorm(perMille: 850), let life = machines[machine].service?.life else { return }
        let crash = drawInStorm(millisecond...span)
        let restart =
            happensInStorm(perMille: 800)
            ? drawInStorm(2 * millisecond...60 * millisecond) : drawInStorm(2 * millisecond...span * 4)
        agenda.add(
            .crashes(machine: machine, life: life, restart: restart), at: now.after(nanoseconds: crash))
        guard happensInStorm(perMille: 850), let holder = place(of: fence.holder), holder != machine
        else { return }
        let meeting = now.after(nanoseconds: happensInStorm(perMille: 700) ? crash : drawInStorm(0...span))
        agenda.add(.meet(Link(from: holder, to: machine)), at: meeting)
    }

    /// The former holder's words get lost, the next one does not hear of the next move, fails or stops, and for a
    /// while nobody else is ready.
    private mutating func moveIsWritten(_ move: Move, _ machine: Int) {
        guard let storm, machines[machine].service?.node.isLeader == true,
            happensInStorm(perMille: storm.theme.perMilleOfMoves),
            let from = place(of: move.from), let to = place(of: move.to)
        else { return }
        if from != machine {
            if happensInStorm(perMille: 400) { breakPeerLink(Link(from: from, to: machine)) }
            if happensInStorm(perMille: 300) { breakPeerLink(Link(from: machine, to: from)) }
        }
        if happensInStorm(perMille: 400) {
            let moment = now.after(nanoseconds: drawInStorm(millisecond...storm.span / 2))
            agenda.add(.switchFails(machine: to), at: moment)
        }
        if happensInStorm(perMille: 300), let life = machines[to].service?.life {
            let moment = now.after(nanoseconds: drawInStorm(millisecond...storm.span / 2))
            agenda.add(.isToldToStop(machine: to, life: life), at: moment)
        }
        if happensInStorm(perMille: 400) {
            let delay = drawInStorm(0...10 * millisecond)
            for other in machines.indices where other != from && other != to {
                agenda.add(.switchFails(machine: other), at: now.after(nanoseconds: delay))
            }
        }
    }
}
