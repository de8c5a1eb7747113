import Consensus

/// A maintenance move in progress: the seat goes to the maintenance address while calls end on the old one.
package struct Drain: Hashable, Sendable, Codable {
    package enum Phase: String, Hashable, Sendable, Codable, CaseIterable {
        /// The slave takes the maintenance address and proves ready.
        case raising
        /// DNS serves both addresses, on every server.
        case publishing
        /// DNS serves only the new address, on every server.
        case withdrawing
        /// Calls end on the old address.
        case waitingForCalls = "waiting-for-calls"
        /// The old holder lets the old address go.
        case rotating
        /// The drain is being undone.
        case aborting
    }
    package enum OnDeadline: String, Hashable, Sendable, Codable, CaseIterable {
        case wait, handover, hangup, abort
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
    /// When clients were first sent elsewhere; they may remember the old address for one TTL.
    package var waitingSince: ClusterTime?

    package init(
        seat: String, from: Holder, to: Holder, oldAddress: String, newAddress: String, phase: Phase,
        deadline: ClusterTime?, onDeadline: OnDeadline, reason: String, owner: String, began: ClusterTime,
        phaseEpoch: Epoch
    ) {
        self.seat = seat
        self.from = from
        self.to = to
        self.oldAddress = oldAddress
        self.newAddress = newAddress
        self.phase = phase
        self.deadline = deadline
        self.onDeadline = onDeadline
        self.reason = reason
        self.owner = owner
        self.began = began
        self.phaseEpoch = phaseEpoch
    }
}
