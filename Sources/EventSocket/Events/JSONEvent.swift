/// `text/event-json`: one flat object of strings (or lists of strings), the body under `_body`.
///
/// Reads exactly this shape and nothing deeper, so that no input can cost more than its length.
enum JSONEvent {
    private static let bodyKey = "_body"

    static func decode(_ bytes: [UInt8]) throws(EventError) -> SwitchEvent {
        var reader = JSONReader(bytes: bytes)
        var fields: [Headers.Field] = []
        fields.reserveCapacity(min(bytes.count / 32 + 8, 512))
        var body: [UInt8] = []
        try reader.expect(UInt8(ascii: "{"))
        if !reader.take(UInt8(ascii: "}")) {
            repeat {
                let name = try reader.string()
                try reader.expect(UInt8(ascii: ":"))
                if name == bodyKey {
                    body = Array(try reader.string().utf8)
                    continue
                }
                guard fields.count < EventCodec.maximumHeaders else {
                    throw .tooManyHeaders(limit: EventCodec.maximumHeaders)
                }
                let value = try reader.isAtArray ? ArrayValue.join(reader.strings()) : reader.string()
                fields.append(Headers.Field(name, value))
            } while reader.take(UInt8(ascii: ","))
            try reader.expect(UInt8(ascii: "}"))
        }
        try reader.end()
        // The serializer's length goes with the body; it tells bytes of a text that is already whole.
        if !body.isEmpty, fields.last?.name == "Content-Length" { fields.removeLast() }
        return SwitchEvent(headers: Headers(fields), body: body)
    }

    static func encode(_ event: SwitchEvent) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(event.headers.fields.count * 48 + event.body.count + 32)
        bytes.append(UInt8(ascii: "{"))
        for field in event.headers.fields {
            begin(field.name, &bytes)
            if let items = ArrayValue.split(field.value) {
                bytes.append(UInt8(ascii: "["))
                for (index, item) in items.enumerated() {
                    if index > 0 { bytes.append(UInt8(ascii: ",")) }
                    quote(item, &bytes)
                }
                bytes.append(UInt8(ascii: "]"))
            } else {
                quote(field.value, &bytes)
            }
        }
        if !event.body.isEmpty {
            begin("Content-Length", &bytes)
            quote("\(event.body.count)", &bytes)
            begin(bodyKey, &bytes)
            // JSON is text: a body that is not UTF-8 has its odd bytes replaced.
            quote(String(decoding: event.body, as: UTF8.self), &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private static func begin(_ name: String, _ bytes: inout [UInt8]) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        quote(name, &bytes)
        bytes.append(UInt8(ascii: ":"))
    }

    /// Escapes as cJSON.c (print_string_ptr) does: quotes, backslashes and control characters only.
    private static func quote(_ text: String, _ bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { text in
            var start = 0
            for at in 0..<text.count
            where text[at] < 0x20 || text[at] == UInt8(ascii: "\"") || text[at] == UInt8(ascii: "\\") {
                bytes.append(contentsOf: text[start..<at])
                bytes.append(contentsOf: escape(text[at]).utf8)
                start = at + 1
            }
            bytes.append(contentsOf: text[start...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func escape(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "\""): return "\\\""
        case UInt8(ascii: "\\"): return "\\\\"
        case 0x08: return "\\b"
        case 0x0C: return "\\f"
        case 0x0A: return "\\n"
        case 0x0D: return "\\r"
        case 0x09: return "\\t"
        default:
            let digits = String(byte, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
        }
    }
}

/// Reads strings and the signs between them.
private struct JSONReader {
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtArray: Bool {
        mutating get {
            skipSpace()
            return at < bytes.count && bytes[at] == UInt8(ascii: "[")
        }
    }

    mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }

    /// Whether this sign comes next; then it is passed.
    mutating func take(_ sign: UInt8) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == sign else { return false }
        at += 1
        return true
    }

    mutating func expect(_ sign: UInt8) throws(EventError) {
        guard take(sign) else { throw .json(at: at, expected: "“\(Character(UnicodeScalar(sign)))”") }
    }

    mutating func end() throws(EventError) {
        skipSpace()
        guard at == bytes.count else { throw .json(at: at, expected: "the end") }
    }

    mutating func strings() throws(EventError) -> [String] {
        try expect(UInt8(ascii: "["))
        if take(UInt8(ascii: "]")) { return [] }
        var items = [try string()]
        while take(UInt8(ascii: ",")) { items.append(try string()) }
        try expect(UInt8(ascii: "]"))
        return items
    }

    mutating func string() throws(EventError) -> String {
        guard take(UInt8(ascii: "\"")) else { throw .json(at: at, expected: "a string") }
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"),
            bytes[at] >= 0x20
        {
            at += 1
        }
        if at < bytes.count, bytes[at] == UInt8(ascii: "\"") {
            at += 1
            return String(decoding: bytes[start..<at - 1], as: UTF8.self)
        }
        var text = Array(bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw .json(at: at - 1, expected: "an escaped control character")
            default: text.append(byte)
            }
        }
        throw .json(at: at, expected: "the end of a string")
    }

    private mutating func escape(into text: inout [UInt8]) throws(EventError) {
        guard at < bytes.count else { throw .json(at: at, expected: "an escape") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: try scalar().utf8)
        default: throw .json(at: at - 1, expected: "an escape")
        }
    }

    /// The character of `\uXXXX`, two of them for one outside the basic plane.
    private mutating func scalar() throws(EventError) -> String {
        let first = try unit()
        if let scalar = UnicodeScalar(first) { return String(Character(scalar)) }
        guard UTF16.isLeadSurrogate(first), at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
            bytes[at + 1] == UInt8(ascii: "u")
        else { throw .json(at: at, expected: "the second half of a surrogate pair") }
        at += 2
        let second = try unit()
        guard UTF16.isTrailSurrogate(second) else {
            throw .json(at: at, expected: "the second half of a surrogate pair")
        }
        return String(decoding: [first, second], as: UTF16.self)
    }

    private mutating func unit() throws(EventError) -> UInt16 {
        guard bytes.count - at >= 4 else { throw .json(at: at, expected: "four hexadecimal digits") }
        var value: UInt16 = 0
        for byte in bytes[at..<at + 4] {
            guard let digit = URLCoding.digit(byte) else {
                throw .json(at: at, expected: "four hexadecimal digits")
            }
            value = value << 4 | UInt16(digit)
        }
        at += 4
        return value
    }
}
