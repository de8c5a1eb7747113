import Calendar

/// A node that was forgotten, and when: certificates for its name that are not newer count no more, so that a machine that
/// was stolen does not come back with the one it has. Whoever is given a newer one may join under the name again.
package struct Revocation: Hashable, Sendable, Codable {
    /// One for each name; more names than a cluster ever has nodes.
    package static let limit = 4 * ClusterLimits.nodes
    package var name: String
    /// By the wall clock of the leader that decided it; nil when that had read none: then no certificate is newer.
    package var at: WallTime?

    package init(name: String, at: WallTime?) {
        self.name = name
        self.at = at
    }

    /// - Parameter start: from when on the certificate counts, in seconds since 1970.
    package func covers(certificateFrom start: Int64) -> Bool {
        guard let at else { return true }
        return start <= at.seconds
    }

    static func adding(_ one: Revocation, to others: [Revocation]?) -> [Revocation] {
        Array(((others ?? []).filter { $0.name != one.name } + [one]).suffix(limit))
    }
}
