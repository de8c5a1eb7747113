/// Why something FreeSWITCH said cannot be used.
package enum SwitchFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// A header or field that the rest depends on is not there, or empty.
    case missing(String, in: String)
    /// A header or field that is there and says nothing sensible.
    case malformed(String, value: String, in: String)
    /// An answer that is not of the form it should have: what, and what is wrong with it.
    case unreadable(String, reason: String)
    case tooLarge(String, limit: Int)

    package var description: String {
        switch self {
        case .missing(let name, let whole): "\(whole) has no \(name)"
        case .malformed(let name, let value, let whole):
            "\(whole) has \(name) “\(Self.short(value))”, which means nothing"
        case .unreadable(let whole, let reason): "\(whole) cannot be read: \(reason)"
        case .tooLarge(let whole, let limit): "\(whole) is larger than \(limit)"
        }
    }

    /// What the switch wrote, as it is shown in a message: not endless.
    static func short(_ text: String) -> String { text.count > 80 ? text.prefix(80) + "…" : text }
}
