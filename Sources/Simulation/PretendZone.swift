import Cluster
import Primitives

/// Pretends a zone on an authoritative server, as far as updates of exact records go (RFC 2136 §3).
struct PretendZone: Hashable, Sendable {
    let name: String
    private(set) var serial: UInt32 = 1
    /// Sorted.
    private(set) var records: [ZoneRecord]

    enum Verdict: Hashable, Sendable {
        case done
        case prerequisiteFailed(String)
        case refused(String)
    }

    init(name: String, records: [ZoneRecord]) {
        self.name = name
        self.records = records.sorted()
    }

    func records(_ name: String, _ type: String) -> [ZoneRecord] {
        records.filter { $0.name == name && $0.type == type }
    }

    func answer(_ questions: [ZoneQuestion]) -> [ZoneRecord] {
        records.filter { record in questions.contains { $0.name == record.name && $0.type == record.type } }
    }

    /// How a server takes an update that it says it carried out.
    enum Manner: Hashable, Sendable {
        case whole
        /// It does nothing of it, as BIND beside a CNAME.
        case ignoring
        /// It ignores a record that is there already, also with another TTL, as Knot does.
        case keepingTTL
    }

    /// All of it happens or none.
    mutating func apply(_ update: ZoneUpdate, _ manner: Manner = .whole) -> Verdict {
        guard update.zone == name else { return .refused("NOTAUTH") }
        if update.requiresNoEpoch, !records(update.epochName, "TXT").isEmpty {
            return .prerequisiteFailed("YXRRSET")
        }
        for set in update.requiredSets {
            guard let first = set.first,
                Set(records(first.name, first.type).map(\.content)) == Set(set.map(\.content))
            else { return .prerequisiteFailed("NXRRSET") }
        }
        guard (update.delete + update.add).allSatisfy({ isInside($0.name) }) else {
            return .refused("NOTZONE")
        }
        if manner == .ignoring { return .done }
        let before = records
        for gone in update.delete {
            records.removeAll { $0.name == gone.name && $0.content == gone.content }
        }
        for new in update.add {
            let isThere = records.contains { $0.name == new.name && $0.content == new.content }
            if manner == .keepingTTL, isThere { continue }
            records.removeAll { $0.name == new.name && $0.content == new.content }
            records.append(new)
        }
        records.sort()
        if records != before { serial += 1 }
        return .done
    }

    private func isInside(_ owner: String) -> Bool { owner == name || owner.hasSuffix("." + name) }
}

/// Pretends the name servers of the zone: one primary, secondaries that follow it, and their bad days.
struct NameServers: Sendable {
    enum Condition: Hashable, Sendable {
        case well
        /// Answers reads; refuses updates.
        case refusing
        /// Nothing arrives.
        case silent
        /// Does what it is told and its answer is lost.
        case forgetful
        /// Does what it is told when the asker has given up.
        case tardy
        /// Cannot be read; updates work.
        case unreadable
        /// Says that it carried updates out, and does nothing.
        case ignoring
        /// Ignores records that are there already, also with another TTL.
        case keepingTTL

        var manner: PretendZone.Manner {
            switch self {
            case .ignoring: .ignoring
            case .keepingTTL: .keepingTTL
            default: .whole
            }
        }
    }

    struct Server: Sendable {
        let endpoint: Endpoint
        var zone: PretendZone
        var condition = Condition.well
    }

    /// The first is the primary.
    var servers: [Server]

    /// How long an asker waits for an answer.
    static let patience = 500 * millisecond

    init(_ settings: DNSSettings, records: [ZoneRecord]) {
        let zone = PretendZone(name: settings.zone, records: records)
        servers = settings.servers.map { Server(endpoint: $0.endpoint, zone: zone) }
    }

    var primary: PretendZone { servers[0].zone }

    /// What every server answers now.
    func readings(_ questions: [ZoneQuestion]) -> [ServerReading] {
        servers.map { server in
            let outcome: ServerReading.Outcome
            switch server.condition {
            case .silent: outcome = .failed("no answer")
            case .unreadable: outcome = .failed("SERVFAIL")
            case .well, .refusing, .forgetful, .tardy, .ignoring, .keepingTTL:
                outcome = .read(serial: server.zone.serial, records: server.zone.answer(questions))
            }
            return ServerReading(endpoint: server.endpoint, outcome: outcome)
        }
    }

    /// Whether every server publishes exactly these for the name.
    func allServe(_ wanted: [IPAddress], for name: String) -> Bool {
        servers.allSatisfy { Self.addresses(in: $0.zone, of: name) == wanted.sorted() }
    }

    /// What the zone publishes for a name, sorted.
    static func addresses(in zone: PretendZone, of name: String) -> [IPAddress] {
        var found: [IPAddress] = []
        for record in zone.records where record.name == name {
            if case .address(let ip) = record.content { found.append(ip) }
        }
        return found.sorted()
    }
}
