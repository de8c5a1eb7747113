import Replication

/// Which legs are one call, and which of them stands for it: decided here for everything that counts, lists or judges calls.
///
/// A calling leg that was heard of before its bridge does not know its partner for a moment; the partner does. As long as that
/// one rings, the two are one call for whoever counts, and the calling leg is judged alone: it comes back without the other.
package struct CallPairs {
    private let find: (String) -> CallLeg?
    /// Who names a leg that names nobody: of each profile the least.
    private var claims: [String: [String: String]] = [:]

    package init(_ legs: some Sequence<CallLeg>, find: @escaping (String) -> CallLeg?) {
        self.find = find
        for leg in legs {
            guard let other = leg.partner, let found = find(other), found.partner == nil else { continue }
            let least = claims[other]?[leg.profile] ?? leg.uuid
            claims[other, default: [:]][leg.profile] = min(least, leg.uuid)
        }
    }

    /// Of those who name it, the one it is taken to name.
    private func claim(on uuid: String) -> String? { claims[uuid]?.values.min() }

    package init(_ legs: [CallLeg]) {
        var known: [String: CallLeg] = [:]
        for leg in legs { known[leg.uuid] = leg }
        self.init(legs) { [known] in known[$0] }
    }

    /// The leg with the name of its partner, whichever of the two knows of it: what is revived together.
    package func whole(_ leg: CallLeg) -> CallLeg {
        guard leg.partner == nil, let other = claim(on: leg.uuid),
            leg.phase == .ringing || find(other)?.phase != .ringing
        else { return leg }
        var leg = leg
        leg.partner = other
        return leg
    }

    /// The leg of that name, in the same way; nil when it is not known.
    package func leg(_ uuid: String) -> CallLeg? { find(uuid).map(whole) }

    /// The other leg of the call; nil where the two do not name each other.
    package func partner(of leg: CallLeg) -> CallLeg? {
        guard let name = leg.partner ?? claim(on: leg.uuid), var other = find(name) else { return nil }
        if other.partner == nil { other.partner = claim(on: name) }
        return other.partner == leg.uuid ? other : nil
    }

    /// Whether the leg stands for its call: the one that began it.
    package func isFirst(_ leg: CallLeg) -> Bool {
        guard let partner = partner(of: leg) else { return !isOneOfMany(leg) }
        if (leg.phase == .ringing) != (partner.phase == .ringing) { return partner.phase == .ringing }
        return leg.isOriginator == partner.isOriginator ? leg.uuid < partner.uuid : leg.isOriginator
    }

    /// Whether the leg stands for its call among those of its profile.
    package func isFirstOfProfile(_ leg: CallLeg) -> Bool {
        if isFirst(leg) { return true }
        if let partner = partner(of: leg) { return partner.profile != leg.profile }
        guard let name = leg.partner, find(name)?.profile != leg.profile else { return false }
        return claims[name]?[leg.profile] == leg.uuid
    }

    /// Rings beside others for a calling leg, which stands for the call.
    private func isOneOfMany(_ leg: CallLeg) -> Bool {
        guard leg.phase == .ringing, let name = leg.partner else { return false }
        return claims[name] != nil
    }
}
