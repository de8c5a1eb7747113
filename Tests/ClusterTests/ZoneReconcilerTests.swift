import Primitives
import Testing

@testable import Cluster

@Suite("Making the zone true, without a node")
struct ZoneReconcilerTests {
    private let start = Instant.zero + .seconds(100)
    private let server = DNSSettings.ServerSettings(
        endpoint: Endpoint("127.0.0.1:53")!, keyName: "fsdns.", secretFile: "/etc/fsdns/dns.secret")
    private let record = ZoneRecord(
        name: "sip.example", ttl: 60, content: .address(IPAddress("10.0.0.1")!))
    private let look = ZoneReconciler.Look(applied: .zero, published: [])

    private var desired: DesiredZone {
        DesiredZone(
            settings: DNSSettings(
                zone: "example", ttl: .seconds(60), floor: 1, servers: [server], services: ["sip"],
                seatNames: false, srv: []), writer: "pbx/1f", records: [record],
            ours: [IPAddress("10.0.0.1")!])
    }

    private func context(_ now: Instant) -> ZoneReconciler.Context {
        ZoneReconciler.Context(
            desired: desired, epoch: Epoch(term: 3, index: 40), applied: Epoch(term: 3, index: 40), now: now)
    }

    private func readings(_ records: [ZoneRecord]) -> [ServerReading] {
        [ServerReading(endpoint: server.endpoint, outcome: .read(serial: 1, records: records))]
    }

    private func id(_ steps: [ZoneReconciler.Step]) -> UInt64? {
        switch steps.last {
        case .read(let id, _), .update(let id, _): id
        default: nil
        }
    }

    @Test("it reads, writes what is missing, reads it back and says so") func whole() throws {
        var zone = ZoneReconciler()
        let first = try #require(id(zone.reconcile(look, context(start))))
        #expect(zone.read(first, readings([]), context(start)) == [])
        guard case .update(let second, let update) = zone.reconcile(look, context(start)).last else {
            Issue.record("nothing is written")
            return
        }
        #expect(update.add.contains(record))
        #expect(zone.updated(second, .done, server, applied: .zero, at: start) == [.wrote])
        let third = try #require(id(zone.reconcile(look, context(start))))
        #expect(
            zone.read(third, readings(update.add), context(start))
                == [.report(.zoneUpdated, "the zone says what was decided", .zero)])
        #expect(zone.converged == [record])
    }

    @Test("only one question is on its way, and an answer that never comes is given up after ten seconds")
    func late() throws {
        var zone = ZoneReconciler()
        let first = try #require(id(zone.reconcile(look, context(start))))
        #expect(zone.reconcile(look, context(start + .seconds(9))) == [])
        let second = try #require(id(zone.reconcile(look, context(start + .seconds(10)))))
        #expect(second != first)
        #expect(zone.read(first, readings([record]), context(start + .seconds(11))) == [])
        #expect(zone.readings == [])
    }

    @Test("the answer to a question of a former leadership is waited for, and not believed")
    func outdated() throws {
        var zone = ZoneReconciler()
        let first = try #require(id(zone.reconcile(look, context(start))))
        zone.startOver(at: start)
        #expect(zone.reconcile(look, context(start)) == [])
        #expect(zone.read(first, readings([record]), context(start)) == [])
        #expect(zone.readings == [])
        #expect(id(zone.reconcile(look, context(start))) != nil)
    }

    /// Reads at that moment, and says what follows.
    private func look(_ zone: inout ZoneReconciler, at now: Instant) throws -> [ZoneReconciler.Step] {
        let reading = try #require(id(zone.reconcile(look, context(now))))
        _ = zone.read(reading, readings([]), context(now))
        return zone.reconcile(look, context(now))
    }

    @Test(
        "once the primary does not know the key any more, an update is tried within seconds, not at the next minute"
    )
    func rotatedKey() throws {
        var zone = ZoneReconciler()
        var now = start
        func read(isUnsigned: Bool) throws {
            let reading = try #require(id(zone.reconcile(look, context(now))))
            var answer = readings([])
            answer[0].isUnsigned = isUnsigned
            _ = zone.read(reading, answer, context(now))
        }
        try read(isUnsigned: false)
        zone.proof.due = now + ZoneProof.interval
        now = now + .seconds(5)
        try read(isUnsigned: true)
        #expect(zone.proof.due == now + ZoneProof.first)
        // A server that never signs what it answers is no reason to write more often.
        zone.proof.due = now + ZoneProof.interval
        try read(isUnsigned: true)
        #expect(zone.proof.due == now + ZoneProof.interval)
    }

    @Test(
        "a record that the server refuses to change keeps no other from being written, and is told with the grant it needs"
    )
    func oneRefused() throws {
        let names = ["sip.example", "master1.example", "master2.example", "master3.example"]
        var wanted = desired
        wanted.settings.seatNames = true
        wanted.seats = ["master1", "master2", "master3"]
        wanted.records = names.map {
            ZoneRecord(name: $0, ttl: 60, content: .address(IPAddress("10.0.0.1")!))
        }.sorted()
        var zone = ZoneReconciler()
        var served: [ZoneRecord] = []
        var isGranted = false
        var updates = 0
        var now = start
        func context() -> ZoneReconciler.Context {
            ZoneReconciler.Context(
                desired: wanted, epoch: Epoch(term: 3, index: 40), applied: Epoch(term: 3, index: 40),
                now: now)
        }
        func pass(_ seconds: Int) {
            for _ in 0..<(seconds * 50) {
                now = now + .milliseconds(20)
                for step in zone.reconcile(look, context()) {
                    switch step {
                    case .read(let id, _): _ = zone.read(id, readings(served), context())
                    case .update(let id, let update):
                        updates += 1
                        let isRefused =
                            !isGranted && (update.add + update.delete).contains { $0.name == names[3] }
                        if !isRefused {
                            served.removeAll { update.delete.contains($0) }
                            served += update.add
                        }
                        _ = zone.updated(
                            id, isRefused ? .refused("REFUSED") : .done, server, applied: .zero, at: now)
                    default: break
                    }
                }
            }
        }
        pass(12)
        #expect(served.filter { $0.type == "A" }.map(\.name).sorted() == names.dropLast().sorted())
        #expect(zone.told.map(\.key) == ["grant master3.example A"])
        #expect(updates < 60, "five a second")
        isGranted = true
        pass(12)
        #expect(served.filter { $0.type == "A" }.map(\.name).sorted() == names.sorted())
        #expect(zone.told.isEmpty)
    }

    @Test("a refused update is sent again after a while, and told once however often it is refused")
    func refused() throws {
        var zone = ZoneReconciler()
        var told = 0
        var now = start
        for failures in 1...3 {
            let steps = try look(&zone, at: now)
            told += steps.count { if case .report(.zoneTrouble, _, _) = $0 { true } else { false } }
            let update = try #require(id(steps))
            #expect(zone.updated(update, .refused("SERVFAIL"), server, applied: .zero, at: now) == [])
            #expect(zone.failures == failures)
            #expect(zone.nextRead ?? now > now)
            now = now + .seconds(10)
        }
        #expect(told == 1)
        zone.hurry(adopt: false, at: now)
        #expect(zone.failures == 0)
        #expect(zone.nextRead == now)
    }
}
