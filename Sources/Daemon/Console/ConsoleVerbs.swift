/// The words of `cluster …`: what may be asked at a console of FreeSWITCH or of our own event socket.
///
/// They are carried out by this very program's command line, so that there is one truth about flags and answers.
package enum ConsoleVerbs {
    struct Verb: Hashable, Sendable {
        /// As typed: `status`, `zone show`.
        var words: [String]
        /// As our command line has it.
        var arguments: [String]
        /// What may follow, for completion and help; `<name>` stands for one of several words.
        var rest: [String]
        /// Whether it only looks.
        var isReading: Bool
        /// Whether its answer grows with calls, phones, limits or what was done.
        var isList: Bool
        var help: String

        init(
            _ words: String, as arguments: String? = nil, _ rest: [String] = [], isReading: Bool = true,
            isList: Bool = false, help: String
        ) {
            self.words = words.split(separator: " ").map(String.init)
            self.arguments = (arguments ?? words).split(separator: " ").map(String.init)
            self.rest = rest
            self.isReading = isReading
            self.isList = isList
            self.help = help
        }
    }

    static let all: [Verb] = [
        Verb("status", ["--format json"], help: "nodes, seats, addresses, maintenance and DNS"),
        Verb("nodes", as: "members", help: "nodes, votes and quorum"),
        Verb("members", help: "the same"),
        Verb("rings", help: "every heartbeat path: loss, delay, faults"),
        Verb("events", ["--format json"], isList: true, help: "what the cluster saw and decided, and why"),
        Verb(
            "calls", ["--doubtful", "--format json"], isList: true,
            help: "calls, and whether they would survive"),
        Verb(
            "registrations", ["--user", "--format json"], isList: true,
            help: "phones, and the address they live on"),
        Verb("limits", ["--format json"], isList: true, help: "each limit's use in the whole cluster"),
        Verb(
            "history", ["--verify", "--format json"], isList: true,
            help: "who told the cluster what, and what became of calls that moved"),
        Verb(
            "playbook list", ["--format json"],
            help: "scheduled playbooks, and the run under way step by step"),
        Verb("playbook history", ["--format json"], help: "finished runs, and what became of their steps"),
        Verb("zone show", ["--format json"], help: "what every name server answers"),
        Verb("zone plan", ["--nsupdate", "--format json"], help: "what would be changed in the zone now"),
        Verb(
            "drain",
            [
                "<target>", "<target> --dry-run", "<target> --handover", "<target> --deadline",
                "<target> --on-deadline wait", "<target> --on-deadline handover",
                "<target> --on-deadline hangup", "<target> --on-deadline abort", "<target> --reason",
            ], isReading: false, help: "move a seat to the maintenance address while its calls end"),
        Verb("undrain", ["<node>"], isReading: false, help: "bring a node back from maintenance"),
        Verb("abort", isReading: false, help: "undo the drain in progress"),
        Verb(
            "switchover", ["<seat>", "<seat> --dry-run", "<seat> --to <node>"], isReading: false,
            help: "move a seat to another node now"),
        Verb("playbook approve", isReading: false, help: "let the run go on that waits for it"),
        Verb("playbook cancel", isReading: false, help: "end the run under way and undo it"),
    ]

    /// Flags that would choose another node, or never end.
    private static let refused: [String: String] = [
        "--control": "this console belongs to one node; ask another node's console instead",
        "--config": "the node has read its cluster file already",
        "--watch": "a console answers once; ask again, or run `fsdns status --watch` in a shell",
        "--interval": "it belongs to --watch, which a console does not have",
        "--follow": "a console answers once; subscribe to events instead: event plain CUSTOM fsdns::seat …",
        "--wait": "a console does not wait; ask `cluster status` how far it is",
        "--timeout": "it belongs to --wait, which a console does not have",
    ]

    /// Why words are not carried out, for the one who typed them.
    package struct Refusal: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    /// What our own program is to be called with.
    package struct Call: Hashable, Sendable {
        /// Without the program; the control socket is named before anything that was typed.
        package var arguments: [String]
        package var isReading: Bool
        package var isList = false
    }

    /// - Parameter line: what follows `cluster`, not empty.
    package static func call(_ line: String, controlPath: String) throws(Refusal) -> Call {
        let words: [String]
        do throws(CommandWords.Failure) {
            words = try CommandWords.split(line)
        } catch {
            throw Refusal(description: "\(error)")
        }
        guard let verb = all.first(where: { words.starts(with: $0.words) }) else {
            throw Refusal(
                description: "no such command: cluster \(words.joined(separator: " ")); try: cluster help")
        }
        let typed = words.dropFirst(verb.words.count)
        for word in typed {
            let flag = word.prefix { $0 != "=" }
            if let why = refused[String(flag)] {
                throw Refusal(description: "\(flag) is not for here: \(why)")
            }
        }
        // First, since a `--` among the words would make it one more of them.
        return Call(
            arguments: verb.arguments + ["--control", controlPath] + typed, isReading: verb.isReading,
            isList: verb.isList)
    }

    /// All that can be completed, for FreeSWITCH's or our own TAB key; `<seat>`, `<node>` and `<target>` stand for names.
    package static let phrases: [String] =
        ["cluster help"]
        + all.flatMap { verb in
            let head = (["cluster"] + verb.words).joined(separator: " ")
            return verb.rest.isEmpty ? [head] : [head] + verb.rest.map { "\(head) \($0)" }
        }

    static var help: String {
        let lines = all.map { verb in
            let words = verb.words.joined(separator: " ") + (verb.isReading ? "" : arguments(of: verb))
            return "cluster " + words + String(repeating: " ", count: max(1, 28 - words.count)) + verb.help
        }
        return
            (lines + [
                "",
                "Each takes --help. What is typed here is carried out by this machine's fsdns node service.",
            ]).joined(separator: "\n") + "\n"
    }

    private static func arguments(of verb: Verb) -> String {
        guard let first = verb.rest.first else { return "" }
        return " " + first.drop { $0 == "<" }.dropLast().uppercased()
    }
}
