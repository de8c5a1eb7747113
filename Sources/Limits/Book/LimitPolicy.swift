/// What a limit does while the cluster is split, and part of its usage cannot be seen.
package enum LimitPolicy: String, Hashable, Sendable, CaseIterable {
    /// Counts what can be seen: each side may use the whole limit.
    case open
    /// Refuses every new call.
    case closed
    /// Each side may use its part of the limit, by the number of nodes it can see.
    case share
}

/// Which policy holds for which keys: the first rule whose pattern fits, else the default.
///
/// A pattern is compared with the whole key as the switch names it (`trunk_carrier1` of mod_hash, `carrier1` or
/// `cps1_1795254954` of mod_hiredis); `*` stands for any characters.
package struct LimitPolicies: Hashable, Sendable {
    package struct Rule: Hashable, Sendable {
        package var pattern: String
        package var policy: LimitPolicy

        package init(_ pattern: String, _ policy: LimitPolicy) {
            self.pattern = pattern
            self.policy = policy
        }
    }
    package var rules: [Rule]
    package var otherwise: LimitPolicy

    package init(rules: [Rule] = [], otherwise: LimitPolicy = .open) {
        self.rules = rules
        self.otherwise = otherwise
    }

    package func policy(of key: [UInt8]) -> LimitPolicy {
        rules.first { Self.fits(key, Array($0.pattern.utf8)) }?.policy ?? otherwise
    }

    /// Goes back only to the last star: at most pattern times key steps.
    static func fits(_ key: [UInt8], _ pattern: [UInt8]) -> Bool {
        var at = 0
        var place = 0
        var star: (pattern: Int, key: Int)?
        while at < key.count {
            if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
                star = (place, at)
                place += 1
            } else if place < pattern.count, pattern[place] == key[at] {
                place += 1
                at += 1
            } else if let last = star {
                star = (last.pattern, last.key + 1)
                place = last.pattern + 1
                at = last.key + 1
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

/// Which part of the cluster this node can see.
package struct LimitReach: Hashable, Sendable {
    /// Nodes heard from; this node counts whether it is listed or not.
    package var reachable: [String]
    /// Living nodes of the cluster, this one included.
    package var nodes: Int
    /// Whether some living node cannot be seen: policies hold, and usage of nodes out of reach does not count.
    /// Otherwise the last known usage of every node counts until the node is forgotten.
    package var isSplit: Bool

    package init(reachable: [String], nodes: Int, isSplit: Bool) {
        self.reachable = reachable
        self.nodes = nodes
        self.isSplit = isSplit
    }

    /// The whole cluster is there.
    package static let whole = LimitReach(reachable: [], nodes: 1, isSplit: false)
}

/// How a sum becomes the number a switch is told.
struct LimitScale: Hashable, Sendable {
    var isSplit = false
    var seen: UInt64 = 1
    var nodes: UInt64 = 1

    @inline(__always)
    func answer(_ sum: UInt64, _ policy: LimitPolicy) -> UInt64 {
        isSplit ? splitAnswer(sum, policy) : min(sum, LimitBounds.answer)
    }

    private func splitAnswer(_ sum: UInt64, _ policy: LimitPolicy) -> UInt64 {
        switch policy {
        case .open: min(sum, LimitBounds.answer)
        case .closed: LimitBounds.refusal
        // A sum is at most 65 origins of 2 · 2^31, the nodes at most 64: no overflow.
        case .share: min((sum * nodes + seen - 1) / seen, LimitBounds.answer)
        }
    }
}
