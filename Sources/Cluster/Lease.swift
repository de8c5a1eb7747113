import Consensus

/// A node's right to hold addresses: alive as long as a majority keeps hearing it (design §5).
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
        var epoch: Epoch
    }

    mutating func beat(_ sequence: UInt64, at now: Instant) {
        let entry = Sent(sequence: sequence, at: now)
        let slot = Int(sequence % UInt64(Limits.rememberedHeartbeats))
        if sent.isEmpty {
            sent = Array(repeating: Sent(sequence: 0, at: .zero), count: Limits.rememberedHeartbeats)
        }
        sent[slot] = entry
    }

    /// A peer whose log's newest fence is `epoch` says that it heard heartbeat `sequence`. It counts at once when our own
    /// log knows as much (`known`), and otherwise when it does, just as if it had arrived only then.
    mutating func acknowledged(_ sequence: UInt64, by member: MemberID, epoch: Epoch, known: Epoch) {
        deferred.removeAll { $0.member == member }
        if epoch <= known {
            count(sequence, by: member)
        } else if deferred.count < Limits.nodes {
            deferred.append(Deferred(member: member, sequence: sequence, epoch: epoch))
        }
    }

    /// Our log grew: what waited for it counts now.
    mutating func learned(_ known: Epoch) {
        guard deferred.contains(where: { $0.epoch <= known }) else { return }
        for entry in deferred where entry.epoch <= known { count(entry.sequence, by: entry.member) }
        deferred.removeAll { $0.epoch <= known }
    }

    private mutating func count(_ sequence: UInt64, by member: MemberID) {
        guard sequence > 0, !sent.isEmpty else { return }
        let entry = sent[Int(sequence % UInt64(Limits.rememberedHeartbeats))]
        guard entry.sequence == sequence else { return }
        if let at = vouchers.firstIndex(where: { $0.member == member }) {
            vouchers[at].heardSentAt = max(vouchers[at].heardSentAt, entry.at)
        } else {
            if vouchers.count >= Limits.nodes { vouchers.removeFirst() }
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
