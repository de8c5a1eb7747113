/// Text on its way to people: what would steer a terminal, end a line, turn the writing round or not be seen at all is
/// written out, as `\x1b` or `\u{202e}`.
///
/// Everything a phone, a caller, an operator or a program wrote goes through here once, where it leaves for a terminal
/// or a log. JSON does not: it is for programs, and escapes by its own rules.
package enum VisibleText {
    /// - Parameter longest: in characters; what is longer ends in an ellipsis.
    package static func of(_ text: some StringProtocol, longest: Int? = nil) -> String {
        var visible = ""
        if text.unicodeScalars.contains(where: isHidden) {
            for scalar in text.unicodeScalars {
                if isHidden(scalar) {
                    visible += written(scalar)
                } else {
                    visible.unicodeScalars.append(scalar)
                }
                // No need to look at what is cut off: it may be megabytes.
                if let longest, visible.utf8.count > 16 * longest + 64 { break }
            }
        } else {
            visible = String(text)
        }
        // A cluster of a thousand combining marks is one character, and fills the screen all the same.
        if let longest, visible.unicodeScalars.count > longest {
            return String(String.UnicodeScalarView(visible.unicodeScalars.prefix(max(0, longest - 1)))) + "…"
        }
        return visible
    }

    /// One line of a terminal; our own colours stay what they are.
    package static func line(_ text: String, keepingColours: Bool) -> String {
        guard keepingColours, text.utf8.contains(0x1B) else { return of(text) }
        var visible = ""
        var rest = text.unicodeScalars[...]
        while let escape = rest.firstIndex(of: "\u{1B}") {
            visible += of(Substring(rest[..<escape]))
            let tail = rest[escape...]
            if let colour = colours.first(where: { tail.starts(with: $0.unicodeScalars) }) {
                visible += colour
                rest = tail.dropFirst(colour.unicodeScalars.count)
            } else {
                visible += written("\u{1B}")
                rest = tail.dropFirst()
            }
        }
        return visible + of(Substring(rest))
    }

    /// Whether it is one line without anything hidden.
    package static func isPlain(_ text: String) -> Bool { !text.unicodeScalars.contains(where: isHidden) }

    /// All that we ever write (ECMA-48 §8.3.117): styles, and their end.
    private static let colours = ["0", "1", "2", "31", "32", "33"].map { "\u{1B}[\($0)m" }

    private static func written(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        guard scalar.value < 0x100 else { return "\\u{\(digits)}" }
        return "\\x" + (digits.count == 1 ? "0" : "") + digits
    }

    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0: true  // C0, DEL, C1
        case ..<0xFF: scalar.value == 0xAD  // the soft hyphen
        case 0x2028, 0x2029: true  // line and paragraph separators
        case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x206F: true  // the direction of writing
        case 0x200B, 0x2060...0x2064, 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F: true  // never seen
        default: false
        }
    }
}
