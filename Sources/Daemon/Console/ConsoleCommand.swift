import EventSocket

/// What a client of our event socket asks with `api`, understood.
enum ConsoleCommand: Hashable {
    /// `cluster WORDS…`: carried out by our command line.
    case cluster(String)
    case help
    /// `hash_dump limit`, which mod_hash's remotes poll.
    case limitDump
    case switchname
    case hostname
    case version
    /// `global_getvar core_uuid`, by which clients tell a restart.
    case coreUUID
    /// What follows `console_complete`, spaces and all.
    case complete(String)
    case unknown(String)

    init(line: String) {
        let word = line.prefix { $0 != " " }
        let rest = line.dropFirst(word.count).drop { $0 == " " }
        switch (word, String(rest)) {
        case ("cluster", ""), ("cluster", "help"), ("fsdns", ""), ("fsdns", "help"): self = .help
        case ("cluster", let words), ("fsdns", let words):
            self = words.allSatisfy { $0 == " " } ? .help : .cluster(words)
        case ("hash_dump", "limit"), ("hash_dump", "all"): self = .limitDump
        case ("switchname", _): self = .switchname
        case ("hostname", _): self = .hostname
        case ("version", _): self = .version
        case ("global_getvar", "core_uuid"): self = .coreUUID
        case ("console_complete", _):
            // Not trimmed: a space at the end asks for the next word.
            self = .complete(String(line.dropFirst(word.count + 1)))
        default: self = .unknown(String(word))
        }
    }

    static func notFound(_ name: String) -> [UInt8] { Array("-ERR \(name) Command not found!\n".utf8) }

    private static let tree = PhraseTree(
        ConsoleVerbs.phrases + ["fsdns help", "hash_dump limit", "hostname", "switchname", "version"])

    static func completion(_ argument: String, names: ConsoleNames) -> [UInt8] {
        let line = Completion.typed(argument)
        let candidates = tree.candidates(for: line) { names.words(for: $0) }
        return Array(Completion.answer(line: line, candidates: candidates).utf8)
    }
}

/// The names a console completes, as the node knows them now.
struct ConsoleNames: Hashable, Sendable {
    /// In the order of the cluster file.
    var nodes: [String]
    var seats: [String]

    /// What `<kind>` in a phrase stands for.
    func words(for kind: String) -> [String] {
        switch kind {
        case "node": nodes
        case "seat": seats
        case "target": seats + nodes
        default: []
        }
    }
}
