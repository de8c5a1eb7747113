import EventSocket
import Glibc
import Testing

/// Feeds the decoders and sessions what no honest peer sends: each for `FSDNS_FUZZ_SECONDS`, on the seed `FSDNS_SEED`.
@Suite struct EventSocketFuzzTests {
    @Test("damaged and random frames never trap, and what is read again is the same")
    func frames() throws {
        let streams = try Recording.streams.map(Recording.bytes) + transcripts().map(\.server)
        let rounds = fuzz { samples in
            var decoder = FrameDecoder(limits: FrameLimits(headerBytes: 4096, bodyBytes: 1 << 20))
            for piece in samples.pieces(samples.damaged(samples.part(of: streams))) {
                decoder.append(piece)
                while let frame = try? decoder.next() {
                    if case .event(let event)? = try? ServerMessage(frame) { check(event) }
                }
            }
            #expect(decoder.buffered <= 1 << 21)
        }
        #expect(rounds >= 300)
    }

    @Test("damaged and random events never trap", arguments: EventFormat.allCases)
    func events(format: EventFormat) throws {
        var bodies: [[UInt8]] = []
        for file in Recording.streams {
            var decoder = FrameDecoder()
            decoder.append(try Recording.bytes(file))
            while let frame = try decoder.next() {
                guard case .event(var event) = try ServerMessage(frame) else { continue }
                if bodies.count % 3 == 0 { event.body = Array("a <body> &amp; with <!-- signs -->\r\n".utf8) }
                bodies.append(EventCodec.encode(event, as: format))
            }
        }
        let rounds = fuzz { samples in
            let bytes = samples.damaged(bodies[samples.int(0...bodies.count - 1)])
            if let event = try? EventCodec.decode(bytes, as: format) { check(event) }
            let noise =
                Array(["a: ", "{\"a\":\"", "<event><headers><a>"][samples.int(0...2)].utf8) + samples.noise()
            _ = try? EventCodec.decode(noise, as: format)
        }
        #expect(rounds >= 300)
    }

    /// What was decoded can be told in each format, and in json, which keeps every value, is the same again.
    private func check(_ event: SwitchEvent) {
        for format in EventFormat.allCases {
            _ = try? EventCodec.decode(EventCodec.encode(event, as: format), as: format)
        }
        let isList = event.headers.fields.contains { ArrayValue.split($0.value) != nil }
        let isText = event.body.elementsEqual(String(decoding: event.body, as: UTF8.self).utf8)
        // A header of these names would be taken for the body's.
        let isOdd = event.headers.fields.contains { $0.name == "_body" || $0.name == "Content-Length" }
        guard !isList, isText, !isOdd else { return }
        #expect((try? EventCodec.decode(EventCodec.encode(event, as: .json), as: .json)) == event)
    }

    @Test("damaged and random commands never trap a session, which answers or ends")
    func commands() throws {
        let streams = try transcripts().map(\.client) + [Self.commands]
        let rounds = fuzz { samples in
            var session = ServerSession(
                configuration: ServerConfiguration(password: "ClueCon", maximumUnsentBytes: 1 << 16),
                seed: UInt64(samples.int(0...99)))
            var waiting: [UInt64] = []
            var isClosed = false
            func take(_ outputs: [ServerSession.Output]) {
                for output in outputs {
                    switch output {
                    case .run(let request): waiting.append(request.id)
                    case .send: #expect(!isClosed)
                    case .close, .closeAfter: isClosed = true
                    default: break
                    }
                }
                #expect(session.isClosed == isClosed)
            }
            take(session.handle(.accepted))
            if samples.int(0...9) > 0 { take(session.handle(.received(Array("auth ClueCon\n\n".utf8)))) }
            for piece in samples.pieces(samples.damaged(samples.part(of: streams))) {
                take(session.handle(.received(Array(piece))))
                switch samples.int(0...3) {
                case 0: take(session.handle(.publish(samples.event())))
                case 1: take(session.handle(.unsent(samples.int(0...1 << 17))))
                default: if let id = waiting.popLast() { take(session.handle(.answer(id, samples.noise()))) }
                }
            }
        }
        #expect(rounds >= 300)
    }

    private static let commands = Array(
        """
        event json ALL

        filter n /^(a|b)+[0-9]{2,3}$/i

        filter Event-Name -API

        bgapi status
        Job-UUID: x

        sendevent CUSTOM
        Event-Subclass: a::b
        content-length: 5

        hello
        log debug

        nixevent CUSTOM a::b

        api console_complete c=3;clu

        """.utf8)

    @Test("damaged server streams never trap a client session, which ends at most once")
    func client() throws {
        let streams = try Recording.streams.map(Recording.bytes) + transcripts().map(\.server)
        let rounds = fuzz { samples in
            var pair = AskingPair()
            for link in ClientPair.Link.allCases {
                pair.handle(.connected(link))
                pair.handle(
                    .received(link, samples.int(0...4) == 0 ? samples.noise() : AskingPair.welcome))
            }
            var id: UInt64 = 0
            for piece in samples.pieces(samples.damaged(samples.part(of: streams))) {
                id += 1
                pair.ask(id, inBackground: samples.int(0...1) != 0)
                pair.handle(.received(samples.int(0...1) == 0 ? .events : .commands, Array(piece)))
            }
            pair.close()
            #expect(pair.ends == 1)
            #expect(pair.isSettled)
        }
        #expect(rounds >= 300)
    }

    @Test("patterns match what Swift's own regular expressions match")
    func patterns() throws {
        var compared = 0
        let rounds = fuzz { samples in
            // Deeper ones take the backtracking one too long.
            let pattern = samples.pattern(depth: 1)
            let value = samples.word()
            guard let regex = try? Regex(pattern).matchingSemantics(.unicodeScalar), pattern.utf8.count < 200
            else { return }
            let client = TestClient.authenticated()
            _ = client.say("event plain ALL")
            guard client.reply("filter v /\(pattern)/").hasPrefix("+OK") else { return }
            let event = SwitchEvent(
                headers: Headers([Headers.Field("Event-Name", "API"), Headers.Field("v", value)]))
            #expect(
                client.receives(event) == (value.firstMatch(of: regex) != nil), "/\(pattern)/ on “\(value)”")
            compared += 1
        }
        #expect(rounds >= 300)
        #expect(compared > rounds / 2)
    }

    @Test("console lines and dumps of any kind never trap")
    func texts() {
        let tree = PhraseTree(["cluster drain <seat…> now", "cluster status"])
        let rounds = fuzz { samples in
            let text = String(decoding: samples.noise(), as: UTF8.self)
            let line = Completion.typed(
                samples.int(0...1) == 0 ? text : "c=\(samples.int(0...99));cluster \(text)")
            let candidates = tree.candidates(for: line) { _ in ["master1", "é\u{301}", ""] }
            #expect(Completion.answer(line: line, candidates: candidates).hasPrefix("\n\n"))
            let dump = samples.damaged(Array("L/a/1/2/3/4\nL/b_c/4294967295/0/0/0\n".utf8))
            let (usages, _) = LimitDump.parse(String(decoding: dump, as: UTF8.self))
            let printable = usages.filter(\.isPrintable)
            #expect(LimitDump.parse(LimitDump.text(printable)).usages == printable)
            #expect(URLCoding.decode(URLCoding.encode(text)) == text)
        }
        #expect(rounds >= 300)
    }

    private func transcripts() throws -> [Conversation] {
        try Recording.transcripts.flatMap(Recording.conversations)
    }

    /// Runs rounds until the time is over, at least some hundreds of them; returns how many.
    private func fuzz(_ round: (inout Samples) -> Void) -> Int {
        var samples = Samples(seed: environment("FSDNS_SEED").flatMap { UInt64($0) } ?? 20_261_121)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(environment("FSDNS_FUZZ_SECONDS").flatMap { Double($0) } ?? 0)
        var rounds = 0
        while rounds < 300 || clock.now < end {
            round(&samples)
            rounds += 1
        }
        return rounds
    }

    private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// Random and damaged bytes from a seed.
private struct Samples {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

    mutating func noise() -> [UInt8] {
        let signs = Array("\n\r:%<>&;{}[]\",\\/ ACabdu019=-+".utf8)
        return (0..<int(0...200)).map { _ in
            int(0...3) == 0 ? UInt8(int(0...255)) : signs[int(0...signs.count - 1)]
        }
    }

    /// A stretch of one of the streams, from its beginning or from anywhere.
    mutating func part(of streams: [[UInt8]]) -> [UInt8] {
        let stream = streams[int(0...streams.count - 1)]
        let start = int(0...1) == 0 ? 0 : int(0...stream.count)
        return Array(stream[start..<min(stream.count, start + int(0...20_000))])
    }

    /// With some bytes changed, cut out, doubled or put in.
    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<int(0...4) where !bytes.isEmpty {
            let at = int(0...bytes.count - 1)
            let end = min(bytes.count, at + int(1...40))
            switch int(0...4) {
            case 0: bytes[at] = UInt8(int(0...255))
            case 1: bytes.removeSubrange(at..<end)
            case 2: bytes.insert(contentsOf: bytes[at..<end], at: at)
            case 3: bytes.insert(contentsOf: noise(), at: at)
            default:
                if let digit = bytes[at...].firstIndex(where: { (48...57).contains($0) }) {
                    bytes[digit] = UInt8(int(45...57))
                }
            }
        }
        return bytes
    }

    mutating func pieces(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + int(1...int(1...4000)))
            pieces.append(bytes[at..<end])
            at = end
        }
        return pieces
    }

    mutating func event() -> SwitchEvent {
        SwitchEvent(
            headers: Headers([
                Headers.Field("Event-Name", EventNames.all[int(0...EventNames.all.count - 1)]),
                Headers.Field("n", "ab\(int(0...999))"),
                Headers.Field("x", String(decoding: noise(), as: UTF8.self)),
            ]), body: noise())
    }

    mutating func word() -> String {
        String(decoding: (0..<int(0...6)).map { _ in Array("aAb1 _.".utf8)[int(0...6)] }, as: UTF8.self)
    }

    mutating func pattern(depth: Int) -> String {
        let atoms = ["a", "b", "1", ".", "\\d", "\\w", "\\S", "[ab]", "[^a1]", "[0-9_]", "\\.", "^", "$"]
        var text = ""
        for _ in 0..<int(1...3) {
            var atom = atoms[int(0...atoms.count - 1)]
            if depth > 0, int(0...2) == 0 {
                atom = "(\(pattern(depth: depth - 1))|\(pattern(depth: depth - 1)))"
            }
            let isAnchor = atom == "^" || atom == "$"
            text += atom + (isAnchor ? "" : ["", "", "*", "+", "?", "{2}", "{1,2}", "{0,}"][int(0...7)])
        }
        return text
    }
}
