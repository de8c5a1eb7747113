import Cluster
import Config
import Testing

@testable import fsdns

/// What an operator copies into a stock FreeSWITCH.
@Suite struct FreeSWITCHPiecesTests {
    private func pieces(limits: Bool = true) throws -> FreeSWITCHPieces {
        var file = try ClusterFile.load(
            text: Array(DemoSite(directory: "/nowhere", network: "127.81.14").configText.utf8),
            path: "/demo.xml")
        file.settings.addresses = [
            ServiceAddress(name: "alpha", ip: try #require(IPAddress("10.77.0.50")), prefixLength: 24),
            ServiceAddress(name: "beta", ip: try #require(IPAddress("2001:db8::51")), prefixLength: 64),
        ]
        let endpoint = Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 8021)
        file.freeswitch = .eventSocket(SwitchAccess(endpoint: endpoint, passwordFile: "/nowhere"))
        if limits {
            let listener = ListenerSettings(endpoint: endpoint, passwordFile: "/nowhere")
            file.eventSocket = listener
            file.limitService = listener
        }
        return FreeSWITCHPieces(file: file, node: "fs1")
    }

    private func lines(_ pieces: FreeSWITCHPieces, of place: String) -> [String] {
        pieces.pieces.filter { $0.place.hasPrefix(place) }.flatMap(\.lines)
    }

    @Test("modules that stock FreeSWITCH does not load are asked for, and only where they are used")
    func modules() throws {
        let modules = "autoload_configs/modules.conf.xml"
        #expect(
            lines(try pieces(), of: modules) == [
                #"<load module="mod_hash"/>"#, #"<load module="mod_hiredis"/>"#,
            ])
        #expect(lines(try pieces(limits: false), of: modules) == [])
    }

    @Test("a profile has a timer, or a leg that hears nothing would end 5 s late")
    func timer() throws {
        for name in ["alpha", "beta"] {
            let lines = lines(try pieces(), of: "sip_profiles/\(name).xml")
            #expect(lines.contains(#"    <param name="rtp-timer-name" value="soft"/>"#))
            #expect(lines.contains(#"    <param name="force-register-db-domain" value="$${domain}"/>"#))
        }
    }

    @Test("the domain of registrations is one name, not each machine's address") func domain() throws {
        #expect(lines(try pieces(), of: "vars.xml").count == 1)
    }

    @Test("a phone is called by a profile whose address is here, not by the one it registered at")
    func phones() throws {
        let lines = lines(try pieces(), of: "dialplan/default.xml")
        #expect(lines.contains { $0.contains("sofia/${sofia_profile_name}/$1") })
    }
}
