/// Colours for people: only on a terminal, and not where NO_COLOR asks for none.
struct Paint: Hashable, Sendable {
    enum Style: String, Hashable, Sendable {
        case plain = ""
        case bold = "1"
        case dim = "2"
        case good = "32"
        case warn = "33"
        case bad = "31"
    }

    var isOn: Bool

    static let off = Paint(isOn: false)

    /// What standard output wants.
    static var standard: Paint {
        Paint(isOn: Output.isTerminal && Environment.value("NO_COLOR") == nil)
    }

    func callAsFunction(_ text: String, _ style: Style) -> String {
        isOn && style != .plain && !text.isEmpty ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }
}
