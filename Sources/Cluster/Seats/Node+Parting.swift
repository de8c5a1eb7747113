import Primitives

/// An address that goes to another node by plan, and is kept until the calls that nobody could revive have ended.
struct Parting: Hashable, Sendable {
    /// Ending them may take no longer: then it goes all the same.
    static let patience: Duration = .seconds(2)

    var address: String
    /// Of the hold that is given up.
    var epoch: Epoch
    var until: Instant

    func grant(of holder: Holder) -> Grant {
        Grant(address: address, holder: holder, epoch: epoch, conditions: [], reason: "its lost calls end")
    }
}

// A planned move takes along the calls that the next holder can revive. The others would end without a word to their
// peers, although the switch that has them is well: it says BYE to them first, while the address is still here.

extension Node {
    /// Keeping the address is safe: whoever is to have it next waits for the release of this very hold.
    mutating func notePartings(mayHold: Bool, at now: Instant) {
        guard mayHold, let state, membershipPhase == .member, load.health == .healthy else {
            partings = []
            return
        }
        let known = partings
        partings = holdings.all.compactMap { holding in
            let name = holding.address.name
            guard holding.condition == .held, let grant = state.grant(of: name), grant.holder != me,
                // One that moves because something is wrong does not wait for a switch that cannot do it.
                grant.isAutomatic != true || load.isPausedByOrder,
                grant.conditions.contains(.released(by: me, epoch: holding.epoch)),
                !load.parted.contains(HeldAddress(address: name, epoch: holding.epoch))
            else { return nil }
            let parting =
                known.first { $0.address == name && $0.epoch == holding.epoch }
                ?? Parting(address: name, epoch: holding.epoch, until: now + Parting.patience)
            return now < parting.until ? parting : nil
        }
    }
}
