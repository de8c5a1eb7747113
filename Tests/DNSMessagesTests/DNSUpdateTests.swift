import DNSMessages
import Primitives
import Testing

@Suite("Updates")
struct DNSUpdateTests {
    static func sample() throws -> DNSUpdate {
        let zone = try DNSName("example")
        let sip = try DNSName("sip.example")
        let epoch = try DNSName("_fsdns.sip.example")
        return DNSUpdate(
            zone: zone,
            prerequisites: [
                .exists(zone, .soa), .equals(epoch, [.text("3.116")]), .absent(sip, .cname),
                .nameInUse(sip), .nameNotInUse(try DNSName("free.example")),
                .equals(sip, try ["10.0.0.1", "10.0.0.2"].map { .address(try #require(IPAddress($0))) }),
            ],
            operations: [
                .deleteSet(epoch, .txt),
                .add(DNSRecord(name: epoch, ttl: 0, data: .text("3.117 \"quoted\" \\ back"))),
                .delete(sip, .address(try #require(IPAddress("10.0.0.2")))),
                .add(try DNSRecord("sip.example. 60 A 10.0.0.9")),
                .add(try DNSRecord("sip.example. 60 AAAA 2001:db8::9")),
                .add(try DNSRecord("_sip._udp.example. 60 SRV 10 10 5060 sip.example.")),
                .add(try DNSRecord("example. 60 NAPTR 100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.example.")),
                .deleteName(try DNSName("old.example")),
            ])
    }

    @Test("an update survives the wire")
    func roundTrip() throws {
        let update = try Self.sample()
        let message = try DNSMessage(wire: update.message(id: 5).wire())
        #expect(message.operation == .update)
        #expect(!message.recursionDesired)
        #expect(try DNSUpdate(message) == update)
    }

    @Test("each prerequisite and operation has the class, type and TTL of RFC 2136 §2.4 and §2.5")
    func encoding() throws {
        let name = try DNSName("a.example")
        let data = RecordData.text("x")
        func raw(_ type: RecordType, _ recordClass: RecordClass, data: [UInt8] = []) -> RawRecord {
            RawRecord(name: name, type: type, recordClass: recordClass, data: data)
        }
        #expect(Prerequisite.exists(name, .a).records == [raw(.a, .any)])
        #expect(Prerequisite.absent(name, .a).records == [raw(.a, .none)])
        #expect(Prerequisite.nameInUse(name).records == [raw(.any, .any)])
        #expect(Prerequisite.nameNotInUse(name).records == [raw(.any, .none)])
        #expect(Prerequisite.equals(name, [data]).records == [raw(.txt, .in, data: [1, 0x78])])
        #expect(UpdateOperation.deleteSet(name, .a).record == raw(.a, .any))
        #expect(UpdateOperation.deleteName(name).record == raw(.any, .any))
        #expect(UpdateOperation.delete(name, data).record == raw(.txt, .none, data: [1, 0x78]))
    }

    @Test("what RFC 2136 §3.2 and §3.4.1 call a format error is one")
    func formatErrors() throws {
        let name = try DNSName("a.example")
        let good = DNSUpdate(zone: try DNSName("example"), operations: [.deleteName(name)]).message(id: 1)
        #expect(try DNSUpdate(good).operations.count == 1)
        func raw(
            _ type: RecordType, _ recordClass: RecordClass, ttl: UInt32 = 0, _ data: [UInt8] = []
        ) -> RawRecord {
            RawRecord(name: name, type: type, recordClass: recordClass, ttl: ttl, data: data)
        }
        let prerequisites = [
            raw(.a, .any, ttl: 1), raw(.a, .any, [1, 2, 3, 4]), raw(.a, .none, [1, 2, 3, 4]),
            raw(.a, .in, [1, 2]), raw(.a, RecordClass(rawValue: 3)), raw(.any, .in), raw(.axfr, .any),
            raw(.a, .in, ttl: 5, [1, 2, 3, 4]),
        ]
        for record in prerequisites {
            var message = good
            message.answerSection = [record]
            #expect(throws: DNSFailure.self, "\(record)") { try DNSUpdate(message) }
        }
        let operations = [
            raw(.any, .in), raw(.axfr, .in), raw(.a, .in, [1]), raw(.a, .any, ttl: 1),
            raw(.a, .any, [1, 2, 3, 4]), raw(.axfr, .any), raw(.a, .none, ttl: 1, [1, 2, 3, 4]),
            raw(.any, .none), raw(.a, RecordClass(rawValue: 3), [1, 2, 3, 4]),
        ]
        for record in operations {
            var message = good
            message.authoritySection = [record]
            #expect(throws: DNSFailure.self, "\(record)") { try DNSUpdate(message) }
        }
        var noZone = good
        noZone.questions = []
        #expect(throws: DNSFailure.self) { try DNSUpdate(noZone) }
        noZone.questions = [DNSQuestion(name: name, type: .a)]
        #expect(throws: DNSFailure.self) { try DNSUpdate(noZone) }
    }

    @Test("the script for nsupdate says the same, line by line")
    func script() throws {
        let server = try #require(Endpoint("127.0.0.1:5353"))
        #expect(
            UpdateScript(try Self.sample(), server: server).description == #"""
                server 127.0.0.1 5353
                zone example.
                prereq yxrrset example. IN SOA
                prereq yxrrset _fsdns.sip.example. IN TXT "3.116"
                prereq nxrrset sip.example. IN CNAME
                prereq yxdomain sip.example.
                prereq nxdomain free.example.
                prereq yxrrset sip.example. IN A 10.0.0.1
                prereq yxrrset sip.example. IN A 10.0.0.2
                update delete _fsdns.sip.example. IN TXT
                update add _fsdns.sip.example. 0 IN TXT "3.117 \"quoted\" \\ back"
                update delete sip.example. IN A 10.0.0.2
                update add sip.example. 60 IN A 10.0.0.9
                update add sip.example. 60 IN AAAA 2001:db8::9
                update add _sip._udp.example. 60 IN SRV 10 10 5060 sip.example.
                update add example. 60 IN NAPTR 100 50 "s" "SIP+D2U" "" _sip._udp.example.
                update delete old.example.
                send

                """#)
    }
}
