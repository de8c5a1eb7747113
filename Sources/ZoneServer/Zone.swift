import DNSMessages

/// One zone's records in memory, as a value: what it answers and how an update changes it are pure functions.
package struct Zone: Hashable, Sendable {
    /// Why records do not make a zone.
    package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        case soaCount(Int)
        case noNameServer(DNSName)
        case outside(DNSRecord, zone: DNSName)
        case aliasWithOtherData(DNSName)
        /// A wildcard or DNAME: its names would be answered as if they were not there. Or a name that the zone's file could not
        /// give back.
        case notServed(DNSRecord)
        case tooManyRecords

        package var description: String {
            switch self {
            case .soaCount(let count): "a zone has exactly one SOA record, this has \(count)"
            case .noNameServer(let zone): "\(zone) has no NS record"
            case .outside(let record, let zone): "\(record) lies outside \(zone)"
            case .aliasWithOtherData(let name): "\(name) has a CNAME record beside others, or two"
            case .notServed(let record):
                "\(record) is a wildcard, a DNAME or longer than 255 characters, which this server does not serve"
            case .tooManyRecords:
                "more than \(Zone.recordLimit) records, or \(Zone.setLimit) of one name and type"
            }
        }
    }

    /// The records of one name and type: they share a TTL (RFC 2181 §5.2) and stand in canonical order.
    struct RecordSet: Hashable {
        var ttl: UInt32
        var data: [RecordData]
    }

    /// An update that would make the zone larger is answered with SERVFAIL.
    package static let recordLimit = 100_000
    /// Most records of one name and type; more would not fit into an answer anyway.
    package static let setLimit = 1000

    package let origin: DNSName
    /// The types of a name, sorted; the outer dictionary is only for looking up.
    private var names: [DNSName: [(type: RecordType, set: RecordSet)]] = [:]
    /// For each name, how many names at or below it have records: zero means the name does not exist.
    private var population: [DNSName: Int] = [:]
    private var recordCount = 0
    /// Once true, the value is to be thrown away.
    private(set) var isOverLimit = false

    /// Makes a zone of these records; the owner of the one SOA record is its name.
    package init(_ records: [DNSRecord]) throws(Failure) {
        let tops = Set(records.filter { $0.type == .soa }.map { $0 })
        guard tops.count == 1, let top = tops.first else { throw .soaCount(tops.count) }
        origin = top.name
        for record in records {
            guard record.name.isSubdomain(of: origin) else { throw .outside(record, zone: origin) }
            guard Self.serves(record) else { throw .notServed(record) }
            var set = self[record.name, record.type] ?? RecordSet(ttl: record.ttl, data: [])
            set.ttl = min(set.ttl, record.ttl)
            if !set.data.contains(record.data) { set.data.append(record.data) }
            self[record.name, record.type] = set
            guard !isOverLimit else { throw .tooManyRecords }
            let types = types(of: record.name)
            if types.contains(.cname), types.count > 1 || record.type == .cname && set.data.count > 1 {
                throw .aliasWithOtherData(record.name)
            }
        }
        guard self[origin, .ns] != nil else { throw .noNameServer(origin) }
    }

    /// As text, escapes and all: libldns reads no longer one back from the zone's file (`LDNS_MAX_DOMAINLEN`).
    private static let nameLimit = 255

    /// Whether the names a record speaks for are answered from it.
    static func serves(_ record: DNSRecord) -> Bool {
        record.name.labels.first.map(Array.init) != [UInt8(ascii: "*")] && record.type.rawValue != 39
            && record.name.description.utf8.count <= nameLimit
    }

    package static func == (a: Zone, b: Zone) -> Bool { a.records == b.records }

    package func hash(into hasher: inout Hasher) { hasher.combine(records) }

    /// Every record in canonical order.
    package var records: [DNSRecord] {
        names.keys.sorted().flatMap { name in types(of: name).flatMap { records(name, $0) } }
    }

    package var soa: StartOfAuthority {
        guard case .soa(let soa)? = self[origin, .soa]?.data.first else {
            preconditionFailure("zone \(origin) lost its SOA record")
        }
        return soa
    }

    package var serial: SerialNumber { soa.serial }

    /// The records of one name and type, in canonical order; `owner` prints them in the asker's case.
    package func records(_ name: DNSName, _ type: RecordType, owner: DNSName? = nil) -> [DNSRecord] {
        guard let set = self[name, type] else { return [] }
        return set.data.map { DNSRecord(name: owner ?? name, ttl: set.ttl, data: $0) }
    }

    /// The types a name has records of, sorted.
    package func types(of name: DNSName) -> [RecordType] { names[name]?.map(\.type) ?? [] }

    /// Whether the name or one below it has records (RFC 8020: else nothing below it exists either).
    package func exists(_ name: DNSName) -> Bool { population[name] != nil }

    /// The set of one name and type; never empty.
    subscript(name: DNSName, type: RecordType) -> RecordSet? {
        get { names[name]?.first { $0.type == type }?.set }
        set {
            let old = self[name, type]
            var sets = names[name] ?? []
            let wasEmpty = sets.isEmpty
            sets.removeAll { $0.type == type }
            if var new = newValue, !new.data.isEmpty {
                new.data.sort { $0.canonicalWire.lexicographicallyPrecedes($1.canonicalWire) }
                sets.insert((type, new), at: sets.firstIndex { type < $0.type } ?? sets.count)
                recordCount += new.data.count
                if new.data.count > Self.setLimit || recordCount > Self.recordLimit { isOverLimit = true }
            }
            recordCount -= old?.data.count ?? 0
            names[name] = sets.isEmpty ? nil : sets
            if wasEmpty != sets.isEmpty { populate(name, by: sets.isEmpty ? -1 : 1) }
        }
    }

    private mutating func populate(_ name: DNSName, by change: Int) {
        var next: DNSName? = name
        while let name = next {
            let count = population[name, default: 0] + change
            population[name] = count == 0 ? nil : count
            next = name == origin ? nil : name.parent
        }
    }
}
