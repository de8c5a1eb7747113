import EventSocket
import Primitives

// Callers who were answered and for whom something rings when their address is about to go elsewhere by plan. Parking them cancels what
// rings, and nothing of their extension is executed any more (switch_ivr_originate.c: the originating channel is not ready); their
// replicas stay as they were, so that whoever has the address next calls anew for them.

extension CallReplication {
    struct WaitingCaller {
        enum Phase {
            /// The switch was told, and has not said that it was done.
            case parking
            case parked
            case resuming
        }

        var phase: Phase
        var address: String
        /// What rang for him.
        var ringing: Set<String>
    }

    /// Whether the leg's replica is to stay as it is.
    func isWaiting(_ uuid: String, of address: String) -> Bool { waiting[uuid]?.address == address }

    func waitingCount(of address: String) -> (callers: Int, ringing: Int) {
        let callers = waiting.values.filter { $0.address == address }
        return (callers.count, callers.reduce(0) { $0 + $1.ringing.count })
    }

    mutating func park(
        _ caller: String, _ ringing: [String], of address: String, _ turn: inout Turn
    ) {
        if waiting[caller] != nil {
            waiting[caller]?.ringing.formUnion(ringing)
            return
        }
        flush(&turn)
        waiting[caller] = WaitingCaller(phase: .parking, address: address, ringing: Set(ringing))
        // Tells whoever looks at the channel later, should this node not be there to bring him back.
        mark(caller, address, &turn)
        ask(.park(caller), "uuid_park \(caller)", &turn)
    }

    private func mark(_ caller: String, _ address: String?, _ turn: inout Turn) {
        let value = address.map { " \($0)" } ?? ""
        turn.effects.append(
            .command("uuid_setvar \(caller) \(WaitingMark.variable)\(value)", isBackground: false))
    }

    mutating func parked(
        _ caller: String, _ result: Result<APIResponse, RequestFailure>, _ turn: inout Turn
    ) {
        switch result {
        case .success(let answer) where answer.text.hasPrefix("+OK"):
            waiting[caller]?.phase = .parked
            // He may be brought back before then, and what rang must end all the same.
            let known = waiting[caller]?.ringing ?? []
            cancels.append((turn.now + settings.cancelDelay, known, caller))
        case .failure(.disconnected):
            // He may be parked: his channel tells when the switch is there again.
            waiting[caller]?.phase = .parked
        case .success, .failure:
            let ringing = waiting.removeValue(forKey: caller)?.ringing ?? []
            mark(caller, nil, &turn)
            tracker.tellEverything()
            killRinging(ringing, &turn)
        }
    }

    func killRinging(_ uuids: Set<String>, _ turn: inout Turn) {
        for uuid in uuids.sorted() where tracker.leg(uuid)?.phase == .ringing { kill(uuid, &turn) }
    }

    /// The channel has another name from now on.
    mutating func renameWaiting(_ event: SwitchEvent) {
        guard event.name == "CHANNEL_UUID", let old = event["Old-Unique-ID"], let new = event.channel,
            let caller = waiting.removeValue(forKey: old)
        else { return }
        waiting[new] = caller
    }

    /// A dump of a channel tells whether it was parked, by this node or one before it.
    mutating func noteWaiting(_ dump: SwitchEvent) {
        guard let uuid = dump.channel, let leg = tracker.leg(uuid) else { return }
        if let address = leg.variable(WaitingMark.variable), leg.profile == address {
            if waiting[uuid] == nil {
                waiting[uuid] = WaitingCaller(phase: .parked, address: address, ringing: [])
            }
        } else if waiting[uuid]?.phase == .parked {
            waiting[uuid] = nil
            tracker.tellEverything()
        }
    }

    /// What was under way when the connection ended, nobody will answer.
    mutating func forgetWaitingAnswers() {
        waiting = waiting.filter { $0.value.phase != .resuming }
        for uuid in waiting.keys { waiting[uuid]?.phase = .parked }
    }

    /// Whose address is here and stays enters his extension anew. It is looked at again and again: the move may be called off in many
    /// ways, and the switch be away at that moment.
    mutating func settleWaiting(_ turn: inout Turn) {
        guard coreUUID != nil, isListed, !waiting.isEmpty else { return }
        for (uuid, caller) in waiting.sorted(by: { $0.key < $1.key }) {
            guard tracker.leg(uuid) != nil, elsewhere[caller.address] == nil else {
                waiting[uuid] = nil
                continue
            }
            guard caller.phase == .parked, let entry = held[caller.address], entry.run == nil,
                recovering[caller.address] == nil, partings[caller.address] == nil
            else { continue }
            resume(uuid, &turn)
        }
    }

    private mutating func resume(_ uuid: String, _ turn: inout Turn) {
        guard let leg = tracker.leg(uuid) else { return }
        guard let entrance = leg.entrance else {
            waiting[uuid] = nil
            kill(uuid, &turn)
            return
        }
        waiting[uuid]?.phase = .resuming
        mark(uuid, nil, &turn)
        ask(.transfer(uuid), "uuid_transfer \(uuid) \(entrance)", &turn)
    }

    mutating func transferred(_ uuid: String, _ turn: inout Turn) {
        waiting[uuid] = nil
        tracker.tellEverything()
        flush(&turn)
    }
}
