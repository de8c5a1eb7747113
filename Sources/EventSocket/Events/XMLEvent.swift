/// `text/event-xml`: `<event><headers>` with one element a header and encoded values, then `<Content-Length>` and `<body>`.
///
/// Reads exactly the shape that FreeSWITCH writes (switch_event.c: switch_event_xmlize; switch_xml.c: switch_xml_toxml): no attributes,
/// no comments, nothing deeper.
enum XMLEvent {
    static func decode(_ bytes: [UInt8]) throws(EventError) -> SwitchEvent {
        var reader = XMLReader(bytes: bytes)
        var event = SwitchEvent(headers: Headers())
        guard try reader.open() == .opened("event") else { throw reader.error("<event>") }
        switch try reader.open() {
        case .opened("headers"):
            event.headers = Headers(try headers(&reader))
            try reader.close("headers")
        case .empty("headers"): break
        default: throw reader.error("<headers>")
        }
        if !reader.isAtClosingTag {
            guard try reader.open() == .opened("Content-Length") else {
                throw reader.error("<Content-Length>")
            }
            let length = try reader.text()
            try reader.close("Content-Length")
            guard let length = Decimal.parse(length) else { throw .badContentLength(length) }
            guard try reader.open() == .opened("body") else { throw reader.error("<body>") }
            event.body = try reader.body(length: length)
            try reader.close("body")
        }
        try reader.close("event")
        try reader.end()
        return event
    }

    /// Neighbours of one name are the items of one list: that is how FreeSWITCH writes lists here.
    private static func headers(_ reader: inout XMLReader) throws(EventError) -> [Headers.Field] {
        var fields: [Headers.Field] = []
        var items: [String] = []
        func flush() {
            guard items.count > 1 else { return items = [] }
            fields[fields.count - 1].value = ArrayValue.join(items)
            items = []
        }
        while !reader.isAtClosingTag {
            let name: String
            var value = ""
            switch try reader.open() {
            case .opened(let opened):
                name = opened
                value = URLCoding.decode(try reader.text())
                try reader.close(name)
            case .empty(let empty): name = empty
            }
            if fields.last?.name == name {
                items.append(value)
                guard items.count < EventCodec.maximumHeaders else {
                    throw .tooManyHeaders(limit: EventCodec.maximumHeaders)
                }
                continue
            }
            flush()
            guard fields.count < EventCodec.maximumHeaders else {
                throw .tooManyHeaders(limit: EventCodec.maximumHeaders)
            }
            fields.append(Headers.Field(name, value))
            items = [value]
        }
        flush()
        return fields
    }

    /// Headers whose names cannot be an element's are left out: there is no way to write them.
    static func encode(_ event: SwitchEvent) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(event.headers.fields.count * 72 + event.body.count + 64)
        bytes.append(contentsOf: "<event>\n  <headers>".utf8)
        var count = 0
        for field in event.headers.fields where isName(field.name) {
            for value in ArrayValue.split(field.value) ?? [field.value] {
                if count == 0 { bytes.append(UInt8(ascii: "\n")) }
                bytes.append(contentsOf: "    <".utf8)
                bytes.append(contentsOf: field.name.utf8)
                bytes.append(UInt8(ascii: ">"))
                URLCoding.encode(value, keepsEscapes: true, into: &bytes)
                bytes.append(contentsOf: "</".utf8)
                bytes.append(contentsOf: field.name.utf8)
                bytes.append(contentsOf: ">\n".utf8)
                count += 1
            }
        }
        bytes.append(contentsOf: "\(count > 0 ? "  " : "")</headers>\n".utf8)
        if !event.body.isEmpty {
            bytes.append(contentsOf: "  <Content-Length>\(event.body.count)</Content-Length>\n  <body>".utf8)
            escape(event.body, &bytes)
            // A closing tag at the beginning of a line is indented.
            if bytes.last == UInt8(ascii: "\n") { bytes.append(contentsOf: "  ".utf8) }
            bytes.append(contentsOf: "</body>\n".utf8)
        }
        bytes.append(contentsOf: "</event>\n".utf8)
        return bytes
    }

    /// As switch_xml.c (switch_xml_ampencode): from a `<!` on nothing is escaped.
    private static func escape(_ body: [UInt8], _ bytes: inout [UInt8]) {
        for (index, byte) in body.enumerated() {
            switch byte {
            case UInt8(ascii: "&"): bytes.append(contentsOf: "&amp;".utf8)
            case UInt8(ascii: "<") where index + 1 < body.count && body[index + 1] == UInt8(ascii: "!"):
                return bytes.append(contentsOf: body[index...])
            case UInt8(ascii: "<"): bytes.append(contentsOf: "&lt;".utf8)
            case UInt8(ascii: ">"): bytes.append(contentsOf: "&gt;".utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: "&#xD;".utf8)
            default: bytes.append(byte)
            }
        }
    }

    static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, XMLReader.isNameByte(first), !XMLReader.isInnerOnly(first) else {
            return false
        }
        return text.utf8.allSatisfy(XMLReader.isNameByte)
    }
}

/// Reads tags and text.
struct XMLReader {
    enum Tag: Hashable {
        case opened(String)
        /// `<name/>`
        case empty(String)
    }
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    func error(_ expected: String) -> EventError { .xml(at: at, expected: expected) }

    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }

    private mutating func take(_ sign: UInt8) throws(EventError) {
        guard at < bytes.count, bytes[at] == sign else { throw error("“\(Character(UnicodeScalar(sign)))”") }
        at += 1
    }

    private mutating func name() throws(EventError) -> String {
        let start = at
        while at < bytes.count, Self.isNameByte(bytes[at]) { at += 1 }
        guard at > start, !Self.isInnerOnly(bytes[start]) else { throw error("a name") }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: ":"), 0x80...:
            true
        default: isInnerOnly(byte)
        }
    }

    /// Digits, `-` and `.` may not begin a name.
    static func isInnerOnly(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: ".")
    }

    var isAtClosingTag: Bool {
        mutating get {
            skipSpace()
            return at + 1 < bytes.count && bytes[at] == UInt8(ascii: "<")
                && bytes[at + 1] == UInt8(ascii: "/")
        }
    }

    mutating func open() throws(EventError) -> Tag {
        skipSpace()
        try take(UInt8(ascii: "<"))
        let name = try name()
        if at < bytes.count, bytes[at] == UInt8(ascii: "/") {
            at += 1
            try take(UInt8(ascii: ">"))
            return .empty(name)
        }
        try take(UInt8(ascii: ">"))
        return .opened(name)
    }

    mutating func close(_ expected: String) throws(EventError) {
        skipSpace()
        let start = at
        try take(UInt8(ascii: "<"))
        try take(UInt8(ascii: "/"))
        guard try name() == expected else { throw .xml(at: start, expected: "</\(expected)>") }
        try take(UInt8(ascii: ">"))
    }

    mutating func end() throws(EventError) {
        skipSpace()
        guard at == bytes.count else { throw error("the end") }
    }

    /// Text up to the next tag, entities resolved.
    mutating func text() throws(EventError) -> String {
        var text: [UInt8] = []
        while at < bytes.count, bytes[at] != UInt8(ascii: "<") { try character(into: &text) }
        return String(decoding: text, as: UTF8.self)
    }

    /// A body of that many bytes once entities are resolved; FreeSWITCH escapes nothing from a `<!` on.
    mutating func body(length: Int) throws(EventError) -> [UInt8] {
        var text: [UInt8] = []
        while text.count < length, at < bytes.count {
            if bytes[at] == UInt8(ascii: "<") {
                guard at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "!") else { break }
                let rest = min(length - text.count, bytes.count - at)
                text.append(contentsOf: bytes[at..<at + rest])
                at += rest
                break
            }
            try character(into: &text)
        }
        guard text.count == length else { throw .bodyLength(stated: length, found: text.count) }
        return text
    }

    private mutating func character(into text: inout [UInt8]) throws(EventError) {
        guard bytes[at] == UInt8(ascii: "&") else {
            text.append(bytes[at])
            return at += 1
        }
        // The longest is &#x10FFFF;
        guard let end = bytes[at..<min(at + 11, bytes.count)].firstIndex(of: UInt8(ascii: ";")) else {
            throw error("an entity")
        }
        let name = String(decoding: bytes[at + 1..<end], as: UTF8.self)
        switch name {
        case "amp": text.append(UInt8(ascii: "&"))
        case "lt": text.append(UInt8(ascii: "<"))
        case "gt": text.append(UInt8(ascii: ">"))
        case "quot": text.append(UInt8(ascii: "\""))
        case "apos": text.append(UInt8(ascii: "'"))
        default:
            let number =
                name.hasPrefix("#x")
                ? UInt32(name.dropFirst(2), radix: 16)
                : name.hasPrefix("#") ? UInt32(name.dropFirst(1)) : nil
            guard let scalar = number.flatMap(UnicodeScalar.init) else { throw error("an entity") }
            text.append(contentsOf: String(Character(scalar)).utf8)
        }
        at = end + 1
    }
}
