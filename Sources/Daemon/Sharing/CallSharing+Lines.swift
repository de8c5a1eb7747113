import Cluster
import ControlProtocol
import Primitives
import Replication
import Switch

// Calls as people see them.

extension CallSharing {
    /// Each call of an address with the verdict on it; of the switch here with what only it knows.
    func lines(_ placement: Placement) -> [CallLine] {
        let address = placement.address
        let isHere = held[address.name] != nil
        let legs = isHere ? tracker.legs(of: address.name) : replicated(address.name)
        var known: [String: CallLeg] = [:]
        for leg in legs { known[leg.uuid] = leg }
        let now = Instant.now()
        return legs.compactMap { leg in
            let partner = leg.partner.flatMap { known[$0] }
            // The leg that began the call stands for both.
            if let partner, partner.isOriginator, !leg.isOriginator { return nil }
            if let partner, partner.isOriginator == leg.isOriginator, partner.uuid < leg.uuid { return nil }
            let verdict =
                (isHere ? tracker.verdict(on: leg.uuid, serviceAddress: "\(address.ip)") : nil)
                ?? Recoverability(of: leg, partner: partner, serviceAddress: "\(address.ip)")
            let times = tracker.times(of: leg.uuid)
            let began = times.map { now - ($0.answered ?? $0.started) } ?? leg.age
            return CallLine(leg, partner: partner, placement: placement, verdict: verdict, lasting: began)
        }
    }
}

extension CallLine {
    init(
        _ leg: CallLeg, partner: CallLeg?, placement: Placement, verdict: Recoverability, lasting: Duration?
    ) {
        let caller = { (name: String) in leg.caller.first { $0.name == name }?.value ?? "" }
        var isRecoverable = true
        var reason: String?
        switch verdict {
        case .recoverable: break
        case .risky: reason = verdict.description
        case .impossible:
            isRecoverable = false
            reason = verdict.description
        }
        if isRecoverable, let uncovered = placement.uncovered {
            isRecoverable = false
            reason = uncovered
        }
        self.init(
            uuid: leg.uuid, otherUUID: leg.partner, address: placement.address.name,
            node: placement.holder?.name, from: caller("Caller-ID-Number"), to: caller("Destination-Number"),
            phase: "\(leg.phase)", seconds: lasting.map { Int($0.wholeSeconds) } ?? 0,
            isRecoverable: isRecoverable, reason: reason)
    }
}

extension CallLeg {
    /// Since it was answered, by the wall clocks of two machines; nil when it does not say.
    fileprivate var age: Duration? {
        for name in ["Channel-Answered-Time", "Channel-Created-Time"] {
            guard let text = caller.first(where: { $0.name == name })?.value, let then = Int64(text), then > 0
            else { continue }
            return .seconds(max(0, Int64(WallClock.seconds()) - then / 1_000_000))
        }
        return nil
    }
}
