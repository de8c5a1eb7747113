/// A first look at a message's bytes, in bounded time: header, counts, and where its one TSIG record lies.
///
/// libldns takes any number of TSIG and OPT records and keeps the last (some versions leak the others:
/// NLnetLabs/ldns#317), so packets that are not as RFC 8945 and RFC 6891 want never reach it.
package struct PacketScan: Hashable, Sendable {
    package let id: UInt16
    package let isReply: Bool
    package let operation: OperationCode
    /// The header's four bits alone.
    package let code: ResponseCode
    package let questionCount: Int
    package let answerCount: Int
    package let authorityCount: Int
    package let additionalCount: Int
    /// The signature record, which must be the last (RFC 8945 §5.1); nil when the message is unsigned.
    package let signature: TSIGRecord?
    /// The message as it was before signing: no TSIG record, its original id.
    package let unsigned: [UInt8]

    /// Throws `malformedMessage` for bytes to be answered with FORMERR, `tooLong` above 65 535 bytes.
    package init(_ wire: [UInt8]) throws(DNSFailure) {
        guard wire.count <= 65_535 else { throw .tooLong(wire.count) }
        var reader = ByteReader(wire)
        id = try reader.readUInt16()
        let flags = try reader.readUInt16()
        isReply = flags & 0x8000 != 0
        operation = OperationCode(code: UInt8(flags >> 11 & 0xF))
        code = ResponseCode(code: flags & 0xF)
        var counts: [Int] = []
        for _ in 0..<4 { counts.append(Int(try reader.readUInt16())) }
        questionCount = counts[0]
        answerCount = counts[1]
        authorityCount = counts[2]
        additionalCount = counts[3]
        for _ in 0..<counts[0] {
            _ = try reader.readName()
            _ = try reader.readBytes(4)
        }
        let recordCount = counts[1] + counts[2] + counts[3]
        var optCount = 0
        var signature: TSIGRecord?
        var signatureStart = wire.count
        for position in 0..<recordCount {
            let start = reader.offset
            let name = try reader.readName()
            let type = RecordType(rawValue: try reader.readUInt16())
            if type == .tsig {
                guard position == recordCount - 1, counts[3] > 0 else {
                    throw .malformedMessage("a TSIG record is not the last record")
                }
                signature = try TSIGRecord(name: name, from: &reader)
                signatureStart = start
                continue
            }
            if type == .opt {
                optCount += 1
                guard optCount == 1, position >= counts[1] + counts[2], name == .root else {
                    throw .malformedMessage("misplaced OPT record")
                }
            }
            let recordClass = RecordClass(rawValue: try reader.readUInt16())
            _ = try reader.readBytes(4)
            let length = Int(try reader.readUInt16())
            // libldns reads the four bytes it wants and drops the others.
            if type == .a, recordClass == .in || recordClass == .none, length != 4, length != 0 {
                throw .malformedMessage("an A record of \(length) bytes")
            }
            _ = try reader.readBytes(length)
        }
        guard reader.isAtEnd else { throw .malformedMessage("bytes left over after the last record") }
        self.signature = signature
        unsigned = signature.map { Self.strip($0, from: wire, at: signatureStart, count: counts[3]) } ?? wire
    }

    private static func strip(
        _ signature: TSIGRecord, from wire: [UInt8], at start: Int, count: Int
    ) -> [UInt8] {
        var bytes = Array(wire[..<start])
        bytes[0] = UInt8(signature.originalID >> 8)
        bytes[1] = UInt8(signature.originalID & 0xFF)
        bytes[10] = UInt8((count - 1) >> 8)
        bytes[11] = UInt8((count - 1) & 0xFF)
        return bytes
    }
}
