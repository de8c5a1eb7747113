import ControlProtocol

/// What the node service that runs here says of its rings and links: this program alone cannot listen where it listens.
struct RingCheck {
    /// Nil when no node service answers.
    var report: RingsReport?
    /// Where it was asked.
    var control: String

    var findings: [Finding] {
        guard let report else {
            return [
                .fine(
                    "rings", "not looked at: no node service answers at \(control), see `fsdns rings` later")
            ]
        }
        let faults = report.faults ?? []
        guard faults.isEmpty else {
            return faults.map {
                .wrong(
                    "rings", $0,
                    fix: "compare `fsdns rings` on both nodes; docs/operations.md, \"Rings and links\"")
            }
        }
        let peers = Set(report.paths.filter { $0.lastHeardMs != nil }.map(\.peer)).count
        return [
            .fine(
                "rings", "\(peers) peers are heard by node \(report.node) on every way, and its links stand")
        ]
    }
}
