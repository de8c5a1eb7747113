import Cluster
import Config
import Primitives
import Testing

@Suite struct ExampleTests {
    private func load(_ name: String) throws -> ClusterFile {
        try ClusterFile.load(path: repository + "/config/" + name)
    }

    @Test("the five-node example says what its comments say") func fiveNodes() throws {
        let file = try load("cluster.xml")
        let settings = file.settings
        #expect(settings.cluster == "pbx")
        #expect(
            settings.timing
                == Timing(
                    interval: .milliseconds(25), lease: .milliseconds(150), deadAfter: .milliseconds(200),
                    discovery: .seconds(5)))
        #expect(settings.nodes == ["fs1", "fs2", "fs3", "fs4", "fs5"].map { NodeRule(name: $0) })
        #expect(settings.expect == 5)
        #expect(settings.addresses.map(\.name) == ["alpha", "beta", "gamma", "delta"])
        #expect(settings.addresses.map { "\($0.ip)/\($0.prefixLength)" }.last == "10.77.0.19/24")
        #expect(settings.seats[1] == SeatRule(name: "master2", address: "beta", prefer: "fs2"))
        #expect(settings.policy == Policy(noQuorum: .release, onExhaustion: .withdraw, takeoversPerHour: 20))
        let dns = try #require(settings.dns)
        #expect(dns.zone == "voip.example.net")
        #expect(dns.ttl == .seconds(60))
        #expect(dns.services == ["sip"])
        #expect(dns.seatNames)
        #expect(dns.srv == [.init(service: "_sip._udp", port: 5060)])
        #expect(dns.servers.map { "\($0.endpoint)" } == ["10.77.0.53:53"])
        #expect(dns.servers[0].keyName == "fsdns")
        #expect(file.keyFile == repository + "/config/cluster.key")
        #expect(
            file.secretFiles(of: nil).map(\.path)
                == ["cluster.key", "fsdns.secret", "event_socket.secret"].map { repository + "/config/" + $0 }
        )
        #expect(file.networks.map(\.name) == ["ring0", "ring1"])
        #expect(file.networks[1].group == IPAddress("239.77.0.2"))
        #expect(file.networks[1].port == 5405)
        #expect(file.peers == [])
        #expect(file.addressMode == .kernel)
        #expect(file.warnings == [])
    }

    @Test("the two-node example has a witness and nothing to warn about") func twoNodes() throws {
        let file = try load("two-node.xml")
        #expect(file.settings.nodes.map(\.kind) == [.witness, .full, .full])
        #expect(file.settings.nodes.map(\.name) == ["dns1", "pbx1", "pbx2"])
        #expect(file.peers.map(\.description) == ["192.0.2.1:5405", "192.0.2.2:5405", "198.51.100.7:5405"])
        #expect(file.nodeBindings.map(\.node) == ["dns1", "pbx1", "pbx2"])
        #expect(file.warnings == [])
    }

    @Test("the loopback example stays inside 127/8") func loopback() throws {
        let file = try load("loopback.xml")
        #expect(file.addressMode == .loopback(probePort: 15060))
        #expect(file.settings.addresses.allSatisfy { $0.ip.isLoopback && $0.prefixLength == 8 })
        #expect(file.nodeBindings.map { "\($0.node) \($0.address)" }.first == "fs1 127.0.1.1")
        #expect(file.peers.count == 5)
        #expect(file.freeswitch == .none)
        #expect(file.settings.timing.discovery == .seconds(1))
        #expect(file.settings.dns?.ttl == .seconds(5))
        #expect(file.warnings == [])
    }
}
