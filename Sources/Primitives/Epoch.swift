package typealias Term = UInt64
package typealias Index = UInt64

/// The place of a decision in the agreed order: consensus term, then log index; written `3.117`.
package struct Epoch: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package var term: Term
    package var index: Index

    /// The format: a property with another name keeps its key.
    enum CodingKeys: String, CodingKey { case term, index }

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
