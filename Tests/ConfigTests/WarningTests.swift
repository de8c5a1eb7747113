import Testing

@testable import Config

@Suite struct WarningTests {
    private static let twoNodes =
        goodFile
        .replacing("<witness name=\"dns1\"/>", with: "")
        .replacing("<node name=\"fs3\"/>", with: "")
        .replacing("<node name=\"fs4\"/>", with: "")
        .replacing("expect=\"5\"", with: "expect=\"2\"")
        .replacing("<seat name=\"master2\" address=\"beta\" prefer=\"fs2\"/>", with: "")

    @Test("two nodes without a witness are told what happens when one is lost") func noWitness() throws {
        #expect(
            try warnings(of: Self.twoNodes) == [
                "c.xml:7: two nodes without a witness: when one is lost the other has no majority, so it "
                    + "gives up its addresses and takes over none; list a <witness>"
            ])
    }

    @Test("two nodes may hold their addresses, and are told that takeover is off") func hold() throws {
        #expect(
            try warnings(of: Self.twoNodes.replacing("\"release\"", with: "\"hold\"")) == [
                "c.xml:23: no-quorum=hold: the two nodes keep their addresses without each other, and "
                    + "automatic takeover is off"
            ])
    }

    @Test("a cluster without a maintenance address cannot be drained") func noMaintenance() throws {
        let text = goodFile.replacing("<address name=\"delta\" ip=\"10.77.0.19/24\"/>", with: "")
        #expect(
            try warnings(of: text) == [
                "c.xml:20: every address has a seat, so there is no maintenance address and "
                    + "nothing can be drained"
            ])
    }

    @Test("an even number of voters gets a hint") func evenVoters() throws {
        let text = goodFile.replacing("<witness name=\"dns1\"/>", with: "").replacing(
            "expect=\"5\"", with: "expect=\"4\"")
        #expect(
            try warnings(of: text) == [
                "c.xml:7: 4 voters bear no more failures at once than 3 would; a <witness> would add one"
            ])
    }

    @Test("addresses of one network with two prefix lengths get a hint", arguments: [16, 32])
    func prefixes(length: Int) throws {
        let text = goodFile.replacing("10.77.0.19/24", with: "10.77.0.19/\(length)")
        #expect(
            try warnings(of: text) == [
                "c.xml:17: address \"delta\" is a /\(length) and \"alpha\" a /24 in the same network; give both "
                    + "the prefix length of the network"
            ])
    }

    @Test(
        "a service name that ends with the zone's name is the one below the zone",
        arguments: ["sip.voip.example.net.", "SIP.voip.example.net", "sip."])
    func absoluteService(name: String) throws {
        let text = goodFile.replacing("<service name=\"sip\"/>", with: "<service name=\"\(name)\"/>")
        if name == "sip." {
            #expect(
                problems(of: text) == [
                    "26: <service> name=\"sip.\" is no name below the zone voip.example.net; write it without the "
                        + "zone, like sip"
                ])
            return
        }
        let file = try ClusterFile.load(text: Array(text.utf8), path: "c.xml")
        #expect(file.settings.dns?.services == ["sip"])
    }

    @Test("that all listed nodes found the cluster is told where the file expects fewer") func earlyStart()
        throws
    {
        #expect(
            try warnings(of: goodFile.replacing("expect=\"5\"", with: "expect=\"3\"")) == [
                "c.xml:7: expect=3, but a cluster forms only when all 5 listed nodes are there; leave expect out"
            ])
    }

    @Test("a cluster without a spare is told so") func noSpare() throws {
        let text = goodFile.replacing("<node name=\"fs3\"/>", with: "<witness name=\"w3\"/>").replacing(
            "<node name=\"fs4\"/>", with: "<witness name=\"w4\"/>")
        #expect(
            try warnings(of: text) == [
                "c.xml:20: as many seats as nodes: there is no spare to take a failed node's seat"
            ])
    }

    @Test("a preference that cannot be met twice, and a takeover that never comes, are told") func odd()
        throws
    {
        let text = goodFile.replacing("prefer=\"fs2\"", with: "prefer=\"fs1\"").replacing(
            "takeovers-per-hour=\"20\"", with: "takeovers-per-hour=\"0\"")
        #expect(
            try warnings(of: text) == [
                "c.xml:21: node \"fs1\" is preferred by two seats; it holds one",
                "c.xml:23: takeovers-per-hour=0 turns automatic takeover off",
            ])
    }

    @Test(
        "durations that work are accepted",
        arguments: [
            ("10ms", "25ms", "35ms", 1), ("25ms", "150ms", "200ms", 0), ("25ms", "51ms", "52ms", 2),
            ("100ms", "0.5s", "1s", 0),
        ])
    func timing(interval: String, lease: String, deadAfter: String, warned: Int) throws {
        let text = goodFile.replacing("25ms", with: interval).replacing("150ms", with: lease).replacing(
            "200ms", with: deadAfter)
        #expect(problems(of: text) == [])
        #expect(try warnings(of: text).count == warned)
    }

    @Test("without a list of nodes the expected number decides") func unlisted() throws {
        let start = try #require(goodFile.firstRange(of: "<node "))
        let end = try #require(goodFile.firstRange(of: "</nodes>"))
        var text = goodFile
        text.replaceSubrange(start.lowerBound..<end.lowerBound, with: "")
        let file = try ClusterFile.load(text: Array(text.utf8), path: "c.xml")
        #expect(file.settings.nodes == [])
        #expect(file.settings.expect == 5)
        #expect(file.warnings == [])
        #expect(
            problems(of: text.replacing("expect=\"5\"", with: "")) == [
                "7: <nodes> lists no nodes, so it must say how many to expect before a cluster forms: "
                    + "expect=\"5\""
            ])
        #expect(
            try warnings(of: text.replacing("expect=\"5\"", with: "expect=\"1\"")) == [
                "c.xml:7: 2 seats, but expect=1"
            ])
    }
}
