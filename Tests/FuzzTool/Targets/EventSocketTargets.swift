import Cluster
import EventSocket

/// Both sides of the event socket, and the formats on it.
extension FuzzTarget {
    static let eventSocket: [FuzzTarget] = [eventServer, eventClient, events, filterPatterns, consoleTexts]

    static let eventServer = FuzzTarget(
        "event-server", "what a client of our event socket sends, in pieces, while events are published",
        maximumLength: 8192,
        seeds: {
            let login = "auth ClueCon\n\n"
            let commands = [
                "event json ALL\n\n", "event plain CHANNEL_CREATE CUSTOM a::b\n\n", "event xml ALL\n\n",
                "filter n /^(a|b)+[0-9]{2,3}$/i\n\n", "filter Event-Name -API\n\n", "filter delete all\n\n",
                "bgapi status\nJob-UUID: x\n\n", "api status\nconsole_execute: true\n\n", "log 7\n\n",
                "sendevent CUSTOM\nEvent-Subclass: a::b\ncontent-length: 5\n\nhello", "nolog\n\n",
                "nixevent CUSTOM a::b\n\n", "noevents\n\n", "divert_events on\n\n", "linger 3\n\n",
                "exit\n\n",
                "myevents json\n\n", "getvar a\n\n", "userauth a@b:c\n\n",
            ]
            return (commands + [commands.joined()]).map { Array((login + $0).utf8) }
                + Recordings.conversations(Recordings.client)
        }
    ) { input in
        var session = ServerSession(
            configuration: ServerConfiguration(password: "ClueCon", maximumUnsentBytes: 1 << 16),
            seed: UInt64(input.choice(256)))
        var waiting: [UInt64] = []
        var isClosed = false
        func take(_ outputs: [ServerSession.Output]) {
            for output in outputs {
                switch output {
                case .run(let request): waiting.append(request.id)
                case .send: expect(!isClosed, "something is sent after the end")
                case .close, .closeAfter: isClosed = true
                default: break
                }
            }
            expect(session.isClosed == isClosed, "the end is told once")
        }
        take(session.handle(.accepted))
        if input.flag() { take(session.handle(.received(Array("auth ClueCon\n\n".utf8)))) }
        while let piece = input.piece() {
            take(session.handle(.received(Array(piece))))
            switch input.choice(5) {
            case 0: take(session.handle(.publish(Self.event(input.choice(256), Array(piece.prefix(40))))))
            case 1: take(session.handle(.unsent(input.choice(1 << 16) * 4)))
            case 2: take(session.handle(.log(LogLine(level: input.choice(10), text: "a line"))))
            default: if let id = waiting.popLast() { take(session.handle(.answer(id, Array(piece)))) }
            }
        }
    }

    private static func event(_ number: Int, _ body: [UInt8]) -> SwitchEvent {
        SwitchEvent(
            headers: Headers([
                Headers.Field("Event-Name", EventNames.all[number % EventNames.all.count]),
                Headers.Field("n", "ab\(number)"), Headers.Field("Event-Subclass", "a::b"),
                Headers.Field("x", String(decoding: body, as: UTF8.self)),
            ]), body: body)
    }

    static let eventClient = FuzzTarget(
        "event-client", "what FreeSWITCH sends on the two connections, while commands wait for answers",
        maximumLength: 16_384,
        seeds: {
            Recordings.conversations(Recordings.server) + Recordings.frames().filter { $0.count < 8192 }
        }
    ) { input in
        var pair = AskingPair()
        let isWelcome = input.choice(4) > 0
        for link in ClientPair.Link.allCases {
            pair.handle(.connected(link))
            if isWelcome { pair.handle(.received(link, AskingPair.welcome)) }
        }
        var id: UInt64 = 0
        while let piece = input.piece() {
            id += 1
            let choice = input.choice(8)
            pair.ask(id, inBackground: choice & 1 != 0)
            pair.handle(.received(choice & 2 == 0 ? .events : .commands, Array(piece)))
        }
        pair.close()
        expect(pair.ends == 1, "\(pair.ends) ends")
        expect(pair.isSettled, "a question has no answer, or two: \(pair.asked)")
    }

    static let events = FuzzTarget(
        "events", "an event in each of the three formats: what is read can be told in each",
        maximumLength: 8192,
        seeds: {
            Recordings.events().prefix(60).enumerated().flatMap { number, event -> [[UInt8]] in
                var event = event
                if number % 3 == 0 { event.body = Array("a <body> &amp; with <!-- signs -->\r\n".utf8) }
                return EventFormat.allCases.enumerated().map { index, format in
                    EventCodec.encode(event, as: format) + [UInt8(index)]
                }.filter { $0.count < 8192 }
            }
        }
    ) { input in
        let format = input.pick(EventFormat.allCases)
        guard let event = try? EventCodec.decode(input.rest(), as: format) else { return }
        for format in EventFormat.allCases {
            _ = try? EventCodec.decode(EventCodec.encode(event, as: format), as: format)
        }
        let isList = event.headers.fields.contains { ArrayValue.split($0.value) != nil }
        let isText = event.body.elementsEqual(String(decoding: event.body, as: UTF8.self).utf8)
        // A header of these names would be taken for the body's.
        let isOdd = event.headers.fields.contains { $0.name == "_body" || $0.name == "Content-Length" }
        guard !isList, isText, !isOdd else { return }
        let again = try? EventCodec.decode(EventCodec.encode(event, as: .json), as: .json)
        expect(again == event, "another event comes back: \(event)")
    }

    static let filterPatterns = FuzzTarget(
        "filter-pattern", "a client's regular expression, and values it is held against", maximumLength: 512,
        seeds: {
            [
                "^(a|b)+[0-9]{2,3}$", "a*b?c+", "[^a-z]\\d\\w\\S\\.", "(?:a|)", "a{2}{3}", "((((a))))",
                "[]a]",
                ".{0,100}x", "(a|aa|aaa)*b", "\\x41\\u0041",
            ].map { Array("\($0)\u{0}aaab12".utf8) }
        }
    ) { input in
        let parts = input.rest().split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
        let pattern = String(decoding: parts[0], as: UTF8.self)
        let value = parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : ""
        guard !pattern.contains(where: \.isNewline) else { return }
        var session = ServerSession(configuration: ServerConfiguration(password: "ClueCon"), seed: 1)
        _ = session.handle(.accepted)
        _ = session.handle(
            .received(Array("auth ClueCon\n\nevent plain ALL\n\nfilter v /\(pattern)/\n\n".utf8)))
        _ = session.handle(
            .publish(
                SwitchEvent(
                    headers: Headers([Headers.Field("Event-Name", "API"), Headers.Field("v", value)]))))
    }

    static let consoleTexts = FuzzTarget(
        "console-texts", "what is typed at a console, and what is URL encoded", maximumLength: 1024,
        seeds: {
            ["c=3;cluster dr", "cluster drain fs1 now", "%41%zz+", "ARRAY::a|:b"].map { Array($0.utf8) }
        }
    ) { input in
        let text = input.text()
        let tree = PhraseTree(["cluster drain <seat…> now", "cluster status"])
        for line in [Completion.typed(text), Completion.typed("c=\(text.count);cluster \(text)")] {
            let candidates = tree.candidates(for: line) { _ in ["master1", "é\u{301}", ""] }
            expect(Completion.answer(line: line, candidates: candidates).hasPrefix("\n\n"), "no answer")
        }
        let usages = LimitDump.parse(text).usages
        expect(LimitDump.parse(LimitDump.text(usages)).usages == usages, "other usages come back")
        expect(URLCoding.decode(URLCoding.encode(text)) == text, "another text comes back")
        _ = URLCoding.decode(text)
        if let items = ArrayValue.split(text) { _ = ArrayValue.join(items) }
    }
}
