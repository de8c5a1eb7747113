import CLDNS

/// Owns one libldns packet for the length of one conversion.
private struct Packet: ~Copyable {
    let pointer: UnsafeMutablePointer<ldns_pkt>

    init(_ pointer: UnsafeMutablePointer<ldns_pkt>) { self.pointer = pointer }

    deinit { ldns_pkt_free(pointer) }

    func push(
        _ record: RawRecord, _ section: ldns_pkt_section, isQuestion: Bool = false
    ) throws(DNSFailure) {
        let rr = try RecordBytes.makeRR(record, isQuestion: isQuestion)
        guard ldns_pkt_push_rr(pointer, section, rr) else {
            ldns_rr_free(rr)
            throw .malformedMessage("record was not taken")
        }
    }

    func records(
        of list: UnsafeMutablePointer<ldns_rr_list>?
    ) throws(DNSFailure) -> [RawRecord] {
        guard let list else { return [] }
        var records: [RawRecord] = []
        for position in 0..<ldns_rr_list_rr_count(list) {
            guard let rr = ldns_rr_list_rr(list, position) else { continue }
            records.append(try RecordBytes.copy(rr))
        }
        return records
    }
}

extension DNSMessage {
    /// Reads a message, signed or not; the signature itself is `PacketScan`'s and `TSIGKey`'s business.
    ///
    /// Throws `malformedMessage` for bytes to be answered with FORMERR, `tooLong` above 65 535 bytes.
    package init(wire: [UInt8]) throws(DNSFailure) {
        try self.init(try PacketScan(wire))
    }

    package init(_ scan: PacketScan) throws(DNSFailure) {
        var pointer: UnsafeMutablePointer<ldns_pkt>?
        let status = ldns_wire2pkt(&pointer, scan.unsigned, scan.unsigned.count)
        guard status == LDNS_STATUS_OK, let pointer else {
            throw .malformedMessage(RecordBytes.reason(status))
        }
        let packet = Packet(pointer)
        self.init(
            id: scan.id, isReply: ldns_pkt_qr(pointer), operation: scan.operation,
            isAuthoritative: ldns_pkt_aa(pointer), isTruncated: ldns_pkt_tc(pointer),
            recursionDesired: ldns_pkt_rd(pointer), recursionAvailable: ldns_pkt_ra(pointer))
        questions = try packet.records(of: ldns_pkt_question(pointer)).map { record in
            DNSQuestion(name: record.name, type: record.type, recordClass: record.recordClass)
        }
        answerSection = try packet.records(of: ldns_pkt_answer(pointer))
        authoritySection = try packet.records(of: ldns_pkt_authority(pointer))
        additionalSection = try packet.records(of: ldns_pkt_additional(pointer))
        var code = UInt16(truncatingIfNeeded: ldns_pkt_get_rcode(pointer).rawValue) & 0xF
        if ldns_pkt_edns(pointer) {
            code |= UInt16(ldns_pkt_edns_extended_rcode(pointer)) << 4
            // RFC 6891 §6.2.3: less than 512 means 512.
            edns = EDNS(
                payload: max(ldns_pkt_edns_udp_size(pointer), 512), version: ldns_pkt_edns_version(pointer),
                dnssecOK: ldns_pkt_edns_do(pointer))
        }
        self.code = ResponseCode(code: code)
    }

    /// The bytes to send, names compressed; throws `tooLong` when 65 535 bytes do not hold them.
    package func wire() throws(DNSFailure) -> [UInt8] {
        guard let pointer = ldns_pkt_new() else { throw .malformedMessage("no memory") }
        let packet = Packet(pointer)
        ldns_pkt_set_id(pointer, id)
        ldns_pkt_set_qr(pointer, isReply)
        ldns_pkt_set_opcode(pointer, ldns_pkt_opcode(rawValue: UInt32(operation.code & 0xF)))
        ldns_pkt_set_aa(pointer, isAuthoritative)
        ldns_pkt_set_tc(pointer, isTruncated)
        ldns_pkt_set_rd(pointer, recursionDesired)
        ldns_pkt_set_ra(pointer, recursionAvailable)
        ldns_pkt_set_rcode(pointer, UInt8(code.code & 0xF))
        if let edns {
            ldns_pkt_set_edns_udp_size(pointer, max(edns.payload, 512))
            ldns_pkt_set_edns_extended_rcode(pointer, UInt8(code.code >> 4 & 0xFF))
            ldns_pkt_set_edns_version(pointer, edns.version)
            ldns_pkt_set_edns_do(pointer, edns.dnssecOK)
        }
        let sections = [
            (answerSection, LDNS_SECTION_ANSWER), (authoritySection, LDNS_SECTION_AUTHORITY),
            (additionalSection, LDNS_SECTION_ADDITIONAL),
        ]
        let count = questions.count + sections.reduce(0) { $0 + $1.0.count }
        guard count <= 5957 else { throw .tooLong(count * 11) }
        for question in questions {
            let record = RawRecord(
                name: question.name, type: question.type, recordClass: question.recordClass)
            try packet.push(record, LDNS_SECTION_QUESTION, isQuestion: true)
        }
        for (records, section) in sections {
            for record in records { try packet.push(record, section) }
        }
        return try packet.wire()
    }
}

extension Packet {
    func wire() throws(DNSFailure) -> [UInt8] {
        var bytes: UnsafeMutablePointer<UInt8>?
        var size = 0
        let status = ldns_pkt2wire(&bytes, pointer, &size)
        defer { free(bytes) }
        guard status == LDNS_STATUS_OK, let bytes else {
            throw .malformedMessage(RecordBytes.reason(status))
        }
        guard size <= 65_535 else { throw .tooLong(size) }
        return Array(UnsafeBufferPointer(start: bytes, count: size))
    }
}
