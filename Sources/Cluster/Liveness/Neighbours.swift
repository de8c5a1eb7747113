import Consensus
import Primitives

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
        /// Another life of its member is alive, or was a moment ago: only one of them can be what it says.
        case rival
    }

    /// Takes in a heartbeat; anything not newer than what is known changes nothing.
    ///
    /// - Parameters:
    ///   - patience: how long a sender is believed without showing that it hears `me`.
    ///   - silence: how long the life on record must have been silent until another life elsewhere is believed.
    ///   - pace: how often heartbeats are sent, as a rule.
    mutating func heard(
        _ heartbeat: Heartbeat, by me: Holder, patience: Duration, silence: Duration, pace: Duration,
        at now: Instant
    ) -> Hearing {
        let sender = heartbeat.sender
        guard let at = all.firstIndex(where: { $0.holder.member == sender.member }) else {
            makeRoom()
            all.append(Neighbour(heartbeat: heartbeat, received: now))
            all.sort { $0.holder < $1.holder }
            return .appeared
        }
        let known = all[at].heartbeat
        if let identity = heartbeat.identity { all[at].mark.raise(to: identity.mark) }
        if sender.incarnation != known.sender.incarnation,
            let verdict = all[at].reject(heartbeat, by: me, silence: silence, from: floor, at: now)
        {
            return verdict
        }
        if sender.incarnation == known.sender.incarnation, heartbeat.sequence <= known.sequence {
            return .stale
        }
        if sender.incarnation == known.sender.incarnation,
            all[at].leaps(to: heartbeat.sequence, pace: pace, at: now)
        {
            return .stale
        }
        var namesUs = false
        if let word = heartbeat.acknowledgements.first(where: { $0.holder == me }) {
            // Whom it acknowledges it goes on naming for a while when it hears it no more; without a sequence it hears it now.
            let age = word.sequence > 0 ? max(.zero, min(word.age, Timers.longestAge)) : .zero
            all[at].provenAt = max(all[at].provenAt, now - age)
            namesUs = true
        }
        guard now - all[at].provenAt < patience else {
            all[at].unproven = Neighbour.Unproven(
                holder: sender, arrived: now, acknowledgements: heartbeat.acknowledgements)
            return .unproven
        }
        let appeared = sender.incarnation != known.sender.incarnation
        if appeared, let dropped = all[at].beginLife(heartbeat, at: now) {
            unrecordedUntil = max(unrecordedUntil, dropped)
        }
        all[at].heartbeat = heartbeat
        all[at].received = now
        if namesUs { all[at].hasNamedUs = true }
        all[at].unproven = nil
        if all[at].rival?.holder == sender { all[at].rival = nil }
        if heartbeat.leaseValid {
            all[at].leaseInvalidSince = nil
        } else if appeared || all[at].leaseInvalidSince == nil {
            all[at].leaseInvalidSince = now
            if !appeared { all[at].leaseLosses.add(now) }
        }
        return appeared ? .appeared : .again
    }

    private mutating func makeRoom() {
        guard all.count >= ClusterLimits.nodes,
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

    /// Whether somebody spoke after our own start, and it is no recording: it has heard what was sent later than that.
    func isFresh(_ heartbeat: Heartbeat) -> Bool {
        heartbeat.acknowledgements.contains { acknowledgement in
            self[acknowledgement.holder].map { acknowledgement.sequence > $0.firstSequence } ?? false
        }
    }

    /// The program of whichever life of a member was heard last; nil when none was.
    func release(of member: MemberID) -> ReleaseInfo? {
        self[member].map { $0.heartbeat.release ?? .unannounced }
    }

    /// The life of that node that was heard last, whatever its birth and incarnation.
    func newestLife(of name: String) -> Neighbour? {
        all.filter { $0.holder.name == name }.max { $0.received < $1.received }
    }

    /// Whether a newer life proves that this one is over and holds nothing.
    ///
    /// Its word that the keeper holds nothing is about the machine it runs on. Where that is the one its former life ran
    /// on, without a start of the machine in between, it is proof at once. A copy of the state directory that was
    /// started on another machine proves nothing, ever. In between (the machine was started anew, or a node of an older
    /// version does not say where it is) the former life must have been silent as well.
    ///
    /// - Parameters:
    ///   - agreed: where the former life ran, as was agreed; nil when that is not known.
    ///   - silence: how long the former life must have been silent in the cases in between.
    func isReborn(_ former: Holder, agreed: MachineID?, silence: Duration, at now: Instant) -> Bool {
        guard let heartbeat = self[former.member]?.heartbeat, heartbeat.keeperEmpty,
            heartbeat.sender.incarnation > former.incarnation
        else { return false }
        return isSucceeded(former, on: heartbeat.machine, agreed: agreed, silence: silence, at: now)
    }

    /// Whether a life that is known to hold nothing on `machine` speaks for a former one too.
    func isSucceeded(
        _ former: Holder, on machine: MachineID, agreed: MachineID?, silence: Duration, at now: Instant
    ) -> Bool {
        switch (self.machine(of: former) ?? agreed ?? .unknown).isSame(as: machine) {
        case true?: return true
        case false?: return false
        case nil: return now - voicelessSince(former) >= silence
        }
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
        /// Of its newest heartbeat that counted.
        var sequence: UInt64
        /// Its newest heartbeat that came after a newer life's.
        var lateVoice: Instant?
    }
    /// The newest heartbeat that did not count.
    struct Unproven: Hashable, Sendable {
        var holder: Holder
        var arrived: Instant
        /// Whom its sender hears, by its own words; for people only.
        var acknowledgements: [Acknowledgement]
    }
    /// Another life of the member, which uses the same identity at the same time.
    struct Rival: Hashable, Sendable {
        var holder: Holder
        /// It is heard without a pause since.
        var first: Instant
        var last: Instant
        var machine: MachineID
    }
    static let rememberedLives = 4

    /// The newest that counted.
    var heartbeat: Heartbeat
    var received: Instant
    /// Of the first heartbeat of this life that counted: what it sent later was sent after our own start.
    private(set) var firstSequence: UInt64
    /// When it last showed that it hears us; at first, when it was first heard.
    var provenAt: Instant
    var unproven: Unproven?
    /// Heard beside the life on record, and not believed as long as that one lives.
    fileprivate(set) var rival: Rival?
    /// The most that was known of the member's disk, in any of its lives.
    var mark = DurableMark.zero
    /// Oldest first.
    private(set) var former: [FormerLife] = []
    /// Whether it has shown that it hears this very life of this node; until then it may be a recording.
    fileprivate(set) var hasNamedUs = false
    /// Numbers too far ahead, of which it is not clear yet whether they are its own.
    private var leap: Leap?
    var leaseInvalidSince: Instant?
    fileprivate(set) var leaseLosses: LeaseLosses

    /// Whether its lease lasted throughout the time after which losses are forgotten.
    func hasSteadyLease(at now: Instant) -> Bool {
        heartbeat.leaseValid && now - leaseLosses.noneSince >= LeaseLosses.memory
    }

    init(heartbeat: Heartbeat, received: Instant) {
        self.heartbeat = heartbeat
        self.received = received
        firstSequence = heartbeat.sequence
        provenAt = received
        leaseInvalidSince = heartbeat.leaseValid ? nil : received
        leaseLosses = LeaseLosses(from: received)
        mark = heartbeat.identity?.mark ?? .zero
    }

    var holder: Holder { heartbeat.sender }

    private struct Leap: Hashable, Sendable {
        var sequence: UInt64
        var first: Instant
        var last: Instant
    }
    private static let leapPatience = Duration.seconds(1)

    /// Whether a number is further ahead than the sender can have come since it was heard.
    ///
    /// Believed at once, one such heartbeat, by whoever has the cluster key, would make all that the sender says afterwards old for as
    /// long as it takes to count so far. What goes on from there, while nothing else comes, is believed after a second: this machine may
    /// have stood still without its clock.
    fileprivate mutating func leaps(to sequence: UInt64, pace: Duration, at now: Instant) -> Bool {
        func isPlausible(_ from: UInt64, since then: Instant) -> Bool {
            let beats = (now - then).nanoseconds / max(1, pace.nanoseconds)
            return sequence - from <= 64 + UInt64(clamping: beats) * 8
        }
        if isPlausible(heartbeat.sequence, since: received) {
            leap = nil
            return false
        }
        guard let known = leap, sequence > known.sequence, isPlausible(known.sequence, since: known.last),
            now - known.last < Self.leapPatience
        else {
            leap = Leap(sequence: sequence, first: now, last: now)
            return true
        }
        guard now - known.first >= Self.leapPatience else {
            leap = Leap(sequence: sequence, first: known.first, last: now)
            return true
        }
        leap = nil
        return false
    }

    /// Puts the present life on record among the former ones; returns when one that had to go was last heard.
    fileprivate mutating func beginLife(_ next: Heartbeat, at now: Instant) -> Instant? {
        firstSequence = next.sequence
        hasNamedUs = false
        leaseLosses = LeaseLosses(from: now)
        // A life that comes back is no former one any more: of two records the older would be found.
        former.removeAll { $0.incarnation == next.sender.incarnation }
        former.append(
            FormerLife(
                incarnation: holder.incarnation, received: received, machine: heartbeat.machine,
                sequence: heartbeat.sequence))
        return former.count > Self.rememberedLives ? former.removeFirst().received : nil
    }

    /// What becomes of a heartbeat of another life than the one on record; nil when it takes that one's place.
    ///
    /// A newer life of the same start of the same machine does at once: the former process is over there. Any other, also an
    /// older one, only when the life on record has fallen silent. Two machines that use one state directory would
    /// otherwise silence each other, and the one that came later would always win.
    fileprivate mutating func reject(
        _ heartbeat: Heartbeat, by me: Holder, silence: Duration, from floor: Instant, at now: Instant
    ) -> Neighbours.Hearing? {
        let sender = heartbeat.sender
        let isNewer = sender.incarnation > holder.incarnation
        if isNewer, self.heartbeat.machine.isSame(as: heartbeat.machine) == true { return nil }
        if !isNewer {
            noteLateVoice(of: sender.incarnation, at: now)
            // What was heard before, or shows nothing of us, may be a recording.
            let known = former.first { $0.incarnation == sender.incarnation }?.sequence ?? 0
            guard heartbeat.sequence > known,
                heartbeat.acknowledgements.contains(where: { $0.holder == me })
            else { return .stale }
        }
        guard now - max(received, floor) < silence else { return nil }
        if rival?.holder == sender, let last = rival?.last, now - last < Timers.voicePause {
            rival?.last = now
        } else {
            rival = Rival(holder: sender, first: now, last: now, machine: heartbeat.machine)
        }
        return isNewer ? .rival : .stale
    }

    /// The life on record, when it is another than `holder` and was heard lately. A rival is not named to the life on record,
    /// so that of two that started together one keeps the identity.
    func living(besides holder: Holder, within window: Duration, at now: Instant) -> Instant? {
        self.holder != holder && now - received < window ? received : nil
    }

    fileprivate mutating func noteLateVoice(of incarnation: UInt64, at now: Instant) {
        if let at = former.firstIndex(where: { $0.incarnation == incarnation }) { former[at].lateVoice = now }
    }

    /// How long before `now` this neighbour last heard `other`, by its own words; nil when it says nothing of it.
    func ageOfHearing(_ other: Holder, at now: Instant) -> Duration? {
        heartbeat.acknowledgements.first { $0.holder == other }.map { $0.age + (now - received) }
    }
}
