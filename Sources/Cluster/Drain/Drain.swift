import Primitives

/// A maintenance move in progress: the seat goes to the maintenance address while calls end on the old one.
package struct Drain: Hashable, Sendable, Codable {
    package enum Phase: String, Hashable, Sendable, Codable, CaseIterable {
        /// The slave takes the maintenance address and answers there.
        case raising = "raising"
        /// DNS serves both addresses, on every server.
        case publishing = "publishing"
        /// DNS serves only the new address, on every server.
        case withdrawing = "withdrawing"
        /// Resolvers forget the old address.
        case forgetting = "forgetting"
        /// Phones at the old address are told to come by DNS again.
        case movingRegistrations = "moving-registrations"
        /// New calls are refused, and calls end on the old address.
        case waitingForCalls = "waiting-for-calls"
        /// The calls that are left end now, by our word.
        case hangingUp = "hanging-up"
        /// The old address and the calls that are left go to the new holder.
        case handingOver = "handing-over"
        /// The calls that were handed over end at the new holder; the drained node is free.
        case lingering = "lingering"
        /// Whoever holds the old address lets it go.
        case rotating = "rotating"
        /// The drain is being undone: DNS serves both addresses again, on every server.
        case restoring = "restoring"
        /// DNS serves only the old address again, on every server.
        case retreating = "retreating"
        /// Resolvers forget the new address, and calls end on it.
        case emptying = "emptying"
        /// The slave lets the new address go.
        case aborting = "aborting"
    }
    package enum OnDeadline: String, Hashable, Sendable, Codable, CaseIterable {
        case wait = "wait"
        case handover = "handover"
        case hangup = "hangup"
        case abort = "abort"
    }
    package var seat: String
    package var from: Holder
    package var to: Holder
    package var oldAddress: String
    package var newAddress: String
    package var phase: Phase
    /// When calls are no longer waited for; nil is never.
    package var deadline: ClusterTime?
    package var onDeadline: OnDeadline
    package var reason: String
    package var owner: String
    package var began: ClusterTime
    /// The decision that began the phase.
    package var phaseEpoch: Epoch
    /// When the phase began.
    package var phaseBegan: ClusterTime
    /// The decision that began the drain: its name, and the token of its owner.
    package var id: Epoch = .zero
    /// The largest TTL any server was seen to serve for the set that is withdrawn.
    package var ttl: Duration = .zero
    /// When no resolver that honours TTLs remembers what was withdrawn.
    package var forgottenAt: ClusterTime?
    /// After so long in maintenance the node comes back by itself; nil is never.
    package var returnAfter: Duration?

    package init(
        seat: String, from: Holder, to: Holder, oldAddress: String, newAddress: String,
        deadline: ClusterTime?, onDeadline: OnDeadline, reason: String, owner: String, began: ClusterTime
    ) {
        self.seat = seat
        self.from = from
        self.to = to
        self.oldAddress = oldAddress
        self.newAddress = newAddress
        phase = .raising
        self.deadline = deadline
        self.onDeadline = onDeadline
        self.reason = reason
        self.owner = owner
        self.began = began
        phaseEpoch = .zero
        phaseBegan = began
    }
}

/// What a drain asks of the switch on the node it empties.
package struct DrainDuty: Hashable, Sendable {
    package var address: String
    /// New calls get a 503.
    package var refusesCalls: Bool
    /// Phones are told to come by DNS again.
    package var movesRegistrations: Bool
    /// Calls are ended.
    package var hangsUp: Bool
    /// The switch the phones shall go to cannot take them now.
    package var isReceiverUnwell = false

    package init(address: String, refusesCalls: Bool, movesRegistrations: Bool, hangsUp: Bool) {
        self.address = address
        self.refusesCalls = refusesCalls
        self.movesRegistrations = movesRegistrations
        self.hangsUp = hangsUp
    }
}

extension Drain {
    /// What that node's switch has to do now; nil when the drain asks nothing of it.
    ///
    /// - Parameter time: the cluster's, as the node knows it.
    package func duty(of node: Holder, at time: ClusterTime) -> DrainDuty? {
        guard let order = phase.rule.order, !order.isOnceForgotten || isForgotten(at: time),
            node == (phase.isUndoing ? to : from), !phase.isUndoing || to != from
        else { return nil }
        return DrainDuty(
            address: phase.isUndoing ? newAddress : oldAddress, refusesCalls: order.refusesCalls,
            movesRegistrations: order.movesRegistrations, hangsUp: order.hangsUp)
    }

    /// Whether nobody who honours TTLs comes to the withdrawn address any more.
    func isForgotten(at time: ClusterTime) -> Bool { forgottenAt.map { time >= $0 } ?? false }
}
