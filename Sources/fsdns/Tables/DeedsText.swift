import ControlProtocol

/// `fsdns history`: one line a deed, the newest last.
struct DeedsText {
    var paint: Paint
    var width: Int?

    func lines(_ deeds: [AuditLine], newest count: Int) -> [String] {
        guard !deeds.isEmpty else { return ["Nobody has told this cluster anything yet."] }
        var table = Table([
            .init("TIME"), .init("WHO"), .init("WHAT"), .init("WHY"), .init("OUTCOME"), .init("EPOCH"),
        ])
        for line in deeds.suffix(count) {
            let entry = line.entry
            let isRefused = entry.outcome.hasPrefix("refused")
            table.add([
                .init(entry.wall?.text ?? "unknown"), .init(entry.who.isEmpty ? "-" : entry.who),
                .init(entry.what, .bold), .init(entry.why.isEmpty ? "-" : entry.why),
                .init(entry.outcome, isRefused ? .warn : .plain), .init("\(entry.epoch)"),
            ])
        }
        let older = deeds.count - min(count, deeds.count)
        return table.lines(paint: paint, width: width)
            + (older > 0 ? ["and \(older) older ones: --last \(deeds.count)"] : [])
    }
}

/// The keys of `fsdns history --format json`.
struct HistoryDocument: Encodable {
    typealias Nullable = StatusDocument.Nullable

    struct Deed: Encodable {
        var number: UInt64
        /// RFC 3339, UTC; null when the leader had read no clock.
        var time: Nullable<String>
        /// Null for what followed from an earlier deed.
        var who: Nullable<String>
        var what: String
        var why: String
        var epoch: String
        var outcome: String
        var digest: String

        init(_ line: AuditLine) {
            let entry = line.entry
            number = entry.number
            time = .init(entry.wall?.text)
            who = .init(entry.who.isEmpty ? nil : entry.who)
            what = entry.what
            why = entry.why
            epoch = "\(entry.epoch)"
            outcome = entry.outcome
            digest = line.digest
        }
    }

    /// Of `--verify`.
    struct Verdict: Encodable {
        var entries: Int
        var newest: Nullable<UInt64>
        var digest: Nullable<String>
        var isWhole: Bool
        var fault: Nullable<String>

        init(_ lines: [AuditLine], fault: String?) {
            entries = lines.count
            newest = .init(lines.last?.entry.number)
            digest = .init(lines.last?.digest)
            isWhole = fault == nil
            self.fault = .init(fault)
        }
    }

    var deeds: [Deed]
    var recoveries: [RecoveryLine]
}
