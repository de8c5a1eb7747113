import Primitives
import Testing

@testable import Cluster

@Suite("How often the zone is written, and what is learnt from it")
struct ZoneKeepingTests {
    private let start = Instant.zero + .seconds(100)
    private let server = DNSSettings.ServerSettings(
        endpoint: Endpoint("10.0.0.53:53")!, keyName: "fsdns.", secretFile: "/etc/fsdns/dns.secret")
    private let sets = ["a", "b", "c", "d", "e"].map { ZoneQuestion(name: "\($0).example", type: "A") }

    private func record(_ name: String, _ ip: String = "10.0.0.1", ttl: UInt32 = 60) -> ZoneRecord {
        ZoneRecord(name: name, ttl: ttl, content: .address(IPAddress(ip)!))
    }

    private func update(delete: [ZoneRecord] = [], add: [ZoneRecord] = []) -> ZoneUpdate {
        let mark = ZoneRecord(name: "_fsdns.example", ttl: 60, content: .txt("v=1 cluster=a/1 epoch=1.1"))
        return ZoneUpdate(
            zone: "example", expected: nil, epochName: "_fsdns.example", delete: delete, add: add + [mark])
    }

    @Test("at most five updates are sent in any second, whatever three leaders in it wish")
    func rate() {
        var rates = [ZoneRate(), ZoneRate(), ZoneRate()]
        var sent: [Instant] = []
        var now = start
        for step in 0..<4000 {
            now = now + .milliseconds(1)
            // Leadership changes after 1.5 s, then every 100 ms for a while.
            let leader = step < 1500 ? 0 : step < 2500 ? step / 100 % 3 : 1
            if step == 0 || (1500...2500).contains(step) && step % 100 == 0 {
                for place in rates.indices { rates[place].elected(at: now) }
            }
            if rates[leader].next(at: now) <= now {
                rates[leader].note(at: now)
                sent.append(now)
            }
        }
        #expect(sent.count > 5)
        for moment in sent {
            let within = sent.count { $0 >= moment && $0 - moment < .seconds(1) }
            #expect(within <= 5, "\(within) from \(moment)")
        }
    }

    @Test("a new leader may send two updates at once")
    func newLeader() {
        var rate = ZoneRate()
        rate.elected(at: start)
        for _ in 0..<2 {
            #expect(rate.next(at: start) == start)
            rate.note(at: start)
        }
        #expect(rate.next(at: start) > start)
    }

    @Test("what was not done is not repeated at once, and something else is not kept waiting by it")
    func untaken() {
        let missing = record("a.example")
        let untaken = Untaken(
            add: [missing], delete: [], hasEpoch: false, text: "", lastTry: start,
            nextTry: start + .seconds(60),
            serial: 7)
        #expect(untaken.postpones(update(add: [missing]), serial: 7) == start + .seconds(60))
        #expect(untaken.postpones(update(add: [missing, record("b.example")]), serial: 7) == nil)
        #expect(untaken.postpones(update(delete: [record("c.example")], add: [missing]), serial: 7) == nil)
        // Somebody else changed the zone: perhaps what was in the way.
        #expect(untaken.postpones(update(add: [missing]), serial: 8) == start + .seconds(15))
        #expect(untaken.postpones(update(), serial: 7) == nil)
    }

    @Test("what is left of an update is what is not so in the zone that was read after it")
    func leftover() {
        let old = record("a.example", ttl: 60)
        let new = record("a.example", ttl: 5)
        let ttl = ZoneUpdate(zone: "example", expected: nil, epochName: "m", delete: [old], add: [new])
        #expect(ttl.leftover(in: [new]).add == [])
        #expect(ttl.leftover(in: [old]).add == [new])
        #expect(ttl.leftover(in: [old]).delete == [])
        let gone = ZoneUpdate(zone: "example", expected: nil, epochName: "m", delete: [old], add: [])
        #expect(gone.leftover(in: [new]).delete == [old])
    }

    @Test("a proof names every set once, changes nothing and does not touch what is there")
    func proof() {
        let desired = DesiredZone(
            settings: DNSSettings(
                zone: "example", ttl: .seconds(60), floor: 1, servers: [server], services: ["sip"],
                seatNames: false, srv: [.init(service: "_sip._udp", port: 5060)]), writer: "pbx/1f",
            records: [], ours: [])
        let srv = ZoneRecord(
            name: "_sip._udp.example", ttl: 60,
            content: .srv(priority: 10, weight: 10, port: 5060, target: "sip.example"))
        let mark = ZoneRecord(
            name: "_fsdns.sip.example", ttl: 60, content: .txt("v=1 cluster=pbx/1f epoch=1.1"))
        let found = [mark, srv, record("sip.example", "192.0.2.1")]
        let proof = desired.proof(of: desired.keptSets, in: found)
        #expect(proof.isProof)
        #expect(proof.expected == mark)
        #expect(proof.add == [srv])
        #expect(proof.delete.map(\.type).sorted() == ["A", "AAAA", "TXT"])
        #expect(!proof.delete.contains { found.contains($0) })
        #expect(!proof.delete.contains { $0.dataText == "192.0.2.1" })
    }

    /// Plays a round of proofs against a server that refuses these sets.
    private func round(refusing refused: [ZoneQuestion], _ code: String = "REFUSED") -> (ZoneProof, Int) {
        var proof = ZoneProof()
        proof.begin(sets, in: [])
        var count = 0
        while let asked = proof.next() {
            count += 1
            let outcome: ZoneUpdateOutcome =
                asked.contains(where: refused.contains) ? .refused(code) : .done
            if proof.ended(outcome, server, at: start) { break }
        }
        return (proof, count)
    }

    @Test("one set that is refused among others is found and named with the grant that is missing")
    func missingGrant() {
        let (proof, count) = round(refusing: [sets[3]])
        #expect(count <= 7)
        #expect(proof.trouble.count == 1)
        let text = proof.trouble.first?.text ?? ""
        #expect(text.contains("grant fsdns. name d.example. A;"), "\(text)")
        #expect(text.contains("/etc/fsdns/dns.secret"))
    }

    @Test("a server that refuses everything is told of once, with key, algorithm and file")
    func refusesAll() {
        let (proof, count) = round(refusing: sets)
        #expect(count <= 8)
        #expect(proof.trouble.map(\.key) == ["update REFUSED"])
        let text = proof.trouble.first?.text ?? ""
        #expect(text.contains("key fsdns. (hmac-sha256, secret in /etc/fsdns/dns.secret)"))
        #expect(text.contains("update-policy"))
    }

    @Test("a wrong secret is told without trying every record")
    func wrongSecret() {
        let (proof, count) = round(refusing: sets, "BADSIG")
        #expect(count == 1)
        #expect(proof.trouble.first?.text.contains("another secret than key fsdns.") == true)
    }

    private let srv = ZoneQuestion(name: "_sip._udp.example", type: "SRV")

    /// As `round`, with a set of SRV that has no record yet; how often each kind of update was sent.
    private func roundWithoutSRV(
        guarded answer: ZoneUpdateOutcome
    ) -> (proof: ZoneProof, plain: Int, guarded: Int) {
        var proof = ZoneProof()
        proof.begin(sets + [srv], in: [record("a.example")])
        var counts = (plain: 0, guarded: 0)
        while let asked = proof.next() {
            let isGuarded = proof.isGuarded
            if isGuarded { counts.guarded += 1 } else { counts.plain += 1 }
            #expect(isGuarded == (asked == [srv]))
            if proof.ended(isGuarded ? answer : .done, server, at: start) { break }
        }
        return (proof, counts.plain, counts.guarded)
    }

    @Test("the right to write the first SRV is tried by an update that can never happen")
    func firstSRV() {
        let refused = roundWithoutSRV(guarded: .refused("REFUSED"))
        #expect(refused.proof.trouble.map(\.key) == ["grant _sip._udp.example SRV"])
        #expect(refused.plain == 1 && refused.guarded == 1)
        let granted = roundWithoutSRV(guarded: .prerequisiteFailed("NXRRSET"))
        #expect(granted.proof.trouble.isEmpty)
        #expect(granted.proof.due == start + .seconds(60))
        let careless = roundWithoutSRV(guarded: .done)
        #expect(careless.proof.trouble.map(\.key) == ["careless"])
    }

    @Test("an update that can never happen requires of the mark's set what it never is") func never() {
        let desired = DesiredZone(
            settings: DNSSettings(
                zone: "example", ttl: .seconds(60), floor: 1, servers: [server], services: ["sip"],
                seatNames: false, srv: [.init(service: "_sip._udp", port: 5060)]), writer: "pbx/1f",
            records: [], ours: [])
        for found in [[], [desired.epochRecord(Epoch(term: 1, index: 1))]] {
            let update = desired.proof(of: [srv], in: found, guarded: true)
            #expect(update.isGuarded && update.isProof && update.delete.isEmpty)
            #expect(update.add.map(\.dataText) == ["0 0 1 nothing.invalid."])
            #expect(update.requiredSets.count == 1 && update.requiredSets[0].count == found.count + 1)
            #expect(!update.requiresNoEpoch)
        }
    }

    @Test("when nothing is refused the next proof is due in a minute")
    func proven() {
        let (proof, count) = round(refusing: [])
        #expect(count == 1)
        #expect(proof.trouble.isEmpty)
        #expect(proof.due == start + .seconds(60))
    }

    @Test("what an older node sends or expects is still read")
    func compatible() {
        var update = update(add: [record("a.example")])
        #expect(update.requiresNoEpoch)
        update.expected = ZoneRecord(name: "_fsdns.example", ttl: 60, content: .txt("x"))
        #expect(update.requiredSets == [[update.expected!]])
    }
}
