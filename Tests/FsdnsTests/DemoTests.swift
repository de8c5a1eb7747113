import Cluster
import Config
import DNSMessages
import Primitives
import Testing
import ZoneServer

@testable import fsdns

@Suite struct DemoTests {
    private let site = DemoSite(directory: "/nowhere", network: "127.81.14")

    @Test("the demonstration's cluster file is valid and without warnings")
    func config() throws {
        let file = try ClusterFile.load(text: Array(site.configText.utf8), path: "demo.xml")
        #expect(file.warnings == [])
        #expect(file.addressMode == .loopback(probePort: DemoSite.probePort))
        #expect(file.settings.nodes.map(\.name) == DemoSite.nodes)
        #expect(file.settings.addresses.map { "\($0.ip)" } == [11, 12, 13, 19].map(site.address))
        #expect(file.settings.dns?.servers.map { "\($0.endpoint)" } == ["127.81.14.53:5353"])
        #expect(file.settings.version != 0)
    }

    /// Slaves that tell another port than the holder stand not ready, and a drain is refused.
    @Test("its stand-in switches tell the same SIP port, as those of machines that are alike do")
    func ports() {
        for node in DemoSite.nodes {
            let profiles = site.switchArguments(node).filter { $0.hasPrefix("name=") }
            #expect(!profiles.isEmpty && profiles.allSatisfy { $0.contains(",told-port=5060,") })
        }
    }

    @Test("the demonstration's zone is served, and our own questions are answered from it")
    func zone() async throws {
        let records = try ZoneText.parse(site.zoneText, origin: .root, file: "demo.zone")
        let key = try #require(
            TSIGKey(name: DNSName("fsdns."), algorithm: .hmacSHA256, secret: [UInt8](repeating: 1, count: 32))
        )
        let anyPort = Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 0)
        let server = ZoneServer(zone: try Zone(records), key: key, listen: [anyPort])
        let lookup = Lookup(server: try #require(try await server.start().first))
        #expect(lookup.addresses("ns1.\(DemoSite.zone)") == ["127.81.14.53"])
        #expect(lookup.addresses(DemoSite.service) == [])
        #expect(lookup.ask("example.org", .a) == .wrong("REFUSED"))
        let check = ZoneServerCheck(
            dns: DNSSettings(
                zone: DemoSite.zone, ttl: .seconds(1), floor: 1, servers: [.init(endpoint: lookup.server)],
                services: [], seatNames: false, srv: []))
        #expect(check.findings.map(\.level) == [.fine])
        await server.stop()
        #expect(
            Lookup(server: lookup.server, patience: .milliseconds(50)).ask(DemoSite.zone, .soa) == .silent)
    }

    @Test("an address somebody has is not free")
    func taken() throws {
        let ip = try #require(IPAddress("127.81.14.1"))
        let first = try DatagramProbe(bindingTo: Endpoint(ip: ip, port: 47_001))
        var isTaken = false
        do { _ = try DatagramProbe(bindingTo: Endpoint(ip: ip, port: 47_001)) } catch { isTaken = true }
        #expect(isTaken)
        _ = consume first
    }
}
