/// One resource record of class IN.
package struct DNSRecord: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var name: DNSName
    /// Seconds, 0 to 2 147 483 647 (RFC 2181 §8).
    package var ttl: UInt32
    package var data: RecordData

    package init(name: DNSName, ttl: UInt32, data: RecordData) {
        self.name = name
        self.ttl = ttl
        self.data = data
    }

    package var type: RecordType { data.type }

    /// Presentation text on one line: `sip.example. 60 IN A 10.0.0.1`.
    package var description: String { "\(name) \(ttl) IN \(type) \(data)" }

    /// Canonical name order, then type, then data, then TTL.
    package static func < (a: DNSRecord, b: DNSRecord) -> Bool {
        if a.name != b.name { return a.name < b.name }
        if a.type != b.type { return a.type < b.type }
        if a.data != b.data {
            return a.data.canonicalWire.lexicographicallyPrecedes(b.data.canonicalWire)
        }
        return a.ttl < b.ttl
    }
}

/// A record as messages carry it, of any class and possibly without data (RFC 2136 §2.4, §2.5).
package struct RawRecord: Hashable, Sendable {
    package var name: DNSName
    package var type: RecordType
    package var recordClass: RecordClass
    package var ttl: UInt32
    /// Uncompressed data bytes, at most 65 535.
    package var data: [UInt8]

    package init(
        name: DNSName, type: RecordType, recordClass: RecordClass, ttl: UInt32 = 0, data: [UInt8] = []
    ) {
        self.name = name
        self.type = type
        self.recordClass = recordClass
        self.ttl = ttl
        self.data = data
    }

    package init(_ record: DNSRecord, recordClass: RecordClass = .in) {
        self.init(
            name: record.name, type: record.type, recordClass: recordClass, ttl: record.ttl,
            data: record.data.wire)
    }

    /// The typed record, whatever the class; a TTL with its top bit set counts as zero (RFC 2181 §8).
    package func record() throws(DNSFailure) -> DNSRecord {
        DNSRecord(
            name: name, ttl: ttl > 0x7FFF_FFFF ? 0 : ttl, data: try RecordData(type: type, wire: data))
    }
}
