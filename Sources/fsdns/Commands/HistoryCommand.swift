import ArgumentParser
import ControlProtocol

struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Show who told the cluster what, what it came to, and what became of calls that moved.",
        discussion: """
            The node answers from its own disk, so this also works when other nodes are gone. Its entries are chained by \
            digests: --verify finds one that was changed or taken out (exit 1). The entries themselves are the same on \
            every node, so what one machine's file says can be held against another's.
            """)

    @OptionGroup var control: ControlOptions

    @Flag(help: "Check the chain of entries, and say whether it is whole.")
    var verify = false

    @Option(help: "So many of the newest entries, and of the newest takeovers.")
    var last: Int?

    @Option(help: "table for people, json for programs.")
    var format = TableFormat.table

    /// Entries in a table unless more are asked for.
    private static let shown = 40

    mutating func validate() throws {
        if last != nil, verify {
            throw ValidationError("--last shows so many entries; --verify looks at all")
        }
        if let last, last < 1 { throw ValidationError("--last must be at least 1") }
    }

    mutating func run() throws {
        let client = control.client
        let parts = try client.shared(.deeds)
        let deeds = parts.flatMap { part in
            if case .deeds(let lines) = part { lines } else { [AuditLine]() }
        }
        if verify {
            let found = parts.compactMap { part in if case .deedsFault(let text) = part { text } else { nil }
            }
            return try check(deeds, found.first)
        }
        let recoveries = try client.shared(.recoveries).flatMap { part in
            if case .recoveries(let lines) = part { lines } else { [RecoveryLine]() }
        }
        switch format {
        case .table:
            let (paint, width) = (Paint.standard, Output.size?.columns)
            let count = last ?? Self.shown
            Output.lines(DeedsText(paint: paint, width: width).lines(deeds, newest: count))
            let calls = HistoryText(paint: paint, width: width)
            Output.lines(["", "Calls that moved:"] + calls.lines(Array(recoveries.suffix(count))))
        case .json:
            Output.document(
                JSONText.pretty(
                    HistoryDocument(
                        deeds: deeds.suffix(last ?? deeds.count).map(HistoryDocument.Deed.init),
                        recoveries: Array(recoveries.suffix(last ?? recoveries.count)))))
        }
    }

    /// - Parameter found: what the node found wrong with its file on disk.
    private func check(_ deeds: [AuditLine], _ found: String?) throws(CommandFailure) {
        let fault = found ?? AuditLine.fault(in: deeds)
        if format == .json {
            Output.document(JSONText.pretty(HistoryDocument.Verdict(deeds, fault: fault)))
        }
        if let fault { throw .refused(["\(fault): this node's history was changed after it was written"]) }
        guard format == .table else { return }
        guard let first = deeds.first, let newest = deeds.last else {
            Output.line("the history is empty")
            return
        }
        Output.line(
            "the history is whole: entries \(first.entry.number) to \(newest.entry.number), "
                + "none changed or missing; the newest digest is \(newest.digest)")
    }
}
