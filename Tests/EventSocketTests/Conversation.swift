import Foundation

/// The bytes of one recorded connection, in order.
struct Conversation: Sendable {
    enum Side: Hashable, Sendable {
        case client, server
    }
    struct Chunk: Sendable {
        var side: Side
        var bytes: [UInt8]
    }
    var name: String
    var chunks: [Chunk] = []

    /// All that the server said.
    var server: [UInt8] { bytes(of: .server) }
    var client: [UInt8] { bytes(of: .client) }

    private func bytes(of side: Side) -> [UInt8] { chunks.filter { $0.side == side }.flatMap(\.bytes) }
}

/// Recordings of a real FreeSWITCH and of its clients; `Fixtures` says in file names what they are.
enum Recording {
    static let transcripts = [
        "esl_session_misc.txt", "esl_inject_registration.txt", "esl_recover.txt", "esl_alias_complete.txt",
        "esl_drain_shutdown.txt", "fscli_fake_server.txt", "fscli_real.txt", "hash_remote_poll.txt",
        "hash_remote_real.txt",
    ]
    static let streams = [
        "events_registration_plain.raw", "events_registration_json.raw", "events_call_bridge_plain.raw",
        "events_call_bridge_json.raw", "events_heartbeat_plain.raw", "events_heartbeat_json.raw",
        "events_limit_usage_plain.raw", "events_recover_plain.raw",
    ]

    static func bytes(_ file: String) throws -> [UInt8] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        return Array(try Data(contentsOf: folder.appending(path: file)))
    }

    /// The connections of a transcript: `[… CLIENT->SERVER 14 bytes]` lines, each followed by so many bytes and mostly, where
    /// these do not end in a newline, by one.
    static func conversations(_ file: String) throws -> [Conversation] {
        let bytes = try bytes(file)
        var conversations: [Conversation] = []
        var current = Conversation(name: "\(file) 1")
        var connection = "1"
        func close() {
            if !current.chunks.isEmpty { conversations.append(current) }
            current = Conversation(name: "\(file) \(conversations.count + 1)")
        }
        var at = 0
        while at < bytes.count {
            let end = bytes[at...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let line = String(decoding: bytes[at..<end], as: UTF8.self)
            at = end + 1
            if line.hasPrefix("==== ") { close() }
            let words = line.split(separator: " ")
            guard line.hasPrefix("["), let side = words.lazy.compactMap(side).first else { continue }
            if let at = words.firstIndex(of: "conn"), String(words[at + 1]) != connection {
                connection = String(words[at + 1])
                close()
            }
            guard words.last == "bytes]", let count = Int(words[words.count - 2]) else { continue }
            current.chunks.append(Conversation.Chunk(side: side, bytes: Array(bytes[at..<at + count])))
            at += count
            if bytes[at - 1] != UInt8(ascii: "\n"), bytes[at] == UInt8(ascii: "\n") { at += 1 }
        }
        close()
        return conversations
    }

    private static func side(_ word: Substring) -> Conversation.Side? {
        if word.hasSuffix("CLIENT->SERVER") { return .client }
        return word.hasSuffix("SERVER->CLIENT") ? .server : nil
    }
}

/// Puts `uuid-1`, `uuid-2`, … for the UUIDs in a text, by their first appearance.
func numberingUUIDs(_ text: String) -> String {
    var numbers: [String: Int] = [:]
    let pattern = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/
    return text.replacing(pattern) { match in
        let uuid = String(match.output)
        let number = numbers[uuid] ?? numbers.count + 1
        numbers[uuid] = number
        return "uuid-\(number)"
    }
}

func numberingUUIDs(_ bytes: [UInt8]) -> String { numberingUUIDs(String(decoding: bytes, as: UTF8.self)) }

/// SplitMix64, so that every run cuts and damages alike.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
