import EventSocket
import SwitchSimulator
import Testing

/// `sendevent NOTIFY` as mod_sofia takes it.
@Suite struct NotifyTests {
    private static let account = "sip:1001@lab.test"

    private func send(_ headers: [String], on bench: inout Bench) -> [Bench.Datagram] {
        let client = bench.connect()
        bench.say(
            "auth ClueCon\n\nsendevent NOTIFY\n" + headers.joined(separator: "\n") + "\n\n", from: client)
        return bench.takeDatagrams()
    }

    private static let whole = [
        "profile: svcA", "event-string: check-sync;reboot=false",
        "contact-uri: \"desk\" <sip:1001@10.77.0.100:5072>", "to-uri: \(account)", "from-uri: \(account)",
        "content-type: application/simple-message-summary",
    ]

    @Test("It is a SIP NOTIFY from that profile to that contact, until it is answered")
    func whole() throws {
        var bench = Bench()
        let datagrams = send(Self.whole, on: &bench)
        #expect(datagrams.map(\.to) == [SIPEndpoint(ip: "10.77.0.100", port: 5072)])
        let text = try #require(datagrams.first?.text)
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
        #expect(lines.first == "NOTIFY sip:1001@10.77.0.100:5072 SIP/2.0")
        #expect(lines.contains { $0.hasPrefix("Via: SIP/2.0/UDP 10.77.0.50;rport;branch=") })
        #expect(lines.contains { $0.hasPrefix("From: <\(Self.account)>;tag=") })
        #expect(lines.contains("To: <\(Self.account)>"))
        // In the order in which a FreeSWITCH was seen to write them.
        #expect(
            lines.map { String($0.prefix { $0 != ":" && $0 != " " }) } == [
                "NOTIFY", "Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "User-Agent",
                "Allow", "Supported", "Event", "Allow-Events", "Subscription-State", "Content-Type",
                "Content-Length",
            ])
        #expect(lines.contains("Event: check-sync;reboot=false"))
        #expect(lines.contains("Subscription-State: terminated;reason=noresource"))
        #expect(lines.contains("Content-Type: application/simple-message-summary"))
        #expect(lines.contains("Content-Length: 0"))

        bench.advance(by: .milliseconds(600))
        #expect(bench.takeDatagrams().map(\.text) == [text], "not answered: once more")
        let via = try #require(lines.first { $0.hasPrefix("Via: ") })
        let sequence = try #require(lines.first { $0.hasPrefix("CSeq: ") })
        let call = try #require(lines.first { $0.hasPrefix("Call-ID: ") })
        bench.receive(
            "SIP/2.0 200 OK\r\n\(via)\r\nFrom: <\(Self.account)>;tag=1\r\nTo: <\(Self.account)>;tag=2\r\n"
                + "\(call)\r\n\(sequence)\r\nContent-Length: 0\r\n\r\n",
            from: SIPEndpoint(ip: "10.77.0.100", port: 5072))
        bench.advance(by: .seconds(60))
        #expect(bench.takeDatagrams().isEmpty)
    }

    @Test("Nobody who answers is asked for 32 seconds, and no longer")
    func silent() {
        var bench = Bench()
        _ = send(Self.whole, on: &bench)
        bench.advance(by: .seconds(32))
        #expect(bench.takeDatagrams().count == 10)
        bench.advance(by: .seconds(60))
        #expect(bench.takeDatagrams().isEmpty)
    }

    @Test("The way noted in a contact is gone, and stays out of its URI")
    func path() throws {
        var bench = Bench()
        var headers = Self.whole
        headers[2] =
            "contact-uri: <sip:1001@192.0.2.7:5099;transport=udp;fs_nat=yes;fs_path=sip%3A1001%4010.77.0.9%3A1024>"
        let datagrams = send(headers, on: &bench)
        #expect(datagrams.map(\.to) == [SIPEndpoint(ip: "10.77.0.9", port: 1024)])
        let text = try #require(datagrams.first?.text)
        #expect(text.hasPrefix("NOTIFY sip:1001@192.0.2.7:5099;transport=udp SIP/2.0\r\n"))
    }

    @Test("Without contact, account or a known profile nothing is sent", arguments: [0, 2, 3, 4])
    func lacking(index: Int) {
        var bench = Bench()
        var headers = Self.whole
        headers.remove(at: index)
        #expect(send(headers, on: &bench).isEmpty)
    }
}
