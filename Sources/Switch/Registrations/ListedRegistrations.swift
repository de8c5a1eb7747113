import Replication

/// A listing made ready to be compared with a book: all of the work that needs no book, and so may be done elsewhere.
package struct ListedRegistrations: Sendable {
    struct Row: Sendable {
        var key: RegistrationKey
        var registration: Registration
    }

    let profile: String
    let mode: RegistrationMode
    /// The first to end first: the newest of several rows with one key is the one in force.
    let rows: [Row]
    let keys: Set<RegistrationKey>
    /// Every entry could be read, so what is not listed is not there.
    let isWhole: Bool

    /// - Parameter mode: of the profile's book.
    package init(_ listing: RegistrationListing, mode: RegistrationMode) {
        profile = listing.profile
        self.mode = mode
        rows = listing.registrations.sorted { $0.expires < $1.expires }.map {
            Row(key: RegistrationKey($0, mode: mode), registration: $0)
        }
        keys = Set(rows.map(\.key))
        isWhole = listing.problems.isEmpty
    }
}
