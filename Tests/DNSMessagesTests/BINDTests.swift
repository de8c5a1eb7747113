import DNSMessages
import Foundation
import Primitives
import TestSupport
import Testing

@Suite(
    "Against a real BIND", .serialized,
    .enabled(if: BINDServer.isExpected, "named is not installed (apt: bind9, bind9-dnsutils)"))
struct BINDTests {
    private let zone = """
        $TTL 60
        example. SOA ns1.example. hostmaster.example. 1 3600 600 604800 60
        example. NS ns1.example.
        ns1.example. A 127.0.0.1
        sip.example. A 10.0.0.1
        sip.example. A 10.0.0.2
        _fsdns.sip.example. 0 TXT "3.116"
        old.example. TXT "x"

        """

    private func update(_ prerequisites: [Prerequisite] = []) throws -> DNSUpdate {
        DNSUpdate(
            zone: try DNSName("example"), prerequisites: prerequisites,
            operations: [.add(try DNSRecord("new.example. 60 A 10.0.0.9"))])
    }

    @Test(
        "a signed update is carried out, its reply verified",
        arguments: [LoopbackSocket.Transport.udp, .tcp], TSIGKey.Algorithm.allCases)
    func accepted(transport: LoopbackSocket.Transport, algorithm: TSIGKey.Algorithm) throws {
        let server = try BINDServer(zone: zone, algorithm: algorithm.rawValue)
        #expect(server.key.algorithm == algorithm)
        #expect(try server.send(DNSUpdateTests.sample(), id: 1, over: transport).code == .noError)
        #expect(
            try server.zoneLines() == [
                "example. 60 IN NS ns1.example.",
                "example. 60 IN NAPTR 100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.example.",
                "_sip._udp.example. 60 IN SRV 10 10 5060 sip.example.",
                "ns1.example. 60 IN A 127.0.0.1",
                "sip.example. 60 IN A 10.0.0.1",
                "sip.example. 60 IN A 10.0.0.9",
                "sip.example. 60 IN AAAA 2001:db8::9",
                #"_fsdns.sip.example. 0 IN TXT "3.117 \"quoted\" \\ back""#,
            ])
    }

    @Test("a prerequisite that does not hold is answered with its own code, and nothing changes")
    func failedPrerequisites() throws {
        let server = try BINDServer(zone: zone)
        let before = try server.zoneLines()
        let sip = try DNSName("sip.example")
        let expected: [(Prerequisite, ResponseCode)] = [
            (.exists(sip, .srv), .nxRRSet), (.absent(sip, .a), .yxRRSet), (.nameNotInUse(sip), .yxDomain),
            (.nameInUse(try DNSName("free.example")), .nxDomain),
            (.equals(try DNSName("_fsdns.sip.example"), [.text("3.115")]), .nxRRSet),
            (.equals(sip, [.address(try #require(IPAddress("10.0.0.1")))]), .nxRRSet),
            (.exists(try DNSName("other.org"), .a), .notZone),
        ]
        for (id, (prerequisite, code)) in expected.enumerated() {
            let reply = try server.send(try update([prerequisite]), id: UInt16(id))
            #expect(reply.code == code, "\(prerequisite)")
        }
        #expect(try server.zoneLines() == before)
    }

    @Test("a wrong secret is BADSIG, an unknown key BADKEY, a wrong clock BADTIME, none REFUSED")
    func refusedSignatures() throws {
        let server = try BINDServer(zone: zone)
        let wire = try update().message(id: 3).wire()
        let now = UInt64(time(nil))
        func failure(_ key: TSIGKey, at time: UInt64) throws -> TSIGFailure? {
            let signed = key.sign(wire, at: time)
            let reply = try LoopbackSocket.exchange(signed.wire, port: server.port, over: .udp)
            #expect(try DNSMessage(wire: reply).code == .notAuth)
            return #expect(throws: TSIGFailure.self) {
                try key.verifyReply(reply, requestMAC: signed.mac, at: time)
            }
        }
        let badSecret = try TSIGTests.key(secret: [1, 2, 3])
        #expect(
            try failure(badSecret, at: now) == .refused(.badSig, serverTime: nil, authenticated: false))
        let unknown = try TSIGTests.key(name: "nobody.")
        #expect(try failure(unknown, at: now) == .refused(.badKey, serverTime: nil, authenticated: false))
        guard case .refused(.badTime, let serverTime?, true) = try failure(server.key, at: now - 1000) else {
            Issue.record("no signed BADTIME with the server's clock")
            return
        }
        #expect((now...now + 60).contains(serverTime))
        let unsigned = try DNSMessage(wire: LoopbackSocket.exchange(wire, port: server.port, over: .udp))
        #expect(unsigned.code == .refused)
    }

    @Test("nsupdate takes the printed script and makes the same zone as the update itself")
    func script() throws {
        let ours = try BINDServer(zone: zone)
        let theirs = try BINDServer(zone: zone)
        let update = try DNSUpdateTests.sample()
        #expect(try ours.send(update, id: 4).code == .noError)
        let server = try #require(Endpoint("127.0.0.1:\(theirs.port)"))
        let script = UpdateScript(update, server: server).description
        let run = try runProgram("/usr/bin/nsupdate", ["-k", theirs.keyFile], input: script)
        #expect(run.status == 0, "\(run.errors)")
        #expect(try ours.zoneLines() == theirs.zoneLines())
        #expect(try ours.zoneLines().contains("sip.example. 60 IN A 10.0.0.9"))
        let again = try runProgram("/usr/bin/nsupdate", ["-k", theirs.keyFile], input: script)
        #expect(again.status != 0)
        #expect(again.errors.contains("NXRRSET"), "\(again.errors)")
    }

    @Test("a query is answered and read")
    func query() throws {
        let server = try BINDServer(zone: zone)
        let query = DNSMessage.query(id: 5, name: try DNSName("SIP.example"), type: .a)
        let reply = try DNSMessage(wire: LoopbackSocket.exchange(query.wire(), port: server.port, over: .udp))
        #expect(reply.isReply(to: query))
        #expect(reply.isAuthoritative)
        #expect(
            try reply.answers().sorted()
                == ["sip.example. 60 A 10.0.0.1", "sip.example. 60 A 10.0.0.2"].map { try DNSRecord($0) })
    }
}
