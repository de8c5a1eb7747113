/// Versions of what nodes agree on: commands of the log, and the agreed state.
package enum FormatVersion {
    /// Of all that was agreed before there was a second one.
    package static let oldest = 1
    /// The newest that this release reads and writes.
    package static let newest = 1
}
