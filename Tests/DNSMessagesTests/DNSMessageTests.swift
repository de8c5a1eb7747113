import DNSMessages
import Testing

@Suite("DNS messages")
struct DNSMessageTests {
    private func sample() throws -> DNSMessage {
        var message = DNSMessage.query(id: 0x1234, name: try DNSName("sip.example"), type: .a).reply(.noError)
        message.isAuthoritative = true
        message.answerSection = try (1...3).map { RawRecord(try DNSRecord("sip.example. 60 A 10.0.0.\($0)")) }
        message.authoritySection = [RawRecord(try DNSRecord("example. 60 NS ns1.example."))]
        message.additionalSection = [RawRecord(try DNSRecord("ns1.example. 60 AAAA ::1"))]
        return message
    }

    @Test("a query has the bytes of RFC 1035 §4.1")
    func queryBytes() throws {
        let query = DNSMessage.query(id: 0x1234, name: try DNSName("sip.example"), type: .srv, edns: nil)
        #expect(
            try query.wire() == [
                0x12, 0x34, 0x00, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0x73, 0x69, 0x70, 7, 0x65, 0x78, 0x61,
                0x6D,
                0x70, 0x6C, 0x65, 0, 0, 33, 0, 1,
            ])
    }

    @Test("what is written is read again, names compressed on the way")
    func roundTrip() throws {
        let message = try sample()
        let wire = try message.wire()
        #expect(try DNSMessage(wire: wire) == message)
        #expect(wire.count == 134)
        #expect(try message.answers().map(\.description).last == "sip.example. 60 IN A 10.0.0.3")
        #expect(try message.authorities().count == 1)
        #expect(try message.additionals().first?.type == .aaaa)
    }

    @Test("flags and EDNS travel, a code above 15 with EDNS only")
    func flags() throws {
        var message = DNSMessage(
            id: 7, isReply: true, operation: .notify, isTruncated: true, recursionDesired: true,
            recursionAvailable: true, code: .badVers, edns: EDNS(payload: 4096, dnssecOK: true))
        #expect(try DNSMessage(wire: message.wire()) == message)
        message.edns = nil
        #expect(try DNSMessage(wire: message.wire()).code == .noError)
    }

    @Test("a reply is a reply to its own request only")
    func replyMatching() throws {
        let request = DNSMessage.query(id: 9, name: try DNSName("a.example"), type: .a)
        #expect(request.reply(.nxDomain).isReply(to: request))
        #expect(!request.isReply(to: request))
        var other = request.reply(.noError)
        other.id = 10
        #expect(!other.isReply(to: request))
        other = request.reply(.noError)
        other.questions[0].type = .aaaa
        #expect(!other.isReply(to: request))
        other.questions = []
        #expect(!other.isReply(to: request))
        other.code = .refused
        #expect(other.isReply(to: request))
    }

    @Test("a message cut off anywhere is refused")
    func truncation() throws {
        let wire = try sample().wire()
        for count in 0..<wire.count {
            #expect(throws: DNSFailure.self, "\(count)") { try DNSMessage(wire: Array(wire[..<count])) }
        }
        #expect(throws: DNSFailure.self) { try DNSMessage(wire: wire + [0]) }
    }

    @Test("more than 65535 bytes are neither read nor written")
    func sizeLimit() throws {
        #expect(throws: DNSFailure.tooLong(65_536)) {
            try DNSMessage(wire: [UInt8](repeating: 0, count: 65_536))
        }
        var message = try sample()
        let name = try DNSName("t.example")
        message.answerSection = (0..<300).map { number in
            let text = RecordData.text("\(number)" + String(repeating: "x", count: 250))
            return RawRecord(DNSRecord(name: name, ttl: 1, data: text))
        }
        #expect(throws: DNSFailure.self) { try message.wire() }
        message.answerSection.removeLast(60)
        #expect(try DNSMessage(wire: message.wire()) == message)
        message.answerSection = [RawRecord](
            repeating: RawRecord(name: .root, type: .a, recordClass: .any), count: 70_000)
        #expect(throws: DNSFailure.self) { try message.wire() }
    }

    @Test("compression pointers that loop or lead forward are refused")
    func pointers() throws {
        let header: [UInt8] = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        for name in [[0xC0, 12], [0xC0, 14, 0], [1, 97, 0xC0, 12], [0xC0]] as [[UInt8]] {
            #expect(throws: DNSFailure.self, "\(name)") {
                try DNSMessage(wire: header + name + [0, 1, 0, 1])
            }
        }
    }

    @Test("a second TSIG, a TSIG before the end, a second OPT never reach libldns")
    func misplacedRecords() throws {
        let key = try TSIGTests.key()
        let plain = try DNSMessage.query(id: 1, name: DNSName("a.example"), type: .a).wire()
        let signed = key.sign(plain, at: 1000).wire
        let twice = key.sign(signed, at: 1000).wire
        #expect(throws: DNSFailure.self) { try DNSMessage(wire: twice) }
        let opt: [UInt8] = [0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0]
        var afterTSIG = signed + opt
        afterTSIG[11] += 1
        #expect(throws: DNSFailure.self) { try DNSMessage(wire: afterTSIG) }
        var twoOPT = plain + opt
        twoOPT[11] += 1
        #expect(throws: DNSFailure.self) { try DNSMessage(wire: twoOPT) }
        #expect(try DNSMessage(wire: signed) == DNSMessage(wire: plain))
    }

    @Test("an unreadable record throws instead of being left out")
    func unreadableRecord() throws {
        var message = try sample()
        message.answerSection[1].data = [10, 0, 0]
        #expect(throws: DNSFailure.self) { try message.answers() }
    }

    @Test("an A record of another length than four bytes makes the whole message malformed")
    func addressLength() throws {
        var message = try DNSMessage.query(id: 1, name: DNSName("a.example"), type: .a, edns: nil)
        message.authoritySection = [
            RawRecord(
                name: try DNSName("a.example"), type: .a, recordClass: .in, ttl: 60, data: [1, 1, 1, 1])
        ]
        var wire = try message.wire()
        #expect(try DNSMessage(wire: wire).authoritySection.count == 1)
        wire[wire.count - 5] = 16
        wire += Array(repeating: 7, count: 12)
        #expect(throws: DNSFailure.self) { try DNSMessage(wire: wire) }
    }

    @Test("codes have numbers and names both ways")
    func codes() {
        let expected: [(ResponseCode, UInt16, String)] = [
            (.noError, 0, "NOERROR"), (.nxDomain, 3, "NXDOMAIN"), (.yxDomain, 6, "YXDOMAIN"),
            (.yxRRSet, 7, "YXRRSET"), (.nxRRSet, 8, "NXRRSET"), (.notAuth, 9, "NOTAUTH"),
            (.notZone, 10, "NOTZONE"), (.other(23), 23, "RCODE23"),
        ]
        for (code, number, text) in expected {
            #expect(code.code == number)
            #expect(code.description == text)
            #expect(ResponseCode(code: number) == code)
        }
    }
}
