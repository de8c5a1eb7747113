import Consensus

/// What only a leader keeps, and loses with its leadership: who asked for what, what was proposed, what it vouches for.
struct Leadership: Hashable, Sendable {
    struct Asked<Wish: Hashable & Sendable>: Hashable, Sendable {
        var wish: Wish
        var first: Instant
        var last: Instant
    }

    let since: Instant
    /// Index of this leader's first entry.
    let ownFirst: Index
    /// When a majority was seen to hold that entry.
    var committedOwnFirst: Instant?
    /// Whether it knows itself that every older grant is in effect.
    var vouchesAtOnce: Bool

    /// The newest effect the others were told of.
    var effectTold: Index = 0

    private(set) var admissions: [Asked<Admission>] = []
    private(set) var relinquishments: [Asked<Relinquishment>] = []
    /// Proposals that are in the log and not applied yet.
    private(set) var underWay: [Epoch] = []
    /// Members heard since leadership began.
    private(set) var heardSince: [MemberID] = []
    /// When the next holder may turn out to be silent.
    var nextSilence: Instant?
    /// What the last proposal came to.
    private(set) var lastProposal: Result = .refused("")
    /// Said once: why another cluster file cannot be activated.
    var obstacleTold: String?
    var transferTried: Instant?
    var pace = DrainPace()

    enum Result: Hashable, Sendable {
        case proposed(Epoch)
        case refused(String)
    }

    init(since: Instant, ownFirst: Index, vouchesAtOnce: Bool) {
        self.since = since
        self.ownFirst = ownFirst
        self.vouchesAtOnce = vouchesAtOnce
    }

    mutating func heard(_ member: MemberID) {
        if !heardSince.contains(member), heardSince.count < Limits.nodes { heardSince.append(member) }
    }

    mutating func asked(_ admission: Admission, at now: Instant) {
        Self.note(admission, in: &admissions, at: now) { $0.holder == admission.holder }
    }

    mutating func asked(_ relinquishment: Relinquishment, at now: Instant) {
        Self.note(relinquishment, in: &relinquishments, at: now) { $0.holder == relinquishment.holder }
    }

    mutating func fulfilled(_ wish: Relinquishment) {
        relinquishments.removeAll { $0.wish.holder == wish.holder }
    }

    private static func note<Wish>(
        _ wish: Wish, in list: inout [Asked<Wish>], at now: Instant, where same: (Wish) -> Bool
    ) {
        if let at = list.firstIndex(where: { same($0.wish) }) {
            list[at].wish = wish
            list[at].last = now
        } else {
            if list.count >= Limits.nodes { list.removeFirst() }
            list.append(Asked(wish: wish, first: now, last: now))
        }
    }

    /// Wishes not repeated for a while are no wishes any more.
    mutating func forgetWishes(before instant: Instant) {
        admissions.removeAll { $0.last < instant }
        relinquishments.removeAll { $0.last < instant }
    }

    mutating func proposed(_ epoch: Epoch) {
        underWay.append(epoch)
        lastProposal = .proposed(epoch)
    }

    mutating func refused(_ reason: String) { lastProposal = .refused(reason) }

    mutating func applied(_ epoch: Epoch) { underWay.removeAll { $0.index <= epoch.index } }

    mutating func truncated(from index: Index) { underWay.removeAll { $0.index >= index } }
}
