import Primitives

/// One address the keeper has to do with, and how far it is with it.
struct Holding: Equatable, Sendable {
    let address: KeeperAddress
    /// Of the newest request about it.
    var token: UInt64
    /// The address may be on the machine before this instant only.
    var until: Instant
    var phase: Phase
    /// The failure told last, so that a repeated one is told once.
    var reportedErrno: Int32?

    init(address: KeeperAddress, token: UInt64, until: Instant, phase: Phase) {
        self.address = address
        self.token = token
        self.until = until
        self.phase = phase
    }

    enum Phase: Equatable, Sendable {
        /// `retryAt` is nil while an attempt is under way.
        case adding(since: Instant, retryAt: Instant?)
        case held(Held)
        /// The cause is nil for a leftover of a dead predecessor: nobody asked, nobody is told.
        case removing(ReleaseCause?, since: Instant, retryAt: Instant?)
    }

    /// An address that is on the machine.
    struct Held: Equatable, Sendable {
        let addedAt: Instant
        var refreshedAt: Instant
        /// When the first announcement went out.
        var announcedAt: Instant?
        /// The start of the announcement schedule, and how many of its repeats are done.
        var announcedFrom: Instant
        var repeats = 0
        /// `held` is told after the first announcement, so that it can say when that was.
        var reportIsDue = true

        init(addedAt: Instant) {
            self.addedAt = addedAt
            refreshedAt = addedAt
            announcedFrom = addedAt
        }

        var refreshAt: Instant { refreshedAt + .nanoseconds(Holdings.refreshInterval) }

        var announceAt: Instant? {
            guard repeats < Holdings.announcements.count else { return nil }
            return announcedFrom + .nanoseconds(Holdings.announcements[repeats])
        }

        /// Repeats missed during a pause are made up for by one.
        mutating func skipRepeats(until now: Instant) {
            while let announceAt, announceAt <= now { repeats += 1 }
        }
    }

    var isHeld: Bool {
        if case .held = phase { return true }
        return false
    }

    var isBeingRemoved: Bool {
        if case .removing = phase { return true }
        return false
    }

    var nextDeadline: Instant? {
        switch phase {
        case .adding(_, let retryAt):
            return retryAt.map { min($0, until) } ?? until
        case .held(let held):
            let duty = held.announceAt.map { min($0, held.refreshAt) } ?? held.refreshAt
            return min(duty, until)
        case .removing(_, _, let retryAt):
            return retryAt
        }
    }
}
