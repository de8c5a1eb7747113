/// Counts the attributes of every element before a parser sees them: libxml2 compares each with all before it, and
/// chains them by walking to the last, so that some ten thousand of them keep it busy for seconds.
enum AttributeCount {
    /// Of one element, its namespaces among them.
    static let limit = 256

    /// The line of the first element that has more; nil when there is none. Looks at each byte once.
    static func excess(in bytes: [UInt8]) -> Int? {
        var line = 1
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            if byte == 0x0A { line += 1 }
            guard byte == UInt8(ascii: "<") else { continue }
            if let end = passage(bytes, at: place) {
                line += bytes[place..<end].count { $0 == 0x0A }
                place = end
                continue
            }
            var count = 0
            var quote: UInt8?
            while place < bytes.count {
                let byte = bytes[place]
                place += 1
                if byte == 0x0A { line += 1 }
                if let open = quote {
                    if byte == open { quote = nil }
                } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                    quote = byte
                } else if byte == UInt8(ascii: ">") {
                    break
                } else if byte == UInt8(ascii: "=") {
                    count += 1
                    if count > limit { return line }
                }
            }
        }
        return nil
    }

    /// Where a comment, a section of plain text or an instruction ends that begins there, after its `<`.
    private static func passage(_ bytes: [UInt8], at start: Int) -> Int? {
        for (begin, end) in [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")]
        where bytes[start...].starts(with: begin.utf8) {
            let end = Array(end.utf8)
            var place = start + begin.utf8.count
            while place < bytes.count {
                if bytes[place] == end[0], bytes[place...].starts(with: end) { return place + end.count }
                place += 1
            }
            return bytes.count
        }
        return nil
    }
}
