/// Replies on their way to one client, as RESP2 bytes; its memory is used again and again.
package struct RESPReplies: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() { bytes.reserveCapacity(4096) }

    package var isEmpty: Bool { bytes.isEmpty }

    package mutating func removeAll() {
        // What one large pipeline needed is not kept for ever.
        bytes.removeAll(keepingCapacity: bytes.count <= 65_536)
    }

    package mutating func status(_ text: StaticString) {
        bytes.append(UInt8(ascii: "+"))
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
        lineEnd()
    }

    /// - Parameter text: begins with a word in capitals, as `ERR` or `NOAUTH`; line ends in it become spaces.
    package mutating func failure(_ text: String) {
        bytes.append(UInt8(ascii: "-"))
        for byte in text.utf8 { bytes.append(byte == 13 || byte == 10 ? 32 : byte) }
        lineEnd()
    }

    package mutating func integer(_ value: UInt64) { header(UInt8(ascii: ":"), value) }

    package mutating func bulk(_ value: UnsafeRawBufferPointer) {
        header(UInt8(ascii: "$"), UInt64(value.count))
        bytes.append(contentsOf: value)
        lineEnd()
    }

    package mutating func bulk(_ text: String) {
        var text = text
        text.withUTF8 { bulk(UnsafeRawBufferPointer($0)) }
    }

    /// The number as a bulk string, as GET answers.
    package mutating func bulk(_ value: UInt64) {
        var digits = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            digits += 1
        }
        header(UInt8(ascii: "$"), UInt64(digits))
        decimal(value)
        lineEnd()
    }

    package mutating func none() {
        bytes.append(UInt8(ascii: "$"))
        bytes.append(UInt8(ascii: "-"))
        bytes.append(UInt8(ascii: "1"))
        lineEnd()
    }

    /// So many replies follow as one array.
    package mutating func array(_ count: Int) { header(UInt8(ascii: "*"), UInt64(count)) }

    private mutating func header(_ kind: UInt8, _ value: UInt64) {
        bytes.append(kind)
        decimal(value)
        lineEnd()
    }

    private mutating func decimal(_ value: UInt64) {
        if value < 10 { return bytes.append(48 + UInt8(truncatingIfNeeded: value)) }
        let start = bytes.count
        var rest = value
        while rest > 0 {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            bytes.append(48 + UInt8(truncatingIfNeeded: digit))
            rest = quotient
        }
        var low = start
        var high = bytes.count - 1
        while low < high {
            bytes.swapAt(low, high)
            low += 1
            high -= 1
        }
    }

    private mutating func lineEnd() {
        bytes.append(13)
        bytes.append(10)
    }
}
