import Primitives

// An address goes to another node by plan: the calls that nobody could revive there end here, with a word to their peers.

extension CallReplication {
    struct Parting {
        var epoch: Epoch
        var calls = PartingCalls()
    }

    /// RFC 3261 clients that are still ringing try elsewhere: this cause is a 503 to them.
    private static let cause = "NORMAL_TEMPORARY_FAILURE"

    mutating func part(_ addresses: [String], _ turn: inout Turn) {
        for name in partings.keys.sorted() where !addresses.contains(name) { endParting(name, &turn) }
        for name in addresses {
            guard let epoch = held[name]?.placement.epoch, partings[name]?.epoch != epoch else { continue }
            endParting(name, &turn)
            partings[name] = Parting(epoch: epoch)
            lookAtParting(name, &turn)
        }
    }

    /// The address is gone, or stays after all.
    private mutating func endParting(_ name: String, _ turn: inout Turn) {
        guard let parting = partings.removeValue(forKey: name) else { return }
        let stays = held[name]?.placement.epoch == parting.epoch
        guard !parting.calls.isDone, !stays else { return }
        turn.effects.append(
            .tell(
                .trouble, address: name,
                "it went elsewhere before FreeSWITCH had ended the calls nobody could revive",
                epoch: parting.epoch))
    }

    mutating func lookAtParting(_ name: String, _ turn: inout Turn) {
        guard var parting = partings[name], let entry = held[name] else { return }
        let now = turn.now
        // A leg that rang may have been answered since: then another switch can revive it.
        lazy var hopeless = findHopeless(entry.placement, at: now)
        lazy var left = Set(hopeless)
        let step = parting.calls.look(
            findHopeless: { hopeless }, isThere: { left.contains($0) }, at: now)
        partings[name] = parting
        switch step {
        case .wait: break
        case .ask(let uuids): dump(Array(uuids.prefix(settings.lookLimit)), &turn)
        case .hangUp(let uuids): hangUp(uuids, entry.placement, &turn)
        case .done: tellParted(name, parting, &turn)
        }
    }

    private mutating func hangUp(_ uuids: [String], _ placement: AddressPlacement, _ turn: inout Turn) {
        let callers = tracker.callers(
            of: uuids, on: placement.name, serviceAddress: "\(placement.ip)")
        for (caller, ringing) in callers.sorted(by: { $0.key < $1.key }) {
            park(caller, ringing, of: placement.name, &turn)
        }
        let parked = Set(callers.values.joined())
        for uuid in uuids where !parked.contains(uuid) { kill(uuid, &turn) }
    }

    func kill(_ uuid: String, _ turn: inout Turn) {
        turn.effects.append(.command("uuid_kill \(uuid) \(Self.cause)", isBackground: false))
    }

    private func findHopeless(_ placement: AddressPlacement, at now: Instant) -> [String] {
        let name = placement.name
        // What is being revived is not in the switch yet: there is nothing to hang up.
        if isReviving(name, at: now) { return [] }
        return tracker.hopeless(on: name, serviceAddress: "\(placement.ip)").filter {
            !forgotten.isLeaving($0, of: name)
        }
    }

    private func tellParted(_ name: String, _ parting: Parting, _ turn: inout Turn) {
        let waiting = waitingCount(of: name)
        if waiting.callers > 0 {
            turn.effects.append(
                .tell(
                    .callsEnded, address: name,
                    "\(waiting.callers) callers wait for an answer: what rings for them is cancelled and rings anew where \(name) goes",
                    epoch: parting.epoch))
        }
        let count = parting.calls.ended.count - waiting.ringing
        if count > 0 {
            turn.effects.append(
                .tell(
                    .callsEnded, address: name,
                    "\(count) legs were hung up before \(name) goes elsewhere: no other switch could revive their calls",
                    epoch: parting.epoch))
        }
        turn.effects.append(.partingDone)
    }
}
