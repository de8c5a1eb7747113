import ArgumentParser
import FoundationEssentials

/// Options that take one value and are given twice on a command line: the parser would silently take the last.
///
/// What each command takes is read from the parser's own description of them, so that no command can be left out.
enum RepeatedOptions {
    /// What is wrong, as a sentence; nil when nothing is.
    static func refusal(of arguments: [String], by root: any ParsableCommand.Type) -> String? {
        let given = arguments.prefix { $0 != "--" }.filter(isOption).map(name)
        // The description is large, and nearly every command line has nothing twice.
        guard Set(given).count < given.count, !given.contains("--help"),
            let data = root._dumpHelp().data(using: .utf8),
            let description = try? JSONDecoder().decode(Description.self, from: data)
        else { return nil }
        let command = description.command.reached(by: arguments)
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

    /// As `--experimental-dump-help` prints it.
    private struct Description: Decodable {
        var command: Command
    }

    private struct Command: Decodable {
        var commandName: String
        var subcommands: [Command]?
        var arguments: [Option]?

        /// The words before the first option lead to a command, those after it are its own.
        func reached(by arguments: [String]) -> Command {
            guard let word = arguments.first,
                let next = subcommands?.first(where: { $0.commandName == word })
            else { return self }
            return next.reached(by: Array(arguments.dropFirst()))
        }
    }

    private struct Option: Decodable {
        struct Name: Decodable {
            var kind: String
            var name: String
        }
        var kind: String
        var isRepeating: Bool
        var names: [Name]?

        var spellings: [String] {
            (names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name }
        }
    }
}
