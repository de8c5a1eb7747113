import Cluster
import Consensus
import Primitives

// What a storm does: something every now and then, and something whenever a decision is being written.

extension World {
    mutating func begin(_ storm: Storm) {
        self.storm = storm
        trace.add(now, "storm", "of \(storm.theme.rawValue)")
        if let copy = machines.firstIndex(where: \.isCopy), let original = index(of: machines[copy].name) {
            self.storm?.copied = (original, copy)
        }
        beginStorm()
        agenda.add(.squall, at: now.after(nanoseconds: storm.span))
    }

    /// A number from the storm's own stream; the lower bound in calm.
    mutating func drawInStorm(_ range: ClosedRange<Int64>) -> Int64 {
        storm?.chance.draw(range) ?? range.lowerBound
    }

    mutating func happensInStorm(perMille: Int) -> Bool {
        storm?.chance.happens(perMille: perMille) ?? false
    }

    mutating func drawSpanInStorm(_ range: ClosedRange<Int64>) -> Int64 {
        storm?.chance.drawSpan(range) ?? range.lowerBound
    }

    private mutating func drawMachine() -> Int {
        Int(drawInStorm(0...Int64(machines.count(where: { !$0.isCopy }) - 1)))
    }

    private mutating func drawLink() -> Link {
        let from = drawMachine()
        let count = machines.count(where: { !$0.isCopy })
        return Link(from: from, to: (from + Int(drawInStorm(1...Int64(count - 1)))) % count)
    }

    /// The machine with the newest life of a node.
    func place(of holder: Holder) -> Int? { index(of: holder.name) }

    var leaderPlace: Int? {
        var best: Int?
        for i in machines.indices where machines[i].service?.node.isLeader == true {
            if let known = best, let node = machines[known].service?.node,
                let other = machines[i].service?.node,
                node.raft.term >= other.raft.term
            {
                continue
            }
            best = i
        }
        return best
    }

    // MARK: - Occurrences

    mutating func occurInStorm(_ occurrence: Occurrence) {
        switch occurrence {
        case .peerLinkHeals(let link): network.mendPeerLink(link)
        case .unmutes(let link): network.unmute(link)
        case .copyEnds: if isStormy { endCopy() }
        case .squall: squall()
        case .linkChanges(let change): apply(change)
        case .meet(let link): meet(link)
        case .crashes(let machine, let life, let restart):
            if isStormy, machines[machine].service?.life == life { crash(machine, restartAfter: restart) }
        case .switchFails(let machine): if isStormy { failSwitch(of: machine) }
        case .isToldToStop(let machine, let life):
            if isStormy, machines[machine].service?.life == life { shutDown(machine) }
        default: break
        }
    }

    // MARK: - Squalls

    mutating func squall() {
        guard isStormy, let storm else { return }
        let weights = storm.theme.weights
        var left = Int(drawInStorm(1...Int64(weights.reduce(0) { $0 + $1.weight })))
        var next = drawSpanInStorm(10 * millisecond...storm.span * 2)
        for (fault, weight) in weights {
            left -= weight
            guard left <= 0 else { continue }
            if let wait = strike(fault) { next = wait }
            break
        }
        agenda.add(.squall, at: now.after(nanoseconds: next))
    }

    /// - Returns: how long nothing else should begin, when that matters.
    private mutating func strike(_ fault: StormFault) -> Int64? {
        guard let span = storm?.span else { return nil }
        switch fault {
        case .view: return changeView()
        case .loneHolder: return leaveHolderAlone()
        case .reunion:
            see(Array(repeating: false, count: machines.count * machines.count))
            return drawSpanInStorm(20 * millisecond...span * 5)
        case .slowDisk:
            let machine = drawMachine()
            machines[machine].disk.slowness = drawSpanInStorm(5 * millisecond...span * 2)
            let end = now.after(nanoseconds: drawSpanInStorm(10 * millisecond...span * 5))
            agenda.add(.diskQuickens(machine: machine), at: end)
        case .quickCrash: crash(drawMachine(), restartAfter: drawRestart())
        case .quickKill: kill(drawHolderOrOther(), restartAfter: drawRestart())
        case .keeperBusy:
            let machine = drawMachine()
            let end = now.after(nanoseconds: drawSpanInStorm(millisecond...span))
            machines[machine].keeper.busyUntil = end
        case .sleep:
            let nap = drawSpanInStorm(2 * millisecond...span * 2)
            sleep(.service, of: drawMachine(), nanoseconds: nap)
        case .brokenPeerLink: breakPeerLink(drawLink())
        case .lostDatagrams:
            let link = drawLink()
            network.mute(link)
            agenda.add(
                .unmutes(link), at: now.after(nanoseconds: drawSpanInStorm(20 * millisecond...span * 4)))
        case .halfMachine: halve(happensInStorm(perMille: 500) ? leaderPlace ?? drawMachine() : drawMachine())
        case .ghosts: playGhosts(to: drawMachine())
        case .operators: moveSomething()
        case .switchFailure: failSwitch(of: drawHolderOrOther())
        case .shutdown: shutDown(drawMachine())
        case .copy: copyDisk()
        case .addressee: storm?.copyIsAddressed.toggle()
        }
        return nil
    }

    /// Takes all heartbeats to a machine, from it or both, or all its links.
    private mutating func halve(_ machine: Int) {
        guard let span = storm?.span else { return }
        let links = network.boundary(of: [machine]).links
        let end = now.after(nanoseconds: drawSpanInStorm(20 * millisecond...span * 6))
        let kind = drawInStorm(0...3)
        guard kind < 3 else {
            for link in links { breakPeerLink(link, until: end) }
            return
        }
        for link in links where kind == 2 || (kind == 0) == (link.from == machine) {
            network.mute(link)
            agenda.add(.unmutes(link), at: end)
        }
        trace.add(
            now, "network",
            "no heartbeats \(["from", "to", "from and to"][Int(kind)]) \(machines[machine].name)")
    }

    private mutating func drawRestart() -> Int64 {
        let span = storm?.span ?? 0
        return happensInStorm(perMille: 700)
            ? drawInStorm(2 * millisecond...60 * millisecond) : drawSpanInStorm(2 * millisecond...span * 8)
    }

    /// Whoever has an address, more often than not.
    private mutating func drawHolderOrOther() -> Int {
        let holders = machines.indices.filter { !machines[$0].isCopy && !machines[$0].keeper.held.isEmpty }
        guard !holders.isEmpty, happensInStorm(perMille: 700) else { return drawMachine() }
        return holders[Int(drawInStorm(0...Int64(holders.count - 1)))]
    }

    func stormHolder(_ number: Int64) -> Int? {
        let holders = machines.indices.filter { !machines[$0].isCopy && !machines[$0].keeper.held.isEmpty }
        return holders.isEmpty ? nil : holders[Int(number) % holders.count]
    }

    mutating func breakPeerLink(_ link: Link) {
        guard let span = storm?.span else { return }
        breakPeerLink(link, until: now.after(nanoseconds: drawSpanInStorm(10 * millisecond...span * 5)))
    }

    private mutating func breakPeerLink(_ link: Link, until end: Moment) {
        network.breakPeerLink(link)
        disconnect(link)
        trace.add(now, "network", "no peer link \(machines[link.from].name)>\(machines[link.to].name)")
        agenda.add(.peerLinkHeals(link), at: end)
    }

    mutating func failSwitch(of machine: Int) {
        guard let span = storm?.span else { return }
        setSwitch(machine, .unhealthy)
        let end = now.after(nanoseconds: drawSpanInStorm(10 * millisecond...span * 5))
        agenda.add(.switchRecovered(machine: machine), at: end)
    }

    private mutating func moveSomething() {
        let machine = drawMachine()
        guard machines[machine].isUp, machines[machine].service?.isAsleep == false else { return }
        guard happensInStorm(perMille: 600) else {
            ask(drawRequest(), of: machine)
            return
        }
        let seats = blueprint.settings.seats
        let seat = seats[Int(drawInStorm(0...Int64(seats.count - 1)))].name
        let target = happensInStorm(perMille: 500) ? machines[drawMachine()].name : nil
        ask(.switchover(seat: seat, to: target, dryRun: false, who: "ops@simulation"), of: machine)
    }

    // MARK: - Ghosts

    mutating func record(_ heartbeat: Heartbeat) {
        guard isStormy, storm != nil, happensInStorm(perMille: 8) else { return }
        if let count = storm?.recorded.count, count >= Storm.mostRecorded {
            let number = Int(drawInStorm(0...Int64(count - 1)))
            storm?.recorded[number] = heartbeat
        } else {
            storm?.recorded.append(heartbeat)
        }
    }

    mutating func playGhosts(to machine: Int) {
        guard let recorded = storm?.recorded, !recorded.isEmpty else { return }
        for _ in 0..<drawInStorm(1...6) {
            let heartbeat = recorded[Int(drawInStorm(0...Int64(recorded.count - 1)))]
            let moment = now.after(nanoseconds: drawInStorm(0...50 * millisecond))
            agenda.add(.heartbeat(heartbeat, to: machine), at: moment)
        }
    }

    // MARK: - Copies

    /// A second machine starts from a copy of the first one's disk.
    private mutating func copyDisk() {
        guard let (original, copy) = storm?.copied, !machines[copy].isUp else { return }
        trace.add(now, machines[copy].name, "is started a second time, from a copy of its disk")
        machines[copy].disk = machines[original].disk.copied
        machines[copy].staysDown = false
        let isAddressed = happensInStorm(perMille: 500)
        storm?.copyIsAddressed = isAddressed
        planBoot(copy, after: millisecond)
        if happensInStorm(perMille: 500), let leader = leaderPlace, leader != original {
            breakPeerLink(Link(from: leader, to: original))
        }
        guard let span = storm?.span, happensInStorm(perMille: 500) else { return }
        let end = now.after(nanoseconds: drawSpanInStorm(20 * millisecond...span * 5))
        agenda.add(.copyEnds, at: end)
    }

    mutating func endCopy() {
        guard let copy = machines.firstIndex(where: \.isCopy) else { return }
        machines[copy].staysDown = true
        crash(copy, restartAfter: nil)
    }

    /// Which machine answers to a member's name.
    func addressee(of member: MemberID) -> Int? {
        let same = machines.indices.filter { machines[$0].service?.member == member }
        if same.count == 1 { return same[0] }
        if let storm, storm.copyIsAddressed, let copy = storm.copied?.copy,
            machines[copy].name == member.name,
            machines[copy].isUp
        {
            return copy
        }
        return index(of: member.name)
    }

    // MARK: - Its end

    /// What only a storm brings is over; the second machine is switched off, as operators would.
    mutating func endStormFaults() {
        guard let storm else { return }
        for machine in machines.indices {
            machines[machine].keeper.busyUntil = .zero
            machines[machine].disk.stall = 0
        }
        endCopy()
    }
}
