import Cluster
import DNSMessages
import Primitives
import TestSupport
import Testing

/// What fsdns sends to find out whether it may update, and to change a TTL, given to a real BIND.
@Suite(
    "Proofs and TTLs against a real BIND", .serialized,
    .enabled(if: BINDServer.isExpected, "named is not installed (apt: bind9, bind9-dnsutils)"))
struct ZoneProofTests {
    private let zone = """
        $TTL 60
        example. SOA ns1.example. hostmaster.example. 7 3600 600 604800 60
        example. NS ns1.example.
        ns1.example. A 127.0.0.1
        sip.example. 5 A 10.0.0.1
        sip.example. 5 A 192.0.2.9
        _sip._udp.example. SRV 10 10 5060 sip.example.
        alias.example. CNAME ns1.example.
        _fsdns.sip.example. TXT "v=1 cluster=pbx/1f epoch=3.12"

        """
    private let endpoint = Endpoint("127.0.0.1:53")!

    private func grants(srv: Bool) -> String {
        """
        update-policy {
            grant fsdns. name sip.example. A AAAA;
            grant fsdns. name _fsdns.sip.example. TXT;
            \(srv ? "grant fsdns. name _sip._udp.example. SRV;" : "")
        };
        """
    }

    private func record(_ name: String, _ ip: String, ttl: UInt32) throws -> ZoneRecord {
        ZoneRecord(name: name, ttl: ttl, content: .address(try #require(IPAddress(ip))))
    }

    private func desired() throws -> DesiredZone {
        let ours = try #require(IPAddress("10.0.0.1"))
        return DesiredZone(
            settings: DNSSettings(
                zone: "example", ttl: .seconds(60), floor: 1,
                servers: [.init(endpoint: endpoint, keyName: "fsdns.")], services: ["sip"], seatNames: false,
                srv: [.init(service: "_sip._udp", port: 5060)]), writer: "pbx/1f",
            records: [
                try record("sip.example", "10.0.0.1", ttl: 60),
                ZoneRecord(
                    name: "_sip._udp.example", ttl: 60,
                    content: .srv(priority: 10, weight: 10, port: 5060, target: "sip.example")),
            ], ours: [ours])
    }

    /// What a server with this zone answers.
    private func found() throws -> [ZoneRecord] {
        [
            try record("sip.example", "10.0.0.1", ttl: 5), try record("sip.example", "192.0.2.9", ttl: 5),
            ZoneRecord(
                name: "_sip._udp.example", ttl: 60,
                content: .srv(priority: 10, weight: 10, port: 5060, target: "sip.example")),
            ZoneRecord(
                name: "_fsdns.sip.example", ttl: 60, content: .txt("v=1 cluster=pbx/1f epoch=3.12")),
        ]
    }

    private func serial(of server: BINDServer) throws -> String {
        try runProgram(
            "/usr/bin/dig", ["@127.0.0.1", "-p", "\(server.port)", "+short", "example", "SOA"]
        ).output
    }

    @Test("a proof of every grant changes nothing, not even the serial")
    func granted() throws {
        let server = try BINDServer(zone: zone, rules: grants(srv: true))
        let (before, lines) = (try serial(of: server), try server.zoneLines())
        let proof = try desired().proof(of: desired().keptSets, in: found())
        #expect(try server.send(DNSUpdate(proof), id: 1).code == .noError)
        #expect(try serial(of: server) == before)
        #expect(try server.zoneLines() == lines)
    }

    @Test("a missing grant is refused, and the halves of the sets show which it is")
    func missingGrant() throws {
        let server = try BINDServer(zone: zone, rules: grants(srv: false))
        let desired = try desired()
        var proof = ZoneProof()
        try proof.begin(desired.keptSets, in: found())
        var id: UInt16 = 0
        while let sets = proof.next() {
            id += 1
            let code = try server.send(DNSUpdate(desired.proof(of: sets, in: found())), id: id).code
            let outcome: ZoneUpdateOutcome = code == .noError ? .done : .refused("\(code)")
            if proof.ended(outcome, desired.settings.servers[0], at: .zero) { break }
        }
        #expect(id <= 5)
        #expect(proof.trouble.count == 1)
        #expect(
            proof.trouble.first?.text.contains("grant fsdns. name _sip._udp.example. SRV;") == true,
            "\(proof.trouble)")
    }

    @Test(
        "that the grant for SRV is missing is found while the zone has no SRV yet", arguments: [true, false])
    func firstSRV(isGranted: Bool) throws {
        let empty = zone.split(separator: "\n").filter { !$0.hasPrefix("_sip._udp") }.joined(separator: "\n")
        let server = try BINDServer(zone: empty + "\n", rules: grants(srv: isGranted))
        let (before, lines) = (try serial(of: server), try server.zoneLines())
        let desired = try desired()
        let found = try found().filter { $0.type != "SRV" }
        var proof = ZoneProof()
        proof.begin(desired.writtenSets, in: found)
        var id: UInt16 = 0
        while let sets = proof.next() {
            id += 1
            let update = desired.proof(of: sets, in: found, guarded: proof.isGuarded)
            let code = try server.send(DNSUpdate(update), id: id).code
            let outcome: ZoneUpdateOutcome =
                switch code {
                case .noError: .done
                case .nxRRSet: .prerequisiteFailed("\(code)")
                default: .refused("\(code)")
                }
            if proof.ended(outcome, desired.settings.servers[0], at: .zero) { break }
        }
        #expect(id == 2)
        #expect(proof.trouble.map(\.key) == (isGranted ? [] : ["grant _sip._udp.example SRV"]))
        #expect(try serial(of: server) == before)
        #expect(try server.zoneLines() == lines)
    }

    @Test("the TTL of a set is changed whole, and a foreign record in it stays")
    func ttl() throws {
        let server = try BINDServer(zone: zone, rules: grants(srv: true))
        let reading = ServerReading(endpoint: endpoint, outcome: .read(serial: 7, records: try found()))
        let plan = try desired().plan(from: reading, epoch: Epoch(term: 3, index: 40))
        #expect(try server.send(DNSUpdate(try #require(plan.update)), id: 1).code == .noError)
        let lines = try server.zoneLines()
        #expect(lines.contains("sip.example. 60 IN A 10.0.0.1"))
        #expect(lines.contains("sip.example. 60 IN A 192.0.2.9"))
        #expect(lines.contains(#"_fsdns.sip.example. 60 IN TXT "v=1 cluster=pbx/1f epoch=3.40""#))
    }

    @Test("a TTL above the server's limit is said to be done, and is found not to be")
    func limit() throws {
        let server = try BINDServer(zone: zone, rules: grants(srv: true) + " max-zone-ttl 60;")
        var desired = try desired()
        desired.records = [try record("sip.example", "10.0.0.1", ttl: 600)]
        let reading = ServerReading(endpoint: endpoint, outcome: .read(serial: 7, records: try found()))
        let update = try #require(desired.plan(from: reading, epoch: Epoch(term: 3, index: 40)).update)
        #expect(try server.send(DNSUpdate(update), id: 1).code == .noError)
        // It was never without an address, and what stands there now is not what was asked for.
        #expect(try server.zoneLines().contains("sip.example. 60 IN A 10.0.0.1"))
        let after = [try record("sip.example", "10.0.0.1", ttl: 60)]
        #expect(update.leftover(in: after).add.contains(try record("sip.example", "10.0.0.1", ttl: 600)))
    }
}
