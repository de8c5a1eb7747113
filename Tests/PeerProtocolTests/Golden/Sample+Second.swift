import Cluster
import Primitives

// What came with format 2, and what was added to other formats at the same time; recorded in `Fixtures/v2`.

extension Sample {
    static let commandsOfSecond: [(name: String, value: ControlCommand)] = [
        ("raise-format", .raiseFormat(to: 2))
    ]

    static var statesOfSecond: [(name: String, value: ControlState)] {
        var full = state
        full.format = 2
        return [("full", full)]
    }

    static var heartbeatsOfSecond: [(name: String, value: Heartbeat)] {
        var full = heartbeat
        full.release = .init(name: "0.2.0", formats: 1...2)
        full.agreedFormat = 2
        var plain = plainHeartbeat
        plain.release = .init(name: "", formats: 2...300)
        return [("full", full), ("plain", plain)]
    }

    static var zoneOfSecond: ZoneReport {
        var reading = ServerReading(endpoint: endpoint("10.77.0.2:53"), outcome: .failed("no answer"))
        reading.isUnsigned = true
        return ZoneReport(
            zone: "voip.example.net", questions: [], desired: [], readings: [reading], steps: [], update: nil,
            held: nil)
    }

    static var statusOfSecond: StatusReport {
        var report = status
        report.format = 1
        for place in report.nodes.indices {
            report.nodes[place].release = "0.2.0"
            report.nodes[place].newestFormat = 2
        }
        return report
    }
}
