import Cluster
import Primitives

/// Which troubles are events besides those of rings, which the node tells, and of links, which those who make them tell: of
/// certificates and clocks, and of what comes that does not count.
///
/// Whoever reaches a ring can cause some of them again and again, in ever new names, so each kind has its pauses. What a pause
/// kept untold and is still there is told when it ends.
struct PathEvents {
    private var pauses: [PathTrouble.Kind: EventPause] = [:]
    /// What was told of each kind and has not ended.
    private var told: [PathTrouble.Kind: Set<String>] = [:]

    /// - Parameters:
    ///   - troubles: all there are now.
    ///   - node: who notices them.
    mutating func news(_ troubles: [PathTrouble], of node: String, at now: Instant) -> [ClusterEvent] {
        PathTrouble.Kind.allCases.compactMap { kind in
            guard let end = Self.end(of: kind, at: node) else { return nil }
            let present = troubles.filter { $0.kind == kind }
            if present.isEmpty {
                return told.removeValue(forKey: kind) == nil ? nil : ClusterEvent(.trouble, node, end)
            }
            // By how much a clock differs changes from second to second.
            let marks = Set(present.flatMap { $0.peers.isEmpty ? [$0.detail] : $0.peers })
            guard told[kind].map({ !marks.isSubset(of: $0) }) ?? true,
                pauses[kind, default: EventPause()].take(at: now) != nil
            else { return nil }
            told[kind] = marks
            let sentences = PathTrouble.sentences(present.map { PathTrouble.Told(node: node, trouble: $0) })
            return ClusterEvent(.trouble, node, sentences.joined(separator: "; "))
        }
    }

    /// Nil for what others tell of.
    private static func end(of kind: PathTrouble.Kind, at node: String) -> String? {
        switch kind {
        case .link, .replicaLink, .multicast, .unicast, .ring, .loss: nil
        case .plainLink: "no link of \(node) stands by the cluster key alone any more"
        case .certificate: "the certificate of \(node) for links needs no look any more"
        case .clock: "no clock differs any more, as far as \(node) hears"
        case .forged: "forged heartbeats come to \(node) no more"
        case .unproven: "heartbeats that do not count come to \(node) no more"
        case .replayed: "recorded heartbeats come to \(node) no more"
        case .otherKey: "datagrams sealed with another key come to \(node) no more"
        }
    }
}
