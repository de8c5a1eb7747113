import EventSocket
import SwitchSimulator
import Testing

/// Replays what clients said to real switches: the simulator in the same layout says the same, but for `Volatile`.
@Suite struct ConversationTests {
    /// Plays one connection; before a command whose answer carries an event, time goes on to shortly before the event's.
    private func play(_ conversation: Recording.Conversation, on bench: inout Bench) throws -> String {
        let client = bench.connect()
        var expected = 0
        var decoder = FrameDecoder()
        var seen = 0
        for (index, chunk) in conversation.chunks.enumerated() {
            if chunk.side == .server {
                var recorded = FrameDecoder()
                recorded.append(Array(chunk.text.utf8))
                while let _ = try recorded.next() { expected += 1 }
            }
            if chunk.side == .client {
                if let next = conversation.chunks[(index + 1)...].first(where: { $0.side == .server }),
                    let match = next.text.firstMatch(of: /Event-Date-Timestamp: (\d+)/),
                    let time = Int64(match.output.1)
                {
                    bench.advance(
                        to: Timestamp(microseconds: time - (chunk.text.hasPrefix("bgapi") ? 5_000 : 6_000)))
                }
                bench.say(chunk.text, from: client)
            }
            // What comes later than a command's own reply is waited for.
            let limit = bench.now + .seconds(30)
            while true {
                let sent = bench.clients[client].sent
                decoder.append(Array(sent[seen...]))
                seen = sent.count
                var frames = 0
                var count = FrameDecoder()
                count.append(sent)
                while let _ = try count.next() { frames += 1 }
                guard frames < expected, let next = bench.nextMoment, next <= limit else { break }
                bench.advance(to: next)
            }
        }
        return String(decoding: bench.clients[client].sent, as: UTF8.self)
    }

    private func compare(_ file: String, on bench: inout Bench, marked: (String) -> String = Volatile.marked)
        throws
    {
        for conversation in try Recording.conversations(file) {
            let recorded = conversation.chunks.filter { $0.side == .server }.map(\.text).joined()
            let said = try play(conversation, on: &bench)
            expectSame(marked(said), marked(recorded), conversation.name)
        }
    }

    @Test("Every reply of the miscellaneous session is the real switch's")
    func misc() throws {
        var bench = Bench(at: Timestamp(microseconds: 1_795_254_425_000_000))
        try compare("esl_session_misc.txt", on: &bench) { Volatile.lengths(Volatile.marked($0)) }
    }

    @Test("A console alias is expanded for the console only, and words complete")
    func alias() throws {
        var bench = Bench(at: Timestamp(microseconds: 1_795_255_270_000_000))
        bench.program = { command in
            "demo-ctl got:" + command.dropFirst("/usr/local/bin/demo-ctl".count) + "\n"
        }
        _ = bench.api("alias add cluster system /usr/local/bin/demo-ctl")
        _ = bench.api("complete add cluster nodes")
        _ = bench.api("complete add cluster status")
        try compare("esl_alias_complete.txt", on: &bench) { Volatile.lengths(Volatile.marked($0)) }
    }

    @Test("Injected registrations are found, listed and removed")
    func injection() throws {
        var settings = Bench.settings("fsB")
        // The recording looks half a second after each command.
        settings.registrationLag = .zero ... .zero
        var bench = Bench(settings, at: Timestamp(microseconds: 1_795_255_372_400_000))
        let conversation = try Recording.conversations("esl_inject_registration.txt")
        #expect(conversation.count == 1)
        try compare("esl_inject_registration.txt", on: &bench)
    }

    @Test("fs_cli gets what the real switch gave it")
    func fsCLI() throws {
        var bench = Bench()
        let seconds: (String) -> String = { text in
            // The body of `api uptime`.
            Volatile.marked(text).replacing(/Content-Length: \d\n\n\d+\n$/) { _ in "UPTIME" }
        }
        for conversation in try Recording.conversations("fscli_real.txt") {
            let recorded = conversation.chunks.filter { $0.side == .server }.map(\.text).joined()
            let said = try play(conversation, on: &bench)
            expectSame(seconds(said), seconds(recorded), conversation.name)
        }
    }

    @Test("Pause, elegant shutdown, cancel, asap and the end go as recorded")
    func drain() throws {
        // Heartbeats came every three seconds, at 37.7 hundredths.
        var settings = Bench.settings()
        settings.heartbeat = .seconds(3)
        var bench = Bench(settings, at: Timestamp(microseconds: 1_795_254_942_437_000))
        _ = bench.api("simulator load bridged 1")
        bench.advance(by: .seconds(31))
        try compare("esl_drain_shutdown.txt", on: &bench) { text in
            // The body of `api uptime` at the end.
            Volatile.lengths(Volatile.load(Volatile.marked(text))).replacing("\n\n48\n", with: "\n\n47\n")
        }
        #expect(bench.isShutDown)
    }
}

/// Compares line by line, so that a difference is told with its place.
func expectSame(
    _ said: String, _ recorded: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    let left = said.split(separator: "\n", omittingEmptySubsequences: false)
    let right = recorded.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, pair) in zip(left, right).enumerated() where pair.0 != pair.1 {
        let before = right[max(0, index - 2)..<index].joined(separator: "\n")
        Issue.record(
            "\(name) line \(index + 1):\n said     “\(pair.0.prefix(600))”\n recorded “\(pair.1.prefix(600))”\n after \(before)",
            sourceLocation: sourceLocation)
        return
    }
    #expect(
        left.count == right.count, "\(name): \(left.suffix(3)) / \(right.suffix(3))",
        sourceLocation: sourceLocation)
}
