import Cluster
import DNSMessages

// The cluster's words for the zone, in those of DNS and back.

extension DNSUpdate {
    /// The update as RFC 2136 says it: prerequisites on whole sets, deletions before additions.
    ///
    /// - Throws: `DNSFailure` for a name no DNS message can carry.
    package init(_ update: ZoneUpdate) throws(DNSFailure) {
        var prerequisites: [Prerequisite] = []
        if update.requiresNoEpoch { prerequisites.append(.absent(try DNSName(update.epochName), .txt)) }
        for set in update.requiredSets {
            var data: [RecordData] = []
            for record in set { data.append(try DNSRecord(record).data) }
            if let first = set.first { prerequisites.append(.equals(try DNSName(first.name), data)) }
        }
        var operations: [UpdateOperation] = []
        for record in update.delete {
            let record = try DNSRecord(record)
            operations.append(.delete(record.name, record.data))
        }
        for record in update.add { operations.append(.add(try DNSRecord(record))) }
        self.init(zone: try DNSName(update.zone), prerequisites: prerequisites, operations: operations)
    }
}

extension DNSRecord {
    /// - Throws: `DNSFailure` for a name no DNS message can carry.
    package init(_ record: ZoneRecord) throws(DNSFailure) {
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

extension ZoneRecord {
    /// Nil for a kind of record fsdns never keeps.
    package init?(_ record: DNSRecord) {
        let content: Content
        switch record.data {
        case .address(let ip): content = .address(ip)
        case .srv(let priority, let weight, let port, let target):
            content = .srv(
                priority: priority, weight: weight, port: port, target: Self.text(of: target))
        case .txt(let strings): content = .txt(String(decoding: strings.joined(), as: UTF8.self))
        case .ns, .cname, .ptr, .soa, .other: return nil
        }
        self.init(name: Self.text(of: record.name), ttl: record.ttl, content: content)
    }

    /// Lower case, without the last dot.
    package static func text(of name: DNSName) -> String {
        let text = "\(name)".lowercased()
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
