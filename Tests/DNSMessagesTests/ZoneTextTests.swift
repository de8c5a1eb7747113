import DNSMessages
import Testing

@Suite("Zone files")
struct ZoneTextTests {
    private let zone = """
        $TTL 60
        $ORIGIN voip.example.net.
        @   3600 IN SOA ns1 hm (
                7      ; serial
                3600 600 604800 60 )
            3600 IN NS ns1
        ns1 IN A 127.0.0.1
        ; the service
        sip A 10.77.0.11
            A 10.77.0.12
        _sip._udp SRV 10 10 5060 sip
        """

    @Test("origin, TTL, comments, brackets and repeated owners are understood")
    func reading() throws {
        let records = try ZoneText.parse(zone, origin: DNSName("example.net"), file: "voip.zone")
        #expect(
            ZoneText.print(records) == """
                voip.example.net. 3600 IN SOA ns1.voip.example.net. hm.voip.example.net. 7 3600 600 604800 60
                voip.example.net. 3600 IN NS ns1.voip.example.net.
                _sip._udp.voip.example.net. 60 IN SRV 10 10 5060 sip.voip.example.net.
                ns1.voip.example.net. 60 IN A 127.0.0.1
                sip.voip.example.net. 60 IN A 10.77.0.11
                sip.voip.example.net. 60 IN A 10.77.0.12

                """)
    }

    @Test("a printed zone reads as the same records")
    func printing() throws {
        let records = try ZoneText.parse(zone, origin: .root, file: "voip.zone")
        let again = try ZoneText.parse(ZoneText.print(records), origin: .root, file: "printed")
        #expect(again.sorted() == records.sorted())
    }

    @Test(
        "an error names the file and the line",
        arguments: [
            ("a.example. 60 IN A 10.0.0.1\nb.example. 60 IN A 10.0.0.999\n", "z:2: "),
            ("$TTL 60\n\n\na.example. IN NOSUCH x\n", "z:4: "),
            ("$TTL 60\n$INCLUDE /etc/passwd\n", "z:2: "),
            ("; nothing\na. 60 CH TXT x\n", "z:2: "),
            ("a. 60 IN SOA b. c. (\n1 2 3\n4 x )\n", "z:1: "),
        ])
    func errors(text: String, prefix: String) throws {
        let failure = try #require(throws: ZoneText.Failure.self) {
            try ZoneText.parse(text, origin: .root, file: "z")
        }
        #expect(failure.description.hasPrefix(prefix), "\(failure)")
        #expect(failure.description.count > prefix.count + 3)
    }

    @Test("an empty text has no records")
    func empty() throws {
        #expect(try ZoneText.parse("", origin: .root, file: "z").isEmpty)
        #expect(try ZoneText.parse("; only a comment\n\n", origin: .root, file: "z").isEmpty)
    }
}
