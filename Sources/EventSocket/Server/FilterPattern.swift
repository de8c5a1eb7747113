/// A `/pattern/` of a filter.
struct FilterPattern: Hashable, Sendable {
    enum Failure: Error, Hashable, CustomStringConvertible {
        case unsupported
        var description: String { "regular expressions are not supported" }
    }
    init(_ text: String) throws(Failure) { throw .unsupported }
    func matches(_ value: String) -> Bool { false }
}
