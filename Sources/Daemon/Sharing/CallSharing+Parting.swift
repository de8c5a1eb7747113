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
    }

    /// RFC 3261 clients that are still ringing try elsewhere: this cause is a 503 to them.
    private static let cause = "NORMAL_TEMPORARY_FAILURE"

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
        let stays = held[name]?.placement.epoch == parting.epoch
        guard !parting.calls.isDone, !stays else { return }
        told?(
            ClusterEvent(
                .trouble, name, "it went elsewhere before FreeSWITCH had ended the calls nobody could revive",
                epoch: parting.epoch))
    }

    private func lookAtParting(_ name: String) {
        guard var parting = partings[name], let entry = held[name] else { return }
        let now = Instant.now()
        // A leg that rang may have been answered since: then another switch can revive it.
        lazy var hopeless = findHopeless(entry.placement)
        lazy var left = Set(hopeless)
        let step = parting.calls.look(
            findHopeless: { hopeless }, isThere: { left.contains($0) }, at: now)
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

    func kill(_ uuid: String) { link.api("uuid_kill \(uuid) \(Self.cause)") { _ in } }

    private func findHopeless(_ placement: Placement) -> [String] {
        let name = placement.address.name
        // What is being revived is not in the switch yet: there is nothing to hang up.
        if isReviving(name) { return [] }
        return tracker.hopeless(on: name, serviceAddress: "\(placement.address.ip)").filter {
            !forgotten.isLeaving($0, of: name)
        }
    }

    private func tellParted(_ name: String, _ parting: Parting) {
        let waiting = waitingCount(of: name)
        if waiting.callers > 0 {
            told?(
                ClusterEvent(
                    .callsEnded, name,
                    "\(waiting.callers) callers wait for an answer: what rings for them is cancelled and rings anew where \(name) goes",
                    epoch: parting.epoch))
        }
        let count = parting.calls.ended.count - waiting.ringing
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
