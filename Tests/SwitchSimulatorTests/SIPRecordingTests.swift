import Foundation
import SwitchSimulator
import Testing

/// What is sent by SIP is what the real switch sent, header by header, but for `Volatile` and RTP ports.
@Suite struct SIPRecordingTests {
    private func compare(_ said: String, _ recorded: String, _ name: String) {
        expectSame(Self.marked(said), Self.marked(recorded), name)
    }

    /// Session ids, and our ports in session descriptions of our own.
    private static func marked(_ text: String) -> String {
        let text = text.replacingOccurrences(of: "\r\n", with: "\n")
        let own = text.contains("o=FreeSWITCH")
        return Volatile.marked(text)
            .replacing(/o=FreeSWITCH (\S+) (\S+)/) { _ in "o=FreeSWITCH ID VERSION" }
            .replacing(/m=audio \d{5}/) { match in own ? "m=audio PORT" : String(match.output) }
    }

    @Test("REGISTER is answered as recorded")
    func register() throws {
        var bench = Bench()
        bench.advance(to: Timestamp(microseconds: 1_795_255_356_371_388))
        for (index, exchange) in try SIPRecording.exchanges("sip_register_trace.txt").enumerated() {
            bench.receive(exchange.request, from: exchange.source)
            let sent = bench.takeDatagrams()
            #expect(sent.count == 1)
            #expect(sent.first?.to == exchange.source)
            compare(sent.first?.text ?? "", exchange.response, "REGISTER \(index + 1)")
        }
    }

    @Test("A refused call is answered as recorded")
    func refused() throws {
        var settings = Bench.settings()
        settings.limits = [
            LimitRule(prefix: "lim-", backend: .hash, realm: "trunk", id: "carrier1", max: 0)
        ]
        var bench = Bench(settings)
        let trace = try Recording.text("sip_limit_rejected.txt")
        let parts = trace.components(separatedBy: "<<< ")
        let invite = Recording.wire(String(parts[0].dropFirst(4)))
        bench.receive(invite, from: SIPRecording.source(invite))
        let sent = bench.takeDatagrams()
        #expect(sent.count == 2)
        compare(sent[0].text, Recording.wire(parts[1]), "100")
        compare(sent[1].text, Recording.wire(parts[2].components(separatedBy: ">>>")[0]), "603")
        // Unacknowledged, the refusal comes again; acknowledged, it does not.
        bench.advance(by: .milliseconds(600))
        #expect(bench.takeDatagrams().map(\.text) == [sent[1].text])
        let ack = Recording.wire(String(parts[2].components(separatedBy: ">>> ")[1]))
            .replacingOccurrences(of: "z9hG4bKc44a454291a", with: "z9hG4bKc44a454291")
        bench.receive(ack, from: SIPRecording.source(invite))
        bench.advance(by: .seconds(40))
        #expect(bench.takeDatagrams().isEmpty)
    }

    @Test("A bridged and a parked call, then their re-INVITEs on the other switch, are as recorded")
    func takeover() throws {
        var bench = Bench()
        bench.advance(to: Timestamp(microseconds: 1_795_255_385_611_379))
        try EventStreamTests.bridgedAndParked(&bench)
        let before = bench.takeDatagrams()
        try check(before, Phones.caller, "sip_takeover_uac.log", skipping: 0)
        try check(before, Phones.called, "sip_takeover_uas.log", skipping: 0)
        try check(before, Phones.parked, "sip_takeover_park.log", skipping: 0)

        var slave = Bench(Bench.settings("fsB"), seed: 2, at: Timestamp(microseconds: 1_795_255_391_600_000))
        slave.rows = try RecordedRows.table()
        let phones = try Phones()
        slave.peers = { phones.answers($0, to: $1) }
        #expect(slave.api("sofia profile svcA recover") == "Recovered 3 session(s)\n")
        slave.advance(by: .seconds(1))
        let after = slave.takeDatagrams()
        for (endpoint, file) in [
            (Phones.caller, "sip_takeover_uac.log"), (Phones.called, "sip_takeover_uas.log"),
            (Phones.parked, "sip_takeover_park.log"),
        ] {
            let received = try Recording.messages(file).filter { !$0.isSent }.suffix(2)
            let sent = after.filter { $0.to == endpoint }
            #expect(sent.count == 2, "\(file)")
            for (said, recorded) in zip(sent, received) {
                // The same media address and port as before: these are not marked.
                let port = /m=audio \d+/
                #expect(
                    said.text.firstMatch(of: port)?.output == recorded.text.firstMatch(of: port)?.output)
                compare(said.text, recorded.text, file)
            }
        }
        let trace = try Recording.text("sip_takeover_park.log").components(separatedBy: "its answer ====\n")[
            1]
        let parts = trace.components(separatedBy: "\n\n")
        slave.receive(Recording.wire(parts[0]), from: SIPEndpoint(ip: "10.77.0.100", port: 46264))
        let answer = slave.takeDatagrams()
        #expect(answer.count == 1)
        compare(answer[0].text, Recording.wire(parts[1].trimmingCharacters(in: .newlines)), "BYE")
    }

    /// What the phone received before the takeover: all but the last two messages.
    private func check(
        _ datagrams: [Bench.Datagram], _ endpoint: SIPEndpoint, _ file: String, skipping: Int
    ) throws {
        let received = try Recording.messages(file).filter { !$0.isSent }.dropLast(2)
        let sent = datagrams.filter { $0.to == endpoint }
        #expect(sent.count == received.count, "\(file)")
        for (said, recorded) in zip(sent, received) { compare(said.text, recorded.text, file) }
    }

    @Test("Each way of draining answers as recorded")
    func drain() throws {
        var bench = Bench()
        _ = bench.api("simulator load bridged 2")
        bench.advance(by: .seconds(2))
        _ = bench.takeDatagrams()
        var number = 0
        func probe(_ method: String) -> String {
            number += 1
            let text =
                method == "INVITE"
                ? SIPRecording.invite(to: "park", call: "p\(number)")
                : SIPRecording.request(method, to: "1001", call: "p\(number)")
            bench.receive(text, from: SIPRecording.phone)
            bench.advance(by: .milliseconds(50))
            let sent = bench.takeDatagrams().filter { !SIPRecording.status($0.text).hasPrefix("100") }
            if method == "INVITE", let tag = SIPRecording.toTag(sent[0].text) {
                let isUp = SIPRecording.status(sent[0].text).hasPrefix("200")
                for method in isUp ? ["ACK", "BYE"] : ["ACK"] {
                    bench.receive(
                        SIPRecording.request(
                            method, to: "park", call: "p\(number)", toTag: tag,
                            sequence: method == "BYE" ? 2 : 1), from: SIPRecording.phone)
                }
                bench.advance(by: .seconds(1))
                _ = bench.takeDatagrams()
            }
            return sent.first?.text ?? "nothing"
        }
        for section in try Recording.text("sip_drain_responses.txt").components(separatedBy: "==== ")
            .dropFirst()
        {
            var lines = section.components(separatedBy: "\n")
            let mode = lines.removeFirst()
            for (index, line) in lines.enumerated() {
                if line.hasPrefix("### api "), let arrow = line.range(of: " -> ") {
                    let command = String(line[..<arrow.lowerBound].dropFirst("### api ".count))
                    let recorded = String(line[arrow.upperBound...])
                    #expect(
                        bench.api(command).trimmingCharacters(in: .newlines) == recorded,
                        "\(mode): \(command)")
                } else if line.hasPrefix("-- probe: ") {
                    let method = String(line.dropFirst("-- probe: ".count))
                    let said = probe(method)
                    let recorded = lines[index + 1].replacingOccurrences(of: "OPTIONS -> ", with: "")
                    #expect(recorded.contains(SIPRecording.status(said)), "\(mode): \(method): \(recorded)")
                    for name in ["Reason", "Retry-After"] {
                        let value = Phones.line(name, of: said)
                        let isRecorded =
                            recorded.contains("\(name): ") || lines[index + 2].hasPrefix("\(name): ")
                        let tells = method == "REGISTER" || name == "Reason"
                        if tells { #expect(value.isEmpty != isRecorded, "\(mode): \(method): \(value)") }
                        if isRecorded, !value.isEmpty {
                            #expect(
                                recorded.contains(value) || lines[index + 2] == value, "\(mode): \(method)")
                        }
                    }
                }
            }
            // Each mode is undone before the next.
            for command in ["fsctl resume", "sofia global standby off", "global_setvar fsdns_drain="]
            where mode != "normal" {
                _ = bench.api(command)
            }
        }
    }
}
