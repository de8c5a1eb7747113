import Cluster
import Daemon

/// What makes `cluster …` a word of FreeSWITCH's own console: an alias to this program, and phrases for its TAB key.
struct SwitchAlias: Hashable {
    static let word = "cluster"
    /// A console is blocked as long as the program runs: `cluster status --watch` must not hold it for ever.
    private static let patience = 20

    struct Refusal: Error, Hashable, CustomStringConvertible {
        var description: String
    }

    /// What the alias stands for.
    let target: String
    /// Names for `<seat>`, `<node>` and `<target>` in the phrases.
    let seats: [String]
    let nodes: [String]

    /// - Parameters:
    ///   - program: this program's file.
    ///   - controlPath: of the node's control socket; nil for the usual place.
    ///   - node: of this machine, for the cluster's memory of who asked.
    /// - Throws: for a path that a console and a shell would not leave alone.
    init(
        program: String, controlPath: String?, node: String, settings: ClusterSettings
    ) throws(Refusal) {
        for path in [program, controlPath ?? ""] {
            guard path.utf8.allSatisfy(Self.isPlain) else {
                throw Refusal(
                    description:
                        "\(path) has characters that FreeSWITCH's console or its shell would change; "
                        + "give it a plain path")
            }
        }
        // Through a shell, as `system` does it: errors shall be seen at the console, and nothing lasts for ever.
        let control = controlPath.map { "FSDNS_CONTROL=\($0) " } ?? ""
        let asker = node.utf8.allSatisfy(Self.isPlain) ? node : "localhost"
        target =
            "system 2>&1 NO_COLOR=1 \(control)FSDNS_OPERATOR=freeswitch@\(asker) timeout \(Self.patience) \(program)"
        seats = settings.seats.map(\.name)
        nodes = settings.nodes.map(\.name)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "/._-+:@".utf8.contains(byte)
        }
    }

    /// What is said to the switch, in this order. Kept over its restarts; said again it changes nothing.
    var commands: [String] {
        ["alias stickyadd \(Self.word) \(target)", "complete del \(Self.word)"]
            + phrases.map { "complete stickyadd \($0)" }
    }

    /// A switch completes words it was told: names of today stand for `<seat>` and the like.
    var phrases: [String] {
        var phrases: [String] = []
        for phrase in ConsoleVerbs.phrases where !phrase.hasSuffix(" help") {
            for filled in fill(phrase) where !phrases.contains(filled) { phrases.append(filled) }
        }
        return phrases
    }

    private func fill(_ phrase: String) -> [String] {
        for (mark, names) in [("<seat>", seats), ("<node>", nodes), ("<target>", seats + nodes)] {
            let parts = phrase.split(separator: " ").map(String.init)
            guard let place = parts.firstIndex(of: mark) else { continue }
            return names.flatMap { name in
                fill((parts[..<place] + [name] + parts[(place + 1)...]).joined(separator: " "))
            }
        }
        return [phrase]
    }
}
