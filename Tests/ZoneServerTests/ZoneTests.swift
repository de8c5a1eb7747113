import DNSMessages
import Testing
import ZoneServer

/// The zone most tests start from.
enum ExampleZone {
    static let text = """
        $TTL 60
        $ORIGIN example.
        @ 3600 SOA ns1 hostmaster 7 3600 600 604800 30
        @ 3600 NS ns1
        @ 3600 NS ns2
        ns1 A 127.0.0.1
        ns2 A 127.0.0.2
        ns2 AAAA ::2
        Sip A 10.0.0.1
        sip A 10.0.0.2
        sip AAAA 2001:db8::1
        _sip._udp SRV 10 10 5060 sip
        _fsdns.sip 0 TXT "3.116"
        www CNAME sip
        loop1 CNAME loop2
        loop2 CNAME loop1
        away CNAME elsewhere.org.
        hole CNAME missing
        sub NS ns.sub
        ns.sub A 10.9.9.9

        """

    static func zone() throws -> Zone {
        try Zone(ZoneText.parse(text, origin: .root, file: "example.zone"))
    }
}

@Suite("Answers of a zone")
struct ZoneAnswerTests {
    private func ask(
        _ name: String, _ type: RecordType, recordClass: RecordClass = .in, edns: EDNS? = EDNS()
    ) throws -> DNSMessage {
        var query = DNSMessage.query(id: 1, name: try DNSName(name), type: type, edns: edns)
        query.questions[0].recordClass = recordClass
        return try ExampleZone.zone().answer(query)
    }

    @Test("a set is answered whole, with authority, in the asker's case")
    func positive() throws {
        let reply = try ask("SIP.Example", .a)
        #expect(reply.code == .noError && reply.isAuthoritative && reply.isReply)
        #expect(
            try reply.answers().map(\.description) == [
                "SIP.Example. 60 IN A 10.0.0.1", "SIP.Example. 60 IN A 10.0.0.2",
            ])
        #expect(reply.authoritySection.isEmpty)
        #expect(reply.edns == EDNS())
        #expect(try ask("sip.example", .a, edns: nil).edns == nil)
    }

    @Test("SRV and NS bring the addresses of their targets")
    func additional() throws {
        let srv = try ask("_sip._udp.example", .srv)
        #expect(try srv.answers().map(\.type) == [.srv])
        #expect(
            try srv.additionals().map(\.description) == [
                "sip.example. 60 IN A 10.0.0.1", "sip.example. 60 IN A 10.0.0.2",
                "sip.example. 60 IN AAAA 2001:db8::1",
            ])
        #expect(try ask("example", .ns).additionals().count == 3)
    }

    @Test("a missing type is no data, a missing name NXDOMAIN, both with the SOA and the negative TTL")
    func negative() throws {
        let soa = "example. 30 IN SOA ns1.example. hostmaster.example. 7 3600 600 604800 30"
        for (name, code) in [
            ("sip.example", ResponseCode.noError), ("no.example", .nxDomain), ("_udp.example", .noError),
            ("x.sip.example", .nxDomain),
        ] {
            let reply = try ask(name, .txt)
            #expect(reply.code == code, "\(name)")
            #expect(reply.isAuthoritative)
            #expect(reply.answerSection.isEmpty)
            #expect(try reply.authorities().map(\.description) == [soa], "\(name)")
        }
    }

    @Test("ANY is answered with one set")
    func any() throws {
        #expect(try ask("sip.example", .any).answers().map(\.type) == [.a, .a])
        #expect(try ask("no.example", .any).code == .nxDomain)
    }

    @Test("aliases are followed within the zone and shown out of it")
    func aliases() throws {
        #expect(try ask("www.example", .a).answers().map(\.type) == [.cname, .a, .a])
        #expect(try ask("www.example", .cname).answers().map(\.type) == [.cname])
        #expect(try ask("away.example", .a).answers().map(\.type) == [.cname])
        let hole = try ask("hole.example", .a)
        #expect(hole.code == .nxDomain)
        #expect(try hole.answers().map(\.type) == [.cname])
        #expect(try ask("loop1.example", .a).code == .servFail)
    }

    @Test("a name handed to other servers is referred to them, without authority")
    func delegation() throws {
        let reply = try ask("deep.down.sub.example", .a)
        #expect(!reply.isAuthoritative && reply.code == .noError && reply.answerSection.isEmpty)
        #expect(try reply.authorities().map(\.description) == ["sub.example. 60 IN NS ns.sub.example."])
        #expect(try reply.additionals().map(\.description) == ["ns.sub.example. 60 IN A 10.9.9.9"])
    }

    @Test("other zones, other classes and meta types are refused, two questions are malformed")
    func refusals() throws {
        #expect(try ask("example.org", .a).code == .refused)
        #expect(try ask(".", .ns).code == .refused)
        #expect(try ask("sip.example", .a, recordClass: RecordClass(rawValue: 3)).code == .refused)
        #expect(try ask("sip.example", .a, recordClass: .any).code == .noError)
        #expect(try ask("example", .axfr).code == .refused)
        #expect(try ask("sip.example", .a, edns: EDNS(version: 1)).code == .badVers)
        var query = DNSMessage.query(id: 1, name: try DNSName("sip.example"), type: .a)
        query.questions.append(query.questions[0])
        #expect(try ExampleZone.zone().answer(query).code == .formErr)
    }
}

@Suite("Zones")
struct ZoneTests {
    private func zone(_ lines: String...) throws -> Zone {
        let text = lines.joined(separator: "\n")
        return try Zone(ZoneText.parse(text, origin: try DNSName("example"), file: "z"))
    }
    private let soa = "@ 60 SOA ns1 h 1 2 3 4 5"
    private let ns = "@ 60 NS ns1"

    @Test("records are kept once, in canonical order, one TTL a set")
    func normalForm() throws {
        let zone = try zone(soa, "b 60 A 10.0.0.2", "B 30 A 10.0.0.1", "b 60 A 10.0.0.2", ns)
        #expect(zone.origin == (try DNSName("example")))
        #expect(zone.records.map(\.type) == [.ns, .soa, .a, .a])
        #expect(zone.records.suffix(2).map(\.ttl) == [30, 30])
        #expect(
            try zone.records(DNSName("b.example"), .a).map(\.data.description) == ["10.0.0.1", "10.0.0.2"])
        #expect(try Zone(zone.records.reversed()) == zone)
    }

    @Test("records that make no zone are refused with the reason")
    func refusals() throws {
        let name = try DNSName("example")
        #expect(throws: Zone.Failure.soaCount(0)) { try zone(ns) }
        #expect(throws: Zone.Failure.soaCount(2)) { try zone(soa, "x 60 SOA a. b. 1 2 3 4 5") }
        #expect(throws: Zone.Failure.noNameServer(name)) { try zone(soa) }
        let outside = try DNSRecord("x.org. 60 A 10.0.0.1")
        #expect(throws: Zone.Failure.outside(outside, zone: name)) {
            try zone(soa, ns, "x.org. 60 A 10.0.0.1")
        }
        for lines in [
            "c 60 A 10.0.0.1\nc 60 CNAME d", "c 60 CNAME d\nc 60 A 10.0.0.1", "c 60 CNAME d\nc 60 CNAME e",
        ] {
            #expect(throws: Zone.Failure.aliasWithOtherData(try DNSName("c.example"))) {
                try zone(soa, ns, lines)
            }
        }
        let many = (0...1000).map { "m 60 A 10.0.\($0 / 256).\($0 % 256)" }.joined(separator: "\n")
        #expect(throws: Zone.Failure.tooManyRecords) { try zone(soa, ns, many) }
    }
}
