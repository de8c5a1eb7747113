/// One life of one node's disk: the name from the configuration and a number drawn when its state was created.
///
/// A node that lost its disk comes back with another `birth`, so consensus sees a new member and never
/// mistakes it for the one that voted and acknowledged entries before.
package struct MemberID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package var name: String
    package var birth: UInt64

    /// The format: a property with another name keeps its key.
    enum CodingKeys: String, CodingKey { case name, birth }

    package init(name: String, birth: UInt64) {
        self.name = name
        self.birth = birth
    }

    package var description: String { "\(name)#\(String(birth, radix: 16))" }

    package static func < (a: MemberID, b: MemberID) -> Bool {
        a.name == b.name ? a.birth < b.birth : a.name < b.name
    }
}
