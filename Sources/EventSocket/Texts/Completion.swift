/// The answer to `console_complete`, with which fs_cli's TAB key works (switch_console.c: switch_console_complete).
package enum Completion {
    /// The part of the line that is to be completed, from what follows `console_complete `: `LINE`, or `c=CURSOR;LINE` where CURSOR is a
    /// number of bytes. Spaces at the end count: the next word is wanted.
    package static func typed(_ argument: String) -> String {
        var line = Substring(argument)
        if argument.utf8.starts(with: "c=".utf8), let end = argument.firstIndex(of: ";"),
            let cursor = Decimal.parse(argument[..<end].dropFirst(2))
        {
            line = argument[argument.index(after: end)...]
            // FreeSWITCH takes a cursor at the very beginning for none.
            if cursor > 0 { line = Substring(String(decoding: line.utf8.prefix(cursor), as: UTF8.self)) }
        }
        return String(line.drop { $0 == " " })
    }

    /// Lists the candidates that begin as the line's last word does; ends with how to change the line if that is known.
    ///
    /// One candidate is written out with a space after it, of several what they have in common.
    package static func answer(line: String, candidates: [String]) -> String {
        let word = lastWord(of: line)
        let matches = candidates.filter { $0.utf8.starts(with: word.utf8) }
        var text = "\n\n"
        for match in matches {
            text += "[" + String(repeating: " ", count: max(0, 20 - match.utf8.count)) + match + "]\t"
        }
        text += "\n\n"
        guard let first = matches.first else { return text }
        if matches.count == 1 { return text + "write=\(word.utf8.count):\(first) " }
        let common = matches.dropFirst().reduce(first) { commonPrefix($0, $1) }
        return common.isEmpty ? text : text + "write=\(word.utf8.count):\(common)"
    }

    static func lastWord(of line: String) -> Substring {
        guard let space = line.lastIndex(of: " ") else { return Substring(line) }
        return line[line.index(after: space)...]
    }

    private static func commonPrefix(_ one: String, _ other: String) -> String {
        String(zip(one, other).prefix { $0 == $1 }.map(\.0))
    }
}

/// The phrases a console knows, for completing them word by word: `cluster drain <seat>`.
package struct PhraseTree: Hashable, Sendable {
    private struct Node: Hashable {
        var word: Word
        var children: [Int] = []
    }
    private enum Word: Hashable {
        case literal(String)
        /// `<name>` stands for one of several words, `<name…>` for any number of them.
        case any(name: String, repeats: Bool)
    }
    /// The first is the root.
    private var nodes = [Node(word: .literal(""))]

    package init(_ phrases: [String] = []) { for phrase in phrases { insert(phrase) } }

    package mutating func insert(_ phrase: String) {
        var at = 0
        for text in phrase.split(separator: " ") {
            let word = Self.word(text)
            if let known = nodes[at].children.first(where: { nodes[$0].word == word }) {
                at = known
                continue
            }
            nodes.append(Node(word: word))
            nodes[at].children.append(nodes.count - 1)
            at = nodes.count - 1
        }
    }

    private static func word(_ text: Substring) -> Word {
        guard text.first == "<", text.last == ">" else { return .literal(String(text)) }
        let name = text.dropFirst().dropLast()
        return name.last == "…"
            ? .any(name: String(name.dropLast()), repeats: true) : .any(name: String(name), repeats: false)
    }

    /// The words that may stand where the line ends, in the phrases' order, if they begin as its last word does.
    ///
    /// `values` gives the words a `<name>` stands for now.
    package func candidates(for line: String, values: (String) -> [String] = { _ in [] }) -> [String] {
        let last = Completion.lastWord(of: line)
        var places = [0]
        for word in line[..<last.startIndex].split(separator: " ") {
            var next: [Int] = []
            for node in places.flatMap(following) where !next.contains(node) {
                if case .literal(let literal) = nodes[node].word, literal != word { continue }
                next.append(node)
            }
            places = next
        }
        var words: [String] = []
        for node in places.flatMap(following) {
            let found: [String] =
                switch nodes[node].word {
                case .literal(let literal): [literal]
                case .any(let name, _): values(name)
                }
            for word in found where word.utf8.starts(with: last.utf8) && !words.contains(word) {
                words.append(word)
            }
        }
        return words
    }

    private func following(_ node: Int) -> [Int] {
        if case .any(_, repeats: true) = nodes[node].word { return nodes[node].children + [node] }
        return nodes[node].children
    }
}
