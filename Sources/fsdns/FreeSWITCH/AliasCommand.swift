import ArgumentParser
import Config

struct FreeSWITCHAliasCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alias",
        abstract: "Teach this machine's FreeSWITCH console the word `cluster`.",
        discussion: """
            Afterwards `cluster status`, `cluster drain master2` and so on work in any fs_cli on this machine, with TAB. It is kept \
            over restarts of FreeSWITCH, and may be said again at any time. The program runs as FreeSWITCH's user, who must be allowed \
            to use the node's control socket. To undo it, type in fs_cli: alias del cluster, then: complete del cluster
            """)

    @Option(help: "The cluster file.")
    var config: String

    @Option(help: "Which node of the file this is (default: FSDNS_NODE, else the host name).")
    var name: String?

    @OptionGroup var control: ControlOptions

    @Flag(help: "Print what would be said to FreeSWITCH, and say nothing.")
    var dryRun = false

    mutating func run() throws {
        let file = try ConfigCommand.load(config)
        let node = try NodeIdentity.ofCommand(name, file.settings)
        let path = control.client.path
        let alias: SwitchAlias
        do throws(SwitchAlias.Refusal) {
            alias = try SwitchAlias(
                program: Local.program,
                controlPath: path == ControlOptions.defaultPath ? nil : Local.absolute(path),
                node: node,
                settings: file.settings)
        } catch {
            throw CommandFailure.invalid([error.description])
        }
        if dryRun {
            Output.lines(alias.commands + ["Dry run: nothing was said to FreeSWITCH."])
            return
        }
        guard case .eventSocket(let access) = file.switchSection(of: node).freeswitch else {
            throw CommandFailure.invalid(["\(config): <freeswitch> of \(node) names no event socket"])
        }
        let client = try Self.connect(access, user: file.serviceUser)
        try AliasInstallation(alias: alias, client: client).run { Output.line($0) }
    }

    private static func connect(_ access: SwitchAccess, user: UInt32) throws(CommandFailure) -> SwitchClient {
        let password: [UInt8]
        do throws(SecretFailure) { password = try readSecret(path: access.passwordFile, user: user) } catch {
            throw .invalid([error.description])
        }
        do throws(SwitchClient.Failure) {
            return try SwitchClient(access.endpoint, password: String(decoding: password, as: UTF8.self))
        } catch {
            throw .noAnswer(error.description)
        }
    }
}

/// Installs an alias in a running switch, and tries whether it does what it should.
struct AliasInstallation {
    var alias: SwitchAlias
    var client: SwitchClient

    /// The switch writes phrases to its database in its own time.
    private static let patience = Duration.seconds(3)

    /// - Parameter say: gets a line for each thing done.
    func run(_ say: (String) -> Void) throws(CommandFailure) {
        let commands = alias.commands
        for command in commands {
            let answer = try ask(command)
            guard answer.hasPrefix("+OK") else {
                throw .refused(["FreeSWITCH answered “\(command)” with: \(Self.line(answer))"])
            }
        }
        say("alias \(SwitchAlias.word) -> \(alias.target)")
        say("\(alias.phrases.count) phrases for TAB")
        try check(say)
    }

    private func check(_ say: (String) -> Void) throws(CommandFailure) {
        let answer = try ask("\(SwitchAlias.word) status --format json", consoleExecute: true)
        guard let output = Self.output(answer) else {
            throw .refused(["FreeSWITCH does not expand the alias: \(Self.line(answer))"])
        }
        guard output.hasPrefix("{") else {
            let why = output.isEmpty ? "it prints nothing; see FreeSWITCH's log" : Self.line(output)
            throw .refused([
                "the alias is there, but `cluster status` does not work in FreeSWITCH yet: \(why)",
                "is the node service running, and may FreeSWITCH's user open its control socket?",
            ])
        }
        let watch = Stopwatch()
        while try !ask("console_complete \(SwitchAlias.word) und").contains("undrain") {
            guard watch.elapsed < Self.patience else {
                throw .refused(["the alias works, but FreeSWITCH does not complete its words"])
            }
            Stopwatch.sleep(.milliseconds(100))
        }
        say("checked: `cluster status` works in FreeSWITCH's console, and TAB completes its words")
    }

    private func ask(_ line: String, consoleExecute: Bool = false) throws(CommandFailure) -> String {
        do throws(SwitchClient.Failure) { return try client.api(line, consoleExecute: consoleExecute) } catch
        {
            throw .noAnswer("while asked “\(line)”: \(error)")
        }
    }

    /// What the program printed, after FreeSWITCH's own line about the alias (switch_console.c:
    /// switch_console_execute); nil when there is no such line.
    static func output(_ answer: String) -> String? {
        let text = answer.drop { $0.isNewline }
        guard text.hasPrefix("Expand Alias [") else { return nil }
        return String(text.drop { !$0.isNewline }.drop { $0.isWhitespace })
    }

    private static func line(_ text: String) -> String {
        text.split { $0.isNewline }.prefix(3).joined(separator: " ")
    }
}
