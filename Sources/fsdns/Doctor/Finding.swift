/// One thing the preflight looked at: whether it is right, and if not, what mends it.
struct Finding: Hashable, Sendable {
    enum Level: Int, Hashable, Sendable {
        case fine, notice, wrong
    }

    var level: Level
    var subject: String
    var text: String
    var fix: String?

    static func fine(_ subject: String, _ text: String) -> Finding {
        Finding(level: .fine, subject: subject, text: text)
    }

    /// Works, but not as well as it could.
    static func notice(_ subject: String, _ text: String, fix: String) -> Finding {
        Finding(level: .notice, subject: subject, text: text, fix: fix)
    }

    static func wrong(_ subject: String, _ text: String, fix: String) -> Finding {
        Finding(level: .wrong, subject: subject, text: text, fix: fix)
    }

    func lines(paint: Paint) -> [String] {
        let mark =
            switch level {
            case .fine: paint("ok  ", .good)
            case .notice: paint("note", .warn)
            case .wrong: paint("BAD ", .bad)
            }
        let first = "\(mark)  \(subject): \(text)"
        return fix.map { [first, "      fix: \($0)"] } ?? [first]
    }
}
