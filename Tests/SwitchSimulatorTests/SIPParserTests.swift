import SwitchSimulator
import Testing

/// The SIP parser is strict, bounded, and says what it will not have.
@Suite struct SIPParserTests {
    private static let head = [
        "OPTIONS sip:a@10.77.0.50 SIP/2.0", "Via: SIP/2.0/UDP 10.77.0.100:5060;branch=z9hG4bK1",
        "From: <sip:t@10.77.0.100>;tag=1", "To: <sip:a@10.77.0.50>", "Call-ID: 1", "CSeq: 1 OPTIONS",
    ]

    private func failure(_ lines: [String], body: String = "") -> String? {
        let text = lines.map { $0 + "\r\n" }.joined() + "\r\n" + body
        do {
            _ = try SIPMessage(parsing: Array(text.utf8))
            return nil
        } catch { return error.description }
    }

    private func without(_ name: String, _ replacement: String? = nil) -> [String] {
        Self.head.filter { !$0.hasPrefix(name) } + (replacement.map { [$0] } ?? [])
    }

    @Test("What is wrong is named")
    func failures() {
        #expect(failure(Self.head) == nil)
        #expect(failure(without("Via")) == "Via is missing or wrong")
        #expect(failure(without("From")) == "From is missing or wrong")
        #expect(failure(without("To")) == "To is missing or wrong")
        #expect(failure(without("Call-ID")) == "Call-ID is missing")
        #expect(failure(without("CSeq")) == "CSeq is missing or wrong")
        #expect(failure(without("CSeq", "CSeq: 1 INVITE")) == "CSeq names another method")
        #expect(failure(without("CSeq", "CSeq: 4294967296 OPTIONS")) == "CSeq is missing or wrong")
        #expect(failure(["OPTIONS sip:a@b SIP/3.0"]) == "not SIP/2.0")
        #expect(failure(["SIP/2.0 99 Odd"]) == "the status is not within 100 to 699")
        #expect(failure(Self.head + ["Nonsense"]) == "a header without a colon")
        #expect(
            failure(Self.head + ["A: " + String(repeating: "x", count: 9000)])
                == "a line longer than 8192 bytes")
        #expect(failure(Self.head + Array(repeating: "A: b", count: 200)) == "more than 128 headers")
        #expect(
            failure(Self.head + ["Content-Length: 5"], body: "abc")
                == "the body is shorter than Content-Length")
        #expect(failure(Self.head + ["Content-Length: -5"]) == "Content-Length is no number")
        #expect(throws: SIPFailure.self) { try SIPMessage(parsing: Array("OPTIONS".utf8)) }
    }

    @Test("Compact and folded headers are read, bytes after the body are not")
    func forms() throws {
        let text =
            "OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP [fd77::100]:5090;branch=z9hG4bK1\r\n"
            + "f: \"A, \\\"B\\\"\"\r\n <sip:t@[fd77::100]:5090>;tag=1\r\nt: <sip:a@b>\r\ni: 1\r\nCSEQ: 1 OPTIONS\r\n"
            + "l: 3\r\n\r\nabcdef"
        let message = try SIPMessage(parsing: Array(text.utf8))
        #expect(message.body == Array("abc".utf8))
        #expect(message["from"] == "\"A, \\\"B\\\"\" <sip:t@[fd77::100]:5090>;tag=1")
        #expect(message["Via"] == "SIP/2.0/UDP [fd77::100]:5090;branch=z9hG4bK1")
    }

    @Test("IPv6 profiles answer and dial in brackets")
    func ipv6() throws {
        var settings = Bench.settings()
        settings.profiles = [SwitchSettings.Profile(name: "svcA", ip: "fd77::50")]
        settings.carrier = SIPEndpoint(ip: "fd77::100", port: 5070)
        var bench = Bench(settings)
        let phone = SIPEndpoint(ip: "fd77::100", port: 5090)
        let body =
            "v=0\r\no=x 1 1 IN IP6 fd77::100\r\ns=-\r\nc=IN IP6 fd77::100\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
        bench.receive(
            SIPRecording.request("INVITE", to: "uas", call: "a", from: phone, at: "[fd77::50]", body: body),
            from: phone)
        let sent = bench.takeDatagrams()
        let invite = try #require(sent.first { $0.text.hasPrefix("INVITE ") })
        #expect(invite.to == SIPEndpoint(ip: "fd77::100", port: 5070))
        #expect(invite.text.hasPrefix("INVITE sip:uas@[fd77::100]:5070 SIP/2.0\r\n"))
        #expect(invite.text.contains("\r\nc=IN IP6 fd77::50\r\n"))
        #expect(invite.text.contains("Contact: <sip:mod_sofia@[fd77::50]:5060>\r\n"))
    }
}

/// Feeds the switch what no honest peer sends, for `FSDNS_FUZZ_SECONDS` or a bounded number of times.
@Suite struct SwitchFuzzTests {
    @Test("Damaged and random datagrams, commands and rows never trap the switch")
    func datagrams() throws {
        var samples = FuzzSamples()
        let messages =
            try ["sip_takeover_uac.log", "sip_takeover_uas.log", "sip_takeover_park.log"].flatMap {
                try Recording.messages($0).map { Array($0.text.utf8) }
            } + (try SIPRecording.exchanges("sip_register_trace.txt").map { Array($0.request.utf8) })
        let rows = try RecordedRows.table()
        let commands = [
            "show channels as json", "uuid_dump", "sofia profile svcA recover", "fsctl sps",
            "hash insert/a/b/c",
            "limit_usage hash a b rate", "console_complete c=3;sof", "sofia status profile svcA reg",
            "global_setvar a=b", "alias add x y", "uuid_kill", "sofia_contact */x@y",
        ]
        var bench = Bench(seed: samples.next())
        let rounds = samples.run { samples in
            switch samples.next() % 8 {
            case 0:
                _ = bench.begin(
                    String(
                        decoding: samples.damaged(Array(commands[samples.index(commands.count)].utf8)),
                        as: UTF8.self))
                bench.carryOut()
            case 1:
                var row = rows[samples.index(rows.count)]
                row.metadata = String(decoding: samples.damaged(Array(row.metadata.utf8)), as: UTF8.self)
                row.uuid = "\(samples.next())"
                bench.rows = [row]
                _ = bench.begin("sofia profile svcA recover")
            case 2: bench.advance(by: .milliseconds(Int64(samples.next() % 4000)))
            default:
                _ = bench.core.receive(
                    samples.damaged(messages[samples.index(messages.count)]), from: Phones.caller, on: "svcA",
                    at: bench.now)
                bench.carryOut()
            }
            _ = bench.takeDatagrams()
            bench.events = []
            if samples.next() % 200 == 0 { bench = Bench(seed: samples.next()) }
        }
        #expect(rounds >= 500)
    }
}
