import EventSocket
import Testing

@Suite struct EventCodecTests {
    @Test("Every recorded event comes out of the encoder byte for byte", arguments: Recording.streams)
    func streams(file: String) throws {
        let count = try roundTrip(try Recording.bytes(file))
        #expect(count > 0)
    }

    @Test("Every event in a recorded session comes out of the encoder byte for byte")
    func transcripts() throws {
        var count = 0
        for file in Recording.transcripts {
            for conversation in try Recording.conversations(file) {
                count += try roundTrip(conversation.server)
            }
        }
        #expect(count > 8)
    }

    private func roundTrip(_ bytes: [UInt8]) throws -> Int {
        var decoder = FrameDecoder()
        decoder.append(bytes)
        var count = 0
        while let frame = try decoder.next() {
            guard let format = EventFormat.allCases.first(where: { $0.contentType == frame.contentType })
            else {
                continue
            }
            let event = try EventCodec.decode(frame.body, as: format)
            #expect(EventCodec.encode(event, as: format) == frame.body)
            #expect(EventCodec.frame(event, as: format) == frame.encoded())
            #expect(!event.name.isEmpty)
            #expect(event.coreUUID != nil)
            // The other formats say the same.
            for other in EventFormat.allCases {
                #expect(try EventCodec.decode(EventCodec.encode(event, as: other), as: other) == event)
            }
            count += 1
        }
        return count
    }

    @Test("An event is the same whether it came as plain or as json")
    func formats() throws {
        for name in ["registration", "call_bridge", "heartbeat"] {
            let plain = try events("events_\(name)_plain.raw")
            let json = try events("events_\(name)_json.raw")
            let bySequence = Dictionary(
                plain.map { ($0["Event-Sequence"], $0) }, uniquingKeysWith: { first, _ in first })
            var same = 0
            for event in json {
                guard let other = bySequence[event["Event-Sequence"]] else { continue }
                #expect(event == other)
                same += 1
            }
            #expect(same > 0)
        }
    }

    private func events(_ file: String) throws -> [SwitchEvent] {
        var decoder = FrameDecoder()
        decoder.append(try Recording.bytes(file))
        var events: [SwitchEvent] = []
        while let frame = try decoder.next() {
            if case .event(let event) = try ServerMessage(frame) { events.append(event) }
        }
        return events
    }

    @Test("The end of a job has its output as its body", arguments: ["json", "xml", "plain"])
    func job(format: String) throws {
        var bodies: [String] = []
        for conversation in try Recording.conversations("esl_session_misc.txt") {
            var decoder = FrameDecoder()
            decoder.append(conversation.server)
            while let frame = try decoder.next() {
                guard frame.contentType == "text/event-\(format)",
                    case .event(let event) = try ServerMessage(frame),
                    event.name == "BACKGROUND_JOB"
                else { continue }
                #expect(event["Job-Command"] == "show")
                #expect(event["Job-Command-Arg"] == "calls count")
                #expect(event["Content-Length"] == nil)
                bodies.append(String(decoding: event.body, as: UTF8.self))
            }
        }
        #expect(bodies == ["\n0 total.\n"])
    }

    @Test("Odd values keep their meaning in every format", arguments: EventFormat.allCases)
    func oddValues(format: EventFormat) throws {
        let event = SwitchEvent(
            headers: Headers([
                Headers.Field("Event-Name", "CUSTOM"), Headers.Field("empty", ""),
                Headers.Field("percent", "100% %zz %"),
                Headers.Field("lines", "a\r\nb\tc"),
                Headers.Field("text", "ünï ☎ \u{1F4DE} \"q\" <&> \\ ' \u{1}"),
                Headers.Field("list", ArrayValue.join(["a|b", "c:d", "", "e"])),
            ]), body: Array("<!-- <b> & \r\n -->\n\n".utf8))
        let bytes = EventCodec.encode(event, as: format)
        #expect(try EventCodec.decode(bytes, as: format) == event)
    }

    @Test("A value with an escape of its own is exact in json alone, as FreeSWITCH writes it")
    func escapes() throws {
        let contact = "<sip:a%40b@192.0.2.7;fs_path=%3Csip%3A192.0.2.9%3Blr%3E>"
        let event = SwitchEvent(
            headers: Headers([Headers.Field("Event-Name", "CUSTOM"), Headers.Field("contact", contact)]))
        #expect(try EventCodec.decode(EventCodec.encode(event, as: .json), as: .json) == event)
        for format in [EventFormat.plain, .xml] {
            let read = try EventCodec.decode(EventCodec.encode(event, as: format), as: format)
            #expect(read["contact"] == "<sip:a@b@192.0.2.7;fs_path=<sip:192.0.2.9;lr>>")
        }
        #expect(URLCoding.encode("%40%4%zz%4g%aB", keepsEscapes: true) == "%40%254%25zz%254g%25aB")
        #expect(ClientSession.Configuration(credentials: .password("p")).format == .json)
    }

    @Test(
        "A body with tags and entities keeps its bytes in xml",
        arguments: ["a<b>&amp;c\r\n", "\n", "x<!y", "  z", "]]>"])
    func xmlBody(text: String) throws {
        let event = SwitchEvent(
            headers: Headers([Headers.Field("Event-Name", "API")]), body: Array(text.utf8))
        #expect(try EventCodec.decode(EventCodec.encode(event, as: .xml), as: .xml) == event)
    }

    @Test("Only what FreeSWITCH encodes is encoded")
    func urlCoding() {
        #expect(URLCoding.encode("Sat, 21 Nov (a/b_c.d-e~f)!$'*") == "Sat,%2021%20Nov%20(a/b_c.d-e~f)!$'*")
        #expect(
            URLCoding.encode("#%&+:;<=>?@[\\]^`{|}\"\n")
                == "%23%25%26%2B%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D%22%0A")
        #expect(URLCoding.encode("é") == "%C3%A9")
        #expect(URLCoding.decode("a+b%2bc%") == "a+b+c%")
        #expect(URLCoding.decode("%4") == "%4")
        #expect(URLCoding.decode("%G0%41") == "%G0A")
    }

    @Test("A list has its items, other values have none")
    func lists() {
        #expect(ArrayValue.split("ARRAY::a|:b|c|:") == ["a", "b|c", ""])
        #expect(ArrayValue.split("ARRAY::") == [""])
        #expect(ArrayValue.split("a|:b") == nil)
        #expect(ArrayValue.join(["a", "b"]) == "ARRAY::a|:b")
    }

    @Test("A list in json is FreeSWITCH's array")
    func jsonList() throws {
        let bytes = Array(#"{"Event-Name":"API","path":["a","b\u00e9","\ud83d\udcde"]}"#.utf8)
        let event = try EventCodec.decode(bytes, as: .json)
        #expect(event["path"] == "ARRAY::a|:bé|:\u{1F4DE}")
        #expect(
            String(decoding: EventCodec.encode(event, as: .json), as: UTF8.self)
                == #"{"Event-Name":"API","path":["a","bé","\#u{1F4DE}"]}"#)
    }

    @Test(
        "Damaged plain events are refused",
        arguments: [
            ("no colon\n\n", EventError.malformedLine(1)), ("a: 1\nb\n\n", .malformedLine(2)),
            ("a: 1\nContent-Length: 5\n\nabc", .bodyLength(stated: 5, found: 3)),
            ("a: 1\nContent-Length: 2\n\nabc", .bodyLength(stated: 2, found: 3)),
            ("a: 1\nContent-Length: -2\n\nabc", .badContentLength("-2")),
            ("a: 1\n\nabc", .bodyLength(stated: 0, found: 3)),
        ])
    func badPlain(text: String, error: EventError) {
        #expect(throws: error) { try EventCodec.decode(Array(text.utf8), as: .plain) }
    }

    @Test(
        "Only flat json is taken",
        arguments: [
            "", "{", "[]", "{}x", #"{"a":1}"#, #"{"a":{}}"#, #"{"a":[["b"]]}"#, #"{"a":"b",}"#, #"{"a" "b"}"#,
            #"{"a":"b"#,
            #"{"a":"\x"}"#, #"{"a":"\u12"}"#, #"{"a":"\ud800"}"#, #"{"a":"\ud800A"}"#, "{\"a\":\"\n\"}",
            #"{"a":null}"#,
        ])
    func badJSON(text: String) {
        #expect(throws: EventError.self) { try EventCodec.decode(Array(text.utf8), as: .json) }
    }

    @Test(
        "Only FreeSWITCH's xml is taken",
        arguments: [
            "", "<event>", "<event></event>", "<event><headers></headers>",
            "<event><headers><a>b</c></headers></event>",
            "<event><headers><a x=\"1\">b</a></headers></event>",
            "<event><headers><a>&nope;</a></headers></event>",
            "<event><headers><a>&#xD800;</a></headers></event>",
            "<event><headers><a><b>c</b></a></headers></event>",
            "<event><headers></headers><body>x</body></event>", "<event><headers></headers></event>x",
            "<event><headers></headers><Content-Length>9</Content-Length><body>x</body></event>",
            "<event><headers></headers><Content-Length>1</Content-Length><body>xyz</body></event>",
            "<?xml version=\"1.0\"?><event><headers></headers></event>",
            "<event><headers><1a>b</1a></headers></event>",
        ])
    func badXML(text: String) {
        #expect(throws: EventError.self) { try EventCodec.decode(Array(text.utf8), as: .xml) }
    }

    @Test("An event without headers is one in every format", arguments: EventFormat.allCases)
    func empty(format: EventFormat) throws {
        let event = SwitchEvent(headers: Headers())
        #expect(try EventCodec.decode(EventCodec.encode(event, as: format), as: format) == event)
    }

    @Test("A name that would break a line or an element does not get into one")
    func oddNames() throws {
        let fields = ["Event-Name", "a\nb: c", "d:e", "", "f g", "1h"].map { Headers.Field($0, "x") }
        let event = SwitchEvent(headers: Headers(fields))
        let plain = try EventCodec.decode(EventCodec.encode(event, as: .plain), as: .plain)
        #expect(plain.headers.fields.map(\.name) == ["Event-Name", "f g", "1h"])
        let xml = try EventCodec.decode(EventCodec.encode(event, as: .xml), as: .xml)
        #expect(xml.headers.fields.map(\.name) == ["Event-Name", "d:e"])
        #expect(try EventCodec.decode(EventCodec.encode(event, as: .json), as: .json) == event)
    }

    @Test("A stamp stands after the event's name and replaces what stood elsewhere")
    func stamp() {
        let origin = EventStamp.Origin(coreUUID: "core", hostname: "vm", switchname: "fsA")
        let stamp = EventStamp(
            origin: origin, microseconds: 1_709_251_199_999_999, utcOffset: 3600, file: "a.c", function: "f",
            line: 7,
            sequence: 9)
        let event = SwitchEvent(
            headers: Headers([
                Headers.Field("core-uuid", "lie"), Headers.Field("Event-Name", "API"),
                Headers.Field("API-Command", "x"),
            ])
        ).stamped(stamp)
        #expect(
            event.headers.fields.map(\.name).prefix(3) == ["Event-Name", "Core-UUID", "FreeSWITCH-Hostname"])
        #expect(event.headers.fields.last?.name == "API-Command")
        #expect(event.coreUUID == "core")
        #expect(event["Event-Date-GMT"] == "Thu, 29 Feb 2024 23:59:59 GMT")
        #expect(event["Event-Date-Local"] == "2024-03-01 00:59:59")
    }

    @Test("UUIDs are of version 4, and the same from the same seed")
    func uuids() {
        var one = UUIDGenerator(seed: 1)
        var same = UUIDGenerator(seed: 1)
        var other = UUIDGenerator(seed: 2)
        for _ in 0..<100 {
            let uuid = one.next()
            #expect(
                uuid.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/)
                    != nil)
            #expect(uuid == same.next())
            #expect(uuid != other.next())
        }
    }
}
