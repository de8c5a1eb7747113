import DNSMessages
import Primitives
import Testing

@Suite("Resource records")
struct DNSRecordTests {
    @Test(
        "one line of text is read, printed the same and survives the wire",
        arguments: [
            "sip.example. 60 IN A 10.77.0.11",
            "sip.example. 60 IN AAAA 2001:db8::11",
            "_sip._udp.example. 60 IN SRV 10 20 5060 sip1.example.",
            "example. 3600 IN NS ns1.example.",
            "example. 3600 IN SOA ns1.example. hostmaster.example. 7 3600 600 604800 60",
            "www.example. 60 IN CNAME sip.example.",
            "11.0.77.10.in-addr.arpa. 60 IN PTR sip.example.",
            "_fsdns.sip.example. 0 IN TXT \"epoch=3.117\" \"second string\"",
            "example. 60 IN NAPTR 100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.example.",
            "example. 60 IN MX 10 mail.example.",
            "x.example. 60 IN TYPE65280 \\# 3 0a0b0c", "x.example. 60 IN TYPE65280 \\# 0",
        ])
    func roundTrip(text: String) throws {
        let record = try DNSRecord(text)
        #expect(record.description == text)
        #expect(try RecordData(type: record.type, wire: record.data.wire) == record.data)
        #expect(try DNSRecord(record.description) == record)
    }

    @Test("data is typed")
    func typedData() throws {
        let address = try #require(IPAddress("10.77.0.11"))
        #expect(try DNSRecord("s.example. 60 A 10.77.0.11").data == .address(address))
        #expect(
            try DNSRecord("_sip._udp.example. 60 SRV 1 2 5060 S.example.").data
                == .srv(priority: 1, weight: 2, port: 5060, target: DNSName("s.example")))
        #expect(try DNSRecord("t.example. 60 TXT \"epoch=3.117\"").data == .text("epoch=3.117"))
        #expect(try DNSRecord("t.example. 60 TXT a b").data.text == "ab")
    }

    @Test("text longer than a string is cut into strings of 255 bytes")
    func longText() throws {
        let text = String(repeating: "x", count: 600)
        guard case .txt(let strings) = RecordData.text(text) else {
            Issue.record("not TXT")
            return
        }
        #expect(strings.map(\.count) == [255, 255, 90])
        #expect(RecordData.text(text).text == text)
        #expect(RecordData.text("") == .txt([[]]))
    }

    @Test("names within data are compared without regard to case")
    func caseWithinData() throws {
        #expect(
            try DNSRecord("a.example. 60 NAPTR 1 1 \"s\" \"SIP+D2U\" \"\" _SIP.Example.").data
                == DNSRecord("a.example. 60 NAPTR 1 1 \"s\" \"SIP+D2U\" \"\" _sip.example.").data)
        #expect(try DNSRecord("a. 60 NS B.example.").data == DNSRecord("a. 60 NS b.EXAMPLE.").data)
        #expect(try DNSRecord("a. 60 TXT A").data != DNSRecord("a. 60 TXT a").data)
    }

    @Test("relative owners and targets are put under the origin")
    func origin() throws {
        let zone = try DNSName("voip.example.net")
        #expect(
            try DNSRecord("_sip._udp 60 IN SRV 1 1 5060 sip", origin: zone).description
                == "_sip._udp.voip.example.net. 60 IN SRV 1 1 5060 sip.voip.example.net.")
    }

    @Test(
        "text that is no record of class IN is refused",
        arguments: [
            "", "sip.example.", "sip.example. 60 IN A", "sip.example. 60 IN A 10.0.0.256",
            "sip.example. 60 CH A 10.0.0.1", "sip.example. 60 IN SRV 1 2 x.example.",
            "a. 60 IN A 10.0.0.1\nb. 60 IN A 10.0.0.2", "a. 60 IN AAAA 10.0.0.1", "a\u{0}. 60 IN A 10.0.0.1",
        ])
    func refusals(text: String) {
        #expect(throws: DNSFailure.self) { try DNSRecord(text) }
    }

    @Test(
        "data bytes of the wrong length are refused",
        arguments: [
            (RecordType.a, [1, 2, 3]), (.a, [1, 2, 3, 4, 5]), (.aaaa, [1, 2, 3, 4]), (.txt, []),
            (.txt, [5, 1]),
            (.srv, [0, 1, 0, 1, 0]), (.ns, [1]), (.ns, [0, 0]), (.soa, [0, 0, 1]),
        ] as [(RecordType, [UInt8])])
    func dataRefusals(type: RecordType, bytes: [UInt8]) {
        #expect(throws: DNSFailure.self) { try RecordData(type: type, wire: bytes) }
    }

    @Test("records sort by name, type, data and TTL")
    func order() throws {
        let ordered = try [
            "example. 60 NS ns.example.", "a.example. 60 A 10.0.0.1", "a.example. 90 A 10.0.0.1",
            "a.example. 60 A 10.0.0.2", "a.example. 60 TXT x", "b.example. 60 A 10.0.0.1",
        ].map { try DNSRecord($0) }
        #expect(ordered.reversed().sorted() == ordered)
    }

    @Test("serials are newer within half the circle and skip zero")
    func serials() {
        #expect(SerialNumber(2).isNewer(than: 1))
        #expect(SerialNumber(5).isNewer(than: 0xFFFF_FFF0))
        #expect(!SerialNumber(1).isNewer(than: 1))
        #expect(!SerialNumber(0x8000_0001).isNewer(than: 1))
        #expect(SerialNumber(0xFFFF_FFFF).next == 1)
        #expect(SerialNumber(7).next == 8)
    }

    @Test("types have their mnemonics both ways")
    func types() {
        for (type, text) in [(RecordType.aaaa, "AAAA"), (.srv, "SRV"), (.naptr, "NAPTR"), (.any, "ANY")] {
            #expect(type.description == text)
            #expect(RecordType(text) == type)
        }
        #expect(RecordType(rawValue: 65280).description == "TYPE65280")
        #expect(RecordType("TYPE65280")?.rawValue == 65280)
        #expect(RecordType("NOSUCH") == nil)
    }
}
