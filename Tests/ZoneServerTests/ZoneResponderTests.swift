import DNSMessages
import Testing
import ZoneServer

@Suite("Requests of one zone")
struct ZoneResponderTests {
    private let now: UInt64 = 1_795_000_000

    private func key(_ name: String = "fsdns", _ secret: [UInt8] = [1, 2, 3]) throws -> TSIGKey {
        try #require(TSIGKey(name: DNSName(name), algorithm: .hmacSHA256, secret: secret))
    }

    private func responder(key: TSIGKey?) throws -> ZoneResponder {
        ZoneResponder(zone: try ExampleZone.zone(), key: key)
    }

    private func update(_ prerequisites: [Prerequisite] = []) throws -> DNSMessage {
        DNSUpdate(
            zone: try DNSName("example"), prerequisites: prerequisites,
            operations: [.add(try DNSRecord("new.example. 60 A 10.0.0.9"))]
        ).message(id: 0xABCD)
    }

    private func reply(
        _ responder: inout ZoneResponder, _ wire: [UInt8],
        over transport: ZoneResponder.Transport = .udp, fromLoopback: Bool = true,
        commit: (Zone) -> Bool = { _ in true }
    ) throws -> [UInt8] {
        let answer = responder.respond(
            to: wire, over: transport, fromLoopback: fromLoopback, at: now, commit: commit)
        #expect(answer.count == 1)
        return try #require(answer.first)
    }

    @Test("a signed update is carried out and its reply is bound to it")
    func signedUpdate() throws {
        let key = try key()
        var responder = try responder(key: key)
        let signed = key.sign(try update().wire(), at: now)
        let bytes = try reply(&responder, signed.wire, fromLoopback: false)
        let message = try key.verifyReply(bytes, requestMAC: signed.mac, at: now)
        #expect(message.code == .noError)
        #expect(try message.isReply(to: update()))
        #expect(responder.zone.serial == 8)
        #expect(try responder.zone.types(of: DNSName("new.example")) == [.a])
    }

    @Test(
        "an update that somebody plays again changes nothing, whatever id it has, as long as its signature holds"
    )
    func replay() throws {
        let key = try key()
        var responder = try responder(key: key)
        let signed = key.sign(try update().wire(), at: now)
        _ = try reply(&responder, signed.wire)
        let removal = DNSUpdate(
            zone: try DNSName("example"), prerequisites: [],
            operations: [.deleteSet(try DNSName("new.example"), .a)]
        ).message(id: 0x1234)
        _ = try reply(&responder, key.sign(try removal.wire(), at: now).wire)
        #expect(responder.zone.serial == 9)
        var again = signed.wire
        for id in [UInt8(0xAB), 0x77] {
            again[0] = id
            let bytes = responder.respond(to: again, over: .udp, fromLoopback: false, at: now + 299)
            #expect(bytes.count == 1)
            #expect(responder.zone.serial == 9)
        }
        #expect(try responder.zone.types(of: DNSName("new.example")).isEmpty)
        // The same wish, signed anew, is another.
        _ = try reply(&responder, key.sign(try update().wire(), at: now + 1).wire)
        #expect(responder.zone.serial == 10)
    }

    @Test("an update that was signed before the start is not carried out: a process before may have done it")
    func replayAfterRestart() throws {
        let key = try key()
        let old = key.sign(try update().wire(), at: now - 1)
        var responder = ZoneResponder(zone: try ExampleZone.zone(), key: key, since: now)
        let refusal = try reply(&responder, old.wire)
        #expect(
            throws: TSIGFailure.refused(.badTime, serverTime: now, authenticated: true)
        ) { try key.verifyReply(refusal, requestMAC: old.mac, at: now - 1) }
        #expect(responder.zone == (try ExampleZone.zone()))
        _ = try reply(&responder, key.sign(try update().wire(), at: now).wire)
        #expect(responder.zone.serial == 8)
        // Only where the clock did not go back since.
        var other = ZoneResponder(zone: try ExampleZone.zone(), key: key, since: now + 3600)
        _ = try reply(&other, old.wire)
        #expect(other.zone.serial == 8)
    }

    @Test("a failed prerequisite is answered signed, and changes nothing")
    func failedPrerequisite() throws {
        let key = try key()
        var responder = try responder(key: key)
        let request = try update([.nameNotInUse(DNSName("sip.example"))])
        let signed = key.sign(try request.wire(), at: now)
        let bytes = try reply(&responder, signed.wire)
        #expect(try key.verifyReply(bytes, requestMAC: signed.mac, at: now).code == .yxDomain)
        #expect(responder.zone == (try ExampleZone.zone()))
    }

    @Test("with a key an unsigned update is refused; without one only this machine may update")
    func unsignedUpdates() throws {
        let wire = try update().wire()
        var keyed = try responder(key: key())
        #expect(try DNSMessage(wire: reply(&keyed, wire)).code == .refused)
        var open = try responder(key: nil)
        #expect(try DNSMessage(wire: reply(&open, wire, fromLoopback: false)).code == .refused)
        #expect(open.zone.serial == 7)
        #expect(try DNSMessage(wire: reply(&open, wire)).code == .noError)
        #expect(open.zone.serial == 8)
    }

    @Test("a signature that is not accepted is NOTAUTH with the reason, for queries too")
    func badSignatures() throws {
        let ours = try key()
        var responder = try responder(key: ours)
        let wires = [
            try update().wire(), try DNSMessage.query(id: 1, name: DNSName("sip.example"), type: .a).wire(),
        ]
        for wire in wires {
            for (other, code) in [
                (try key("fsdns", [9]), TSIGErrorCode.badSig), (try key("nobody"), .badKey),
            ] {
                let signed = other.sign(wire, at: now)
                let bytes = try reply(&responder, signed.wire)
                #expect(try DNSMessage(wire: bytes).code == .notAuth)
                #expect(throws: TSIGFailure.refused(code, serverTime: nil, authenticated: false)) {
                    try other.verifyReply(bytes, requestMAC: signed.mac, at: now)
                }
            }
            let late = ours.sign(wire, at: now - 1000)
            let bytes = try reply(&responder, late.wire)
            #expect(throws: TSIGFailure.refused(.badTime, serverTime: now, authenticated: true)) {
                try ours.verifyReply(bytes, requestMAC: late.mac, at: now - 1000)
            }
        }
        var open = try self.responder(key: nil)
        let bytes = try reply(&open, ours.sign(wires[0], at: now).wire)
        #expect(try PacketScan(bytes).signature?.error == .badKey)
        #expect(open.zone.serial == 7)
    }

    @Test("a signed query has a signed answer")
    func signedQuery() throws {
        let key = try key()
        var responder = try responder(key: key)
        let query = DNSMessage.query(id: 3, name: try DNSName("sip.example"), type: .aaaa)
        let signed = key.sign(try query.wire(), at: now)
        let bytes = try reply(&responder, signed.wire)
        #expect(try key.verifyReply(bytes, requestMAC: signed.mac, at: now).answers().count == 1)
    }

    @Test("a change that cannot be made durable is not made")
    func commitFailure() throws {
        var responder = try responder(key: nil)
        var offered: [SerialNumber] = []
        let bytes = try reply(&responder, try update().wire()) { zone in
            offered.append(zone.serial)
            return false
        }
        #expect(try DNSMessage(wire: bytes).code == .servFail)
        #expect(offered == [8])
        #expect(responder.zone.serial == 7)
    }

    @Test("an update that changes nothing is not written")
    func noChange() throws {
        var responder = try responder(key: nil)
        let request = DNSUpdate(
            zone: try DNSName("example"), operations: [.deleteName(try DNSName("free.example"))])
        let bytes = try reply(&responder, try request.message(id: 1).wire()) { _ in
            Issue.record("nothing changed, nothing to write")
            return false
        }
        #expect(try DNSMessage(wire: bytes).code == .noError)
    }

    @Test("sections are judged in order: zone, prerequisites, then the form of the operations")
    func sectionOrder() throws {
        var responder = try responder(key: nil)
        func code(_ change: (inout DNSMessage) -> Void) throws -> ResponseCode {
            var request = try update([.nameNotInUse(DNSName("sip.example"))])
            request.authoritySection[0].type = .any
            change(&request)
            return try DNSMessage(wire: reply(&responder, request.wire())).code
        }
        #expect(try code { _ in } == .yxDomain)
        #expect(try code { $0.answerSection = [] } == .formErr)
        #expect(try code { $0.answerSection[0].ttl = 1 } == .formErr)
        let other = try DNSName("org")
        #expect(
            try code {
                $0.questions[0].name = other
                $0.answerSection[0].ttl = 1
            } == .notAuth)
        #expect(try code { $0.questions[0].type = .a } == .formErr)
        #expect(try code { $0.questions = [] } == .formErr)
        #expect(responder.zone.serial == 7)
    }

    @Test("bytes that are no request get a format error, replies and scraps get silence")
    func malformed() throws {
        var responder = try responder(key: nil)
        func respond(_ wire: [UInt8]) -> [UInt8]? {
            responder.respond(to: wire, over: .udp, fromLoopback: true, at: now).first
        }
        let query = try DNSMessage.query(id: 0x0102, name: DNSName("sip.example"), type: .a).wire()
        #expect(respond(Array(query.dropLast())) == [1, 2, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0])
        #expect(respond(Array(query.prefix(11))) == nil)
        var reply = query
        reply[2] |= 0x80
        #expect(respond(reply) == nil)
        var withAnswer = try DNSMessage(wire: query)
        withAnswer.answerSection = [RawRecord(try DNSRecord("sip.example. 60 A 10.0.0.1"))]
        #expect(try DNSMessage(wire: #require(respond(withAnswer.wire()))).code == .formErr)
        for operation: UInt8 in [1, 2, 4, 15] {
            var other = query
            other[2] = operation << 3
            let answer = try DNSMessage(wire: #require(respond(other)))
            #expect(answer.code == .notImp && answer.operation.code == operation && answer.id == 0x0102)
        }
    }

    @Test("a transfer begins and ends with the SOA, goes by TCP, and to the entitled only")
    func transfer() throws {
        let key = try key()
        var responder = try responder(key: key)
        func ask(
            _ type: RecordType, serial: SerialNumber? = nil, isSigned: Bool = true,
            over transport: ZoneResponder.Transport = .tcp
        ) throws -> DNSMessage {
            var query = DNSMessage.query(id: 1, name: try DNSName("example"), type: type)
            if let serial {
                var soa = try ExampleZone.zone().soa
                soa.serial = serial
                query.authoritySection = [
                    RawRecord(DNSRecord(name: query.questions[0].name, ttl: 0, data: .soa(soa)))
                ]
            }
            let wire = try query.wire()
            let bytes = try reply(&responder, isSigned ? key.sign(wire, at: now).wire : wire, over: transport)
            return try DNSMessage(wire: bytes)
        }
        let zone = try ExampleZone.zone()
        let whole = try ask(.axfr).answers()
        #expect(whole.count == zone.records.count + 1)
        #expect(whole.first?.type == .soa && whole.last?.type == .soa)
        #expect(Set(whole) == Set(zone.records))
        #expect(try ask(.ixfr, serial: 6).answers() == whole)
        #expect(try ask(.ixfr, serial: 7).answers().map(\.type) == [.soa])
        #expect(try ask(.ixfr, serial: 6, over: .udp).answers().map(\.type) == [.soa])
        #expect(try ask(.axfr, over: .udp).code == .refused)
        #expect(try ask(.axfr, isSigned: false).code == .refused)
        #expect(try ask(.ixfr, serial: 6, isSigned: false).code == .refused)
    }

    @Test("what does not fit into a datagram is truncated, additional records are left out first")
    func truncation() throws {
        var zone = try ExampleZone.zone()
        let name = try DNSName("many.example")
        let operations = try (1...60).map {
            UpdateOperation.add(try DNSRecord("many.example. 60 A 10.3.0.\($0)"))
        }
        let srv = UpdateOperation.add(try DNSRecord("_s._udp.example. 60 SRV 1 1 1 many.example."))
        #expect(zone.apply(DNSUpdate(zone: zone.origin, operations: operations + [srv])) == .noError)
        var responder = ZoneResponder(zone: zone, key: nil)
        func ask(
            _ name: DNSName, _ type: RecordType, _ edns: EDNS?, _ transport: ZoneResponder.Transport
        ) throws -> DNSMessage {
            let query = DNSMessage.query(id: 1, name: name, type: type, edns: edns)
            let bytes = try reply(&responder, query.wire(), over: transport)
            #expect(transport == .tcp || bytes.count <= (edns == nil ? 512 : 1232))
            return try DNSMessage(wire: bytes)
        }
        let small = try ask(name, .a, nil, .udp)
        #expect(small.isTruncated && small.answerSection.isEmpty && small.questions.count == 1)
        #expect(try ask(name, .a, EDNS(payload: 512), .udp).isTruncated)
        let large = try ask(name, .a, EDNS(payload: 4096), .udp)
        #expect(!large.isTruncated && large.answerSection.count == 60)
        #expect(try ask(name, .a, nil, .tcp).answerSection.count == 60)
        let service = try ask(DNSName("_s._udp.example"), .srv, nil, .udp)
        #expect(!service.isTruncated && service.answerSection.count == 1 && service.additionalSection.isEmpty)
    }
}
