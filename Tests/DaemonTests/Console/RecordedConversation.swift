import EventSocket
import Foundation
import PeerProtocol
import Testing

/// A recorded conversation with an event-socket server: who sent which bytes on which connection.
struct RecordedConversation {
    struct Chunk {
        var connection: Int
        var isClient: Bool
        var bytes: [UInt8]
    }

    let chunks: [Chunk]

    /// Each chunk begins with a line like `[1.475 conn 1 CLIENT->SERVER 14 bytes]`; a line end follows bytes that have none.
    init(_ name: String) throws {
        let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/\(name)")
        var rest = Array(try Data(contentsOf: url))[...]
        var chunks: [Chunk] = []
        while let end = rest.firstIndex(of: 10) {
            let head = String(decoding: rest[..<end], as: UTF8.self)
            rest = rest[(end + 1)...]
            let words = head.drop { $0 == "[" }.prefix { $0 != "]" }.split(separator: " ")
            guard head.hasPrefix("["), words.count == 6, let connection = Int(words[2]),
                let count = Int(words[4])
            else { continue }
            let bytes = Array(rest.prefix(count))
            try #require(bytes.count == count)
            rest = rest.dropFirst(count)
            if bytes.last != 10, rest.first == 10 { rest = rest.dropFirst() }
            if words[3] != "CLOSED" {
                chunks.append(
                    Chunk(connection: connection, isClient: words[3] == "CLIENT->SERVER", bytes: bytes))
            }
        }
        self.chunks = chunks
    }

    /// The turns of one connection: what the client said, and the frames it was answered.
    func turns(of connection: Int) throws -> [(said: [UInt8], answered: [Frame])] {
        var turns: [(said: [UInt8], answered: [Frame])] = []
        var decoder = FrameDecoder(limits: FrameLimits())
        for chunk in chunks where chunk.connection == connection {
            if chunk.isClient {
                turns.append((chunk.bytes, []))
            } else {
                if turns.isEmpty { turns.append(([], [])) }
                decoder.append(chunk.bytes)
                while let frame = try decoder.next() { turns[turns.count - 1].answered.append(frame) }
            }
        }
        return turns
    }
}
