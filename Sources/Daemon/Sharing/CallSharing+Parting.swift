import Cluster
import EventSocket
import NIOCore
import Primitives
import Switch

// An address goes to another node by plan: the calls that nobody could revive there end here, with a word to their peers.

extension CallSharing {
    struct Parting {
        var epoch: Epoch
        var calls = PartingCalls()
        var timer: Scheduled<Void>?
        /// Answered callers for whom something rang, by uuid: they are parked as long as the address is still here, and their
        /// replicas stay as they were, so that whoever has it next calls anew for them.
        var waiting: Set<String> = []
        /// Legs that rang for them.
        var cancelled = 0
    }

    /// RFC 3261 clients that are still ringing try elsewhere: this cause is a 503 to them.
    private static let cause = "NORMAL_TEMPORARY_FAILURE"
    /// What rings for a caller that was parked gets its CANCEL at once.
    private static let cancelPatience: TimeAmount = .milliseconds(200)

    /// Whether the leg's replica is to stay as it is.
    func isWaiting(_ uuid: String, of address: String) -> Bool {
        partings[address]?.waiting.contains(uuid) == true
    }

    /// Addresses whose calls that nobody could revive have ended, sorted.
    var parted: [HeldAddress] {
        partings.filter(\.value.calls.isDone).map { HeldAddress(address: $0.key, epoch: $0.value.epoch) }
            .sorted { $0.address < $1.address }
    }

    func part(_ survey: Survey) {
        for name in partings.keys.sorted() where !survey.partings.contains(name) { endParting(name) }
        for name in survey.partings {
            guard let epoch = held[name]?.placement.epoch, partings[name]?.epoch != epoch else { continue }
            endParting(name)
            partings[name] = Parting(epoch: epoch)
            lookAtParting(name)
        }
    }

    /// The address is gone, or stays after all.
    private func endParting(_ name: String) {
        guard let parting = partings.removeValue(forKey: name) else { return }
        parting.timer?.cancel()
        if held[name] != nil {
            for uuid in parting.waiting.sorted() { resume(uuid) }
        }
        guard !parting.calls.isDone else { return }
        told?(
            ClusterEvent(
                .trouble, name, "it went elsewhere before FreeSWITCH had ended the calls nobody could revive",
                epoch: parting.epoch))
    }

    private func lookAtParting(_ name: String) {
        guard var parting = partings[name], let entry = held[name] else { return }
        let now = Instant.now()
        let step = parting.calls.look(
            findHopeless: { findHopeless(entry.placement) }, isThere: { tracker.leg($0) != nil }, at: now)
        parting.timer?.cancel()
        parting.timer = parting.calls.due.map { due in
            let wait = max(.milliseconds(1), due - now)
            return loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [weak self] in
                self?.lookAtParting(name)
            }
        }
        partings[name] = parting
        switch step {
        case .wait: break
        case .ask(let uuids): dump(Array(uuids.prefix(Self.lookLimit)))
        case .hangUp(let uuids):
            hangUp(uuids, entry.placement)
        case .done: tellParted(name, parting)
        }
    }

    private func hangUp(_ uuids: [String], _ placement: Placement) {
        let name = placement.address.name
        let callers = tracker.callers(of: uuids, on: name, serviceAddress: "\(placement.address.ip)")
        for (caller, ringing) in callers.sorted(by: { $0.key < $1.key }) { park(caller, ringing, of: name) }
        let parked = Set(callers.values.joined())
        for uuid in uuids where !parked.contains(uuid) { kill(uuid) }
    }

    private func kill(_ uuid: String) { link.api("uuid_kill \(uuid) \(Self.cause)") { _ in } }

    /// Parking a caller cancels what rings for him, and nothing of his extension is executed any more
    /// (switch_ivr_originate.c: the originating channel is not ready).
    private func park(_ caller: String, _ ringing: [String], of name: String) {
        partings[name]?.cancelled += ringing.count
        guard !isWaiting(caller, of: name) else { return }
        flush()
        partings[name]?.waiting.insert(caller)
        link.api("uuid_park \(caller)") { [weak self] result in
            guard let self else { return }
            if case .success(let answer) = result, answer.text.hasPrefix("+OK") {
                loop.assumeIsolated().scheduleTask(in: Self.cancelPatience) { [weak self] in
                    self?.killRinging(ringing)
                }
            } else {
                partings[name]?.waiting.remove(caller)
                partings[name]?.cancelled -= ringing.count
                tracker.tellEverything()
                killRinging(ringing)
            }
        }
    }

    private func killRinging(_ uuids: [String]) {
        for uuid in uuids where tracker.leg(uuid)?.phase == .ringing { kill(uuid) }
    }

    /// The address stays: a caller that was parked enters his extension anew.
    private func resume(_ uuid: String) {
        guard let leg = tracker.leg(uuid) else { return }
        if let entrance = leg.entrance {
            link.api("uuid_transfer \(uuid) \(entrance)") { _ in }
        } else {
            kill(uuid)
        }
        tracker.tellEverything()
        flush()
    }

    private func findHopeless(_ placement: Placement) -> [String] {
        let name = placement.address.name
        // What is being revived is not in the switch yet: there is nothing to hang up.
        if isReviving(name) { return [] }
        return tracker.hopeless(on: name, serviceAddress: "\(placement.address.ip)").filter {
            !forgotten.isLeaving($0, of: name)
        }
    }

    private func tellParted(_ name: String, _ parting: Parting) {
        let waiting = parting.waiting.count
        if waiting > 0 {
            told?(
                ClusterEvent(
                    .callsEnded, name,
                    "\(waiting) callers wait for an answer: what rings for them is cancelled and rings anew where \(name) goes",
                    epoch: parting.epoch))
        }
        let count = parting.calls.ended.count - parting.cancelled
        if count > 0 {
            told?(
                ClusterEvent(
                    .callsEnded, name,
                    "\(count) legs were hung up before \(name) goes elsewhere: no other switch could revive their calls",
                    epoch: parting.epoch))
        }
        partingDone?()
    }
}
