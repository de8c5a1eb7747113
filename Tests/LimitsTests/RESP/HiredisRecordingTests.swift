import Foundation
import Limits
import Primitives
import Testing

/// mod_hiredis of real FreeSWITCH, as recorded, talks to the limit service instead of the server it was recorded with.
@Suite("Recording of mod_hiredis")
struct HiredisRecordingTests {
    private struct Chunk {
        var connection: Int
        var isFromClient: Bool
        var bytes: [UInt8]
    }

    /// `[0.488 conn 1 CLIENT->SERVER 26 bytes]`, then so many bytes, then a line end if they did not end in one.
    private func recording() throws -> [Chunk] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../Fixtures/hiredis_resp.txt")
        let bytes = [UInt8](try Data(contentsOf: file))
        var chunks: [Chunk] = []
        var at = 0
        while at < bytes.count {
            let end = try #require(bytes[at...].firstIndex(of: 10))
            let words = String(decoding: bytes[at..<end], as: UTF8.self).split(separator: " ")
            try #require(words.count == 6)
            let count = try #require(Int(words[4]))
            let start = end + 1
            chunks.append(
                Chunk(
                    connection: try #require(Int(words[2])), isFromClient: words[3] == "CLIENT->SERVER",
                    bytes: Array(bytes[start..<(start + count)])))
            at = start + count
            if bytes[at - 1] != 10 { at += 1 }
        }
        return chunks
    }

    @Test(
        "with 3 used elsewhere, every byte of the answers is as recorded, however the stream is cut",
        arguments: [1, 7, 4096])
    func replay(piece: Int) throws {
        let chunks = try recording()
        #expect(chunks.filter(\.isFromClient).count == 14)
        var shared = LimitSession.Shared(
            book: LimitBook(me: "fs1", seed: 1), passwords: PasswordGuard(password: Array("s3cret".utf8)))
        let elsewhere = LimitUsage.counter(CounterUsage(counted: 3)).bytes
        let now = LimitMoment(boot: Instant(nanoseconds: 1_000_000_000), wall: 1_795_254_954)
        try shared.book.apply(
            .put(LimitKey(.hiredis, "carrier1").record, elsewhere), of: LimitOrigin(node: "fs2", life: 1),
            at: now)
        var clients: [Int: RESPClient] = [:]
        var answers: [Int: [UInt8]] = [:]
        for chunk in chunks {
            if chunk.isFromClient {
                var client = clients[chunk.connection] ?? RESPClient(password: "s3cret")
                client.shared = shared
                client.now = now
                for start in stride(from: 0, to: chunk.bytes.count, by: piece) {
                    let end = min(start + piece, chunk.bytes.count)
                    answers[chunk.connection, default: []] += client.send(chunk.bytes[start..<end])
                }
                shared = client.shared
                clients[chunk.connection] = client
            } else {
                #expect(answers[chunk.connection] == chunk.bytes)
                answers[chunk.connection] = []
            }
        }
        #expect(answers.values.allSatisfy { $0.isEmpty })
    }
}
