import Cluster

/// One machine's way into the network of the service addresses; heartbeats take another one.
struct PretendCard: Hashable, Sendable {
    var hasCarrier = true
    /// SIP does not get through, though everything else does.
    var isFiltered = false
    /// Addresses in whose network the machine has no interface.
    var unplaceable: [String] = []
    /// What the node was told last.
    var told: [NetworkSight] = []
    /// Since when an address that the node asks has been unanswered.
    var unanswered: [String: Moment] = [:]

    var isWell: Bool { hasCarrier && !isFiltered }
}

// The network of the service addresses: what the kernel tells, and who reaches whom.

extension World {
    static let unservedAfter: Int64 = 1000 * millisecond

    /// Only a machine where something is or was wrong hears of it: the others are well.
    mutating func tellNetwork(_ machine: Int) {
        guard machines[machine].kind == .full, let life = machines[machine].service?.life else { return }
        let card = machines[machine].card
        let sights = blueprint.settings.addresses.map { address in
            let condition: NetworkSight.Condition =
                card.unplaceable.contains(address.name)
                ? .noInterface : card.hasCarrier ? .well : .noCarrier(interface: "eth0")
            return NetworkSight(address: address.name, condition: condition, company: .heard)
        }
        guard sights != card.told, !card.told.isEmpty || sights.contains(where: { $0.condition != .well })
        else {
            return
        }
        machines[machine].card.told = sights
        agenda.add(
            .event(.networkSeen(sights), machine: machine, life: life),
            at: now.after(nanoseconds: millisecond))
    }

    /// The cable of the service network; that of the heartbeats stays.
    mutating func plug(_ machine: Int, _ isPlugged: Bool) {
        guard machines[machine].card.hasCarrier != isPlugged else { return }
        trace.add(now, machines[machine].name, isPlugged ? "service cable is in" : "service cable is out")
        machines[machine].card.hasCarrier = isPlugged
        tellNetwork(machine)
    }

    mutating func filter(_ machine: Int, _ isFiltered: Bool) {
        guard machines[machine].card.isFiltered != isFiltered else { return }
        trace.add(
            now, machines[machine].name, isFiltered ? "SIP is filtered on the way" : "SIP gets through again")
        machines[machine].card.isFiltered = isFiltered
    }

    /// No machine has an interface in the network of the address, or all have.
    mutating func place(_ address: String, isPlaceable: Bool) {
        for machine in machines.indices where machines[machine].kind == .full {
            machines[machine].card.unplaceable.removeAll { $0 == address }
            if !isPlaceable {
                machines[machine].card.unplaceable.append(address)
                // The kernel takes the address away with the network's own.
                machines[machine].keeper.refuses.insert(address)
            } else {
                machines[machine].keeper.refuses.remove(address)
            }
            tellNetwork(machine)
        }
        trace.add(
            now, "network",
            isPlaceable ? "there is one for \(address) again" : "there is none for \(address) any more")
    }

    /// Whether somebody who asks there is answered.
    func isServed(_ address: String, askedFrom asker: Int?) -> Bool {
        machines.indices.contains { machine in
            machine != asker && machines[machine].keeper.holding(address) != nil
                && machines[machine].card.isWell && machines[machine].phones.isFit
        } && asker.map { machines[$0].card.isWell } ?? true
    }

    /// What the node's questions at other holders' addresses came to.
    mutating func sights(of machine: Int) -> [Sight] {
        var sights: [Sight] = []
        for ask in machines[machine].phones.asks {
            let name = ask.address.name
            if isServed(name, askedFrom: machine) {
                machines[machine].card.unanswered[name] = nil
                sights.append(Sight(address: name, epoch: ask.epoch, verdict: .served))
                continue
            }
            let since = machines[machine].card.unanswered[name] ?? now
            machines[machine].card.unanswered[name] = since
            if now >= since.after(nanoseconds: Self.unservedAfter) {
                sights.append(Sight(address: name, epoch: ask.epoch, verdict: .silent))
            }
        }
        return sights
    }

    // MARK: - The law

    /// In calm weather: the service network is cut at one holder, while all hear each other. Somebody who stands ready must
    /// have the seat soon, and nobody moves twice.
    mutating func cutOneService() {
        guard let state = judge.newestState,
            let leader = machines.first(where: { $0.service?.node.isLeader == true }),
            state.takeovers.count < state.settings.policy.takeoversPerHour, state.drain == nil,
            let instant = leader.service.map({ _ in leader.clock.instant(at: now) }),
            let view = leader.service?.node.view(at: instant)
        else { return }
        let seat = state.seats.first { seat in
            guard let grant = state.grant(of: seat.address), !grant.revoked,
                holders(of: seat.address) == [grant.holder.name]
            else { return false }
            return !view.takers(for: seat.address, upTo: .degraded, in: state).isEmpty
        }
        guard let seat, let holder = state.grant(of: seat.address)?.holder,
            let machine = index(of: holder.name)
        else { return }
        plug(machine, false)
        let end = now + .milliseconds(500) + state.settings.timing.deadAfter
        while violation == nil {
            let holders = holders(of: seat.address)
            if holders.count == 1, holders != [holder.name] { break }
            guard now < end else {
                judge.object(
                    now, .unserved, "\(seat.address) stays at \(holder.name), whose service network is cut")
                return
            }
            run(for: .milliseconds(1))
        }
        let moves = judge.newestState?.takeovers.count ?? 0
        run(for: .seconds(3))
        if let after = judge.newestState?.takeovers.count, after > moves {
            judge.object(now, .unserved, "a seat moves again though nothing happened")
        }
        plug(machine, true)
    }
}
