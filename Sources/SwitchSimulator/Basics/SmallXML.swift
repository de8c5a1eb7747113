/// An element of the small, regular XML that recovery rows are made of.
struct SmallXML: Hashable, Sendable {
    /// Why a text is not such XML; `offset` counts bytes.
    struct Failure: Error, Hashable, CustomStringConvertible {
        var reason: String
        var offset: Int
        var description: String { "not XML at byte \(offset): \(reason)" }
    }
    struct Attribute: Hashable, Sendable {
        var name: String
        var value: String
    }
    /// A row is 8 to 13 KB; more than this is refused unread.
    static let limit = 1 << 20
    private static let depthLimit = 32

    var name: String
    var attributes: [Attribute] = []
    var children: [SmallXML] = []
    /// Text directly inside, pieces joined.
    var text = ""

    subscript(child: String) -> SmallXML? { children.first { $0.name == child } }

    func attribute(_ name: String) -> String? { attributes.first { $0.name == name }?.value }

    /// The text of the element at a path of child names.
    func text(_ path: String...) -> String? {
        var element = self
        for step in path {
            guard let next = element[step] else { return nil }
            element = next
        }
        return element.text
    }

    init(name: String) { self.name = name }

    init(parsing source: String) throws(Failure) {
        var reader = Reader(Array(source.utf8))
        guard reader.bytes.count <= Self.limit else { throw Failure(reason: "longer than 1 MiB", offset: 0) }
        try reader.skipProlog()
        self = try reader.element(depth: 0)
        reader.skipSpace()
        guard reader.at == reader.bytes.count else { throw reader.failure("text after the end") }
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        func failure(_ reason: String) -> Failure { Failure(reason: reason, offset: at) }

        func starts(with text: StaticString) -> Bool {
            let count = text.utf8CodeUnitCount
            guard at + count <= bytes.count else { return false }
            return text.withUTF8Buffer { $0.elementsEqual(bytes[at..<at + count]) }
        }

        mutating func skipSpace() {
            while at < bytes.count, bytes[at] == 32 || (9...13).contains(bytes[at]) { at += 1 }
        }

        mutating func skipProlog() throws(Failure) {
            skipSpace()
            guard starts(with: "<?xml") else { return }
            while !starts(with: "?>") {
                guard at < bytes.count else { throw failure("the declaration does not end") }
                at += 1
            }
            at += 2
            skipSpace()
        }

        mutating func name() throws(Failure) -> String {
            let start = at
            while at < bytes.count, Self.isNameByte(bytes[at]) { at += 1 }
            guard at > start else { throw failure("a name is missing") }
            return String(decoding: bytes[start..<at], as: UTF8.self)
        }

        static func isNameByte(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
                UInt8(ascii: "."), UInt8(ascii: ":"), 0x80...:
                true
            default: false
            }
        }

        mutating func element(depth: Int) throws(Failure) -> SmallXML {
            guard depth < SmallXML.depthLimit else { throw failure("deeper than 32 elements") }
            guard at < bytes.count, bytes[at] == UInt8(ascii: "<") else { throw failure("no element") }
            at += 1
            var result = SmallXML(name: try name())
            while true {
                skipSpace()
                if starts(with: "/>") {
                    at += 2
                    return result
                }
                if starts(with: ">") {
                    at += 1
                    break
                }
                let attribute = try name()
                skipSpace()
                guard starts(with: "=") else { throw failure("an attribute without a value") }
                at += 1
                skipSpace()
                guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") || bytes[at] == UInt8(ascii: "'")
                else { throw failure("an attribute value without quotes") }
                let quote = bytes[at]
                at += 1
                result.attributes.append(Attribute(name: attribute, value: try characters(until: quote)))
                at += 1
            }
            try content(of: &result, depth: depth)
            return result
        }

        private mutating func content(of result: inout SmallXML, depth: Int) throws(Failure) {
            while true {
                result.text += try characters(until: UInt8(ascii: "<"))
                if starts(with: "</") {
                    at += 2
                    guard try name() == result.name else { throw failure("\(result.name) is not closed") }
                    skipSpace()
                    guard starts(with: ">") else { throw failure("an end tag does not end") }
                    at += 1
                    if !result.children.isEmpty { result.text = "" }
                    return
                }
                result.children.append(try element(depth: depth + 1))
            }
        }

        /// Text up to `end`, which is left to be read; entities replaced.
        mutating func characters(until end: UInt8) throws(Failure) -> String {
            var text: [UInt8] = []
            while at < bytes.count, bytes[at] != end {
                if bytes[at] == UInt8(ascii: "&") {
                    text += try entity()
                } else {
                    text.append(bytes[at])
                    at += 1
                }
            }
            guard at < bytes.count else { throw failure("it ends too early") }
            return String(decoding: text, as: UTF8.self)
        }

        private mutating func entity() throws(Failure) -> [UInt8] {
            guard let end = bytes[at...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
                throw failure("an entity does not end")
            }
            let name = String(decoding: bytes[(at + 1)..<end], as: UTF8.self)
            let named = ["amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'"]
            var text = named[name]
            if text == nil, name.hasPrefix("#") {
                let digits = name.dropFirst()
                let code =
                    digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits, radix: 10)
                text = code.flatMap(Unicode.Scalar.init).map { String(Character($0)) }
            }
            guard let text else { throw failure("unknown entity &\(name);") }
            at = end + 1
            return Array(text.utf8)
        }
    }
}
