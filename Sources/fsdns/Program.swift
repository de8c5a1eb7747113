import ArgumentParser
@preconcurrency import Glibc

/// Runs one command line and turns however it ends into the promised exit code.
@main
enum Program {
    static func main() {
        exit(status(of: Array(CommandLine.arguments.dropFirst())))
    }

    /// Parses and runs; `arguments` are without the program's name.
    static func status(of arguments: [String]) -> Int32 {
        let refusal =
            RepeatedOptions.refusal(of: arguments, by: FSDNS.self)
            ?? BlankWords.refusal(of: arguments, by: FSDNS.self)
        if let refusal {
            Output.error("Error: \(refusal)")
            return 2
        }
        do {
            var command = try FSDNS.parseAsRoot(arguments)
            try command.run()
            return 0
        } catch let failure as CommandFailure {
            for line in failure.lines { Output.error(line) }
            return failure.exitCode
        } catch {
            return status(of: error)
        }
    }

    private static func lines(of text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// Help and `--version` are successes; wrong usage is 2 and not the parser's own 64.
    private static func status(of error: any Error) -> Int32 {
        let code = FSDNS.exitCode(for: error)
        let text = FSDNS.fullMessage(for: error)
        if code.isSuccess {
            if !text.isEmpty { Output.lines(lines(of: text)) }
            return 0
        }
        if !text.isEmpty { for line in lines(of: text) { Output.error(line) } }
        return code == .validationFailure ? 2 : code.rawValue
    }
}
