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

extension Drain.Phase {
    /// Which phases may come next, but for the undoing.
    func follows(_ earlier: Drain.Phase) -> Bool {
        switch (earlier, self) {
        case (.raising, .publishing), (.publishing, .withdrawing), (.withdrawing, .forgetting),
            (.forgetting, .movingRegistrations), (.movingRegistrations, .waitingForCalls),
            (.waitingForCalls, .rotating), (.waitingForCalls, .hangingUp), (.hangingUp, .rotating),
            (.handingOver, .lingering), (.lingering, .rotating),
            (.restoring, .retreating), (.retreating, .emptying), (.emptying, .aborting):
            true
        case (.forgetting, .handingOver), (.movingRegistrations, .handingOver),
            (.waitingForCalls, .handingOver):
            true
        default: false
        }
    }

    package var isUndoing: Bool {
        switch self {
        case .restoring, .retreating, .emptying, .aborting: true
        default: false
        }
    }

    /// Whether the drain can still be undone.
    package var canBeUndone: Bool {
        switch self {
        case .raising, .publishing, .withdrawing, .forgetting, .movingRegistrations, .waitingForCalls: true
        default: false
        }
    }

    /// Whether the old address is no seat's, and calls may be on it.
    var hasOldCalls: Bool {
        switch self {
        case .withdrawing, .forgetting, .movingRegistrations, .waitingForCalls, .hangingUp, .handingOver,
            .lingering:
            true
        default: false
        }
    }

    /// Whether the new address is no seat's, and calls may be on it.
    var hasNewCalls: Bool {
        switch self {
        case .publishing, .restoring, .retreating, .emptying: true
        default: false
        }
    }

    /// Whether DNS serves both addresses.
    var servesBoth: Bool { self == .publishing || self == .restoring }

    /// How long the phase may wait for machines, not for calls; nil where waiting is right.
    package var timeout: Duration? {
        switch self {
        case .raising, .publishing: .seconds(60)
        case .withdrawing: .seconds(120)
        case .movingRegistrations: .seconds(600)
        case .hangingUp: .seconds(15)
        default: nil
        }
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
        if node == from {
            switch phase {
            case .movingRegistrations:
                return DrainDuty(
                    address: oldAddress, refusesCalls: false, movesRegistrations: true, hangsUp: false)
            case .waitingForCalls, .rotating:
                return DrainDuty(
                    address: oldAddress, refusesCalls: true, movesRegistrations: false, hangsUp: false)
            case .handingOver where isForgotten(at: time):
                return DrainDuty(
                    address: oldAddress, refusesCalls: true, movesRegistrations: false, hangsUp: false)
            case .hangingUp:
                return DrainDuty(
                    address: oldAddress, refusesCalls: true, movesRegistrations: false, hangsUp: true)
            default: return nil
            }
        }
        // Nothing else is on it: whoever still comes when it should be forgotten is refused, phones that had moved are told to come
        // back, and the undoing ends.
        if node == to, node != from, phase == .emptying || phase == .aborting, isForgotten(at: time) {
            return DrainDuty(
                address: newAddress, refusesCalls: true, movesRegistrations: phase == .emptying,
                hangsUp: false)
        }
        return nil
    }

    /// Whether nobody who honours TTLs comes to the withdrawn address any more.
    func isForgotten(at time: ClusterTime) -> Bool { forgottenAt.map { time >= $0 } ?? false }
}
