import Primitives
import Replication

// Addresses come here, go elsewhere, and have nobody.

extension CallReplication {
    mutating func take(_ snapshot: PlacementSnapshot, _ turn: inout Turn) {
        for placement in snapshot.placements {
            let name = placement.name
            if !placement.isHere {
                withdraw(placement, &turn)
                if let holder = placement.holder, holder != settings.node {
                    elsewhere[name] = holder
                    forget(name, &turn)
                }
            } else if held[name]?.placement.epoch != placement.epoch {
                let coreUUID = held[name]?.coreUUID
                step(name, .withdrawn("\(name) was given to this node anew"), &turn)
                elsewhere[name] = nil
                held[name] = CallRecovery(placement: placement, since: turn.now, coreUUID: coreUUID)
                recover(name, &turn)
                tracker.tellEverything()
            }
            noteHolder(placement, heard: snapshot.heard, at: turn.now)
        }
        part(snapshot.partings, &turn)
        settleWaiting(&turn)
        flush(&turn)
        if isListed { for name in held.keys.sorted() { dropEnded(name, &turn) } }
    }

    private mutating func withdraw(_ placement: AddressPlacement, _ turn: inout Turn) {
        let name = placement.name
        guard held[name] != nil else { return }
        let next = placement.holder.flatMap { $0 == settings.node ? nil : $0 }
        step(
            name, .withdrawn(next.map { "\(name) went to \($0)" } ?? "this node had to let \(name) go"),
            &turn)
        held[name] = nil
    }

    private mutating func noteHolder(_ placement: AddressPlacement, heard: [String], at now: Instant) {
        if let holder = placement.holder, holder == settings.node || heard.contains(holder) {
            forsaken[placement.name] = nil
        } else if forsaken[placement.name] == nil {
            forsaken[placement.name] = now
        }
    }

    /// Calls whose address another node has: they live on there, and must end here without a word to their peers.
    ///
    /// The address is off this machine, so every BYE fails in its socket, is tried once and not again.
    mutating func forget(_ address: String, _ turn: inout Turn) {
        // FreeSWITCH does not survive that its channels are hung up while `recover` makes them.
        guard recovering[address] == nil else { return }
        let legs = tracker.legs(of: address).map(\.uuid)
        guard coreUUID != nil, forgotten.forget(legs, of: address, at: turn.now) else { return }
        turn.effects.append(
            .notice(
                area: "call", subject: address,
                "its calls are at \(elsewhere[address] ?? "another node") now and end here"))
        turn.effects.append(
            .command("hupall MANAGER_REQUEST sofia_profile_name \(address)", isBackground: false))
    }

    /// What ended here while the address was away: the replica was not told.
    mutating func dropEnded(_ address: String, _ turn: inout Turn) {
        guard let coreUUID, held[address]?.run == nil else { return }
        let ended = turn.legs(of: address).filter {
            $0.runtime == coreUUID && tracker.leg($0.uuid) == nil
                && !forgotten.contains($0.uuid, of: address)
        }
        turn.remove(ended.map(\.uuid), of: address)
    }

    /// What was to be revived here and is not in the switch a minute later is over, whatever kept it from coming back: nobody
    /// may be told to revive it when the address moves next.
    mutating func dropGivenUp(_ turn: inout Turn) {
        guard let coreUUID, isListed else { return }
        for (name, entry) in held.sorted(by: { $0.key < $1.key })
        where entry.run == nil && entry.coreUUID == coreUUID && recovering[name] == nil
            && turn.now - entry.since >= settings.patience
        {
            let over = turn.legs(of: name).filter {
                tracker.leg($0.uuid) == nil && !forgotten.contains($0.uuid, of: name)
            }
            guard !over.isEmpty else { continue }
            turn.effects.append(
                .notice(
                    area: "recovery", subject: name,
                    "\(over.count) legs that did not come back are given up"))
            turn.remove(over.map(\.uuid), of: name)
        }
    }
}
