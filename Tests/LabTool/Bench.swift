import Foundation
import Lab

/// The benchmarks of the lab: what a caller and the kernels saw, as a table.
struct Bench {
    /// What can be asked for by name, in the order it is run.
    enum Metric: String, CaseIterable {
        case powerLoss = "power-loss"
        case powerLossFast = "power-loss-fast"
        case partition
        case killService = "kill-service"
        case freezeService = "freeze-service"
        case freezeBoth = "freeze-both"
        case gracefulStop = "graceful-stop"
        case switchover
        case dns
        case idle
        case load
        case limits
        case replication
        case recovery
        case registrations
        case flood
        case floodedLeader = "flooded-leader"
        case strangers
        case cable
        case profileStop = "profile-stop"
        case filtered
        case roll
    }

    /// One line of the table.
    struct Row {
        var name: String
        var unit = "ms"
        var sample: Sample
        var target = ""
    }

    var isQuick: Bool

    static func run(_ arguments: [String]) throws {
        var bench = Bench(isQuick: false)
        var metrics: [Metric] = []
        for argument in arguments {
            if argument == "--quick" {
                bench.isQuick = true
            } else if let metric = Metric(rawValue: argument) {
                metrics.append(metric)
            } else {
                let known = Metric.allCases.map(\.rawValue).joined(separator: " ")
                throw LabFailure("\(argument) is no metric; there are: \(known)")
            }
        }
        if let obstacle = Lab.obstacle { throw LabFailure(obstacle) }
        if metrics.isEmpty { metrics = Metric.allCases }
        var failures = 0
        Self.show(Self.heading)
        for metric in metrics {
            do {
                for row in try bench.measure(metric) { Self.show(Self.line(row)) }
            } catch {
                failures += 1
                Self.show("\(metric.rawValue): failed: \(error)")
            }
        }
        if failures > 0 { throw LabFailure("\(failures) of \(metrics.count) benchmarks failed") }
    }

    func measure(_ metric: Metric) throws -> [Row] {
        switch metric {
        case .powerLoss: try powerLoss(ClusterPlan(), name: "power loss", target: "median < 250, max < 400")
        case .powerLossFast: try powerLoss(fastPlan, name: "power loss 10/25/35 ms", target: "median < 60")
        case .partition: try partitions()
        case .killService: try stuckService(killed: true)
        case .freezeService: try stuckService(killed: false)
        case .freezeBoth: try frozenTogether()
        case .gracefulStop: try gracefulStops()
        case .switchover: try switchovers()
        case .dns: try zoneChanges()
        case .idle: try idle()
        case .load: try falseTakeovers()
        case .limits: try limits()
        case .replication: try replication()
        case .recovery: try recovery()
        case .registrations: try registrations()
        case .flood: try floods() + signedFloods()
        case .floodedLeader: try floodedLeaders()
        case .strangers: try crowds()
        case .cable, .profileStop, .filtered: try servedOutages(metric)
        case .roll: try roll()
        }
    }

    private var fastPlan: ClusterPlan {
        var plan = ClusterPlan()
        (plan.interval, plan.lease, plan.deadAfter) = ("10ms", "25ms", "35ms")
        return plan
    }

    func runs(_ full: Int) -> Int { isQuick ? max(3, full / 5) : full }

    // MARK: The table

    static let heading =
        column("metric", 44) + "unit  " + ["median", "p95", "max", "runs"].map { right($0, 9) }.joined()
        + "  target"

    static func line(_ row: Row) -> String {
        let values = [row.sample.median, row.sample.percentile95, row.sample.maximum].map { value in
            right(value.map { String(format: "%.1f", $0) } ?? "-", 9)
        }
        return column(row.name, 44) + column(row.unit, 6) + values.joined()
            + right("\(row.sample.values.count)", 9) + "  " + row.target
    }

    private static func column(_ text: String, _ width: Int) -> String {
        text.padding(toLength: max(width, text.count + 1), withPad: " ", startingAt: 0)
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    /// A line of the table, at once.
    private static func show(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    /// What happens meanwhile, for whoever waits; the table itself is standard output.
    static func tell(_ text: String) {
        FileHandle.standardError.write(Data("  \(text)\n".utf8))
    }
}
