import Cluster
import ControlProtocol
import Primitives
import Replication
import Switch

// Calls as people see them.

extension CallHandler {
    /// Each call of an address with the verdict on it; of the switch here with what only it knows.
    func lines(_ placement: Placement) -> [CallLine] {
        let now = Instant.now()
        return judged(placement).map { leg, partner, verdict in
            let times = calls.times(of: leg.uuid)
            let began = times.map { now - ($0.answered ?? $0.started) } ?? leg.age
            return CallLine(leg, partner: partner, placement: placement, verdict: verdict, lasting: began)
        }
    }

    /// How many calls of an address another switch could revive now: those that `lines` says it of.
    func recoverableCount(on placement: Placement) -> Int {
        guard placement.uncovered == nil else { return 0 }
        return judged(placement).count { if case .impossible = $0.verdict { false } else { true } }
    }

    /// The leg that stands for each call, and its partner at the same address.
    private func judged(
        _ placement: Placement
    ) -> [(leg: CallLeg, partner: CallLeg?, verdict: Recoverability)] {
        let address = placement.address
        let isHere = calls.isHeld(address.name)
        let legs = isHere ? calls.legs(of: address.name) : replicated(address.name)
        let pairs = isHere ? calls.pairs : CallPairs(legs)
        return legs.compactMap { leg in
            guard pairs.isFirstOfProfile(leg) else { return nil }
            let other = pairs.partner(of: leg)
            let partner = other?.profile == leg.profile ? other : nil
            let whole = pairs.whole(leg)
            let verdict =
                (isHere ? calls.verdict(on: leg.uuid, serviceAddress: "\(address.ip)", in: pairs) : nil)
                ?? Recoverability(
                    of: whole, partner: whole.partner.flatMap(pairs.leg), serviceAddress: "\(address.ip)")
            return (whole, partner, verdict)
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
