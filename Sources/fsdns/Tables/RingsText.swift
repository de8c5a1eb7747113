import ControlProtocol

/// `fsdns rings`: every heartbeat path of one node, network by network, as `corosync-cfgtool -s` shows links.
struct RingsText {
    var paint: Paint
    var width: Int?

    func lines(_ report: RingsReport) -> [String] {
        var lines = ["Local node \(report.node)"]
        if report.paths.isEmpty { lines.append("No heartbeat path: no peer was heard and none is listed.") }
        var networks: [String] = []
        for path in report.paths where !networks.contains(path.network) { networks.append(path.network) }
        for network in networks {
            let paths = report.paths.filter { $0.network == network }
            lines += ["", paint("Ring \(network)", .bold)]
            lines += table(paths).lines(paint: paint, width: width)
        }
        if let links = report.links, !links.isEmpty {
            lines += ["", paint("Links", .bold)] + table(links).lines(paint: paint, width: width)
        }
        if !report.dropped.isEmpty {
            let counts = report.dropped.map { "\($0.reason) \($0.count)" }
            lines += ["", cut("Dropped frames: \(counts.joined(separator: ", "))", to: width)]
        }
        if !report.warnings.isEmpty { lines.append("") }
        return lines + report.warnings.map { paint(cut("! \($0)", to: width), .warn) }
    }

    private func table(_ paths: [RingsReport.Path]) -> Table {
        // A node of an earlier release does not tell.
        let hasWays = paths.contains { $0.speaksMulticast != nil }
        let ways: [Table.Column] =
            hasWays ? [.init("MULTICAST", .right), .init("UNICAST", .right)] : []
        var table = Table(
            [
                .init("PEER"), .init("LOCAL"), .init("REMOTE"), .init("LOSS", .right), .init("GAP", .right),
                .init("MAX", .right), .init("HEARD", .right),
            ] + ways + [.init("STATUS")])
        for path in paths {
            let isGood = path.condition == "no faults"
            var row: [Table.Cell] = [
                .init(path.peer, .bold), .init(path.local), .init(path.remote),
                .init(path.lossPerMille.map { "\($0 / 10).\($0 % 10) %" } ?? "-"),
                .init(milliseconds(path.gapMedianMs)), .init(milliseconds(path.gapMaxMs)),
                .init(path.lastHeardMs.map { "\($0) ms" } ?? "never"),
            ]
            if hasWays {
                row.append(path.speaksMulticast == false ? "-" : way(path.multicastMs))
                row.append(way(path.unicastMs))
            }
            table.add(row + [.init(path.condition, isGood ? .good : .bad)])
        }
        return table
    }

    /// When the peer was heard last by one way; unicast is tried twice a second where multicast is well.
    private func way(_ milliseconds: Int?) -> Table.Cell {
        guard let milliseconds else { return .init("never", .warn) }
        return .init("\(milliseconds) ms", milliseconds > 3_000 ? .bad : .plain)
    }

    private func table(_ links: [RingsReport.Link]) -> Table {
        var table = Table([.init("PEER"), .init("DECISIONS"), .init("COPIES")])
        for link in links {
            table.add([.init(link.peer, .bold), condition(link.agreement), condition(link.replica)])
        }
        return table
    }

    private func condition(_ text: String?) -> Table.Cell {
        .init(text ?? "-", text == nil ? .plain : text == "stands" ? .good : .bad)
    }

    private func milliseconds(_ value: Double?) -> String {
        guard let value, value.isFinite, abs(value) < 1e9 else { return "-" }
        let tenths = Int(exactly: (value * 10).rounded()) ?? 0
        return "\(tenths / 10).\(tenths % 10) ms"
    }
}
