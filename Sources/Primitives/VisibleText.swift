/// Text on its way to people: what would steer a terminal, end a line, turn the writing round or not be seen at all is
/// written out, as `\x1b` or `\u{202e}`.
///
/// Everything a phone, a caller, an operator or a program wrote goes through here once, where it leaves for a terminal
/// or a log; JSON too, with escapes of its own, as people look at that as well.
package enum VisibleText {
    /// - Parameter longest: in characters; what is longer ends in an ellipsis.
    package static func of(_ text: some StringProtocol, longest: Int? = nil) -> String {
        var visible = ""
        if !text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) {
            var marks = 0
            for scalar in text.unicodeScalars {
                marks = isMark(scalar) ? marks + 1 : 0
                if isHidden(scalar) || marks > mostMarks {
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

    /// One cell of a table: no longer than somebody reads, and without runs of blanks, which would look like other cells.
    package static func cell(_ text: String) -> String {
        let visible = of(text, longest: 160)
        guard hasRunOfBlanks(visible) else { return visible }
        var cell = ""
        var previous: Character?
        for character in visible {
            cell += character == " " && previous == " " ? "\\x20" : String(character)
            previous = character
        }
        return cell
    }

    /// Looks at bytes: tables have a hundred thousand cells.
    private static func hasRunOfBlanks(_ text: String) -> Bool {
        var isAfterBlank = false
        for byte in text.utf8 {
            if byte == 0x20, isAfterBlank { return true }
            isAfterBlank = byte == 0x20
        }
        return false
    }

    /// JSON text as it is, but for what `of` would write out: that becomes `\u` escapes (RFC 8259 §7), which mean the same.
    package static func json(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { isHidden($0) && $0 != "\n" }) else { return text }
        var json = ""
        for scalar in text.unicodeScalars {
            guard isHidden(scalar), scalar != "\n" else {
                json.unicodeScalars.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return json
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

    /// More on one letter write over the lines above and below; no script needs more.
    private static let mostMarks = 3

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x300 else { return false }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return true
        default: return false
        }
    }

    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x7F { return scalar.value < 0x20 }
        // Fillers, joiners, variation selectors and the like (Unicode, Default_Ignorable_Code_Point), and the empty Braille
        // pattern, which is a letter to Unicode.
        if scalar.properties.isDefaultIgnorableCodePoint || scalar.value == 0x2800 { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .privateUse,
            .unassigned:
            return true
        default: return false
        }
    }
}
