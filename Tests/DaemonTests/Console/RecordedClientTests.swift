import EventSocket
import Testing

@testable import Daemon

/// What fs_cli and mod_hash were recorded to send, sent again to our server.
@Suite("Recorded clients")
struct RecordedClientTests {
    /// Answers that cannot be the same: what our own command line prints, and names of ours.
    private static func isOurs(_ said: String) -> Bool {
        ["api cluster status", "api switchname", "api hostname", "log ", "api console_complete cluster "]
            .contains { said.hasPrefix($0) }
    }

    @Test("fs_cli hears what it heard from the server it was recorded with", arguments: [1, 2])
    func terminal(_ connection: Int) throws {
        let site = try EventSocketSite()
        let client = try RawClient(site.port)
        for turn in try RecordedConversation("fscli_fake_server.txt").turns(of: connection) {
            let said = String(decoding: turn.said, as: UTF8.self).replacing(
                "ClueCon", with: EventSocketSite.password)
            client.say(said)
            for expected in turn.answered {
                let frame = try #require(try client.frame())
                #expect(frame.contentType == expected.contentType)
                if Self.isOurs(said) {
                    #expect(frame.body.isEmpty == expected.body.isEmpty)
                    #expect(
                        frame.headers["Reply-Text"]?.prefix(3) == expected.headers["Reply-Text"]?.prefix(3))
                } else {
                    #expect(frame == expected)
                }
            }
        }
    }

    @Test("fs_cli's TAB gets the words, and how to write them into the line")
    func completion() throws {
        let site = try EventSocketSite()
        let client = try RawClient(site.port)
        try client.logIn()
        let all = try client.ask("api console_complete cluster ")
        for word in ["status", "nodes", "drain", "undrain"] { #expect(all.contains("[\(pad(word))]\t")) }
        #expect(
            try client.ask("api console_complete c=14;cluster statustail").hasSuffix("\n\nwrite=6:status "))
    }

    private func pad(_ word: String) -> String { String(repeating: " ", count: 20 - word.count) + word }

    @Test("mod_hash gets the sums byte for byte, and is never sent an empty answer")
    func limits() throws {
        let site = try EventSocketSite()
        let client = try RawClient(site.port)
        let turns = try RecordedConversation("hash_remote_poll.txt").turns(of: 1)
        var polls = 0
        for turn in turns {
            let wanted = turn.answered.last { $0.contentType == "api/response" }?.body
            // The recorded server tried an empty body once, upon which mod_hash kept its old figures for ever.
            let isEmpty = wanted?.isEmpty ?? true || wanted == Array("-ERR no reply\n".utf8)
            site.limits.value = isEmpty ? "" : String(decoding: wanted ?? [], as: UTF8.self)
            client.say(
                String(decoding: turn.said, as: UTF8.self).replacing(
                    "ClueCon", with: EventSocketSite.password))
            for expected in turn.answered {
                let frame = try #require(try client.frame())
                guard expected.contentType == "api/response" else {
                    #expect(frame == expected)
                    continue
                }
                polls += 1
                #expect(frame.body == (isEmpty ? Array("-ERR no reply\n".utf8) : expected.body))
            }
        }
        #expect(polls > 4)
    }
}
