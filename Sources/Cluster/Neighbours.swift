import Consensus

/// Everybody this node hears, sorted by member: when, and what they said last.
struct Neighbours: Hashable, Sendable {
    private(set) var all: [Neighbour] = []
    /// Silence is counted from here at the earliest: our own start, or the end of our own sleep.
    private(set) var floor: Instant

    init(at now: Instant) { floor = now }

    enum Hearing: Hashable {
        /// Heard for the first time, or as another incarnation.
        case appeared
        case again
        /// A repetition, or older than what was heard before.
        case stale
    }

    /// Takes in a heartbeat; anything not newer than what is known changes nothing.
    mutating func heard(_ heartbeat: Heartbeat, at now: Instant) -> Hearing {
        let sender = heartbeat.sender
        guard let at = all.firstIndex(where: { $0.holder.member == sender.member }) else {
            makeRoom(at: now)
            all.append(Neighbour(heartbeat: heartbeat, received: now))
            all.sort { $0.holder < $1.holder }
            return .appeared
        }
        let known = all[at].heartbeat
        if sender.incarnation < known.sender.incarnation { return .stale }
        if sender.incarnation == known.sender.incarnation, heartbeat.sequence <= known.sequence {
            return .stale
        }
        let appeared = sender.incarnation != known.sender.incarnation
        all[at].heartbeat = heartbeat
        all[at].received = now
        if heartbeat.leaseValid {
            all[at].leaseInvalidSince = nil
        } else if appeared || all[at].leaseInvalidSince == nil {
            all[at].leaseInvalidSince = now
        }
        return appeared ? .appeared : .again
    }

    private mutating func makeRoom(at now: Instant) {
        guard all.count >= Limits.nodes,
            let oldest = all.indices.min(by: { all[$0].received < all[$1].received })
        else { return }
        all.remove(at: oldest)
    }

    /// We slept: whatever seems silent may only have been unheard.
    mutating func excuse(at now: Instant) {
        floor = now
        for at in all.indices where all[at].leaseInvalidSince != nil { all[at].leaseInvalidSince = now }
    }

    subscript(_ member: MemberID) -> Neighbour? { all.first { $0.holder.member == member } }
    subscript(_ holder: Holder) -> Neighbour? { all.first { $0.holder == holder } }

    /// When the newest heartbeat of exactly this incarnation arrived.
    func received(from holder: Holder) -> Instant? { self[holder]?.received }

    /// Since when exactly this incarnation has been silent to us.
    func silentSince(_ holder: Holder) -> Instant { max(self[holder]?.received ?? floor, floor) }

    func isHeard(_ member: MemberID, within window: Duration, at now: Instant) -> Bool {
        self[member].map { now - $0.received < window } ?? false
    }
}

struct Neighbour: Hashable, Sendable {
    var heartbeat: Heartbeat
    var received: Instant
    var leaseInvalidSince: Instant?

    init(heartbeat: Heartbeat, received: Instant) {
        self.heartbeat = heartbeat
        self.received = received
        leaseInvalidSince = heartbeat.leaseValid ? nil : received
    }

    var holder: Holder { heartbeat.sender }

    /// How long before `now` this neighbour last heard `other`, by its own words; nil when it says nothing of it.
    func ageOfHearing(_ other: Holder, at now: Instant) -> Duration? {
        heartbeat.acknowledgements.first { $0.holder == other }.map { $0.age + (now - received) }
    }
}
