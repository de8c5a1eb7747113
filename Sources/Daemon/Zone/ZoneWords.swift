import Cluster
import Wire

/// The zone's records between the deciding half's words and DNS's own.
enum ZoneWords {
    /// Nil for a name no DNS message can carry.
    static func record(_ record: ZoneRecord) -> DNSRecord? {
        guard let name = name(record.name), let data = data(record.content) else { return nil }
        return DNSRecord(name: name, ttl: record.ttl, data: data)
    }

    static func name(_ text: String) -> DNSName? { try? DNSName(text, relativeTo: .root) }

    static func question(_ question: ZoneQuestion) -> (name: DNSName, type: RecordType)? {
        guard let name = name(question.name), let type = RecordType(question.type) else { return nil }
        return (name, type)
    }

    /// Nil for a kind of record fsdns never keeps.
    static func record(_ record: DNSRecord) -> ZoneRecord? {
        let content: ZoneRecord.Content
        switch record.data {
        case .address(let ip): content = .address(ip)
        case .srv(let priority, let weight, let port, let target):
            content = .srv(priority: priority, weight: weight, port: port, target: text(target))
        case .txt(let strings):
            content = .txt(String(decoding: strings.joined(), as: UTF8.self))
        case .ns, .cname, .ptr, .soa, .other: return nil
        }
        return ZoneRecord(name: text(record.name), ttl: record.ttl, content: content)
    }

    /// Lower case, without the last dot.
    private static func text(_ name: DNSName) -> String {
        let text = "\(name)".lowercased()
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }

    private static func data(_ content: ZoneRecord.Content) -> RecordData? {
        switch content {
        case .address(let ip): .address(ip)
        case .srv(let priority, let weight, let port, let target):
            name(target).map { .srv(priority: priority, weight: weight, port: port, target: $0) }
        case .txt(let text): .text(text)
        }
    }

    /// The update as RFC 2136 says it: the epoch record is the prerequisite, deletions come before additions.
    static func update(_ update: ZoneUpdate) -> DNSUpdate? {
        guard let zone = name(update.zone), let epochName = name(update.epochName) else { return nil }
        var prerequisite = Prerequisite.absent(epochName, .txt)
        if let expected = update.expected {
            guard let record = record(expected) else { return nil }
            prerequisite = .equals(record.name, [record.data])
        }
        let delete = update.delete.compactMap { record($0) }
        let add = update.add.compactMap { record($0) }
        guard delete.count == update.delete.count, add.count == update.add.count else { return nil }
        return DNSUpdate(
            zone: zone, prerequisites: [prerequisite],
            operations: delete.map { .delete($0.name, $0.data) } + add.map { .add($0) })
    }
}
