/// A line typed at a console, as words: divided at spaces, with quotes and backslashes as in a shell.
enum CommandWords {
    enum Failure: Error, Hashable, CustomStringConvertible {
        case openQuote(Character)
        case danglingBackslash

        var description: String {
            switch self {
            case .openQuote(let quote): "a quote \(quote) is not closed"
            case .danglingBackslash: "the line ends with a backslash"
            }
        }
    }

    /// Nothing is expanded: neither variables nor patterns.
    static func split(_ line: String) throws(Failure) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in line {
            if isEscaped {
                // Within double quotes a backslash stands for itself before anything but `"` and `\`.
                if quote != nil, character != "\"", character != "\\" { word = (word ?? "") + "\\" }
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character == " " || character == "\t" {
                if let ended = word { words.append(ended) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let quote { throw .openQuote(quote) }
        if isEscaped { throw .danglingBackslash }
        if let word { words.append(word) }
        return words
    }
}
