import Testing

@testable import Config

@Suite struct LoopbackTests {
    private static let good = """
        <cluster xmlns="urn:fsdns:cluster:1" name="demo">
          <key file="cluster.key"/>
          <heartbeat>
            <peer address="127.0.1.1"/>
            <peer address="127.0.1.2"/>
            <peer address="127.0.1.3"/>
          </heartbeat>
          <nodes>
            <node name="fs1" address="127.0.1.1"/>
            <node name="fs2" address="127.0.1.2"/>
            <node name="fs3" address="127.0.1.3"/>
          </nodes>
          <addresses mode="loopback">
            <address name="alpha" ip="127.0.77.11/8"/>
            <address name="delta" ip="127.0.77.19/8"/>
          </addresses>
          <seats>
            <seat name="master1" address="alpha"/>
          </seats>
          <freeswitch kind="none"/>
        </cluster>
        """

    @Test("a small loopback cluster is good") func good() throws {
        let file = try ClusterFile.load(text: Array(Self.good.utf8), path: "c.xml")
        #expect(file.addressMode == .loopback(probePort: 15060))
        #expect(file.settings.expect == 3)
        #expect(file.settings.dns == nil)
        #expect(file.warnings == [])
    }

    @Test(
        "what would leave 127/8, or stay alone in it, is refused",
        arguments: [
            (
                "127.0.77.11/8", "10.0.77.11/8",
                "14: address 10.0.77.11 is outside 127/8, all that mode=loopback may use"
            ),
            ("127.0.77.11/8", "::1/128", "14: address ::1 is outside 127/8, all that mode=loopback may use"),
            (
                "<peer address=\"127.0.1.3\"/>", "",
                "11: no <peer> has the address 127.0.1.3 of node \"fs3\"; nobody would reach it"
            ),
            (
                "<peer address=\"127.0.1.3\"/>", "<peer address=\"127.0.1.3\"/><peer address=\"10.0.0.1\"/>",
                "6: peer 10.0.0.1 is outside 127/8, all that mode=loopback may use"
            ),
            (
                " address=\"127.0.1.2\"/>\n    <node", "/>\n    <node",
                "10: mode=loopback needs address= for node \"fs2\""
            ),
            (
                "<node name=\"fs3\" address=\"127.0.1.3\"/>", "<node name=\"fs3\" address=\"127.0.1.2\"/>",
                "11: a node with the address 127.0.1.2 is there already, in line 10"
            ),
            (
                "<heartbeat>\n", "<heartbeat><network name=\"n\" subnet=\"127.0.0.0/8\"/>\n",
                "3: mode=loopback knows no networks; list a <peer> for each node"
            ),
            (
                "127.0.77.11/8", "127.0.1.1/8",
                "14: address \"alpha\" is also the own address of node \"fs1\""
            ),
        ])
    func refused(written: String, instead: String, told: String) {
        #expect(Self.good.contains(written))
        #expect(problems(of: Self.good.replacing(written, with: instead)).contains(told))
    }

    @Test("a loopback cluster lists its nodes") func listed() throws {
        let start = try #require(Self.good.firstRange(of: "<nodes>"))
        let end = try #require(Self.good.firstRange(of: "</nodes>"))
        var text = Self.good
        text.replaceSubrange(start.lowerBound..<end.upperBound, with: "<nodes expect=\"3\"/>")
        #expect(problems(of: text) == ["8: mode=loopback needs every node listed with its address="])
    }
}
