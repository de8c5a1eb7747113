import Primitives
import Testing

@Suite("Text for people")
struct VisibleTextTests {
    @Test(
        "what steers a terminal, ends a line or turns writing round is written out",
        arguments: [
            ("plain “Ümläut” 電話 🎉", "plain “Ümläut” 電話 🎉"),
            ("\u{1B}]0;pwned\u{07}\u{1B}[2J", #"\x1b]0;pwned\x07\x1b[2J"#),
            ("10\n\napi shutdown\r\t\0", #"10\x0a\x0aapi shutdown\x0d\x09\x00"#),
            ("\u{7F}\u{9B}31m\u{85}", #"\x7f\x9b31m\x85"#),
            ("a\u{2028}b\u{2029}c", #"a\u{2028}b\u{2029}c"#),
            ("\u{202E}evil\u{2066}\u{200F}\u{061C}", #"\u{202e}evil\u{2066}\u{200f}\u{61c}"#),
            ("a\u{200B}\u{FEFF}\u{E0041}\u{AD}", #"a\u{200b}\u{feff}\u{e0041}\xad"#),
            ("\r\n", #"\x0d\x0a"#),
            ("q\u{115F}\u{3164}\u{2800}\u{180E}", #"q\u{115f}\u{3164}\u{2800}\u{180e}"#),
            ("\u{34F}\u{17B4}\u{FE0F}\u{E0100}\u{200D}", #"\u{34f}\u{17b4}\u{fe0f}\u{e0100}\u{200d}"#),
            ("\u{1D173}\u{1BCA0}\u{A0}\u{3000}", #"\u{1d173}\u{1bca0}\xa0\u{3000}"#),
        ])
    func written(text: String, visible: String) {
        #expect(VisibleText.of(text) == visible)
        #expect(VisibleText.isPlain(text) == (text == visible))
    }

    @Test("our own colours pass where there are any, and no others")
    func colours() {
        let text = "\u{1B}[31mlost\u{1B}[0m \u{1B}[2J\u{1B}[5m\u{1B}"
        #expect(VisibleText.line(text, keepingColours: false) == #"\x1b[31mlost\x1b[0m \x1b[2J\x1b[5m\x1b"#)
        #expect(
            VisibleText.line(text, keepingColours: true)
                == "\u{1B}[31mlost\u{1B}[0m " + #"\x1b[2J\x1b[5m\x1b"#)
    }

    @Test("marks upon marks are written out, those of a word are not") func marks() {
        let few = "e\u{301}\u{302}\u{303}x"
        #expect(VisibleText.of(few) == few)
        #expect(VisibleText.of("e" + String(repeating: "\u{301}", count: 5)).hasSuffix(#"\u{301}\u{301}"#))
    }

    @Test("a cell of a table is bounded, and holds no blanks that look like other cells") func cells() {
        #expect(VisibleText.cell("a b") == "a b")
        #expect(VisibleText.cell("a   b") == #"a \x20\x20b"#)
        #expect(VisibleText.cell(String(repeating: "x", count: 5000)).count == 160)
    }

    @Test("JSON means the same and steers no terminal") func json() {
        let text = "{\n  \"user\" : \"\u{9B}2J\u{202E}\u{E0041}ü\u{7F}\"\n}"
        #expect(
            VisibleText.json(text) == "{\n  \"user\" : \"\\u009b2J\\u202e\\udb40\\udc41ü\\u007f\"\n}")
        #expect(VisibleText.json("[1]\n") == "[1]\n")
    }

    @Test("what is too long is cut, however it is made up")
    func long() {
        #expect(VisibleText.of("abcdef", longest: 6) == "abcdef")
        #expect(VisibleText.of("abcdefg", longest: 6) == "abcde…")
        #expect(VisibleText.of(String(repeating: "\n", count: 100_000), longest: 100).count == 100)
        let marks = "a" + String(repeating: "\u{301}", count: 5000)
        #expect(VisibleText.of(marks, longest: 100).unicodeScalars.count == 100)
    }
}
