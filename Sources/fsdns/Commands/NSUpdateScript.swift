import Cluster
import Wire

/// The update that is planned, as a script for `nsupdate -k KEYFILE`.
enum NSUpdateScript {
    /// The comments say what each script is for; `nsupdate` skips lines that start with `;`.
    static func lines(_ report: ZoneReport) throws(CommandFailure) -> [String] {
        guard let update = report.update else {
            return ["; nothing to do: \(report.held ?? "the zone is as it should be")"]
        }
        do throws(DNSFailure) {
            let script = UpdateScript(try DNSUpdate(update), server: report.readings.first?.endpoint)
            return report.steps.map { "; \($0)" } + script.lines
        } catch {
            throw .refused(["the planned update cannot be written as a script: \(error)"])
        }
    }
}

extension DNSUpdate {
    /// The cluster's words in those of DNS: same prerequisite, same records, deletions first.
    init(_ update: ZoneUpdate) throws(DNSFailure) {
        let prerequisite: Prerequisite
        if let expected = update.expected {
            let record = try DNSRecord(expected)
            prerequisite = .equals(record.name, [record.data])
        } else {
            prerequisite = .absent(try DNSName(update.epochName), .txt)
        }
        var operations: [UpdateOperation] = []
        for record in update.delete {
            let record = try DNSRecord(record)
            operations.append(.delete(record.name, record.data))
        }
        for record in update.add { operations.append(.add(try DNSRecord(record))) }
        self.init(zone: try DNSName(update.zone), prerequisites: [prerequisite], operations: operations)
    }
}

extension DNSRecord {
    init(_ record: ZoneRecord) throws(DNSFailure) {
        let data: RecordData
        switch record.content {
        case .address(let ip): data = .address(ip)
        case .srv(let priority, let weight, let port, let target):
            data = .srv(priority: priority, weight: weight, port: port, target: try DNSName(target))
        case .txt(let text): data = .text(text)
        }
        self.init(name: try DNSName(record.name), ttl: record.ttl, data: data)
    }
}
