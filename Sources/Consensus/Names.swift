/// One life of one node's disk: the name from the configuration and a number drawn when its state was created.
///
/// A node that lost its disk comes back with another `birth`, so consensus sees a new member and never
/// mistakes it for the one that voted and acknowledged entries before.
package struct MemberID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package var name: String
    package var birth: UInt64

    package init(name: String, birth: UInt64) {
        self.name = name
        self.birth = birth
    }

    package var description: String { "\(name)#\(String(birth, radix: 16))" }

    package static func < (a: MemberID, b: MemberID) -> Bool {
        a.name == b.name ? a.birth < b.birth : a.name < b.name
    }
}

package typealias Term = UInt64
package typealias Index = UInt64

/// The place of a decision in the agreed order: consensus term, then log index; written `3.117`.
package struct Epoch: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package var term: Term
    package var index: Index

    package init(term: Term, index: Index) {
        self.term = term
        self.index = index
    }

    /// Before every decision.
    package static let zero = Epoch(term: 0, index: 0)

    package var description: String { "\(term).\(index)" }

    /// Terms are compared first: a stale log may be longer than a true one.
    package static func < (a: Epoch, b: Epoch) -> Bool {
        a.term == b.term ? a.index < b.index : a.term < b.term
    }
}

/// SplitMix64: the seeded generator every deciding value owns, so that a seed replays a run exactly.
package struct SeededGenerator: RandomNumberGenerator, Hashable, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
