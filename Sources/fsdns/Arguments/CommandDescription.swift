import ArgumentParser
import FoundationEssentials

/// What a command takes, read from the parser's own description of all commands, so that none can be left out.
struct CommandDescription: Decodable {
    struct Argument: Decodable {
        struct Name: Decodable {
            var kind: String
            var name: String
        }
        /// `option`, `flag` or `positional`.
        var kind: String
        var isOptional: Bool
        var isRepeating: Bool
        var names: [Name]?
        var valueName: String?

        var spellings: [String] { (names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name } }
    }
    private struct Document: Decodable {
        var command: CommandDescription
    }

    var commandName: String
    var subcommands: [CommandDescription]?
    var arguments: [Argument]?

    /// The description is large: ask for it only where a line looks odd.
    static func reached(by arguments: [String], from root: any ParsableCommand.Type) -> (
        command: CommandDescription, words: ArraySlice<String>
    )? {
        guard let data = root._dumpHelp().data(using: .utf8),
            let document = try? JSONDecoder().decode(Document.self, from: data)
        else { return nil }
        return document.command.reached(by: arguments[...])
    }

    /// The words before the first option lead to a command, those after it are its own.
    private func reached(
        by words: ArraySlice<String>
    ) -> (command: CommandDescription, words: ArraySlice<String>) {
        guard let word = words.first, let next = subcommands?.first(where: { $0.commandName == word })
        else { return (self, words) }
        return next.reached(by: words.dropFirst())
    }

    func option(_ spelling: String) -> Argument? {
        arguments?.first { $0.kind == "option" && $0.spellings.contains(spelling) }
    }
}
