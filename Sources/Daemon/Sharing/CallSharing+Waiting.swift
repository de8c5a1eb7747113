import EventSocket
import NIOCore
import Primitives
import Switch

// Callers who were answered and for whom something rings when their address is about to go elsewhere by plan. Parking them cancels what
// rings, and nothing of their extension is executed any more (switch_ivr_originate.c: the originating channel is not ready); their
// replicas stay as they were, so that whoever has the address next calls anew for them.

extension CallSharing {
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

    /// What rings for a caller that was parked gets its CANCEL at once.
    private static let cancelPatience: TimeAmount = .milliseconds(200)

    /// Whether the leg's replica is to stay as it is.
    func isWaiting(_ uuid: String, of address: String) -> Bool { waiting[uuid]?.address == address }

    func waitingCount(of address: String) -> (callers: Int, ringing: Int) {
        let callers = waiting.values.filter { $0.address == address }
        return (callers.count, callers.reduce(0) { $0 + $1.ringing.count })
    }

    func park(_ caller: String, _ ringing: [String], of address: String) {
        if waiting[caller] != nil {
            waiting[caller]?.ringing.formUnion(ringing)
            return
        }
        flush()
        waiting[caller] = WaitingCaller(phase: .parking, address: address, ringing: Set(ringing))
        // Tells whoever looks at the channel later, should this node not be there to bring him back.
        link.api("uuid_setvar \(caller) \(WaitingMark.variable) \(address)") { _ in }
        link.api("uuid_park \(caller)") { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let answer) where answer.text.hasPrefix("+OK"):
                waiting[caller]?.phase = .parked
                // He may be brought back before then, and what rang must end all the same.
                let known = waiting[caller]?.ringing ?? []
                loop.assumeIsolated().scheduleTask(in: Self.cancelPatience) { [weak self] in
                    guard let self else { return }
                    killRinging(known.union(waiting[caller]?.ringing ?? []))
                }
            case .failure(.disconnected):
                // He may be parked: his channel tells when the switch is there again.
                waiting[caller]?.phase = .parked
            case .success, .failure:
                let ringing = waiting.removeValue(forKey: caller)?.ringing ?? []
                link.api("uuid_setvar \(caller) \(WaitingMark.variable)") { _ in }
                tracker.tellEverything()
                killRinging(ringing)
            }
        }
    }

    private func killRinging(_ uuids: Set<String>) {
        for uuid in uuids.sorted() where tracker.leg(uuid)?.phase == .ringing { kill(uuid) }
    }

    /// The channel has another name from now on.
    func renameWaiting(_ event: SwitchEvent) {
        guard event.name == "CHANNEL_UUID", let old = event["Old-Unique-ID"], let new = event.channel,
            let caller = waiting.removeValue(forKey: old)
        else { return }
        waiting[new] = caller
    }

    /// A dump of a channel tells whether it was parked, by this node or one before it.
    func noteWaiting(_ dump: SwitchEvent) {
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
    func forgetWaitingAnswers() {
        waiting = waiting.filter { $0.value.phase != .resuming }
        for uuid in waiting.keys { waiting[uuid]?.phase = .parked }
    }

    /// Whose address is here and stays enters his extension anew. It is looked at again and again: the move may be called off in many
    /// ways, and the switch be away at that moment.
    func settleWaiting() {
        guard runtime != nil, isListed, !waiting.isEmpty else { return }
        for (uuid, caller) in waiting.sorted(by: { $0.key < $1.key }) {
            guard tracker.leg(uuid) != nil, elsewhere[caller.address] == nil else {
                waiting[uuid] = nil
                continue
            }
            guard caller.phase == .parked, let entry = held[caller.address], entry.run == nil,
                recovering[caller.address] == nil, partings[caller.address] == nil
            else { continue }
            resume(uuid)
        }
    }

    private func resume(_ uuid: String) {
        guard let leg = tracker.leg(uuid) else { return }
        guard let entrance = leg.entrance else {
            waiting[uuid] = nil
            kill(uuid)
            return
        }
        waiting[uuid]?.phase = .resuming
        link.api("uuid_setvar \(uuid) \(WaitingMark.variable)") { _ in }
        link.api("uuid_transfer \(uuid) \(entrance)") { [weak self] _ in
            guard let self else { return }
            waiting[uuid] = nil
            tracker.tellEverything()
            flush()
        }
    }
}
