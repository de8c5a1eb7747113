import Testing

@testable import Config

@Suite("Differences of cluster files")
struct DifferenceTests {
    private func file(ttl: String = "60s", beta: String = "10.77.0.12", extra: String = "") throws
        -> ClusterFile
    {
        let text = """
            <cluster xmlns="urn:fsdns:cluster:1" name="pbx">
              <key file="cluster.key"/>
              <heartbeat interval="25ms" lease="150ms" dead-after="200ms" discovery="5s">
                <network name="ring0" subnet="10.77.0.0/24" group="239.77.0.1" port="5405"/>
              </heartbeat>
              <nodes expect="2"><node name="fs1"/><node name="fs2"/>\(extra)</nodes>
              <addresses>
                <address name="alpha" ip="10.77.0.11/24"/>
                <address name="beta" ip="\(beta)/24"/>
              </addresses>
              <seats><seat name="master1" address="alpha"/></seats>
              <dns zone="voip.example.net" ttl="\(ttl)" floor="1">
                <server address="10.77.0.53:53" key="fsdns." secret-file="fsdns.secret"/>
                <service name="sip"/>
              </dns>
              <freeswitch kind="none"/>
            </cluster>
            """
        return try ClusterFile.load(text: Array(text.utf8), path: "/etc/fsdns/cluster.xml")
    }

    @Test("a file that means the same has no differences") func same() throws {
        #expect(try file().differences(from: try file()) == [])
    }

    @Test("each difference is a line with what was and what is, in the file's own units")
    func lines() throws {
        #expect(
            try file(ttl: "5s", beta: "10.77.0.13", extra: "<node name=\"fs3\"/>").differences(
                from: try file())
                == [
                    "- address beta 10.77.0.12 24", "- dns voip.example.net 1m 1 false",
                    "+ node fs3 full", "+ address beta 10.77.0.13 24", "+ dns voip.example.net 5s 1 false",
                ])
    }
}
