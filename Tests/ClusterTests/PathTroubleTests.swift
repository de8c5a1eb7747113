import Testing

@testable import Cluster

/// What operators are told of ways between nodes.
@Suite("Ways between nodes, in words") struct PathTroubleTests {
    private func told(_ node: String, _ trouble: PathTrouble) -> PathTrouble.Told {
        PathTrouble.Told(node: node, trouble: trouble)
    }

    private func multicast(_ peers: String...) -> PathTrouble {
        PathTrouble(.multicast, ring: "lan", detail: "239.77.0.1", peers: peers)
    }

    @Test("what all nodes of a ring notice is one sentence") func mesh() {
        let sentences = PathTrouble.sentences([
            told("fs2", multicast("fs1", "fs3")), told("fs1", multicast("fs2", "fs3")),
            told("fs3", multicast("fs1", "fs2")),
        ])
        #expect(
            sentences == [
                "multicast stops on ring lan (239.77.0.1), unicast passes: fs1, fs2 and fs3 do not hear each other; "
                    + "heartbeats go by unicast meanwhile: turn on an IGMP querier in that network, or snooping off"
            ])
    }

    @Test("what some notice names who does not hear whom, ring by ring") func some() {
        let sentences = PathTrouble.sentences([
            told("fs3", multicast("fs1")),
            told("fs1", PathTrouble(.ring, ring: "wan", peers: ["fs2"])),
            told("fs2", multicast("fs1", "fs3")),
        ])
        #expect(sentences.count == 2)
        #expect(sentences[0].contains(": fs2 does not hear fs1 and fs3, fs3 does not hear fs1; "))
        #expect(
            sentences[1]
                == "ring wan carries nothing, another one does: fs1 does not hear fs2; look for a cable, a VLAN or a "
                + "filter of that network")
    }

    @Test("missing links are named one by one with the reason, and counted beyond four") func links() {
        let peers = (1...7).map { "fs\($0)" }
        let sentences = PathTrouble.sentences(
            peers.map {
                told("fs9", PathTrouble(.link, detail: "TCP 5405 of 10.0.0.1 refuses", peers: [$0]))
            })
        #expect(sentences.count == 1)
        #expect(
            sentences[0].hasPrefix(
                "no link, although heartbeats arrive: fs9 has none to fs1 (TCP 5405 of 10.0.0.1 refuses), "))
        #expect(sentences[0].contains(", and 3 more; no decision goes this way"))
    }

    @Test("a certificate, a clock and a link by the key alone are told with whose they are, each once")
    func others() {
        let clock = PathTrouble(.clock, detail: "4 s ahead of the others", peers: ["fs3"])
        let sentences = PathTrouble.sentences([
            told("fs1", clock), told("fs2", clock), told("fs3", clock),
            told("fs3", PathTrouble(.certificate, detail: "the certificate ends on 2027-01-01", peers: [])),
            told(
                "fs2", PathTrouble(.certificate, detail: "the last authority ends on 2027-01-02", peers: [])),
            told("fs1", PathTrouble(.plainLink, peers: ["fs2", "fs3"])),
        ])
        #expect(
            sentences == [
                "links stand by the cluster key alone, which certificates are to end: fs1 to fs2 and fs3; give the "
                    + "cluster file with <links> to all, then set required=\"yes\"",
                "certificates for links: on fs3 the certificate ends on 2027-01-01, on fs2 the last authority ends on "
                    + "2027-01-02; fsdns doctor there says what to do",
                "clocks differ: that of fs3 is 4 s ahead of the others; certificates, schedules and revocations go by "
                    + "them: let chrony or another NTP client set it there",
            ])
    }

    @Test(
        "clocks that fall into groups of which none is most are told group by group, whichever side tells of it",
        arguments: [["fs1", "fs2", "fs3", "fs4"], ["fs1", "fs3"], ["fs1", "fs2"], ["fs3"]])
    func clockGroups(tellers: [String]) {
        let sentences = PathTrouble.sentences(
            tellers.map { node in
                let isBehind = ["fs1", "fs2"].contains(node)
                return told(
                    node,
                    PathTrouble(
                        .clock, detail: "4 s \(isBehind ? "ahead of" : "behind") \(node)",
                        peers: isBehind ? ["fs3", "fs4"] : ["fs1", "fs2"]))
            })
        let ahead = tellers == ["fs3"] ? "that of fs3" : "those of fs3 and fs4"
        #expect(
            sentences == [
                "clocks fall into 2 groups, and none of them is most: those of fs1 and fs2; \(ahead), 4 s ahead; "
                    + "which are right is not known here, and certificates, schedules and revocations go by them: let "
                    + "chrony or another NTP client set all of them"
            ])
    }

    @Test("of two clocks the one that is ahead is named beside the other, as neither is judged wrong")
    func twoClocks() {
        let sentences = PathTrouble.sentences([
            told("fs1", PathTrouble(.clock, detail: "90 s ahead of fs1", peers: ["fs2"]))
        ])
        #expect(sentences.count == 1)
        #expect(sentences[0].hasPrefix("clocks differ: that of fs2 is 90 s ahead of fs1; "))
    }

    @Test("who was forgotten reads that others refuse it, and what it needs") func refused() {
        let detail = "refused there: fs3 was forgotten on 2026-11-29T12:00:00Z, and its certificate is"
        let sentences = PathTrouble.sentences(
            ["fs1", "fs2"].map { told("fs3", PathTrouble(.link, detail: detail, peers: [$0])) })
        #expect(
            sentences == [
                "no link, although heartbeats arrive: fs3 has none to fs1 (\(detail)), fs3 has none to fs2 "
                    + "(\(detail)); no decision goes this way: whoever was forgotten or revoked (fsdns forget) needs a "
                    + "newer certificate to come back"
            ])
    }

    @Test(
        "who forges heartbeats is told with where, in whose name and at which node, before what an attack causes"
    )
    func forged() {
        let attack = PathTrouble(.forged, detail: "10.0.0.66", peers: ["fs1"])
        let sentences = PathTrouble.sentences([
            told("fs2", attack), told("fs4", PathTrouble(.forged, detail: "10.0.0.66", peers: ["fs3"])),
            told("fs2", PathTrouble(.unproven, detail: "10.0.0.67", peers: ["fs5"])),
            told("fs4", PathTrouble(.otherKey, detail: "10.0.0.7", peers: [])),
        ])
        #expect(
            sentences == [
                "somebody who has cluster.key forges heartbeats: at fs2 in the name of fs1, from 10.0.0.66, at fs4 in the "
                    + "name of fs3, from 10.0.0.66; they do not count, and many of them take a node's time: find "
                    + "that machine, then replace the key",
                "heartbeats do not count, as no link vouches for them: at fs2 in the name of fs5, from 10.0.0.67; fsdns "
                    + "status there says what to do",
                "datagrams of this cluster's name sealed with another key arrive: at fs4, from 10.0.0.7; compare "
                    + "cluster.key there with ours, or give the other cluster another name",
            ])
        let rest = (0..<PathTrouble.most).map { PathTrouble(.ring, ring: "r\($0)", peers: ["fs1"]) }
        #expect(PathTrouble.abridged(rest + [attack]).first == attack)
        #expect(PathTrouble.abridged(rest + [attack]).count == PathTrouble.most)
    }

    @Test("forgeries at one node are in the status of every other") func forgedEverywhere() throws {
        var stage = Stage(3, prefer: 0, seed: 5)
        let hasSettled = stage.run(.seconds(10)) { $0.machines.allSatisfy { $0.node?.state != nil } }
        #expect(hasSettled)
        stage.notice(2, [PathTrouble(.forged, detail: "10.0.0.66", peers: ["fs1"])])
        stage.run(.milliseconds(100))
        for machine in stage.machines {
            let report = try #require(machine.node?.statusReport(at: stage.now))
            #expect(
                report.warnings.contains {
                    $0.hasPrefix(
                        "somebody who has cluster.key forges heartbeats: at fs2 in the name of fs1, from ")
                }, "\(machine.name)")
            #expect(report.paths?.map(\.kind) == ["forged"])
        }
    }

    @Test(
        "what one node notices is in the status of every other, and in none once its heartbeats say no more")
    func everywhere() throws {
        var stage = Stage(3, prefer: 0, seed: 5)
        let hasSettled = stage.run(.seconds(10)) { $0.machines.allSatisfy { $0.node?.state != nil } }
        #expect(hasSettled)
        stage.notice(2, [multicast("fs0", "fs1")])
        stage.run(.milliseconds(100))
        for machine in stage.machines {
            let report = try #require(machine.node?.statusReport(at: stage.now))
            #expect(
                report.warnings.contains { $0.hasPrefix("multicast stops on ring lan") }, "\(machine.name)")
            #expect(report.paths?.map(\.node) == ["fs2"])
            #expect(report.paths?.map(\.kind) == ["multicast"])
        }
        #expect(stage.reports.contains { $0.by == 2 && $0.event.subject == "lan" })
        stage.notice(2, [])
        stage.run(.milliseconds(100))
        for machine in stage.machines {
            let report = try #require(machine.node?.statusReport(at: stage.now))
            #expect(report.paths == [])
        }
        #expect(stage.reports.contains { $0.event.text == "ring lan is heard by fs2 again on every way" })
    }
}
