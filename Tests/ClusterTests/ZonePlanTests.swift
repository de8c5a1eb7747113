import Consensus
import Testing

@testable import Cluster

@Suite("The zone plan")
struct ZonePlanTests {
    private let server = Endpoint("127.0.0.1:53")!
    private let epoch = Epoch(term: 3, index: 40)

    private func address(_ ip: String, name: String = "sip.voip.example.net", ttl: UInt32 = 60) -> ZoneRecord
    {
        ZoneRecord(name: name, ttl: ttl, content: .address(IPAddress(ip)!))
    }

    private func desired(_ ips: [String], floor: Int = 1) -> DesiredZone {
        DesiredZone(
            settings: DNSSettings(
                zone: "voip.example.net", ttl: .seconds(60), floor: floor, servers: [], services: ["sip"],
                seatNames: true, srv: [.init(service: "_sip._udp", port: 5060)]), writer: "pbx/1f",
            records: ips.map { address($0) },
            ours: (11...19).map { IPAddress("10.77.0.\($0)")! })
    }

    private func mark(_ text: String) -> ZoneRecord {
        ZoneRecord(name: "_fsdns.sip.voip.example.net", ttl: 60, content: .txt(text))
    }

    private func reading(_ records: [ZoneRecord]) -> ServerReading {
        ServerReading(endpoint: server, outcome: .read(serial: 1, records: records))
    }

    @Test("nothing is done when the zone is true")
    func empty() {
        let plan = desired(["10.77.0.11"]).plan(from: reading([address("10.77.0.11")]), epoch: epoch)
        #expect(plan == ZonePlan())
    }

    @Test("one update adds, deletes and carries the epoch it replaces")
    func swap() {
        let old = mark("v=1 cluster=pbx/1f epoch=3.12")
        let plan = desired(["10.77.0.11", "10.77.0.19"]).plan(
            from: reading([address("10.77.0.11"), address("10.77.0.12"), old]), epoch: epoch)
        #expect(plan.update?.expected == old)
        #expect(plan.update?.delete == [old, address("10.77.0.12")])
        #expect(plan.update?.add == [mark("v=1 cluster=pbx/1f epoch=3.40"), address("10.77.0.19")])
        #expect(plan.steps.count == 2)
    }

    @Test("an applied plan leaves nothing to do")
    func idempotent() {
        let desired = desired(["10.77.0.11", "10.77.0.19"])
        let found = [address("10.77.0.12"), mark("v=1 cluster=pbx/1f epoch=3.12")]
        let update = desired.plan(from: reading(found), epoch: epoch).update!
        let after = (found.filter { !update.delete.contains($0) } + update.add).sorted()
        #expect(desired.plan(from: reading(after), epoch: epoch) == ZonePlan())
    }

    @Test("a new leader puts its term into a zone that is true already")
    func claim() {
        let found = [address("10.77.0.11"), mark("v=1 cluster=pbx/1f epoch=2.12")]
        let plan = desired(["10.77.0.11"]).plan(from: reading(found), epoch: epoch)
        #expect(plan.update?.expected == mark("v=1 cluster=pbx/1f epoch=2.12"))
        #expect(plan.update?.add == [mark("v=1 cluster=pbx/1f epoch=3.40")])
        #expect(plan.update?.delete == [mark("v=1 cluster=pbx/1f epoch=2.12")])
    }

    @Test("a failed read changes nothing")
    func unreadable() {
        let plan = desired(["10.77.0.11"]).plan(
            from: ServerReading(endpoint: server, outcome: .failed("no answer")), epoch: epoch)
        #expect(plan.update == nil)
        #expect(plan.held == "127.0.0.1:53 cannot be read: no answer")
    }

    @Test("records that are not ours are never touched")
    func foreign() {
        let plan = desired(["10.77.0.11"]).plan(
            from: reading([address("192.0.2.7"), address("10.77.0.12")]), epoch: epoch)
        #expect(plan.update?.delete == [address("10.77.0.12")])
    }

    @Test("the set is never made smaller than the floor")
    func floor() {
        let found = [address("10.77.0.11"), address("10.77.0.12"), address("10.77.0.13")]
        let held = desired(["10.77.0.11"], floor: 2).plan(from: reading(found), epoch: epoch)
        #expect(held.update == nil)
        #expect(held.held?.contains("fewer than the floor of 2") == true)
        let emptied = desired([], floor: 0).plan(from: reading(found), epoch: epoch)
        #expect(emptied.update == nil)
    }

    @Test("an older leader does not overwrite a newer epoch")
    func deposed() {
        let plan = desired(["10.77.0.11"]).plan(
            from: reading([mark("v=1 cluster=pbx/1f epoch=4.2")]), epoch: epoch)
        #expect(plan.update == nil)
        #expect(plan.held == "the zone is at epoch 4.2, this node only knows 3.40")
    }

    @Test("another cluster's zone is left alone until it is adopted")
    func adoption() {
        let found = reading([mark("v=1 cluster=pbx/2e epoch=9.1")])
        #expect(desired(["10.77.0.11"]).plan(from: found, epoch: epoch).update == nil)
        #expect(desired(["10.77.0.11"]).plan(from: found, epoch: epoch, adopt: true).update != nil)
    }

    @Test("another TTL is corrected without withdrawing the record")
    func ttl() {
        let plan = desired(["10.77.0.11"]).plan(
            from: reading([address("10.77.0.11", ttl: 5)]), epoch: epoch)
        #expect(plan.update?.delete == [])
        #expect(plan.update?.add.contains(address("10.77.0.11")) == true)
    }
}

@Suite("IP addresses")
struct IPAddressTests {
    @Test(
        "text is read and printed canonically",
        arguments: [
            ("10.77.0.11", "10.77.0.11"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("::", "::"),
            ("::1", "::1"), ("fe80::1:0:0:2", "fe80::1:0:0:2"), ("::ffff:10.0.0.1", "::ffff:a00:1"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ])
    func canonical(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(
        "nonsense is refused",
        arguments: [
            "", "10.77.0", "10.77.0.256", "010.0.0.1", "1.2.3.4.5", "1:2:3:4:5:6:7:8:9", "::1::2", "g::1",
            "12345::", ":::", "1:2:3:4:5:6:7", "10.0.0.1 ", ":1:2:3:4:5:6:7",
        ])
    func nonsense(text: String) { #expect(IPAddress(text) == nil) }

    @Test("a network contains its addresses and no others")
    func networks() {
        let base = IPAddress("10.77.0.0")!
        #expect(IPAddress("10.77.0.255")!.isInNetwork(of: base, prefixLength: 24))
        #expect(!IPAddress("10.77.1.0")!.isInNetwork(of: base, prefixLength: 24))
        let six = IPAddress("2001:db8::")!
        #expect(IPAddress("2001:db8:0:0:1::9")!.isInNetwork(of: six, prefixLength: 64))
        #expect(!IPAddress("2001:db8:0:1::9")!.isInNetwork(of: six, prefixLength: 64))
        #expect(!IPAddress("10.0.0.1")!.isInNetwork(of: six, prefixLength: 0))
    }

    @Test("an endpoint keeps its port, also with IPv6")
    func endpoints() {
        #expect(Endpoint("127.0.0.1:5353")?.port == 5353)
        #expect(Endpoint("[2001:db8::1]:53")?.description == "[2001:db8::1]:53")
        #expect(Endpoint("2001:db8::1:53") == nil)
        #expect(Endpoint("127.0.0.1:99999") == nil)
    }
}
