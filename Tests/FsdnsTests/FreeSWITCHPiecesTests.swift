import Cluster
import Config
import Primitives
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

    @Test("all phones of a user are called, and user/… leaves by a profile whose address is here")
    func devices() throws {
        let pieces = try pieces()
        let lines = lines(pieces, of: "dialplan/default.xml")
        #expect(lines.count { $0.contains("sofia/${sofia_profile_name}/$2") } == 5)
        #expect(lines.contains { $0.contains(#"data="${fsdns_phones}""#) })
        let directory = self.lines(pieces, of: "directory/default.xml")
        #expect(directory.count == 1 && directory[0].contains("sofia/${global_getvar(fsdns_profile)}/%1"))
    }

    @Test("all machines have the same RTP ports, and none gives away one that is in use") func mediaPorts()
        throws
    {
        var ranges: [ClosedRange<Int>] = []
        var pieces = try pieces()
        for node in pieces.file.settings.nodes.map(\.name) {
            pieces.node = node
            let lines = lines(pieces, of: "autoload_configs/switch.conf.xml, in <settings>, instead")
            #expect(lines.contains(#"<param name="rtp-port-usage-robustness" value="true"/>"#))
            let numbers = lines.prefix(2).map { $0.filter(\.isNumber) }.compactMap { Int($0) }
            #expect(numbers.count == 2 && numbers.allSatisfy { $0 % 2 == 0 })
            let range = numbers[0]...numbers[1]
            #expect(ranges.allSatisfy { $0 == range } && range.count > 1000)
            ranges.append(range)
        }
        #expect(ranges.count >= 3)
    }
}
