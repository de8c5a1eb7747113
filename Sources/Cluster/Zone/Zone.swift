import Primitives

/// One resource record fsdns keeps, in its own words; names are absolute, lower case, without the last dot.
package struct ZoneRecord: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package enum Content: Hashable, Sendable, Codable {
        case address(IPAddress)
        case srv(priority: UInt16, weight: UInt16, port: UInt16, target: String)
        case txt(String)
    }
    package var name: String
    /// Whole seconds.
    package var ttl: UInt32
    package var content: Content

    package init(name: String, ttl: UInt32, content: Content) {
        self.name = name
        self.ttl = ttl
        self.content = content
    }

    /// `A`, `AAAA`, `SRV` or `TXT`.
    package var type: String {
        switch content {
        case .address(let ip): ip.family == .v4 ? "A" : "AAAA"
        case .srv: "SRV"
        case .txt: "TXT"
        }
    }

    /// The record's data as a zone file writes it.
    package var dataText: String {
        switch content {
        case .address(let ip): "\(ip)"
        case .srv(let priority, let weight, let port, let target): "\(priority) \(weight) \(port) \(target)."
        case .txt(let text): "\"\(text)\""
        }
    }

    package var description: String { "\(name). \(ttl) IN \(type) \(dataText)" }

    package static func < (a: ZoneRecord, b: ZoneRecord) -> Bool {
        (a.name, a.type, a.dataText, a.ttl) < (b.name, b.type, b.dataText, b.ttl)
    }
}

/// The record sets fsdns looks at on each server: a name and a type.
package struct ZoneQuestion: Hashable, Comparable, Sendable, Codable {
    package var name: String
    /// `A`, `AAAA`, `SRV`, `TXT` or `SOA`.
    package var type: String

    package init(name: String, type: String) {
        self.name = name
        self.type = type
    }

    package static func < (a: ZoneQuestion, b: ZoneQuestion) -> Bool { (a.name, a.type) < (b.name, b.type) }
}

/// What one server answered to every question, or why it could not be read; a failed read is never an absence.
package struct ServerReading: Hashable, Sendable, Codable {
    package enum Outcome: Hashable, Sendable, Codable {
        /// All questions were answered authoritatively; records sorted, serial from the SOA.
        case read(serial: UInt32, records: [ZoneRecord])
        case failed(String)
    }
    package var endpoint: Endpoint
    package var outcome: Outcome
    /// Names that were asked for and are a CNAME there, sorted; nil when there is none.
    package var aliases: [ZoneAlias]?
    /// True when it had to be asked without our key: it does not know the key, or signs with another one.
    package var isUnsigned: Bool?

    package init(
        endpoint: Endpoint, outcome: Outcome, aliases: [ZoneAlias]? = nil, isUnsigned: Bool? = nil
    ) {
        self.endpoint = endpoint
        self.outcome = outcome
        self.aliases = aliases
        self.isUnsigned = isUnsigned
    }

    package var serial: UInt32? {
        if case .read(let serial, _) = outcome { serial } else { nil }
    }

    /// What the server answered; nil when it could not be read.
    package var records: [ZoneRecord]? {
        if case .read(_, let records) = outcome { records } else { nil }
    }
}

/// A CNAME at a name fsdns looks at.
package struct ZoneAlias: Hashable, Comparable, Sendable, Codable {
    package var name: String
    package var target: String

    package init(name: String, target: String) {
        self.name = name
        self.target = target
    }

    package static func < (a: ZoneAlias, b: ZoneAlias) -> Bool { (a.name, a.target) < (b.name, b.target) }
}

/// One RFC 2136 update: all of it happens or none, and only if the zone's epoch is still the one that was read.
package struct ZoneUpdate: Hashable, Sendable, Codable {
    package var zone: String
    /// The epoch record that must be there now; nil when there must be none (RFC 2136 §2.4.2, §2.4.3).
    package var expected: ZoneRecord?
    /// Records that, with `expected`, must be the whole of each set they belong to; nil asks no more than `expected`.
    package var required: [ZoneRecord]?
    /// Owner of the epoch record.
    package var epochName: String
    /// Exact records to delete, sorted (RFC 2136 §2.5.4).
    package var delete: [ZoneRecord]
    /// Exact records to add, sorted (RFC 2136 §2.5.1); holds the new epoch record.
    package var add: [ZoneRecord]

    package init(
        zone: String, expected: ZoneRecord?, required: [ZoneRecord]? = nil, epochName: String,
        delete: [ZoneRecord], add: [ZoneRecord]
    ) {
        self.zone = zone
        self.expected = expected
        self.required = required
        self.epochName = epochName
        self.delete = delete
        self.add = add
    }

    /// Sets that must be there exactly so, sorted; the epoch record is in one of them unless it must be absent.
    package var requiredSets: [[ZoneRecord]] {
        var sets: [[ZoneRecord]] = []
        for record in ((expected.map { [$0] } ?? []) + (required ?? [])).sorted() {
            if let last = sets.last?.last, last.name == record.name, last.type == record.type {
                sets[sets.count - 1].append(record)
            } else {
                sets.append([record])
            }
        }
        return sets
    }

    /// Whether the epoch record's set must not be there at all.
    package var requiresNoEpoch: Bool {
        !requiredSets.contains { $0.first?.name == epochName && $0.first?.type == "TXT" }
    }

    /// Whether it changes nothing and only finds out whether it would be allowed.
    package var isProof: Bool { !add.contains { $0.name == epochName && $0.type == "TXT" } }

    /// Whether it is a proof whose prerequisite can never hold.
    package var isGuarded: Bool {
        required?.contains { $0.name == epochName && $0.content == .txt(DesiredZone.neverWritten) } ?? false
    }
}

/// How one update ended.
package enum ZoneUpdateOutcome: Hashable, Sendable, Codable {
    /// NOERROR, signature verified.
    case done
    /// A prerequisite failed (NXRRSET, YXRRSET, …): somebody else wrote the zone; read again.
    case prerequisiteFailed(String)
    /// The server said no (REFUSED, NOTAUTH, BADTIME, SERVFAIL, …).
    case refused(String)
    /// Nothing was heard, or nothing that could be trusted: the update may or may not have happened.
    case unknown(String)
}

/// The zone as `fsdns zone` shows it.
package struct ZoneReport: Hashable, Sendable, Codable {
    package var zone: String
    package var questions: [ZoneQuestion]
    package var desired: [ZoneRecord]
    package var readings: [ServerReading]
    /// What would be done now, each with its reason; empty when the zone is true.
    package var steps: [String]
    package var update: ZoneUpdate?
    /// Why nothing is done although something differs.
    package var held: String?
    /// What is wrong with the zone or the way to it, each a sentence; nil from a node that does not tell.
    package var troubles: [String]?
    /// What is left alone but perhaps not meant, each a sentence; nil from a node that does not tell.
    package var notices: [String]?

    package init(
        zone: String, questions: [ZoneQuestion], desired: [ZoneRecord], readings: [ServerReading],
        steps: [String], update: ZoneUpdate?, held: String?, troubles: [String]? = nil,
        notices: [String]? = nil
    ) {
        self.zone = zone
        self.questions = questions
        self.desired = desired
        self.readings = readings
        self.steps = steps
        self.update = update
        self.held = held
        self.troubles = troubles
        self.notices = notices
    }
}
