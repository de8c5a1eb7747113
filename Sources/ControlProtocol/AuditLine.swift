import Cluster
import Crypto

/// One entry of the audit trail with its place in the chain: SHA-256 over the digest before it and its own words.
package struct AuditLine: Hashable, Sendable, Codable {
    package var entry: AuditEntry
    /// Of the line before, in hexadecimal; empty for the first.
    package var previous: String
    package var digest: String

    package init(_ entry: AuditEntry, after line: AuditLine?) {
        self.entry = entry
        previous = line?.digest ?? ""
        digest = Self.digest(of: entry, after: previous)
    }

    /// What is wrong with a chain: the first line that was changed, or follows nothing; nil when it is whole.
    package static func fault(in lines: [AuditLine]) -> String? {
        var before: AuditLine?
        for line in lines {
            if line.digest != digest(of: line.entry, after: line.previous) {
                return "entry \(line.entry.number) is not what was written"
            }
            if let before {
                if line.previous != before.digest {
                    return "entry \(line.entry.number) does not follow entry \(before.entry.number)"
                }
                if line.entry.number <= before.entry.number {
                    return "entry \(line.entry.number) stands after entry \(before.entry.number)"
                }
            }
            before = line
        }
        return nil
    }

    /// Every field with its length, so that no two entries have the same bytes.
    private static func digest(of entry: AuditEntry, after previous: String) -> String {
        var hash = SHA256()
        let fields = [
            previous, "\(entry.number)", "\(entry.epoch)", "\(entry.time.nanoseconds)",
            entry.wall.map { "\($0.seconds)" } ?? "-", entry.who, entry.what, entry.why, entry.outcome,
        ]
        for field in fields {
            let bytes = Array(field.utf8)
            hash.update(data: Array("\(bytes.count):".utf8) + bytes)
        }
        return hash.finalize().map { byte in
            let hex = String(byte, radix: 16)
            return hex.count == 1 ? "0\(hex)" : hex
        }.joined()
    }
}
