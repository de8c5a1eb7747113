import CLDNS

/// Turns records into libldns's structures and back; nothing of libldns leaves the folder.
enum RecordBytes {
    static func copy(_ rdf: UnsafeMutablePointer<ldns_rdf>) -> [UInt8] {
        guard let data = ldns_rdf_data(rdf) else { return [] }
        return Array(UnsafeBufferPointer(start: data, count: ldns_rdf_size(rdf)))
    }

    /// Copies a record out of libldns, its data uncompressed and in canonical form.
    static func copy(_ rr: UnsafeMutablePointer<ldns_rr>) throws(DNSFailure) -> RawRecord {
        guard let owner = ldns_rr_owner(rr), let name = DNSName(owner) else {
            throw .malformedRecord("no owner")
        }
        guard let type = UInt16(exactly: ldns_rr_get_type(rr).rawValue),
            let recordClass = UInt16(exactly: ldns_rr_get_class(rr).rawValue)
        else { throw .malformedRecord("type or class out of range") }
        var record = RawRecord(
            name: name, type: RecordType(rawValue: type), recordClass: RecordClass(rawValue: recordClass))
        if ldns_rr_is_question(rr) { return record }
        record.ttl = ldns_rr_ttl(rr)
        if Self.keepsCase(record.type) == false { ldns_rr2canonical(rr) }
        guard let buffer = ldns_buffer_new(512) else { throw .malformedRecord("no memory") }
        defer { ldns_buffer_free(buffer) }
        guard ldns_rr_rdata2buffer_wire(buffer, rr) == LDNS_STATUS_OK else {
            throw .malformedRecord("\(record.type) data of \(name)")
        }
        let count = ldns_buffer_position(buffer)
        guard count <= 65_535 else { throw .tooLong(count) }
        if count > 0, let start = ldns_buffer_begin(buffer) {
            record.data = Array(UnsafeBufferPointer(start: start, count: count))
        }
        return record
    }

    /// Types whose names `RecordData` compares without regard to case by itself.
    private static func keepsCase(_ type: RecordType) -> Bool {
        [.a, .aaaa, .ns, .cname, .ptr, .soa, .srv, .txt].contains(type)
    }

    /// A new libldns record the caller frees (or gives away).
    static func makeRR(
        _ record: RawRecord, isQuestion: Bool = false
    ) throws(DNSFailure) -> UnsafeMutablePointer<ldns_rr> {
        guard record.data.count <= 65_535 else { throw .tooLong(record.data.count) }
        guard let rr = ldns_rr_new() else { throw .malformedRecord("no memory") }
        let wire = record.name.wire
        guard let owner = ldns_dname_new_frm_data(UInt16(wire.count), wire) else {
            ldns_rr_free(rr)
            throw .malformedRecord("no memory")
        }
        ldns_rr_set_owner(rr, owner)
        ldns_rr_set_type(rr, record.type.ldns)
        ldns_rr_set_class(rr, ldns_rr_class(rawValue: UInt32(record.recordClass.rawValue)))
        ldns_rr_set_question(rr, isQuestion)
        if isQuestion { return rr }
        ldns_rr_set_ttl(rr, record.ttl)
        var data: [UInt8] = []
        data.append(network: UInt16(record.data.count))
        data += record.data
        var position = 0
        let status = ldns_wire2rdf(rr, data, data.count, &position)
        guard status == LDNS_STATUS_OK, position == data.count else {
            ldns_rr_free(rr)
            throw .malformedRecord("\(record.type) data of \(record.name)")
        }
        return rr
    }

    static func reason(_ status: ldns_status) -> String {
        guard let text = ldns_get_errorstr_by_id(status) else { return "error \(status.rawValue)" }
        return String(cString: text)
    }
}

extension DNSRecord {
    /// Reads one record of class IN in zone file syntax; names without a final dot are relative to `origin`.
    package init(_ text: String, origin: DNSName = .root) throws(DNSFailure) {
        guard text.utf8.count <= 262_144, !text.utf8.contains(0), !text.utf8.contains(0x0A) else {
            throw .malformedRecord("text is too long or not one line")
        }
        guard let originName = ldns_dname_new_frm_data(UInt16(origin.wire.count), origin.wire) else {
            throw .malformedRecord("no memory")
        }
        defer { ldns_rdf_deep_free(originName) }
        var rr: UnsafeMutablePointer<ldns_rr>?
        let status = ldns_rr_new_frm_str(&rr, text, 0, originName, nil)
        guard status == LDNS_STATUS_OK, let rr else {
            throw .malformedRecord("\"\(text.prefix(120))\": \(RecordBytes.reason(status))")
        }
        defer { ldns_rr_free(rr) }
        let record = try Self.take(rr)
        // libldns takes words such as `A60` for type 0, which it then writes in a way that it does not read.
        guard !Self.typeLists.contains(record.type) || !record.description.contains(" TYPE0") else {
            throw .malformedRecord("\"\(text.prefix(120))\": a type in the list is unknown")
        }
        // An empty list is read, and then written in a way that is not.
        guard !Self.typeLists.contains(record.type) || Self.isReadable(record.description) else {
            throw .malformedRecord("\"\(text.prefix(120))\": the list of types is incomplete")
        }
        self = record
    }

    private static func isReadable(_ text: String) -> Bool {
        var rr: UnsafeMutablePointer<ldns_rr>?
        guard ldns_rr_new_frm_str(&rr, text, 0, nil, nil) == LDNS_STATUS_OK else { return false }
        ldns_rr_free(rr)
        return true
    }

    /// NSEC, NSEC3 and CSYNC: their data end with a list of types (RFC 4034 §4.1.2, RFC 5155, RFC 7477).
    private static let typeLists = [47, 50, 62].map { RecordType(rawValue: $0) }

    /// Copies a record of class IN out of libldns.
    static func take(_ rr: UnsafeMutablePointer<ldns_rr>) throws(DNSFailure) -> DNSRecord {
        let raw = try RecordBytes.copy(rr)
        guard raw.recordClass == .in else { throw .malformedRecord("class \(raw.recordClass) is not IN") }
        guard !raw.type.isMeta else { throw .malformedRecord("type \(raw.type) cannot be stored") }
        return try raw.record()
    }
}

extension RecordData: CustomStringConvertible {
    /// Presentation text of the data alone: `10 20 5060 sip1.example.`.
    package var description: String {
        let raw = RawRecord(name: .root, type: type, recordClass: .in, data: wire)
        guard let rr = try? RecordBytes.makeRR(raw) else { return generic }
        defer { ldns_rr_free(rr) }
        var parts: [String] = []
        for field in 0..<ldns_rr_rd_count(rr) {
            guard let text = ldns_rdf2str(ldns_rr_rdf(rr, field)) else { return generic }
            parts.append(String(cString: text))
            free(text)
        }
        return parts.isEmpty ? generic : parts.joined(separator: " ")
    }

    /// RFC 3597 §5 text, which every server reads.
    private var generic: String {
        if wire.isEmpty { return "\\# 0" }
        let hex = wire.map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        return "\\# \(wire.count) \(hex.joined())"
    }
}
