import Cluster
import Consensus

/// Which peers are heard with gaps for so long that it is no accident, by ring. Looked at once a second.
struct LossWatch {
    private struct Entry {
        var peer: String
        var ring: String
        /// Looks in a row that speak against what is told now.
        var strikes = 0
        var isTold = false
    }

    /// Of a thousand heartbeats: told of from here, and no more below the other.
    private static let notable = 100
    private static let well = 30
    private static let patience = 5
    private static let limit = 512

    private var entries: [Entry] = []

    /// - Parameter losses: of each peer that is heard now, in per mille of the last heartbeats.
    mutating func look(_ losses: [(peer: String, ring: String, perMille: Int)]) {
        entries.removeAll { entry in !losses.contains { $0.peer == entry.peer && $0.ring == entry.ring } }
        for loss in losses {
            let at =
                entries.firstIndex { $0.peer == loss.peer && $0.ring == loss.ring }
                ?? {
                    if entries.count >= Self.limit { entries.removeFirst() }
                    entries.append(Entry(peer: loss.peer, ring: loss.ring))
                    return entries.count - 1
                }()
            let speaksAgainst =
                entries[at].isTold ? loss.perMille < Self.well : loss.perMille >= Self.notable
            entries[at].strikes = speaksAgainst ? entries[at].strikes + 1 : 0
            if entries[at].strikes >= Self.patience {
                entries[at].isTold.toggle()
                entries[at].strikes = 0
            }
        }
    }

    var troubles: [PathTrouble] {
        let told = entries.filter(\.isTold)
        return Set(told.map(\.ring)).sorted().map { ring in
            PathTrouble(.loss, ring: ring, peers: Set(told.filter { $0.ring == ring }.map(\.peer)).sorted())
        }
    }
}
