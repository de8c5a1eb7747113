import Consensus
import Primitives

/// Whether this life may use the identity it found in its state directory.
///
/// The directory may be a copy that another machine uses as well, or may have been put back from a backup. Then the
/// member could vote twice, or miss what it acknowledged, and both break the agreement. So a life that found a state
/// first listens: to the others' words about this identity, and to other lives of it.
struct Doubt: Hashable, Sendable {
    /// A voice that goes on for so long after our own start is no heartbeat of a former life that was still under way.
    static let proofOfLife: Duration = .seconds(1)
    /// With fewer to ask than needed, after so long the identity is used all the same: when all machines lost
    /// their power and not all came back, there is nobody else to ask.
    static let patience: Duration = .seconds(2)
    /// Another life that was heard within this time may still live.
    static let pause: Duration = .milliseconds(500)

    /// Who has said that nobody else uses this identity, in words that answer this very life.
    private(set) var assents: [MemberID] = []
    private(set) var firstWord: Instant?
    /// Another life was last heard, by somebody else or by us.
    private(set) var otherHeard: Instant?

    mutating func heardOther(at instant: Instant) { otherHeard = max(otherHeard ?? instant, instant) }

    mutating func answered(_ member: MemberID, assents isAssent: Bool, at now: Instant) {
        if firstWord == nil { firstWord = now }
        if !isAssent {
            assents.removeAll { $0 == member }
        } else if !assents.contains(member), assents.count < ClusterLimits.nodes {
            assents.append(member)
        }
    }

    /// Whether the identity may be used.
    ///
    /// - Parameters:
    ///   - voters: all others that vote, by this node's log.
    ///   - isSameStart: the state was last used here, since the machine's last start. A copy cannot be elsewhere then,
    ///     unless it was made meanwhile; one answer is enough.
    func isSettled(voters: [MemberID], isSameStart: Bool, at now: Instant) -> Bool {
        if let otherHeard, now - otherHeard < Self.pause { return false }
        // A majority of all voters without this one: it meets every majority that this member once was part of.
        let majority = (voters.count + 1) / 2 + 1
        let needed = isSameStart || voters.isEmpty ? 1 : min(majority, voters.count)
        let count = voters.isEmpty ? assents.count : assents.count { voters.contains($0) }
        if count >= needed { return true }
        return firstWord.map { now - $0 >= Self.patience } ?? false
    }
}
