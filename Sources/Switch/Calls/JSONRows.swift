/// Reads `{"row_count":N,"rows":[{…},…]}` with flat objects of strings, as FreeSWITCH's `show … as json` answers.
///
/// Nothing deeper is read, so no input can cost more than its length.
struct JSONRows {
    /// The longest answer that is read: 64 MiB, some 60,000 channels.
    static let byteLimit = 64 << 20
    /// The most fields of one row.
    static let fieldLimit = 256

    private let bytes: [UInt8]
    private let name: String
    private var at = 0

    /// - Parameters:
    ///   - name: of the command, for messages.
    ///   - row: is given each row's fields; a name that comes twice keeps its last value.
    static func read(
        _ bytes: [UInt8], name: String, row: ([String: String]) -> Void
    ) throws(SwitchFailure) {
        if bytes.count > byteLimit { throw .tooLarge(name, limit: byteLimit) }
        var reader = JSONRows(bytes: bytes, name: name)
        var stated: Int?
        var found = 0
        try reader.expect("{")
        repeat {
            let key = try reader.string()
            try reader.expect(":")
            switch key {
            case "row_count":
                let text = try reader.scalar()
                guard let count = Int(text) else { throw .malformed(key, value: text, in: name) }
                stated = count
            case "rows": found += try reader.rows(row)
            default: throw .unreadable(name, reason: "it has a field “\(SwitchFailure.short(key))”")
            }
        } while reader.take(",")
        try reader.expect("}")
        reader.skipSpace()
        guard reader.at == bytes.count else { throw .unreadable(name, reason: "something follows its end") }
        guard stated == found else {
            throw .unreadable(name, reason: "it tells of \(stated ?? 0) rows and has \(found)")
        }
    }

    private mutating func rows(_ row: ([String: String]) -> Void) throws(SwitchFailure) -> Int {
        try expect("[")
        if take("]") { return 0 }
        var count = 0
        repeat {
            row(try object())
            count += 1
        } while take(",")
        try expect("]")
        return count
    }

    private mutating func object() throws(SwitchFailure) -> [String: String] {
        var fields: [String: String] = [:]
        try expect("{")
        if take("}") { return fields }
        repeat {
            let key = try string()
            try expect(":")
            fields[key] = try scalar()
            if fields.count > Self.fieldLimit { throw failure("fewer fields") }
        } while take(",")
        try expect("}")
        return fields
    }

    /// A string, or a number, `true`, `false` or `null` as they are written.
    private mutating func scalar() throws(SwitchFailure) -> String {
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "\"") { return try string() }
        let start = at
        while at < bytes.count, Self.isBare(bytes[at]) { at += 1 }
        if at == start { throw failure("a value") }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private static func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private mutating func string() throws(SwitchFailure) -> String {
        try expect("\"")
        var text: [UInt8] = []
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            default: text.append(byte)
            }
        }
        throw failure("the end of a string")
    }

    private mutating func escape(into text: inout [UInt8]) throws(SwitchFailure) {
        guard at < bytes.count else { throw failure("an escape") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var units = [try unit()]
            if UTF16.isLeadSurrogate(units[0]), bytes.count - at > 1, bytes[at] == UInt8(ascii: "\\"),
                bytes[at + 1] == UInt8(ascii: "u")
            {
                at += 2
                units.append(try unit())
            }
            // A lone half becomes U+FFFD.
            text.append(contentsOf: String(decoding: units, as: UTF16.self).utf8)
        default: throw failure("an escape")
        }
    }

    private mutating func unit() throws(SwitchFailure) -> UInt16 {
        guard bytes.count - at >= 4 else { throw failure("four hexadecimal digits") }
        var value: UInt16 = 0
        for byte in bytes[at..<at + 4] {
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw failure("four hexadecimal digits")
            }
            value = value << 4 | UInt16(digit)
        }
        at += 4
        return value
    }

    private init(bytes: [UInt8], name: String) {
        self.bytes = bytes
        self.name = name
    }

    private mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[at]) { at += 1 }
    }

    private mutating func take(_ sign: Unicode.Scalar) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: sign) else { return false }
        at += 1
        return true
    }

    private mutating func expect(_ sign: Unicode.Scalar) throws(SwitchFailure) {
        guard take(sign) else { throw failure("“\(Character(sign))”") }
    }

    private func failure(_ expected: String) -> SwitchFailure {
        .unreadable(name, reason: "expected \(expected) at byte \(at)")
    }
}
