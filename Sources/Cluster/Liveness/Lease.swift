import Consensus
import Primitives

/// How much of the agreement a log knows, as far as acknowledgements depend on it.
///
/// Both parts are needed. A log with a newer term at its end was written by a newer leader; one that ends in the same
/// term is a part of the same log, or the other of it, and then the newest fence or membership change tells which.
/// A fence's own term would not do: a deposed leader may have one of a newer term in its log than the true fence,
/// which was proposed earlier and committed only by its successor.
struct LogView: Hashable, Sendable {
    /// Of the newest entry; zero when not told.
    var term: Term
    /// Of the newest fence or membership change.
    var fence: Epoch

    static let zero = LogView(term: 0, fence: .zero)

    func covers(_ other: LogView) -> Bool { other.term <= term && other.fence <= fence }
}

/// A node's right to hold addresses: alive as long as a majority keeps hearing it (docs/architecture.md).
///
/// The node knows when it sent each heartbeat; an acknowledgement of heartbeat n by a peer proves that the peer
/// heard something sent no earlier than that. The lease runs from the newest instant a majority vouches for.
struct Lease: Hashable, Sendable {
    /// When heartbeat `sequence` was sent, at `sequence % capacity`.
    private var sent: [Sent] = []
    private var vouchers: [Voucher] = []
    /// Acknowledgements from logs that knew more than ours, one for each member: worth something once ours knows as much.
    private var deferred: [Deferred] = []

    private struct Sent: Hashable {
        var sequence: UInt64
        var at: Instant
    }
    private struct Voucher: Hashable {
        var member: MemberID
        var heardSentAt: Instant
    }

    private struct Deferred: Hashable {
        var member: MemberID
        var sequence: UInt64
        var view: LogView
    }

    mutating func beat(_ sequence: UInt64, at now: Instant) {
        let entry = Sent(sequence: sequence, at: now)
        let slot = Int(sequence % UInt64(ClusterLimits.rememberedHeartbeats))
        if sent.isEmpty {
            sent = Array(repeating: Sent(sequence: 0, at: .zero), count: ClusterLimits.rememberedHeartbeats)
        }
        sent[slot] = entry
    }

    /// A peer whose log knows `view` says that it heard heartbeat `sequence`. It counts at once when our own log knows as
    /// much (`known`), and otherwise when it does, just as if it had arrived only then.
    mutating func acknowledged(_ sequence: UInt64, by member: MemberID, view: LogView, known: LogView) {
        guard sequence > 0 else { return }
        deferred.removeAll { $0.member == member }
        if known.covers(view) {
            count(sequence, by: member)
        } else if deferred.count < ClusterLimits.nodes {
            deferred.append(Deferred(member: member, sequence: sequence, view: view))
        }
    }

    /// Our log grew: what waited for it counts now.
    mutating func learned(_ known: LogView) {
        guard deferred.contains(where: { known.covers($0.view) }) else { return }
        for entry in deferred where known.covers(entry.view) { count(entry.sequence, by: entry.member) }
        deferred.removeAll { known.covers($0.view) }
    }

    private mutating func count(_ sequence: UInt64, by member: MemberID) {
        guard sequence > 0, !sent.isEmpty else { return }
        let entry = sent[Int(sequence % UInt64(ClusterLimits.rememberedHeartbeats))]
        guard entry.sequence == sequence else { return }
        if let at = vouchers.firstIndex(where: { $0.member == member }) {
            vouchers[at].heardSentAt = max(vouchers[at].heardSentAt, entry.at)
        } else {
            if vouchers.count >= ClusterLimits.nodes { vouchers.removeFirst() }
            vouchers.append(Voucher(member: member, heardSentAt: entry.at))
        }
    }

    /// A new incarnation starts with nobody vouching for it.
    mutating func forget() { self = Lease() }

    /// The newest instant such that a majority of the voters, the node itself included, acknowledged a heartbeat
    /// sent at or after it; nil when there is none.
    func vouchedSince(voters: [MemberID], me: MemberID, now: Instant) -> Instant? {
        let instants = voters.compactMap { voter in
            voter == me ? now : vouchers.first { $0.member == voter }?.heardSentAt
        }.sorted(by: >)
        let majority = voters.count / 2 + 1
        guard !voters.isEmpty, instants.count >= majority else { return nil }
        return instants[majority - 1]
    }
}
