/// Writes fields one after another into memory its caller knows to be large enough.
struct FieldWriter {
    private let start: UnsafeMutableRawPointer
    private(set) var count = 0

    /// The most bytes a number takes.
    static let number = 10

    init(_ start: UnsafeMutableRawPointer) { self.start = start }

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        start.storeBytes(of: value, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    @inline(__always)
    mutating func fixed64(_ value: UInt64) {
        start.storeBytes(of: value.littleEndian, toByteOffset: count, as: UInt64.self)
        count += 8
    }

    /// LEB128: seven bits a byte, the lowest first.
    @inline(__always)
    mutating func number(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func number(_ value: Int) { number(UInt64(value)) }

    @inline(__always)
    mutating func raw(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        (start + count).copyMemory(from: base, byteCount: bytes.count)
        count += bytes.count
    }

    @inline(__always)
    mutating func raw(_ bytes: [UInt8]) { bytes.withUnsafeBytes { raw($0) } }

    mutating func blob(_ bytes: [UInt8]) {
        number(bytes.count)
        raw(bytes)
    }

    /// The bytes of a text without its length.
    @inline(__always)
    mutating func content(_ text: String) {
        let utf8 = text.utf8
        let done: Void? = utf8.withContiguousStorageIfAvailable { raw(UnsafeRawBufferPointer($0)) }
        if done == nil { for unit in utf8 { byte(unit) } }
    }

    @inline(__always)
    mutating func text(_ text: String) {
        number(text.utf8.count)
        content(text)
    }

    /// Bytes of at most `capacity`, as `write` writes them.
    static func bytes(capacity: Int, _ write: (inout FieldWriter) -> Void) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            var writer = FieldWriter(UnsafeMutableRawPointer(base))
            write(&writer)
            precondition(writer.count <= capacity, "more bytes written than were reckoned")
            count = writer.count
        }
    }
}
