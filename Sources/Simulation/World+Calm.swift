import Cluster

// What a cluster must have come to when nothing goes wrong any more.

extension World {
    /// How long a cluster may take to come to rest, in true time: a node that fell silent over and over waits up to half a
    /// minute until it is taken in.
    static let restBound: Duration = .seconds(45)
    /// How much longer when a playbook is under way: every step of it may use up its timeout, and be undone.
    static let runBound: Duration = .seconds(75)

    /// What is still not as it should be in calm weather; nil when all is well.
    package func unrest() -> String? {
        for machine in machines where !machine.isUp && !machine.staysDown && !machine.isCopy {
            return "\(machine.name) is down"
        }
        guard let leader = machines.first(where: { $0.service?.node.isLeader == true }),
            let node = leader.service?.node, let state = node.state
        else { return "there is no leader" }
        // What people asked in the storm may only now be begun.
        let isAsked = workload.open.contains { question in
            machines[question.machine].service.map { $0.life == question.life && $0.naps == question.naps }
                ?? false
        }
        if isAsked { return "an operator waits for an answer" }
        return unrestOfMembers(state, node) ?? unrestOfFile(state) ?? unrestOfSeats(state)
            ?? unrestOfZone(state)
    }

    private func unrestOfMembers(_ state: ControlState, _ leader: Node) -> String? {
        for machine in machines where !machine.isCopy {
            guard let service = machine.service else {
                if state.member(machine.name)?.isActive == true { return "\(machine.name) is not fenced" }
                continue
            }
            if service.isStopping { return "\(machine.name) is stopping" }
            // What a slow disk was given in the storm it still has to write.
            if machine.disk.busyUntil > now.after(nanoseconds: 10 * millisecond) {
                return "the disk of \(machine.name) is behind"
            }
            guard state.isActive(service.node.me) else { return "\(machine.name) is not admitted" }
            if service.node.applied.index != leader.applied.index { return "\(machine.name) is behind" }
            if service.node.isLeader, service.node.name != leader.name { return "two nodes lead" }
        }
        for voter in leader.raft.membership.voters
        where !machines.contains(where: { $0.staysDown || $0.service?.member == voter }) {
            return "\(voter) votes and is no more"
        }
        return nil
    }

    private func unrestOfSeats(_ state: ControlState) -> String? {
        if let run = state.playbooks.run {
            return "\(run.name) is \(run.phase): \(run.steps.map(\.condition.text))"
        }
        if let drain = state.drain { return "the drain of \(drain.seat) is \(drain.phase.rawValue)" }
        if let sulking = machines.first(where: { $0.isUp && $0.phones.isRefusing }) {
            return "\(sulking.name) refuses calls"
        }
        for address in blueprint.settings.addresses {
            let holders = holders(of: address.name)
            if holders.count > 1 { return "\(address.name) is on \(holders)" }
            let grant = state.grant(of: address.name)
            if let holder = holders.first, grant?.holder.name != holder || grant?.revoked == true {
                return "\(address.name) is on \(holder) without a right"
            }
            if state.seat(at: address.name) == nil, let grant {
                return "\(address.name) belongs to no seat and is granted to \(grant.holder)"
            }
        }
        let covered = coveredSeats(state).count
        let fit = machines.count { $0.isFit && state.member($0.name)?.maintenance == nil }
        let withheld = isWithholding(state) ? state.seats.count(where: \.isLost) : 0
        if covered < min(fit, state.seats.count - withheld) {
            return "\(covered) of \(state.seats.count) seats are held, \(fit) nodes are fit"
        }
        let spares = state.members.filter { member in
            state.unfitness(of: member.holder) == nil
                && !state.grants.contains { $0.holder == member.holder && !$0.revoked }
        }
        if spares.map(\.name) != state.slaves.sorted() { return "the slave list is \(state.slaves)" }
        return nil
    }

    private func isWithholding(_ state: ControlState) -> Bool {
        state.takeovers.count >= blueprint.settings.policy.takeoversPerHour
    }

    /// Seats whose address is on the machine that has the right to it.
    private func coveredSeats(_ state: ControlState) -> [Seat] {
        state.seats.filter { seat in
            guard let grant = state.grant(of: seat.address), !grant.revoked else { return false }
            return holders(of: seat.address) == [grant.holder.name]
        }
    }

    private func unrestOfZone(_ state: ControlState) -> String? {
        guard let nameServers, let name = blueprint.serviceName else { return nil }
        let covered = coveredSeats(state)
        // The last record stays although nobody holds it.
        guard !covered.isEmpty else { return nil }
        let wanted = covered.compactMap { state.address($0.address)?.ip }
        guard !nameServers.allServe(wanted, for: name) else { return nil }
        let served = NameServers.addresses(in: nameServers.primary, of: name)
        return "the zone serves \(served) for \(name), \(wanted.sorted()) are held"
    }

    // MARK: - Waiting

    /// Lets time pass until the cluster is at rest; objects when it does not come to rest in time.
    package mutating func awaitRest(within bound: Duration = World.restBound) {
        let end = now + (usesPlaybooks ? bound + Self.runBound : bound)
        var reason = unrest()
        while let unrest = reason, violation == nil {
            guard now < end else {
                judge.object(now, .liveness, unrest)
                return
            }
            run(for: .milliseconds(25))
            reason = self.unrest()
        }
    }

    /// Nothing happens, and nobody may act as if it did.
    mutating func stayQuiet(for duration: Duration) {
        let takeovers = judge.takeoverCount
        run(for: duration)
        if judge.takeoverCount != takeovers {
            judge.object(now, .needlessTakeover, "a takeover in calm weather, \(blueprint.settings.timing)")
        }
        if let unrest = unrest() { judge.object(now, .liveness, "after rest: \(unrest)") }
    }

    /// Nothing is asked and nothing fails: nobody has anything to write down.
    mutating func stayIdle(for duration: Duration) {
        let before = machines.map(\.disk.flushes)
        run(for: duration)
        for machine in machines.indices
        where machines[machine].disk.flushes > before[machine] + Self.idleWrites {
            judge.object(
                now, .idle,
                "\(machines[machine].name) wrote \(machines[machine].disk.flushes - before[machine]) times in \(duration)"
                    + " of calm")
        }
    }

    /// Writes that are nothing to worry about.
    private static let idleWrites = 2

    /// One master loses its power; somebody else must have its address soon. Returns how long that took.
    mutating func loseOneMaster() -> Duration? {
        guard let state = judge.newestState, !state.slaves.isEmpty,
            state.takeovers.count < state.settings.policy.takeoversPerHour,
            let seat = coveredSeats(state).first,
            let grant = state.grant(of: seat.address), let machine = index(of: grant.holder.name),
            hasFitSpare(state, besides: machine)
        else { return nil }
        let began = now
        machines[machine].staysDown = true
        crash(machine, restartAfter: nil)
        let timing = state.settings.timing
        let end = now + timing.deadAfter * 3 + .milliseconds(150)
        while violation == nil {
            let holders = holders(of: seat.address)
            if holders.count == 1, holders != [grant.holder.name] { return now - began }
            guard now < end else {
                judge.object(now, .liveness, "nobody took over \(seat.address) within \(end - began)")
                return nil
            }
            run(for: .milliseconds(1))
        }
        return nil
    }

    private func hasFitSpare(_ state: ControlState, besides machine: Int) -> Bool {
        machines.indices.contains { other in
            other != machine && machines[other].isFit && state.slaves.contains(machines[other].name)
        }
    }
}
