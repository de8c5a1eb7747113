import Consensus
import Primitives

/// What only a leader keeps, and loses with its leadership: who asked for what, and what was proposed.
struct Leadership: Hashable, Sendable {
    struct Asked<Wish: Hashable & Sendable>: Hashable, Sendable {
        var wish: Wish
        var first: Instant
        var last: Instant
    }

    let since: Instant
    private(set) var admissions: [Asked<Admission>] = []
    private(set) var relinquishments: [Asked<Relinquishment>] = []
    /// Proposals that are in the log and not applied yet.
    private(set) var underWay: [Epoch] = []
    /// Members heard since leadership began.
    private(set) var heardSince: [MemberID] = []
    /// When the next holder may turn out to be silent.
    var nextSilence: Instant?
    /// The voters as last looked at, and since when they are known to be committed.
    private var voters: [MemberID] = []
    private var votersCommittedAt: Instant?
    /// Who was fenced for its silence, and when it may come back; the same node may fall silent again at once.
    private var returns: [Return] = []
    /// Applicants of whom the operator was told that their heartbeats do not arrive.
    private(set) var unheardTold: [Holder] = []
    /// Holders whom callers could not reach at an address, as others saw it: not chosen for it again so soon.
    private(set) var shunning: [Shunning] = []
    /// When it was last said that automatic moves are withheld.
    var withheldTold: Instant?

    struct Shunning: Hashable, Sendable {
        var holder: Holder
        var address: String
        var until: Instant
    }
    static let shunned: Duration = .seconds(60)
    /// Whether every member reads the next format, and since when it is so; nil where this release knows no newer one.
    var format: FormatWait?
    /// Nodes of which the operator was told that their release is too old to be taken in.
    private var outdatedTold: [String] = []
    var pace = DrainPace()
    var debts = Debts()
    /// When every server was seen without the old address, in a phase of a drain that does not know it otherwise.
    var withdrawnSince: Withdrawal?
    /// Since when nobody holds an address on which a drain left calls, as far as this leader knows.
    var callsLostSince: Instant?
    /// Nobody waits longer for a call that is silent, and nodes give calls up after so long.
    static let callPatience = Duration.seconds(60)

    struct Withdrawal: Hashable, Sendable {
        var phase: Epoch
        var at: Instant
    }

    struct FormatWait: Hashable, Sendable {
        var isReady: Bool
        var since: Instant
    }

    private struct Return: Hashable, Sendable {
        var name: String
        var fencedAt: Instant
        var wait: Duration
    }

    init(since: Instant) { self.since = since }

    // MARK: Voters

    /// Looks at who votes; to be done before every change, which only this leader can make.
    mutating func noteVoters(_ now: [MemberID], isCommitted: Bool, at instant: Instant) {
        if now != voters {
            voters = now
            votersCommittedAt = nil
        }
        if votersCommittedAt == nil, isCommitted { votersCommittedAt = instant }
    }

    /// Whether the last change of voters has been committed for as long as a lease lasts, and so has this leader's own
    /// first entry: it is not asked before.
    func mayChangeVoters(after wait: Duration, at now: Instant) -> Bool {
        votersCommittedAt.map { now - $0 >= wait } ?? false
    }

    // MARK: Coming back

    private static let firstWait: Duration = .seconds(1)
    private static let longestWait: Duration = .seconds(30)

    /// A node was fenced for its silence: the first time it may come back at once, then each time within a while it waits
    /// longer until it is taken in again.
    mutating func fencedForSilence(_ name: String, at now: Instant) {
        if let at = returns.firstIndex(where: { $0.name == name }) {
            let isSoon = now - returns[at].fencedAt < Self.longestWait * 2
            returns[at].wait =
                isSoon ? min(max(returns[at].wait, Self.firstWait) * 2, Self.longestWait) : .zero
            returns[at].fencedAt = now
        } else {
            if returns.count >= ClusterLimits.nodes { returns.removeFirst() }
            returns.append(Return(name: name, fencedAt: now, wait: .zero))
        }
    }

    func mayReturn(_ name: String, at now: Instant) -> Bool {
        returns.first { $0.name == name }.map { now - $0.fencedAt >= $0.wait } ?? true
    }

    /// Whether the operator has not been told yet that nothing is heard of an applicant.
    mutating func isNewlyUnheard(_ applicant: Holder) -> Bool {
        guard !unheardTold.contains(where: { $0.name == applicant.name }) else { return false }
        unheardTold.append(applicant)
        return true
    }

    /// Whether the operator has not been told yet that this node's release is too old.
    mutating func isNewlyOutdated(_ name: String) -> Bool {
        guard !outdatedTold.contains(name), outdatedTold.count < ClusterLimits.nodes else { return false }
        outdatedTold.append(name)
        return true
    }

    mutating func isHeardAgain(_ applicant: Holder) {
        unheardTold.removeAll { $0.name == applicant.name }
    }

    mutating func heard(_ member: MemberID) {
        if !heardSince.contains(member), heardSince.count < ClusterLimits.nodes { heardSince.append(member) }
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
            if list.count >= ClusterLimits.nodes { list.removeFirst() }
            list.append(Asked(wish: wish, first: now, last: now))
        }
    }

    /// Wishes not repeated for a while are no wishes any more; who wanted to be rid of an address may be well again.
    mutating func forgetWishes(before instant: Instant, ofHolders recent: Instant) {
        admissions.removeAll { $0.last < instant }
        unheardTold.removeAll { told in !admissions.contains { $0.wish.holder.name == told.name } }
        relinquishments.removeAll { $0.last < recent }
    }

    mutating func shun(_ holder: Holder, _ address: String, until: Instant) {
        shunning.removeAll { $0.holder == holder && $0.address == address }
        if shunning.count >= ClusterLimits.addresses { shunning.removeFirst() }
        shunning.append(Shunning(holder: holder, address: address, until: until))
    }

    func isShunned(_ holder: Holder, _ address: String, at now: Instant) -> Bool {
        shunning.contains { $0.holder == holder && $0.address == address && now < $0.until }
    }

    mutating func proposed(_ epoch: Epoch) { underWay.append(epoch) }

    mutating func applied(_ epoch: Epoch) { underWay.removeAll { $0.index <= epoch.index } }

    mutating func truncated(from index: Index) { underWay.removeAll { $0.index >= index } }
}
