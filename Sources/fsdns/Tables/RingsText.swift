import Wire

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
        if !report.dropped.isEmpty {
            let counts = report.dropped.map { "\($0.reason) \($0.count)" }
            lines += ["", cut("Dropped frames: \(counts.joined(separator: ", "))", to: width)]
        }
        if !report.warnings.isEmpty { lines.append("") }
        return lines + report.warnings.map { paint(cut("! \($0)", to: width), .warn) }
    }

    private func table(_ paths: [RingsReport.Path]) -> Table {
        var table = Table([
            .init("PEER"), .init("LOCAL"), .init("REMOTE"), .init("LOSS", .right), .init("GAP", .right),
            .init("MAX", .right), .init("HEARD", .right), .init("STATUS"),
        ])
        for path in paths {
            let isGood = path.condition == "no faults"
            table.add([
                .init(path.peer, .bold), .init(path.local), .init(path.remote),
                .init(path.lossPerMille.map { "\($0 / 10).\($0 % 10) %" } ?? "-"),
                .init(milliseconds(path.gapMedianMs)), .init(milliseconds(path.gapMaxMs)),
                .init(path.lastHeardMs.map { "\($0) ms" } ?? "never"),
                .init(path.condition, isGood ? .good : .bad),
            ])
        }
        return table
    }

    private func milliseconds(_ value: Double?) -> String {
        guard let value, value.isFinite, abs(value) < 1e9 else { return "-" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) ms"
    }
}
