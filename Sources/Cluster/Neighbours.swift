import Consensus

/// Everybody this node hears, sorted by member: when, and what they said last.
///
/// A heartbeat counts only from a sender that has shown, not longer ago than a second, that it hears this very life of
/// this node: by naming it among its acknowledgements. A recording from before this life cannot do that, so whoever
/// plays one cannot keep a dead node alive. What does not count changes nothing here, is acknowledged to nobody, and is
/// only answered (`Acknowledgement` without a sequence), so that two nodes that lost each other can begin again.
struct Neighbours: Hashable, Sendable {
    private(set) var all: [Neighbour] = []
    /// Silence is counted from here at the earliest: our own start, or the end of our own sleep.
    private(set) var floor: Instant
    /// Lives that are not on record were heard until then at the latest: before our own start, or before they had to make
    /// room for others.
    private var unrecordedUntil: Instant

    init(at now: Instant) {
        floor = now
        unrecordedUntil = now
    }

    enum Hearing: Hashable {
        /// Heard for the first time, or as another incarnation.
        case appeared
        case again
        /// A repetition, or older than what was heard before.
        case stale
        /// Its sender does not show that it hears us.
        case unproven
    }

    /// Takes in a heartbeat; anything not newer than what is known changes nothing.
    ///
    /// - Parameter patience: how long a sender is believed without showing that it hears `me`.
    mutating func heard(
        _ heartbeat: Heartbeat, by me: Holder, patience: Duration, at now: Instant
    ) -> Hearing {
        let sender = heartbeat.sender
        guard let at = all.firstIndex(where: { $0.holder.member == sender.member }) else {
            makeRoom()
            all.append(Neighbour(heartbeat: heartbeat, received: now))
            all.sort { $0.holder < $1.holder }
            return .appeared
        }
        let known = all[at].heartbeat
        if sender.incarnation < known.sender.incarnation {
            all[at].noteLateVoice(of: sender.incarnation, at: now)
            return .stale
        }
        if sender.incarnation == known.sender.incarnation, heartbeat.sequence <= known.sequence {
            return .stale
        }
        if heartbeat.acknowledgements.contains(where: { $0.holder == me }) { all[at].provenAt = now }
        guard now - all[at].provenAt < patience else {
            all[at].unproven = Neighbour.Unproven(holder: sender, arrived: now)
            return .unproven
        }
        let appeared = sender.incarnation != known.sender.incarnation
        if appeared, let dropped = all[at].beginLife() { unrecordedUntil = max(unrecordedUntil, dropped) }
        all[at].heartbeat = heartbeat
        all[at].received = now
        all[at].unproven = nil
        if heartbeat.leaseValid {
            all[at].leaseInvalidSince = nil
        } else if appeared || all[at].leaseInvalidSince == nil {
            all[at].leaseInvalidSince = now
        }
        return appeared ? .appeared : .again
    }

    private mutating func makeRoom() {
        guard all.count >= Limits.nodes,
            let oldest = all.indices.min(by: { all[$0].received < all[$1].received })
        else { return }
        unrecordedUntil = max(unrecordedUntil, all[oldest].received)
        all.remove(at: oldest)
    }

    /// We slept: whatever seems silent may only have been unheard, and nobody could show that it hears us.
    mutating func excuse(_ asleep: Duration, at now: Instant) {
        floor = now
        for at in all.indices {
            all[at].provenAt += asleep
            if all[at].leaseInvalidSince != nil { all[at].leaseInvalidSince = now }
        }
    }

    subscript(_ member: MemberID) -> Neighbour? { all.first { $0.holder.member == member } }
    subscript(_ holder: Holder) -> Neighbour? { all.first { $0.holder == holder } }

    /// No heartbeat of exactly this incarnation that came later was ever acknowledged by this node, also not by an
    /// earlier life of it.
    func lastHeard(_ holder: Holder) -> Instant {
        guard let neighbour = self[holder.member] else { return unrecordedUntil }
        if neighbour.holder == holder { return neighbour.received }
        return neighbour.former.first { $0.incarnation == holder.incarnation }?.received ?? unrecordedUntil
    }

    /// Since when exactly this incarnation has been silent to us.
    func silentSince(_ holder: Holder) -> Instant { max(lastHeard(holder), floor) }

    /// Since when nothing at all came from exactly this incarnation, also no late heartbeat after a newer one's.
    func voicelessSince(_ holder: Holder) -> Instant {
        let late = self[holder.member]?.former.first { $0.incarnation == holder.incarnation }?.lateVoice
        return max(silentSince(holder), late ?? floor)
    }

    func isHeard(_ member: MemberID, within window: Duration, at now: Instant) -> Bool {
        self[member].map { now - $0.received < window } ?? false
    }

    /// Exactly this life of a node.
    func isHeard(_ holder: Holder, within window: Duration, at now: Instant) -> Bool {
        self[holder].map { now - $0.received < window } ?? false
    }

    /// The machine a life was last known to run on.
    func machine(of holder: Holder) -> MachineID? {
        guard let neighbour = self[holder.member] else { return nil }
        if neighbour.holder == holder { return neighbour.heartbeat.machine }
        return neighbour.former.first { $0.incarnation == holder.incarnation }?.machine
    }
}

struct Neighbour: Hashable, Sendable {
    /// An earlier incarnation, which a newer one has replaced here.
    struct FormerLife: Hashable, Sendable {
        var incarnation: UInt64
        /// Its newest heartbeat that counted.
        var received: Instant
        var machine: MachineID
        /// Its newest heartbeat that came after a newer life's.
        var lateVoice: Instant?
    }
    /// The newest heartbeat that did not count.
    struct Unproven: Hashable, Sendable {
        var holder: Holder
        var arrived: Instant
    }
    static let rememberedLives = 4

    /// The newest that counted.
    var heartbeat: Heartbeat
    var received: Instant
    /// When it last showed that it hears us; at first, when it was first heard.
    var provenAt: Instant
    var unproven: Unproven?
    /// Oldest first.
    private(set) var former: [FormerLife] = []
    var leaseInvalidSince: Instant?

    init(heartbeat: Heartbeat, received: Instant) {
        self.heartbeat = heartbeat
        self.received = received
        provenAt = received
        leaseInvalidSince = heartbeat.leaseValid ? nil : received
    }

    var holder: Holder { heartbeat.sender }

    /// Puts the present life on record among the former ones; returns when one that had to go was last heard.
    fileprivate mutating func beginLife() -> Instant? {
        former.append(
            FormerLife(incarnation: holder.incarnation, received: received, machine: heartbeat.machine))
        return former.count > Self.rememberedLives ? former.removeFirst().received : nil
    }

    fileprivate mutating func noteLateVoice(of incarnation: UInt64, at now: Instant) {
        if let at = former.firstIndex(where: { $0.incarnation == incarnation }) { former[at].lateVoice = now }
    }

    /// How long before `now` this neighbour last heard `other`, by its own words; nil when it says nothing of it.
    func ageOfHearing(_ other: Holder, at now: Instant) -> Duration? {
        heartbeat.acknowledgements.first { $0.holder == other }.map { $0.age + (now - received) }
    }
}
