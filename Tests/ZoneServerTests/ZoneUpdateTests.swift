import DNSMessages
import Testing
import ZoneServer

@Suite("Updates of a zone")
struct ZoneUpdateTests {
    /// The example zone after an update, and what the update added and removed besides the SOA.
    private func after(
        _ operations: [UpdateOperation], prerequisites: [Prerequisite] = []
    ) throws -> (code: ResponseCode, zone: Zone, added: [String], removed: [String]) {
        let before = try ExampleZone.zone()
        var zone = before
        let code = zone.apply(
            DNSUpdate(zone: try DNSName("example"), prerequisites: prerequisites, operations: operations))
        let (old, new) = (before.records, zone.records)
        return (
            code, zone, new.filter { !old.contains($0) && $0.type != .soa }.map(\.description),
            old.filter { !new.contains($0) && $0.type != .soa }.map(\.description)
        )
    }

    private func name(_ text: String) throws -> DNSName { try DNSName(text, relativeTo: DNSName("example")) }
    private func data(_ text: String) throws -> RecordData { try DNSRecord("x. 60 \(text)").data }
    private func add(_ text: String) throws -> UpdateOperation {
        .add(try DNSRecord(text, origin: DNSName("example")))
    }

    @Test("each prerequisite has its own refusal, and a refusal changes nothing")
    func prerequisites() throws {
        let epoch = try name("_fsdns.sip")
        let addresses = [try data("A 10.0.0.1"), try data("A 10.0.0.2")]
        let cases: [(Prerequisite, ResponseCode)] = try [
            (.exists(name("sip"), .a), .noError), (.exists(name("sip"), .srv), .nxRRSet),
            (.absent(name("sip"), .srv), .noError), (.absent(name("SIP"), .a), .yxRRSet),
            (.nameInUse(name("sip")), .noError), (.nameInUse(name("free")), .nxDomain),
            (.nameInUse(name("_udp")), .nxDomain), (.nameNotInUse(name("free")), .noError),
            (.nameNotInUse(name("sip")), .yxDomain), (.equals(epoch, [.text("3.116")]), .noError),
            (.equals(epoch, [.text("3.115")]), .nxRRSet), (.equals(name("sip"), addresses), .noError),
            (.equals(name("sip"), addresses.reversed()), .noError),
            (.equals(name("sip"), [addresses[0]]), .nxRRSet),
            (.equals(name("sip"), addresses + [data("A 10.0.0.3")]), .nxRRSet),
            (.exists(DNSName("example.org"), .a), .notZone),
        ]
        for (prerequisite, code) in cases {
            let result = try after([try add("new 60 A 10.0.0.9")], prerequisites: [prerequisite])
            #expect(result.code == code, "\(prerequisite)")
            #expect(result.added == (code == .noError ? ["new.example. 60 IN A 10.0.0.9"] : []))
            #expect(result.zone.serial == (code == .noError ? 8 : 7))
        }
    }

    @Test("what is deleted and added again in one update does not raise the serial")
    func netZero() throws {
        let address = try data("A 10.0.0.1")
        let result = try after([.delete(name("sip"), address), add("sip 60 A 10.0.0.1")])
        #expect(result.code == .noError)
        #expect(result.zone.serial == 7)
        #expect(try after([.delete(name("sip"), address), add("sip 30 A 10.0.0.1")]).zone.serial == 8)
        #expect(try after([add("new 60 A 10.0.0.9"), .deleteName(name("new"))]).zone.serial == 7)
    }

    @Test("a wildcard is refused, loaded or added: its names would be answered as if they were not there")
    func wildcard() throws {
        #expect(try after([add("*.sip 60 A 10.0.0.1")]).code == .refused)
        let records = try ExampleZone.zone().records
        #expect(throws: Zone.Failure.self) {
            try Zone(records + [try DNSRecord("*.sip.example. 60 A 10.0.0.1")])
        }
    }

    @Test("the first prerequisite that fails decides, values are compared last")
    func prerequisiteOrder() throws {
        let wrongValue = Prerequisite.equals(try name("_fsdns.sip"), [.text("0")])
        #expect(
            try after([], prerequisites: [wrongValue, .nameNotInUse(name("sip"))]).code == .yxDomain)
        #expect(
            try after([], prerequisites: [.nameInUse(name("free")), .nameNotInUse(name("sip"))]).code
                == .nxDomain)
    }

    @Test("records are added once, and a set takes the newest TTL")
    func adding() throws {
        #expect(try after([add("sip 60 A 10.0.0.3")]).added == ["Sip.example. 60 IN A 10.0.0.3"])
        let same = try after([add("sip 60 A 10.0.0.1")])
        #expect(same.code == .noError && same.zone.serial == 7)
        let newTTL = try after([add("sip 90 A 10.0.0.1")])
        #expect(newTTL.added.count == 2 && newTTL.removed.count == 2 && newTTL.zone.serial == 8)
    }

    @Test("an alias and other data keep apart")
    func aliases() throws {
        #expect(try after([add("sip 60 CNAME www")]).added.isEmpty)
        #expect(try after([add("www 60 A 10.0.0.1")]).added.isEmpty)
        let replaced = try after([add("www 60 CNAME other")])
        #expect(replaced.added == ["www.example. 60 IN CNAME other.example."])
        #expect(replaced.removed == ["www.example. 60 IN CNAME sip.example."])
        let moved = try after([.deleteSet(name("www"), .cname), add("www 60 A 10.0.0.1")])
        #expect(moved.added == ["www.example. 60 IN A 10.0.0.1"])
    }

    @Test("sets, names and single records are deleted")
    func deleting() throws {
        #expect(try after([.deleteSet(name("sip"), .a)]).removed.count == 2)
        let emptied = try after([.deleteName(name("sip"))])
        #expect(emptied.removed.count == 3)
        #expect(try emptied.zone.exists(name("sip")))
        let gone = try after([.deleteName(name("sip")), .deleteName(name("_fsdns.sip"))])
        #expect(try !gone.zone.exists(name("sip")))
        #expect(
            try after([.delete(name("sip"), data("A 10.0.0.2"))]).removed == ["Sip.example. 60 IN A 10.0.0.2"]
        )
        let nothing = try after([.delete(name("sip"), data("A 10.0.0.7")), .deleteName(name("free"))])
        #expect(nothing.code == .noError && nothing.removed.isEmpty && nothing.zone.serial == 7)
    }

    @Test("the SOA and the last NS of the zone cannot be deleted")
    func protections() throws {
        let top = try name("@")
        for operations: [UpdateOperation] in [
            [.deleteSet(top, .soa)], [.deleteSet(top, .ns)], [.deleteName(top)],
            [.delete(top, .soa(try ExampleZone.zone().soa))],
        ] {
            let result = try after(operations)
            #expect(result.code == .noError && result.removed.isEmpty && result.zone.serial == 7)
        }
        let (ns1, ns2) = try (data("NS ns1.example."), data("NS ns2.example."))
        #expect(
            try after([.delete(top, ns1), .delete(top, ns2)]).removed == ["example. 3600 IN NS ns1.example."])
        #expect(try after([.delete(name("sub"), data("NS ns.sub.example."))]).removed.count == 1)
    }

    @Test("a newer SOA is taken with its serial, an older one ignored, wrapping as RFC 1982 says")
    func soa() throws {
        func soa(_ owner: String, _ serial: UInt32) throws -> UpdateOperation {
            try add("\(owner) 60 SOA ns9 h \(serial) 1 1 1 1")
        }
        #expect(try after([soa("@", 100), add("new 60 A 10.0.0.9")]).zone.serial == 100)
        #expect(try after([soa("@", 7)]).zone.serial == 7)
        #expect(try after([soa("@", 6), add("new 60 A 10.0.0.9")]).zone.serial == 8)
        #expect(try after([soa("sip", 100)]).zone.serial == 7)
        var zone = try after([soa("@", 0x7FFF_FFFF)]).zone
        for serial: UInt32 in [0xFFFF_FFFE, 0xFFFF_FFFF, 1] {
            let operation = serial == 1 ? try add("n 60 A 10.0.0.9") : try soa("@", serial)
            #expect(zone.apply(DNSUpdate(zone: zone.origin, operations: [operation])) == .noError)
            #expect(zone.serial == SerialNumber(serial))
        }
    }

    @Test("a name outside the zone, or another zone, stops the whole update")
    func notZone() throws {
        let result = try after([add("new 60 A 10.0.0.9"), .add(DNSRecord("x.org. 60 A 10.0.0.1"))])
        #expect(result.code == .notZone && result.added.isEmpty && result.zone.serial == 7)
        var zone = try ExampleZone.zone()
        #expect(zone.apply(DNSUpdate(zone: try DNSName("org"), operations: [])) == .notAuth)
    }

    @Test("an update that makes a set too large changes nothing")
    func limit() throws {
        let many = try (0...Zone.setLimit).map { try add("m 60 A 10.1.\($0 / 256).\($0 % 256)") }
        let result = try after(many)
        #expect(result.code == .servFail && result.added.isEmpty && result.zone.serial == 7)
        #expect(try after(Array(many.dropLast())).added.count == Zone.setLimit)
    }

    @Test(
        "the leader's update compares and replaces the epoch, exchanges addresses, bumps the serial once"
    )
    func leaderUpdate() throws {
        let epoch = try name("_fsdns.sip")
        let result = try after(
            [
                .deleteSet(epoch, .txt), .add(DNSRecord(name: epoch, ttl: 0, data: .text("3.117"))),
                .delete(name("sip"), data("A 10.0.0.2")), add("sip 60 A 10.0.0.9"),
            ], prerequisites: [.equals(epoch, [.text("3.116")])])
        #expect(result.code == .noError)
        #expect(
            result.added == ["Sip.example. 60 IN A 10.0.0.9", "_fsdns.sip.example. 0 IN TXT \"3.117\""])
        #expect(
            result.removed == ["Sip.example. 60 IN A 10.0.0.2", "_fsdns.sip.example. 0 IN TXT \"3.116\""])
        #expect(result.zone.serial == 8)
    }
}
