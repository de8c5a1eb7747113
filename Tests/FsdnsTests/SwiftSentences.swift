import Foundation

/// Just enough of Swift's grammar to find the texts a piece of source can say.
struct SwiftSentences {
    private let source: [UInt8]
    /// Stands for what an interpolation gives.
    static let gap: UInt8 = 0

    init(_ text: String) { source = Array(text.utf8) }

    private init(_ source: ArraySlice<UInt8>) { self.source = Array(source) }

    private func starts(_ word: String, at place: Int) -> Bool {
        source[place...].starts(with: word.utf8)
    }

    /// The literal that begins at a quotation mark, and where it ends.
    private func literal(at start: Int) -> (text: [UInt8], end: Int) {
        let mark = starts("\"\"\"", at: start) ? "\"\"\"" : "\""
        var place = start + mark.utf8.count
        var text: [UInt8] = []
        while place < source.count, !starts(mark, at: place) {
            if source[place] == UInt8(ascii: "\\"), place + 1 < source.count {
                if source[place + 1] == UInt8(ascii: "(") {
                    text.append(Self.gap)
                    place = closing(UInt8(ascii: "("), UInt8(ascii: ")"), from: place + 1)
                } else {
                    text.append(source[place + 1])
                    place += 2
                }
            } else {
                text.append(source[place])
                place += 1
            }
        }
        return (text, min(place + mark.utf8.count, source.count))
    }

    /// Behind the bracket that closes the first one at or after `start`.
    private func closing(_ open: UInt8, _ close: UInt8, from start: Int) -> Int {
        var depth = 0
        var place = start
        while place < source.count {
            if source[place] == UInt8(ascii: "\"") {
                place = literal(at: place).end
                continue
            }
            if starts("//", at: place) {
                place = source[place...].firstIndex(of: UInt8(ascii: "\n")) ?? source.count
                continue
            }
            if source[place] == open { depth += 1 }
            if source[place] == close {
                depth -= 1
                if depth == 0 { return place + 1 }
            }
            place += 1
        }
        return place
    }

    /// Where a word stands that is no part of a longer one.
    private func places(of word: String) -> [Int] {
        let bytes = Array(word.utf8)
        return source.indices.filter { place in
            guard starts(word, at: place) else { return false }
            let isWord = { (byte: UInt8) in
                byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
                    || Character(UnicodeScalar(byte)).isLetter
                    || Character(UnicodeScalar(byte)).isNumber
            }
            let end = place + bytes.count
            return (place == 0 || !isWord(source[place - 1])) && (end == source.count || !isWord(source[end]))
        }
    }

    /// The bodies of all functions, or computed properties, of that name.
    func bodies(of name: String) -> [SwiftSentences] {
        places(of: name).compactMap { place in
            let before = String(decoding: source[max(0, place - 5)..<place], as: UTF8.self)
            guard before.hasSuffix("func ") || before.hasSuffix("var ") else { return nil }
            guard let brace = source[place...].firstIndex(of: UInt8(ascii: "{")) else { return nil }
            return SwiftSentences(source[brace..<closing(UInt8(ascii: "{"), UInt8(ascii: "}"), from: brace)])
        }
    }

    /// What stands in brackets behind each such call.
    func calls(of name: String) -> [SwiftSentences] {
        places(of: name).compactMap { place in
            let start = place + name.utf8.count
            guard start < source.count, source[start] == UInt8(ascii: "(") else { return nil }
            return SwiftSentences(source[start..<closing(UInt8(ascii: "("), UInt8(ascii: ")"), from: start)])
        }
    }

    /// Functions whose result is added to `name`.
    func added(to name: String) -> [String] {
        let text = String(decoding: source, as: UTF8.self)
        return text.components(separatedBy: "\(name) += ").dropFirst().map { rest in
            String(rest.prefix { $0 == "_" || $0 == "." || $0.isLetter || $0.isNumber })
        }
    }

    /// All texts, joined where they are added to each other; those behind `key:` are not for people.
    var all: [String] {
        var found: [[UInt8]] = []
        var place = 0
        var end: Int?
        while place < source.count {
            if starts("//", at: place) {
                place = source[place...].firstIndex(of: UInt8(ascii: "\n")) ?? source.count
                continue
            }
            guard source[place] == UInt8(ascii: "\"") else {
                place += 1
                continue
            }
            let (text, next) = literal(at: place)
            let between = String(decoding: source[(end ?? place)..<place], as: UTF8.self)
            if end != nil, between.contains("+"), between.allSatisfy({ $0 == "+" || $0.isWhitespace }),
                let last = found.indices.last
            {
                found[last] += text
            } else if !String(decoding: source[..<place], as: UTF8.self).hasSuffix("key: ") {
                found.append(text)
            }
            end = next
            place = next
        }
        return found.map { String(decoding: $0, as: UTF8.self) }
    }

    /// By what a text is recognised: its first words that are always the same.
    static func mark(of text: String) -> String? {
        // What is said to a database.
        if text.contains("sqlite_master") || text.contains("pragma_") { return nil }
        let plain = text.replacing("`", with: "")
        let parts = plain.split { "\0:;()…“”".contains($0) }.map {
            $0.trimmingCharacters(in: CharacterSet(charactersIn: " ,."))
        }
        return parts.first { $0.utf8.count >= 12 && $0.contains(" ") }
    }
}
