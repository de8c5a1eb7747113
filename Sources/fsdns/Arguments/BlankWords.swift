import ArgumentParser

/// Words of a command line that are empty or blank, as a variable makes them that is not set: they name nothing.
enum BlankWords {
    /// To give no reason is allowed.
    private static let mayBeBlank = ["--reason"]

    /// What is wrong, as a sentence; nil when nothing is.
    static func refusal(of arguments: [String], by root: any ParsableCommand.Type) -> String? {
        let mayHaveBlank = arguments.contains { isBlank($0) || $0.hasPrefix("-") && isBlank(value(of: $0)) }
        guard mayHaveBlank, let (command, words) = CommandDescription.reached(by: arguments, from: root)
        else { return nil }
        var places = (command.arguments ?? []).filter { $0.kind == "positional" }[...]
        var taker: CommandDescription.Argument?
        var areOptionsOver = false
        for word in words {
            if let option = taker {
                taker = nil
                if isBlank(word), let refusal = refusal(of: option) { return refusal }
            } else if !areOptionsOver, word == "--" {
                areOptionsOver = true
            } else if !areOptionsOver, word.hasPrefix("-"), word != "-" {
                guard let option = command.option(String(word.prefix { $0 != "=" })) else { continue }
                if !word.contains("=") {
                    taker = option
                } else if isBlank(value(of: word)), let refusal = refusal(of: option) {
                    return refusal
                }
            } else {
                let place = places.first
                if place?.isRepeating == false { places.removeFirst() }
                if isBlank(word) {
                    return "\(place?.valueName.map { "<\($0)>" } ?? "a word") is empty: name it"
                }
            }
        }
        return nil
    }

    private static func refusal(of option: CommandDescription.Argument) -> String? {
        guard let spelling = option.spellings.first, !mayBeBlank.contains(spelling) else { return nil }
        return "\(spelling) is given nothing: give it a value\(option.isOptional ? ", or leave it out" : "")"
    }

    /// What follows the `=`; a text that is not blank without one.
    private static func value(of word: String) -> String {
        word.firstIndex(of: "=").map { String(word[word.index(after: $0)...]) } ?? word
    }

    private static func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }
}
