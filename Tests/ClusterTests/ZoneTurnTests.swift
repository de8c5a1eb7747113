import Consensus
import Testing

@testable import Cluster

/// Nodes that do not lead try whether they could write the zone, one after another.
@Suite("Who could write the zone when leading") struct ZoneTurnTests {
    private let dns = DNSSettings(
        zone: "example", ttl: .seconds(60), floor: 1,
        servers: [.init(endpoint: Endpoint("10.0.0.53:53")!, keyName: "fsdns.", secretFile: "dns.secret")],
        services: ["sip"], seatNames: false, srv: [.init(service: "_sip._udp", port: 5060)])

    @Test(
        "a node whose secret is another than the leader's is named before it leads, and again well afterwards"
    )
    func wrongSecret() throws {
        // Slow heartbeats, as minutes pass here.
        let timing = Timing(
            interval: .milliseconds(100), lease: .milliseconds(600), deadAfter: .milliseconds(800),
            discovery: .milliseconds(500))
        var stage = Stage(3, prefer: 0, timing: timing, seed: 3, dns: dns)
        let leads = stage.run(.seconds(10)) { $0.leader != nil && !$0.zone.isEmpty }
        #expect(leads)
        let leader = try #require(stage.leader)
        let wrong = (leader + 1) % 3
        stage.zoneRefusals[wrong] = "BADSIG"
        stage.run(.seconds(132))
        #expect(stage.leader == leader)
        let sentence = "fs\(wrong) could not write the zone when leading: 10.0.0.53:53 knows the key by name"
        for machine in stage.machines {
            let warnings = try #require(machine.node?.statusReport(at: stage.now).warnings)
            #expect(warnings.filter { $0.hasPrefix(sentence) }.count == 1, "\(machine.name): \(warnings)")
        }
        // Each of the others once, none of which changed anything.
        let tried = stage.updates.filter { $0.by != leader }
        #expect(Set(tried.map(\.by)).count == 2 && tried.allSatisfy(\.update.isGuarded))
        for moment in stage.updates.map(\.at) {
            let within = stage.updates.count { $0.at >= moment && $0.at - moment < .seconds(1) }
            #expect(within <= 5)
        }
        stage.zoneRefusals = [:]
        stage.run(.seconds(66))
        let report = try #require(stage.machines[leader].node?.statusReport(at: stage.now))
        #expect(!report.warnings.contains { $0.contains("when leading") })
        #expect(
            stage.reports.contains { $0.event.text == "fs\(wrong) could write the zone again when leading" })
    }

    @Test(
        "turns come one at a time, five seconds apart, each node's once in five minutes, in trouble each minute"
    )
    func turns() {
        var turns = ZoneTurns()
        let nodes = (1...9).map { (name: "fs\($0)", isInTrouble: $0 == 4) }
        var given: [(name: String, second: Int)] = []
        for second in 0..<600 {
            let now = Instant.zero + .seconds(second)
            guard turns.isDue(at: now), turns.give(to: nodes, beat: .milliseconds(25), at: now) != nil else {
                continue
            }
            given.append((turns.holder(at: now), second))
            #expect(turns.holder(at: now + .milliseconds(100)) == "")
        }
        #expect(zip(given, given.dropFirst()).allSatisfy { $1.second - $0.second >= 5 })
        for node in nodes {
            #expect(given.count { $0.name == node.name } == (node.isInTrouble ? 10 : 2), "\(node.name)")
        }
    }
}
