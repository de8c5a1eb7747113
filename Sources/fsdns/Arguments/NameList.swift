/// Names with commas between them, each once; spaces around a name are no part of it.
struct NameList: Hashable, Sendable {
    var names: [String]

    /// Nil when a name is missing between two commas, or is there twice.
    init?(_ text: String) {
        names = text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            let front = part.drop(while: \.isWhitespace)
            return String(front.reversed().drop(while: \.isWhitespace).reversed())
        }
        guard !names.contains(""), Set(names).count == names.count else { return nil }
    }
}
