import Foundation

/// Recordings of a real FreeSWITCH, of its clients and of its peers; their names say what they are.
enum Recording {
    enum Side: Hashable, Sendable { case client, server }

    /// What one side said at a time.
    struct Chunk: Sendable {
        var side: Side
        var text: String
    }
    struct Conversation: Sendable {
        var name: String
        var chunks: [Chunk] = []
    }

    static func text(_ file: String) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        return String(decoding: try Data(contentsOf: folder.appending(path: file)), as: UTF8.self)
    }

    /// The connections of a transcript: `[… CLIENT->SERVER 14 bytes]` lines, each followed by so many bytes.
    static func conversations(_ file: String) throws -> [Conversation] {
        let bytes = Array(try text(file).utf8)
        var conversations: [Conversation] = []
        var current = Conversation(name: "\(file) 1")
        var connection = "1"
        func close() {
            if !current.chunks.isEmpty { conversations.append(current) }
            current = Conversation(name: "\(file) \(conversations.count + 1)")
        }
        var at = 0
        while at < bytes.count {
            let end = bytes[at...].firstIndex(of: 10) ?? bytes.count
            let line = String(decoding: bytes[at..<end], as: UTF8.self)
            at = end + 1
            if line.hasPrefix("==== ") { close() }
            let words = line.split(separator: " ")
            guard line.hasPrefix("["), words.last == "bytes]", let count = Int(words[words.count - 2]) else {
                continue
            }
            if let at = words.firstIndex(of: "conn"), String(words[at + 1]) != connection {
                connection = String(words[at + 1])
                close()
            }
            let text = String(decoding: bytes[at..<at + count], as: UTF8.self)
            current.chunks.append(
                Chunk(side: line.contains("CLIENT->SERVER") ? .client : .server, text: text))
            at += count
            if bytes[at - 1] != 10, at < bytes.count, bytes[at] == 10 { at += 1 }
        }
        close()
        return conversations
    }

    /// `### api COMMAND`, then its output; commentary in parentheses is skipped.
    static func commands(_ file: String) throws -> [(command: String, output: String)] {
        var found: [(String, String)] = []
        for part in try text(file).split(separator: "### ").map(String.init) {
            guard part.hasPrefix("api "), let newline = part.firstIndex(of: "\n") else { continue }
            found.append((String(part[..<newline].dropFirst(4)), String(part[part.index(after: newline)...])))
        }
        return found
    }

    struct Message: Sendable {
        /// The phone's point of view.
        var isSent: Bool
        var text: String
    }

    /// A trace of sipp: `UDP message sent (526 bytes):` and the message.
    static func messages(_ file: String) throws -> [Message] {
        var messages: [Message] = []
        let trace = try text(file).components(separatedBy: "\n==== after")[0]
        for part in trace.components(separatedBy: "-----------------------------------------------")
            .dropFirst()
        {
            let pieces = part.components(separatedBy: "bytes):\n\n")
            let other = part.components(separatedBy: "bytes :\n\n")
            let body = pieces.count > 1 ? pieces[1] : other[1]
            // The trace ends each message with an empty line of its own.
            messages.append(Message(isSent: pieces.count > 1, text: wire(body)))
        }
        return messages
    }

    /// A trace with CR LF again, without the blank lines that were added after it.
    static func wire(_ text: String) -> String {
        // CR LF is one character.
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
        let head = lines.prefix { !$0.isEmpty }
        let rest = lines.dropFirst(head.count + 1)
        let body = rest.prefix { !$0.isEmpty }
        return (head + [""]).map { $0 + "\r\n" }.joined() + body.map { $0 + "\r\n" }.joined()
    }
}
