/// Takes fields from bytes of unknown origin; every read is checked and nothing traps.
struct FieldReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position: Int

    init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    var remaining: Int { bytes.count - position }

    /// The next byte, when there is one.
    var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    @inline(__always)
    mutating func byte() throws(RecordFailure) -> UInt8 {
        guard position < bytes.count else { throw .truncated }
        defer { position += 1 }
        return bytes[position]
    }

    @inline(__always)
    mutating func fixed64() throws(RecordFailure) -> UInt64 {
        guard remaining >= 8 else { throw .truncated }
        defer { position += 8 }
        return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
    }

    @inline(__always)
    mutating func number(_ field: StaticString) throws(RecordFailure) -> UInt64 {
        let first = try byte()
        if first < 0x80 { return UInt64(first) }
        return try longNumber(first, field)
    }

    private mutating func longNumber(_ first: UInt8, _ field: StaticString) throws(RecordFailure) -> UInt64 {
        var value = UInt64(first & 0x7F)
        var shift: UInt64 = 7
        while shift < 64 {
            let next = try byte()
            if shift == 63, next > 1 { break }
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 { return value }
            shift += 7
        }
        throw .malformed("\(field)")
    }

    /// A length or number of things that must not be more than `limit`, nor than the bytes that follow.
    @inline(__always)
    mutating func count(_ field: StaticString, limit: Int) throws(RecordFailure) -> Int {
        let value = try number(field)
        guard value <= UInt64(limit) else { throw .malformed("\(field)") }
        guard value <= UInt64(remaining) else { throw .truncated }
        return Int(value)
    }

    @inline(__always)
    mutating func raw(_ count: Int) throws(RecordFailure) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw .truncated }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
    }

    mutating func blob(_ field: StaticString, limit: Int) throws(RecordFailure) -> [UInt8] {
        let count = try count(field, limit: limit)
        return Array(try raw(count))
    }

    @inline(__always)
    mutating func content(_ field: StaticString, _ count: Int) throws(RecordFailure) -> String {
        let bytes = try raw(count)
        // Nearly all text is ASCII, and the library is several times quicker when it need not be asked.
        if isASCII(bytes) { return String(decoding: bytes, as: UTF8.self) }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .malformed("\(field)") }
        return text
    }

    mutating func text(_ field: StaticString, limit: Int = ReplicationLimits.payload) throws(RecordFailure)
        -> String
    {
        let count = try count(field, limit: limit)
        return try content(field, count)
    }

    mutating func flag(_ field: StaticString) throws(RecordFailure) -> Bool {
        let value = try byte()
        guard value <= 1 else { throw .malformed("\(field)") }
        return value == 1
    }

    func end() throws(RecordFailure) {
        guard remaining == 0 else { throw .malformed("end") }
    }
}

private func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var at = 0
    var seen: UInt64 = 0
    while bytes.count - at >= 8 {
        seen |= bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        at += 8
    }
    while at < bytes.count {
        seen |= UInt64(bytes[at])
        at += 1
    }
    return seen & 0x8080_8080_8080_8080 == 0
}

extension [UInt8] {
    /// `withUnsafeBytes`, but saying which error it throws.
    func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try withUnsafeBufferPointer { bytes throws(Failure) in try body(UnsafeRawBufferPointer(bytes)) }
    }
}
