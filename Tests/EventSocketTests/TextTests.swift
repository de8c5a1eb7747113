import EventSocket
import Testing

@Suite struct CommandTests {
    @Test("A line break has no way into a command")
    func lineBreaks() {
        let bad: [Command] = [
            Command(""), Command("\nx"), Command("api a\nexit"), Command("api a\r"), Command("api a\0"),
            Command("sendevent A", headers: Headers([Headers.Field("a", "b\r\nc")])),
            Command("sendevent A", headers: Headers([Headers.Field("a\nb", "c")])),
            Command("sendevent A", headers: Headers([Headers.Field("a:b", "c")])),
            Command("sendevent A", headers: Headers([Headers.Field("", "c")])),
            Command("sendevent A", headers: Headers([Headers.Field("Content-Length", "5")])),
        ]
        for command in bad { #expect(throws: CommandError.self, "\(command)") { try command.encoded() } }
    }

    @Test("A body's length is told by the encoder alone")
    func body() throws {
        let command = Command(
            "sendevent A", headers: Headers([Headers.Field("Content-Length", "99")]), body: Array("xyz".utf8))
        #expect(
            String(decoding: try command.encoded(), as: UTF8.self) == "sendevent A\ncontent-length: 3\n\nxyz")
    }

    @Test(
        "Commands with CRs, blank lines before them and lines without a colon are read as FreeSWITCH reads them"
    )
    func tolerance() throws {
        var decoder = CommandDecoder()
        decoder.append(Array("\n\r\napi status\r\nnothing\r\nconsole_execute:  true\r\n\r\nexit\n".utf8))
        let command = try decoder.next()
        #expect(command?.line == "api status")
        #expect(command?.headers == Headers([Headers.Field("console_execute", "true")]))
        #expect(try decoder.next() == nil)
        #expect(decoder.isInsideCommand)
        decoder.append(Array("\n".utf8))
        #expect(try decoder.next()?.line == "exit")
        #expect(!decoder.isInsideCommand)
    }

    @Test("A body above the limit is refused before it comes")
    func bodyLimit() {
        var decoder = CommandDecoder(limits: FrameLimits(bodyBytes: 10))
        decoder.append(Array("sendevent A\ncontent-length: 11\n\n".utf8))
        #expect(throws: FrameError.bodyTooLong(length: 11, limit: 10)) { try decoder.next() }
    }
}

@Suite struct HeadersTests {
    @Test("Names are looked up without regard to case, the first counts")
    func lookUp() {
        var headers = Headers([Headers.Field("A", "1"), Headers.Field("a", "2"), Headers.Field("[", "3")])
        #expect(headers["a"] == "1")
        #expect(headers["{"] == nil)
        headers["a"] = "4"
        #expect(headers.fields.map(\.value) == ["4", "2", "3"])
        headers["A"] = nil
        headers["new"] = "5"
        #expect(headers.fields.map(\.name) == ["[", "new"])
    }
}

@Suite struct CompletionTests {
    private let tree = PhraseTree([
        "cluster status", "cluster nodes", "cluster drain <seat>", "cluster undrain <node…>",
        "cluster drain all now",
    ])

    private func values(_ name: String) -> [String] {
        switch name {
        case "seat": ["master1", "master2"]
        case "node": ["a", "b"]
        default: []
        }
    }

    @Test("Recorded completions come out byte for byte")
    func recorded() {
        #expect(
            Completion.answer(line: "clu", candidates: ["cluster"])
                == "\n\n[             cluster]\t\n\nwrite=3:cluster ")
        #expect(
            Completion.answer(line: "cluster ", candidates: ["nodes", "status"])
                == "\n\n[               nodes]\t[              status]\t\n\n")
        #expect(
            Completion.answer(line: "cluster s", candidates: ["nodes", "status"])
                == "\n\n[              status]\t\n\nwrite=1:status ")
        #expect(
            Completion.answer(line: "sofia st", candidates: ["status", "status"])
                == "\n\n[              status]\t[              status]\t\n\nwrite=2:status")
        #expect(
            Completion.answer(line: Completion.typed("c=8;show cal"), candidates: ["calls"])
                == "\n\n[               calls]\t\n\nwrite=3:calls ")
        #expect(Completion.answer(line: Completion.typed("c=11;show calls "), candidates: []) == "\n\n\n\n")
    }

    @Test("The recorded answers of FreeSWITCH to TAB are those of the same candidates")
    func recordings() throws {
        var compared = 0
        for file in ["fscli_real.txt", "esl_alias_complete.txt"] {
            for conversation in try Recording.conversations(file) {
                for (chunk, answer) in zip(conversation.chunks, conversation.chunks.dropFirst()) {
                    let command = String(decoding: chunk.bytes, as: UTF8.self)
                    guard command.hasPrefix("api console_complete "), answer.side == .server else { continue }
                    var decoder = FrameDecoder()
                    decoder.append(answer.bytes)
                    let body = String(decoding: try #require(try decoder.next()).body, as: UTF8.self)
                    let candidates = body.matches(of: /\[ *([^\]]*)\]\t/).map { String($0.output.1) }
                    let line = Completion.typed(String(command.dropFirst(21).dropLast(2)))
                    #expect(Completion.answer(line: line, candidates: candidates) == body)
                    compared += 1
                }
            }
        }
        #expect(compared == 6)
    }

    @Test("Only the part before the cursor counts")
    func cursor() {
        #expect(Completion.typed("c=3;cluster") == "clu")
        #expect(Completion.typed("c=0;cluster") == "cluster")
        #expect(Completion.typed("c=99;cluster ") == "cluster ")
        #expect(Completion.typed("  cluster") == "cluster")
        #expect(Completion.typed("c=x;y") == "c=x;y")
        #expect(Completion.typed("") == "")
    }

    @Test("A phrase is completed word by word, names by what they stand for")
    func phrases() {
        #expect(tree.candidates(for: "") == ["cluster"])
        #expect(tree.candidates(for: "x") == [])
        #expect(tree.candidates(for: "cluster ") == ["status", "nodes", "drain", "undrain"])
        #expect(tree.candidates(for: "cluster drain ", values: values) == ["master1", "master2", "all"])
        #expect(tree.candidates(for: "cluster drain master2 ", values: values) == [])
        #expect(tree.candidates(for: "cluster drain all ", values: values) == ["now"])
        #expect(tree.candidates(for: "cluster undrain a b ", values: values) == ["a", "b"])
        #expect(tree.candidates(for: "cluster  status", values: values) == ["status"])
        #expect(tree.candidates(for: "status ", values: values) == [])
        #expect(
            Completion.answer(
                line: "cluster drain m", candidates: tree.candidates(for: "cluster drain m", values: values)
            )
            .hasSuffix("\n\nwrite=1:master"))
    }

    @Test("A long line costs no more for phrases that repeat")
    func longLine() {
        let tree = PhraseTree(["<a…> <b…> <c…> <d…> end"])
        let line = String(repeating: "x ", count: 5000)
        #expect(tree.candidates(for: line) == ["end"])
    }
}

@Suite struct LimitDumpTests {
    @Test("A recorded dump is read and written byte for byte")
    func recorded() throws {
        let text = "L/trunk_carrier1/3/0/0/0\nL/trunk_cps1/0/4/1/1795254942\n"
        let (usages, bad) = LimitDump.parse(text)
        #expect(
            usages == [
                LimitUsage(key: "trunk_carrier1", total: 3),
                LimitUsage(key: "trunk_cps1", total: 0, rate: 4, interval: 1, lastCheck: 1_795_254_942),
            ])
        #expect(bad == [])
        #expect(LimitDump.text(usages) == text)
        let polls = try Recording.conversations("hash_remote_poll.txt").map {
            String(decoding: $0.server, as: UTF8.self)
        }
        #expect(polls.joined().contains(text))
    }

    @Test("No usage is never an empty answer")
    func empty() {
        #expect(LimitDump.text([]) == "-ERR no reply\n")
        #expect(
            LimitDump.text([LimitUsage(key: "a/b", total: 1), LimitUsage(key: "", total: 1)])
                == "-ERR no reply\n")
        #expect(LimitDump.parse("-ERR no reply\n").usages == [])
        #expect(LimitDump.parse("").bad == [])
    }

    @Test("Bad lines are reported and do not spoil the others")
    func badLines() {
        let (usages, bad) = LimitDump.parse(
            "L/a/1/2/3/4\r\nD/x/y\nL/b/1/2/3\nL/c/-1/0/0/0\nL/d/1/0/0/0/0\nL//1/0/0/0\nL/e/4294967296/0/0/0\nLimit\nL/f/1/0/0"
        )
        #expect(usages.map(\.key) == ["a", "b", "f"])
        #expect(usages[1].lastCheck == 0)
        #expect(bad.map(\.number) == [4, 5, 6, 7, 8])
        #expect(bad.first?.description == "line 4 is no limit: “L/c/-1/0/0/0”")
    }
}
