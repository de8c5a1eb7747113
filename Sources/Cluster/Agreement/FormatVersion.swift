import Primitives

/// Versions of what nodes agree on: commands of the log, and the agreed state.
///
/// Each node says in its heartbeats which it reads. The agreed state carries the one that is agreed on (`ControlState.format`);
/// a leader proposes nothing newer, and raises it when every member reads a newer one (`Node+Formats.swift`).
package enum FormatVersion {
    /// Of all that was agreed before there was a second one; of a node that says nothing.
    package static let oldest = 1
    /// The newest that this release reads and writes. 2 has `raiseFormat`.
    package static let newest = 2
}

/// The release of a node's program, and which formats of what is agreed it reads.
package struct ReleaseInfo: Hashable, Sendable {
    /// Of a name, in bytes.
    package static let longest = 32

    /// For people, as `fsdns --version` prints it; empty when it is not known.
    package var name: String
    package var formats: ClosedRange<Int>

    package init(name: String, formats: ClosedRange<Int>) {
        self.name = name.cut(to: Self.longest)
        self.formats = formats
    }

    /// This program.
    package static let current = ReleaseInfo(
        name: "0.1.0", formats: FormatVersion.oldest...FormatVersion.newest)

    /// Of a node that says nothing of itself: from before there was a second format.
    package static let unannounced = ReleaseInfo(
        name: "", formats: FormatVersion.oldest...FormatVersion.oldest)

    /// As part of a sentence.
    var text: String { name.isEmpty ? "its release" : "its release \(name)" }
}
