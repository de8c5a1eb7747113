import ArgumentParser

/// Options that take one value and are given twice on a command line: the parser would silently take the last.
enum RepeatedOptions {
    /// What is wrong, as a sentence; nil when nothing is.
    static func refusal(of arguments: [String], by root: any ParsableCommand.Type) -> String? {
        let given = arguments.prefix { $0 != "--" }.filter(isOption).map(name)
        // Nearly every command line has nothing twice.
        guard Set(given).count < given.count, !given.contains("--help"),
            let command = CommandDescription.reached(by: arguments, from: root)?.command
        else { return nil }
        for option in command.arguments ?? [] where option.kind == "option" && !option.isRepeating {
            let count = given.count { option.spellings.contains($0) }
            if count > 1, let spelling = option.spellings.first {
                return "\(spelling) takes one value and is given \(count == 2 ? "twice" : "\(count) times"): "
                    + "give it once"
            }
        }
        return nil
    }

    private static func isOption(_ argument: String) -> Bool { argument.hasPrefix("-") && argument != "-" }

    /// `--to` of `--to=fs2`.
    private static func name(_ argument: String) -> String { String(argument.prefix { $0 != "=" }) }
}
