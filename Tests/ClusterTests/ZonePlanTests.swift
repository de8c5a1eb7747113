import Primitives
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
            ours: (11...19).map { IPAddress("10.77.0.\($0)")! }, seats: ["master1", "master2"])
    }

    private var ownMark: ZoneRecord { mark("v=1 cluster=pbx/1f epoch=3.12") }

    private func srv(_ target: String, priority: UInt16 = 10) -> ZoneRecord {
        ZoneRecord(
            name: "_sip._udp.voip.example.net", ttl: 60,
            content: .srv(priority: priority, weight: 10, port: 5060, target: target))
    }

    private func mark(_ text: String) -> ZoneRecord {
        ZoneRecord(name: "_fsdns.sip.voip.example.net", ttl: 60, content: .txt(text))
    }

    private func reading(_ records: [ZoneRecord]) -> ServerReading {
        ServerReading(endpoint: server, outcome: .read(serial: 1, records: records))
    }

    @Test("nothing is done when the zone is true")
    func empty() {
        let plan = desired(["10.77.0.11"]).plan(
            from: reading([address("10.77.0.11"), ownMark]), epoch: epoch)
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
        #expect(plan.update?.delete == [address("10.77.0.11", ttl: 5)])
        #expect(plan.update?.add.contains(address("10.77.0.11")) == true)
    }

    @Test("a TTL is changed by deleting and adding the whole set, which must still be as it was read")
    func wholeSet() {
        let found = [
            address("10.77.0.11", ttl: 5), address("10.77.0.12", ttl: 5), address("192.0.2.9", ttl: 5),
        ]
        let plan = desired(["10.77.0.11", "10.77.0.13"]).plan(from: reading(found + [ownMark]), epoch: epoch)
        #expect(plan.update?.delete == (found + [ownMark]).sorted())
        #expect(plan.update?.required == found.sorted())
        let addresses = ["10.77.0.11", "10.77.0.13", "192.0.2.9"].map { address($0) }
        #expect(plan.update?.add.filter { $0.type == "A" } == addresses.sorted())
    }

    @Test("a mark that is missing is written again, once there is something to publish")
    func missingMark() {
        let plan = desired(["10.77.0.11"]).plan(from: reading([address("10.77.0.11")]), epoch: epoch)
        #expect(plan.update?.expected == nil)
        #expect(plan.update?.requiresNoEpoch == true)
        #expect(plan.update?.add == [mark("v=1 cluster=pbx/1f epoch=3.40")])
        #expect(desired([]).plan(from: reading([]), epoch: epoch) == ZonePlan())
    }

    @Test("a zone of a former life is held although nothing differs, and adopted at once")
    func formerLife() {
        let other = mark("v=1 cluster=pbx/2e epoch=9.1")
        let found = reading([address("10.77.0.11"), other])
        let held = desired(["10.77.0.11"]).plan(from: found, epoch: epoch)
        #expect(held.update == nil)
        #expect(held.held?.contains("last written by cluster pbx/2e") == true)
        let adopted = desired(["10.77.0.11"]).plan(from: found, epoch: epoch, adopt: true)
        #expect(adopted.update?.expected == other)
        #expect(adopted.update?.delete == [other])
        #expect(adopted.update?.add == [mark("v=1 cluster=pbx/1f epoch=3.40")])
    }

    @Test("a foreign TXT beside the mark is a part of the prerequisite and is left alone")
    func foreignText() {
        let note = mark("note by hand")
        let found = [address("10.77.0.12"), ownMark, note]
        let desired = desired(["10.77.0.11"])
        let plan = desired.plan(from: reading(found), epoch: epoch)
        #expect(plan.update?.requiredSets == [[note, ownMark].sorted()])
        #expect(plan.update?.delete.contains(note) == false)
        #expect(desired.notices(found).map(\.text).contains { $0.contains("note by hand") })
        // Without a mark too.
        let alone = desired.plan(from: reading([note]), epoch: epoch)
        #expect(alone.update?.requiredSets == [[note]])
        #expect(alone.update?.requiresNoEpoch == false)
    }

    @Test("what a wildcard answers is no mark: the name has none")
    func wildcardText() {
        let desired = desired(["10.77.0.11"])
        let synthesized = mark("v=spf1 -all")
        #expect(desired.needsWildcards(reading([synthesized])))
        #expect(desired.wildcardQuestions.contains(ZoneQuestion(name: "*.sip.voip.example.net", type: "TXT")))
        let wildcard = ZoneRecord(name: "*.voip.example.net", ttl: 60, content: .txt("v=spf1 -all"))
        let plan = desired.plan(from: reading([synthesized, wildcard]), epoch: epoch)
        #expect(plan.update?.requiresNoEpoch == true)
        #expect(plan.update?.add == [mark("v=1 cluster=pbx/1f epoch=3.40"), address("10.77.0.11")])
    }

    @Test("nothing is added beside a CNAME, and the rest is done all the same")
    func alias() {
        var desired = desired(["10.77.0.11"])
        desired.records.append(address("10.77.0.11", name: "master1.voip.example.net"))
        var reading = reading([address("10.77.0.12"), ownMark])
        reading.aliases = [ZoneAlias(name: "master1.voip.example.net", target: "lb.voip.example.net")]
        let plan = desired.plan(from: reading, epoch: epoch)
        #expect(plan.update?.add.filter { $0.type == "A" } == [address("10.77.0.11")])
        #expect(plan.blocked.count == 1)
        #expect(plan.blocked.first?.contains("CNAME to lb.voip.example.net") == true)
        // A wildcard's CNAME is no obstacle.
        reading.aliases?.append(ZoneAlias(name: "*.voip.example.net", target: "lb.voip.example.net"))
        #expect(desired.plan(from: reading, epoch: epoch).blocked == [])
    }

    @Test("an SRV record is ours when it points to a seat of ours, whatever else is in the zone")
    func foreignSRV() {
        let hand = srv("hand.voip.example.net", priority: 20)
        let found = [address("10.77.0.11"), ownMark, hand, srv("master2.voip.example.net")]
        let plan = desired(["10.77.0.11"]).plan(from: reading(found), epoch: epoch)
        #expect(plan.update?.delete == [ownMark, srv("master2.voip.example.net")].sorted())
    }

    @Test("an address of ours at a name that is not ours is left alone")
    func otherName() {
        let found = [address("10.77.0.11"), ownMark, address("10.77.0.12", name: "lb.voip.example.net")]
        #expect(desired(["10.77.0.11"]).plan(from: reading(found), epoch: epoch) == ZonePlan())
    }

    @Test("an extra address is told of, and removed where the service is exclusive")
    func exclusive() {
        var desired = desired(["10.77.0.11"])
        let found = [address("10.77.0.11"), ownMark, address("192.0.2.9")]
        #expect(desired.plan(from: reading(found), epoch: epoch) == ZonePlan())
        #expect(desired.notices(found).map(\.text).first?.contains("also serves 192.0.2.9") == true)
        desired.settings.exclusiveServices = ["sip"]
        let plan = desired.plan(from: reading(found), epoch: epoch)
        #expect(plan.update?.delete == [ownMark, address("192.0.2.9")])
        #expect(desired.notices(found).isEmpty)
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
