/// Reads network-order numbers and names from a message; every read that would pass the end throws.
struct ByteReader {
    /// A name has at most 127 labels, so an honest one never needs more pointers.
    private static let hopLimit = 127

    let bytes: [UInt8]
    /// One past the last byte that may be read.
    let end: Int
    private(set) var offset: Int

    init(_ bytes: [UInt8], from offset: Int = 0, to end: Int? = nil) {
        self.bytes = bytes
        self.offset = offset
        self.end = end ?? bytes.count
    }

    var isAtEnd: Bool { offset == end }

    mutating func readUInt8() throws(DNSFailure) -> UInt8 {
        try readBytes(1)[0]
    }

    mutating func readUInt16() throws(DNSFailure) -> UInt16 {
        try readBytes(2).reduce(0) { $0 << 8 | UInt16($1) }
    }

    mutating func readUInt32() throws(DNSFailure) -> UInt32 {
        try readBytes(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The 48-bit seconds of RFC 8945 §4.2.
    mutating func readUInt48() throws(DNSFailure) -> UInt64 {
        try readBytes(6).reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func readBytes(_ count: Int) throws(DNSFailure) -> [UInt8] {
        guard count <= end - offset else { throw .malformedMessage("cut off at byte \(end)") }
        defer { offset += count }
        return Array(bytes[offset..<(offset + count)])
    }

    /// Reads a name, following compression pointers, which must lead backwards (RFC 1035 §4.1.4).
    mutating func readName() throws(DNSFailure) -> DNSName {
        var name: [UInt8] = []
        var position = offset
        var after: Int?
        var hops = 0
        while true {
            guard position < end else { throw .malformedMessage("name cut off at byte \(end)") }
            let length = Int(bytes[position])
            if length == 0 { break }
            if length >= 0xC0 {
                guard position + 1 < end else { throw .malformedMessage("name cut off at byte \(end)") }
                let target = (length & 0x3F) << 8 | Int(bytes[position + 1])
                hops += 1
                guard target < position, hops <= Self.hopLimit else {
                    throw .malformedMessage("bad compression pointer at byte \(position)")
                }
                if after == nil { after = position + 2 }
                position = target
            } else {
                guard length <= 63, position + length < end, name.count + length + 2 <= 255 else {
                    throw .malformedMessage("bad label at byte \(position)")
                }
                name += bytes[position...(position + length)]
                position += length + 1
            }
        }
        name.append(0)
        guard let valid = DNSName(wire: name) else { throw .malformedMessage("bad name at byte \(offset)") }
        offset = after ?? position + 1
        return valid
    }
}

extension [UInt8] {
    mutating func append(network value: UInt16) { self += [UInt8(value >> 8), UInt8(value & 0xFF)] }

    mutating func append(network value: UInt32) {
        append(network: UInt16(value >> 16))
        append(network: UInt16(value & 0xFFFF))
    }

    /// Six bytes, as RFC 8945 §4.2 writes seconds.
    mutating func append(network48 value: UInt64) {
        append(network: UInt16(value >> 32 & 0xFFFF))
        append(network: UInt32(value & 0xFFFF_FFFF))
    }
}
