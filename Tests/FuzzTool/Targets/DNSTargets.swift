import Cluster
import DNSMessages
import ZoneServer

/// DNS both ways: what our zone server is asked, what name servers answer us, and zones and keys as text.
extension FuzzTarget {
    static let dns: [FuzzTarget] = [dnsReply, dnsServer, dnsStream, zoneText, keyFile, recordText]

    private static let now: UInt64 = 1_795_000_000

    private static let key: TSIGKey = {
        guard let name = try? DNSName("fsdns."),
            let key = TSIGKey(
                name: name, algorithm: .hmacSHA256, secret: Array("0123456789abcdef0123456789abcdef".utf8))
        else { fatalError("a key can be made") }
        return key
    }()

    private static func text(_ records: [String]) -> [RawRecord] {
        records.compactMap { try? DNSRecord($0) }.map { RawRecord($0) }
    }

    private static let zone: Zone = {
        let records = [
            "example. 60 SOA ns.example. root.example. 1 2 3 4 5", "example. 60 NS ns.example.",
            "ns.example. 60 A 192.0.2.1", "sip.example. 60 A 10.0.0.1", "_fsdns.sip.example. 0 TXT \"3.116\"",
            "a.example. 60 CNAME sip.example.", "b.example. 60 NS ns.b.example.",
            "ns.b.example. 60 A 192.0.2.3",
            "_sip._udp.example. 60 SRV 10 10 5060 sip.example.",
        ].compactMap { try? DNSRecord($0) }
        guard let zone = try? Zone(records) else { fatalError("the records make a zone") }
        return zone
    }()

    private static func messages() -> [[UInt8]] {
        guard let zone = try? DNSName("example"), let sip = try? DNSName("sip.example"),
            let epoch = try? DNSName("_fsdns.sip.example"),
            let added = try? DNSRecord("sip.example. 60 A 10.0.0.9")
        else { return [] }
        let update = DNSUpdate(
            zone: zone,
            prerequisites: [
                .exists(zone, .soa), .equals(epoch, [.text("3.116")]), .absent(sip, .cname), .nameInUse(sip),
            ],
            operations: [
                .deleteSet(epoch, .txt), .add(DNSRecord(name: epoch, ttl: 0, data: .text("3.117"))),
                .add(added), .deleteName(sip),
            ])
        let types: [RecordType] = [.any, .a, .soa, .axfr, .ixfr, .txt]
        var queries = types.map { DNSMessage.query(id: 78, name: sip, type: $0) }
        queries.append(DNSMessage.query(id: 78, name: zone, type: .axfr))
        var reply = queries[0].reply(.noError)
        reply.isAuthoritative = true
        reply.answerSection = text([
            "sip.example. 60 A 10.0.0.1", "sip.example. 60 NAPTR 1 1 \"s\" \"SIP+D2U\" \"\" x.example.",
            "sip.example. 60 SRV 1 2 3 y.example.", "example. 1 SOA a. b. 1 2 3 4 5",
            "a.example. 1 RRSIG A 8 2 60 20300101000000 20260101000000 1 example. AAAA",
            "b.example. 1 NSEC c.example. A TXT TYPE65280", "d.example. 1 HTTPS 1 . alpn=h2 port=53",
            "c.example. 1 LOC 52 22 23 N 4 53 32 E -2m 0m 10m 10m", "e.example. 1 APL 1:192.168.32.0/21",
            "f.example. 1 IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG", "g.example. 1 TYPE65280 \\# 2 0102",
        ])
        return ([update.message(id: 77), reply] + queries).compactMap { try? $0.wire() }
    }

    static let dnsReply = FuzzTarget(
        "dns-reply", "what a name server answers: parsed, verified, its records read and written",
        maximumLength: 2048, seeds: { messages() + messages().map { key.sign($0, at: now).wire } }
    ) { input in
        let wire = input.rest()
        _ = try? key.verifyReply(wire, requestMAC: [1, 2, 3], at: now)
        guard let scan = try? PacketScan(wire) else { return }
        _ = try? key.verifyRequest(scan, at: now)
        if scan.unsigned.count >= 12 {
            _ = try? key.verifyReply(key.sign(scan.unsigned, at: now).wire, requestMAC: [1], at: now)
        }
        guard let message = try? DNSMessage(scan) else { return }
        _ = try? DNSUpdate(message)
        var hasServiceBinding = false
        for section in [try? message.answers(), try? message.authorities(), try? message.additionals()] {
            for record in section ?? [] {
                _ = ZoneRecord(record)
                let text = record.description
                if text.contains(" HTTPS ") || text.contains(" SVCB ") { hasServiceBinding = true }
            }
        }
        // libldns takes parameters that end early, and writes them as they would be whole. fsdns writes no reply of others.
        guard !hasServiceBinding, let again = try? message.wire() else { return }
        expect((try? DNSMessage(wire: again)) != nil, "what is written cannot be read: \(message)")
    }

    static let dnsServer = FuzzTarget(
        "dns-server", "requests to the zone server by UDP and TCP, signed and not, one after the other",
        maximumLength: 4096,
        seeds: {
            let all = messages()
            return all.indices.map { index in
                FuzzInput.message(UInt8(index), all[index]) + FuzzInput.message(7, all[0])
                    + FuzzInput.message(2, key.sign(all[index], at: now).wire)
            }
        }
    ) { input in
        var responder = ZoneResponder(zone: zone, key: input.flag() ? nil : key)
        while let (kind, bytes) = input.message() {
            let request = kind & 4 != 0 && bytes.count >= 12 ? sealed(bytes) : bytes
            let replies = responder.respond(
                to: request, over: kind & 1 == 0 ? .udp : .tcp, fromLoopback: kind & 2 != 0,
                at: now + UInt64(kind))
            for reply in replies {
                expect(reply.count <= (kind & 1 == 0 ? 1232 : 65_535), "\(reply.count) bytes of an answer")
                expect((try? PacketScan(reply)) != nil, "an answer that cannot be read")
            }
        }
    }

    /// A stranger's signature would never be right: the fuzzer's bytes are signed for it.
    private static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        // Another record must fit into the count.
        guard bytes[10] != 255 || bytes[11] != 255 else { return bytes }
        return key.sign(bytes, at: now).wire
    }

    static let dnsStream = FuzzTarget(
        "dns-names", "names and records written by others, taken apart byte by byte", maximumLength: 600,
        seeds: { [[3, 97, 98, 99, 0], [0], [1, 42, 3, 99, 111, 109, 0]] }
    ) { input in
        guard let name = DNSName(wire: input.rest()) else { return }
        expect((try? DNSName(name.description)) == name, "another name comes back: \(name)")
        _ = name.isSubdomain(of: zone.origin)
    }

    static let zoneText = FuzzTarget(
        "zone-text", "a zone file: what is read can be printed and read again", maximumLength: 2048,
        seeds: {
            [
                Recordings.file("zones/voip.example.net.zone"),
                Array(
                    "$ORIGIN example.\n$TTL 60\n@ SOA ns root ( 1 2 ; c\n 3 4 5 )\n@ NS ns\nns A 192.0.2.1\n"
                        .utf8),
                Array("a.example. 60 TXT \"x\" \"y\\\"\"\nb 1h A 10.0.0.1\n".utf8),
            ]
        }
    ) { input in
        guard let records = try? ZoneText.parse(input.text(), origin: .root, file: "z") else { return }
        // Only what a zone takes is ever printed.
        guard (try? Zone(records)) != nil else { return }
        // What would not come back is refused, and nothing is written then.
        guard let text = ZoneText.readable(records) else { return }
        let again = try? ZoneText.parse(text, origin: .root, file: "z")
        expect(again?.count == records.count, "other records come back")
    }

    static let keyFile = FuzzTarget(
        "key-file", "the file of a TSIG key", maximumLength: 512,
        seeds: {
            [
                "key \"fsdns.\" {\n\talgorithm hmac-sha256;\n\tsecret \"MDEyMzQ1Njc4OWFiY2RlZg==\";\n};\n",
                "# a comment\nkey fsdns { secret MDEyMzQ1Njc4OWFiY2RlZg==; algorithm hmac-sha512; };",
                "hmac-sha256:fsdns:MDEyMzQ1Njc4OWFiY2RlZg==\n",
            ].map { Array($0.utf8) }
        }
    ) { input in
        _ = try? KeyFile.parse(input.text(), file: "k")
    }

    static let recordText = FuzzTarget(
        "record-text", "a record or a name as text", maximumLength: 512,
        seeds: {
            [
                "sip.example. 60 A 10.0.0.1",
                "sip.example. 60 IN NAPTR 1 1 \"s\" \"SIP+D2U\" \"\" x.example.",
                "c.example. 1 LOC 52 22 23 N 4 53 32 E -2m 0m 10m 10m",
                "d.example. 1 HTTPS 1 . alpn=h2 port=53",
                "g.example. 1 TYPE65280 \\# 2 0102", "b.example. 1 NSEC c.example. A TXT TYPE65280",
            ].map { Array($0.utf8) }
        }
    ) { input in
        let text = input.text()
        _ = try? DNSName(text)
        guard let record = try? DNSRecord(text), record.name.description.utf8.count < 256 else { return }
        expect((try? DNSRecord(record.description)) != nil, "what is written cannot be read: \(record)")
    }
}
