import Foundation
import SwitchSimulator
import Testing

/// Commands print what they print on a real switch in the same state.
@Suite struct CommandTextTests {
    /// The recordings' state: one bridged and one parked call, three registrations.
    private func recordedState() throws -> Bench {
        var bench = Bench()
        bench.advance(to: Timestamp(microseconds: 1_795_255_356_371_388))
        for exchange in try SIPRecording.exchanges("sip_register_trace.txt").prefix(4) {
            bench.receive(exchange.request, from: exchange.source)
            bench.advance(by: .milliseconds(140))
        }
        return bench
    }

    private func calls(_ bench: inout Bench) throws {
        bench.advance(to: Timestamp(microseconds: 1_795_255_385_611_379))
        try EventStreamTests.bridgedAndParked(&bench)
    }

    private func compare(_ command: String, _ recorded: String, on bench: inout Bench) {
        let said = bench.api(command)
        expectSame(
            Volatile.marked(said), Volatile.marked(recorded.trimmingEnd(like: said)), "api \(command)")
    }

    @Test(
        "Calls are listed as recorded",
        arguments: [
            ("show channels as json", "api_show_channels.json"),
            ("show calls as json", "api_show_calls.json"),
        ])
    func calls(command: String, file: String) throws {
        var bench = Bench()
        try calls(&bench)
        let recorded = try Recording.text(file)
        compare(command, recorded, on: &bench)
    }

    @Test("Registrations are listed as recorded")
    func registrations() throws {
        var bench = try recordedState()
        for (command, output) in try Recording.commands("api_registrations.txt") {
            // The recording adds a line end to outputs without one.
            let said = bench.api(command)
            let recorded = command.hasPrefix("sofia_contact") ? String(output.dropLast()) : output
            expectSame(
                Volatile.marked(said), Volatile.marked(recorded.trimmingEnd(like: said)), "api \(command)")
        }
        compare(
            "show registrations as json", try Recording.text("api_show_registrations.json"), on: &bench)
        compare(
            "sofia xmlstatus profile svcA reg", try Recording.text("api_sofia_xmlstatus_reg.xml"), on: &bench)
    }

    @Test("uuid_dump tells a leg as recorded")
    func dump() throws {
        var bench = Bench()
        try calls(&bench)
        let legs = bench.api("show channels as delim |").split(separator: "\n").dropFirst().prefix(3)
            .map { String($0.split(separator: "|")[0]) }
        try #require(legs.count == 3)
        let recorded = try Recording.commands("api_uuid_dump.txt")
        for (uuid, (_, output)) in zip(legs, recorded) {
            let mark: (String) -> String = { text in
                Volatile.markedCall(Volatile.marked(text)).trimmingCharacters(in: .newlines)
            }
            expectSame(mark(bench.api("uuid_dump \(uuid)")), mark(output), "uuid_dump")
        }
    }

    @Test("Status, versions, profiles and checks read as recorded")
    func misc() throws {
        var bench = Bench()
        // Five sessions since the start, two of them over, and one registration.
        bench.advance(to: Timestamp(microseconds: 1_795_255_350_000_000))
        for exchange in try SIPRecording.exchanges("sip_register_trace.txt").prefix(1) {
            bench.receive(exchange.request, from: exchange.source)
        }
        try EventStreamTests.recordedCalls(&bench)
        for (command, output) in try Recording.commands("api_misc.txt") {
            let said = bench.api(command)
            let mark: (String) -> String = { text in
                Volatile.status(Volatile.marked(text)).trimmingEnd(like: said)
            }
            if command == "uptime" {
                #expect(Int(said.dropLast()) != nil)
                continue
            }
            expectSame(mark(said), mark(output), "api \(command)")
        }
    }
}

extension String {
    /// The recordings end each output with an empty line, and add a line end where there was none.
    func trimmingEnd(like said: String) -> String {
        var text = self
        while text.hasSuffix("\n") { text.removeLast() }
        return text + String(repeating: "\n", count: said.reversed().prefix { $0 == "\n" }.count)
    }
}
