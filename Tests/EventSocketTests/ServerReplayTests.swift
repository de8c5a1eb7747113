import EventSocket
import Testing

@Suite struct ServerReplayTests {
    private let configuration = ServerConfiguration(password: "ClueCon")

    @Test(
        "A recorded client gets from our server what FreeSWITCH gave it",
        arguments: [
            "esl_session_misc.txt", "esl_alias_complete.txt", "esl_inject_registration.txt",
            "esl_recover.txt",
            "esl_drain_shutdown.txt", "fscli_real.txt",
        ])
    func replay(file: String) throws {
        let conversations = try Recording.conversations(file)
        #expect(!conversations.isEmpty)
        for conversation in conversations {
            var replay = try ServerReplay(conversation, configuration: configuration)
            try replay.run(conversation.chunks.filter { $0.side == .client }.map(\.bytes))
            #expect(
                numberingUUIDs(replay.sent) == numberingUUIDs(conversation.server), "\(conversation.name)")
            let saysGoodbye = String(decoding: conversation.server, as: UTF8.self).contains(
                "disconnect-notice")
            #expect(replay.isClosed == saysGoodbye)
        }
    }

    @Test("The answers are the same however the client's bytes are cut", arguments: [1, 2, 3, 5])
    func cut(size: Int) throws {
        for conversation in try Recording.conversations("esl_session_misc.txt") {
            var replay = try ServerReplay(conversation, configuration: configuration)
            let bytes = conversation.client
            try replay.run(
                stride(from: 0, to: bytes.count, by: size).map {
                    Array(bytes[$0..<min($0 + size, bytes.count)])
                })
            #expect(
                numberingUUIDs(replay.sent) == numberingUUIDs(conversation.server), "\(conversation.name)")
        }
    }

    /// What the stand-in server of this recording said otherwise than FreeSWITCH does.
    private static let standIn = [
        "Reply-Text: +OK log level ? [7]": "Reply-Text: +OK log level  [7]",
        "Reply-Text: +OK log level 6 [7]": "Reply-Text: +OK log level 6 [6]",
    ]

    @Test(
        "fs_cli gets from our server what the recorded stand-in gave it, and FreeSWITCH's words where these differ"
    )
    func fsCLI() throws {
        for conversation in try Recording.conversations("fscli_fake_server.txt") {
            var replay = try ServerReplay(conversation, configuration: configuration)
            try replay.run(conversation.chunks.filter { $0.side == .client }.map(\.bytes))
            var expected = String(decoding: conversation.server, as: UTF8.self)
            for (said, meant) in Self.standIn { expected = expected.replacing(said, with: meant) }
            #expect(String(decoding: replay.sent, as: UTF8.self) == expected, "\(conversation.name)")
        }
    }

    @Test("mod_hash may send the end of its command in a segment of its own")
    func hashRemoteSegments() throws {
        for conversation in try Recording.conversations("hash_remote_real.txt") {
            var replay = try ServerReplay(conversation, configuration: configuration)
            // Of the last poll the recording has the second segment only.
            try replay.run(
                conversation.chunks.filter { $0.side == .client }.flatMap { chunk in
                    chunk.bytes == Array("\n\n".utf8)
                        ? [Array("api hash_dump limit".utf8), chunk.bytes] : [chunk.bytes]
                })
            #expect(replay.sent == conversation.server)
        }
    }

    @Test("mod_hash's polls are answered as recorded, but never with an empty body")
    func hashRemote() throws {
        for conversation in try Recording.conversations("hash_remote_poll.txt") {
            var replay = try ServerReplay(conversation, configuration: configuration)
            try replay.run(conversation.chunks.filter { $0.side == .client }.map(\.bytes))
            let expected = String(decoding: conversation.server, as: UTF8.self)
                .replacing("Content-Length: 0\n\n", with: "Content-Length: 14\n\n-ERR no reply\n")
            #expect(String(decoding: replay.sent, as: UTF8.self) == expected)
        }
    }
}
