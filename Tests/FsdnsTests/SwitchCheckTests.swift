import Cluster
import Config
import Foundation
import GRDB
import Primitives
import Testing

@testable import fsdns

@Suite("Doctor and the running FreeSWITCH") struct SwitchCheckTests {
    private static let access = SwitchAccess(
        endpoint: Endpoint(ip: IPAddress("127.0.0.1")!, port: 8021), passwordFile: "/nowhere")

    private static func check() throws -> SwitchCheck {
        var file = try ClusterFile.load(
            text: Array(DemoSite(directory: "/nowhere", network: "127.81.14").configText.utf8),
            path: "/demo.xml")
        file.settings.addresses = [
            ServiceAddress(name: "alpha", ip: try #require(IPAddress("10.77.0.50")), prefixLength: 24)
        ]
        file.nodeSwitches = []
        file.settings.nodes = Array(file.settings.nodes.prefix(3))
        file.freeswitch = .eventSocket(access)
        let listener = ListenerSettings(endpoint: access.endpoint, passwordFile: "/nowhere")
        file.eventSocket = listener
        file.limitService = listener
        return SwitchCheck(file: file, node: "fs1", path: "cluster.xml")
    }

    private static let fsdnsDrain = """
        <extension name="fsdns-drain"><condition field="${fsdns_drain}" expression="^true$">
        <action application="respond" data="503 Draining"></action></condition></extension>
        """

    private static func dialplan(_ context: String, _ extensions: String) -> String {
        "<section name=\"dialplan\"><context name=\"\(context)\">\(extensions)</context></section>"
    }

    /// Every answer a healthy switch gives, but for the core database, which is not on this machine.
    private static let healthy: [String: String] = [
        "version": "FreeSWITCH Version 1.11.3-dev~64bit ( 64bit)\n",
        "switchname": "fs1",
        "module_exists mod_sofia": "true", "module_exists mod_hash": "true",
        "module_exists mod_hiredis": "true",
        "sofia xmlstatus": """
        <?xml version="1.0" encoding="ISO-8859-1"?>
        <profiles>
        <profile>
        <name>alpha</name>
        <type>profile</type>
        <data>sip:mod_sofia@10.77.0.50:5060</data>
        <state>RUNNING (0)</state>
        </profile>
        <gateway>
        <name>alpha</name>
        <state>NOREG & <odd></state>
        </gateway>
        </profiles>

        """,
        "xml_locate configuration configuration name sofia.conf": """
        <configuration name="sofia.conf"><profiles><profile name="alpha"><settings>
        <param name="sip-ip" value="10.77.0.50"></param><param name="rtp-ip" value="10.77.0.50"></param>
        <param name="track-calls" value="true"></param><param name="context" value="public"></param>
        <param name="multiple-registrations" value="false"></param>
        </settings></profile></profiles></configuration>
        """,
        "global_getvar db_dir": "/nonexistent/db",
        "xml_locate dialplan": dialplan("public", fsdnsDrain),
        "xml_locate configuration configuration name switch.conf": """
        <configuration name="switch.conf"><settings>
        <param name="rtp-start-port" value="16384"></param><param name="rtp-end-port" value="32766"></param>
        <param name="rtp-port-usage-robustness" value="true"></param>
        </settings></configuration>
        """,
        "show channels count": "\n0 total.\n",
        "hiredis_raw default ping": "PONG",
        "hash_remote list": "fsdns\t\t\tUp\n",
        "show aliases": "sticky,alias,command,hostname\n1,cluster,system fsdns,fs1\n\n1 total.\n",
    ]

    private static func findings(_ changes: [String: String] = [:]) throws -> [Finding] {
        let answers = healthy.merging(changes) { $1 }
        return try check().findings(access) { line throws(SwitchClient.Failure) in
            guard let answer = answers[line] else {
                Issue.record("asked \(line)")
                return ""
            }
            return answer
        }
    }

    @Test("A switch that is as it should be is fine in all but its database, which is elsewhere here")
    func fine() throws {
        let bad = try Self.findings().filter { $0.level != .fine }
        #expect(bad.map(\.subject) == ["core database"])
        #expect(bad[0].text.hasPrefix("the switch's core database /nonexistent/db/core.db is not there"))
    }

    private static func database(_ changes: [String: String]) throws -> [Finding] {
        try findings(changes).filter { $0.subject == "core database" }
    }

    @Test("What a recovery writes is written and taken back: that it can be read is not enough")
    func rehearsal() throws {
        let directory = Scratch()
        let path = "\(directory.path)/core.db"
        try DatabaseQueue(path: path).write { database in
            try database.execute(
                sql:
                    "CREATE TABLE recovery (runtime_uuid, technology, profile_name, hostname, uuid, metadata)"
            )
        }
        let place = ["global_getvar db_dir": directory.path]
        #expect(
            try Self.database(place) == [
                .fine("core database", "what a recovery writes can be written to \(path)")
            ])
        // No journal can be made there, whoever asks.
        #expect(symlink("/nowhere/journal", path + "-journal") == 0)
        let found = try Self.database(place)
        #expect(found.map(\.level) == [.wrong])
        #expect(
            found.first?.text
                == "the switch's core database \(path) may not be opened by this user; let it by an ACL on db_dir, "
                + "see docs/freeswitch.md")
        let unused = try Self.database(
            place.merging(["show channels count": "-ERR SQL disabled, no data available!\n"]) { $1 })
        #expect(unused.first?.text.hasPrefix("FreeSWITCH does not use its core database") == true)
        let settings = try #require(Self.healthy[Self.switchSettings])
        let moved = settings.replacing(
            "<settings>", with: "<settings><param name=\"core-db-dsn\" value=\"pgsql://x\"/>")
        let elsewhere = try Self.database(place.merging([Self.switchSettings: moved]) { $1 })
        #expect(elsewhere.first?.text.hasPrefix("core-db-dsn in switch.conf.xml moves") == true)
    }

    private static let switchSettings = "xml_locate configuration configuration name switch.conf"

    private static let sofia = "xml_locate configuration configuration name sofia.conf"

    @Test(
        "What is wrong is found, with the piece that mends it",
        arguments: [
            ("switchname", "vm", "switch", "switch.conf.xml"),
            ("module_exists mod_hash", "false", "switch", "hash.conf.xml"),
            ("module_exists mod_hiredis", "false", "switch", "hiredis.conf.xml"),
            ("sofia xmlstatus", "<profiles>\n</profiles>\n", "profile alpha", "sip_profiles/alpha.xml"),
            (
                "sofia xmlstatus", "<profile>\n<name>alpha</name>\n<state>DOWN (0)</state>\n</profile>",
                "profile alpha", "sip_profiles/alpha.xml"
            ),
            ("hash_remote list", "fsdns\t\t\tDown\n", "mod_hash", "hash.conf.xml"),
            ("hash_remote list", "", "mod_hash", "hash.conf.xml"),
            ("xml_locate dialplan", "<section/>", "dialplan public", "dialplan/public.xml"),
            // In another context it refuses nothing.
            (
                "xml_locate dialplan", dialplan("default", fsdnsDrain), "dialplan public",
                "dialplan/public.xml"
            ),
            (
                "xml_locate dialplan",
                dialplan(
                    "public",
                    "<extension name=\"all\"><condition><action application=\"park\"/></condition></extension>"
                        + fsdnsDrain), "dialplan public", "dialplan/public.xml"
            ),
            (
                "xml_locate dialplan",
                dialplan("public", "<!-- ${fsdns_drain} --><extension name=\"x\"></extension>"),
                "dialplan public", "dialplan/public.xml"
            ),
            (
                "hiredis_raw default ping", "-ERR hiredis_raw default ping Command not found!\n",
                "mod_hiredis", "hiredis.conf.xml"
            ),
            (
                "xml_locate configuration configuration name switch.conf",
                """
                <configuration><settings><param name="rtp-start-port" value="16384"/>
                <param name="rtp-end-port" value="32766"/></settings></configuration>
                """, "RTP ports", "switch.conf.xml"
            ),
            (
                "xml_locate configuration configuration name switch.conf",
                """
                <configuration><settings>
                <param name="rtp-port-usage-robustness" value="true"/></settings></configuration>
                """, "RTP ports", "switch.conf.xml"
            ),
            ("show aliases", "\n0 total.\n", "console", "fsdns freeswitch alias --config cluster.xml"),
        ])
    func wrong(_ question: String, _ answer: String, _ subject: String, _ fix: String) throws {
        let found = try Self.findings([question: answer]).filter {
            $0.level != .fine && $0.subject != "core database"
        }
        #expect(found.map(\.subject) == [subject])
        #expect(found.first?.fix?.contains(fix) == true)
    }

    @Test(
        "A profile's parameters are read from what the switch has configured",
        arguments: [
            (#"<param name="track-calls" value="true"/>"#, "", "does not track its calls"),
            (#"value="10.77.0.50"/>"#, #"value="10.77.0.51"/>"#, "listens at 10.77.0.51"),
            (
                #"<param name="multiple-registrations" value="false"/>"#,
                #"<param name="multiple-registrations" value="contact"/>"#, "keeps registrations as “contact”"
            ),
        ])
    func parameters(_ old: String, _ new: String, _ text: String) throws {
        let configured = try #require(Self.healthy[Self.sofia]).replacing("></param>", with: "/>")
        #expect(configured.contains(old))
        let found = try Self.findings([Self.sofia: configured.replacing(old, with: new)])
        #expect(
            found.contains { $0.level == .wrong && $0.text.contains(text) && $0.subject == "profile alpha" })
    }

    @Test("A switch that tells nothing of its configuration is not accused")
    func untold() throws {
        let found = try Self.findings([Self.sofia: "can't find anything\n"])
        #expect(found.allSatisfy { $0.level == .fine || $0.subject == "core database" })
    }

    @Test("Binding to addresses of others must be allowed")
    func nonlocalBind() {
        #expect(SwitchCheck.nonlocalBind("ipv4", value: "1", fix: { $0 }).level == .fine)
        let finding = SwitchCheck.nonlocalBind("ipv4", value: "0", fix: { $0 })
        #expect(finding.level == .wrong)
        #expect(finding.fix == "/etc/sysctl.d/60-fsdns.conf, then: sysctl --system")
    }

    @Test("An extension that only goes on may stand before the one that refuses")
    func continued() throws {
        let first = "<extension name=\"vars\" continue=\"true\"><condition/></extension>"
        let found = try Self.findings([
            "xml_locate dialplan": Self.dialplan("public", first + Self.fsdnsDrain)
        ])
        #expect(found.contains { $0.level == .fine && $0.subject == "dialplan public" })
    }

    @Test("A wrong password is told as that, not as a module that is missing")
    func password() throws {
        let scripted = ScriptedSwitch { _, _ in "" }
        let secret = FileManager.default.temporaryDirectory.appendingPathComponent(
            "switch-check-\(getpid()).secret")
        try Data("not it\n".utf8).write(to: secret)
        chmod(secret.path, 0o600)
        defer { try? FileManager.default.removeItem(at: secret) }
        var check = try Self.check()
        check.file.freeswitch = .eventSocket(
            SwitchAccess(endpoint: scripted.endpoint, passwordFile: secret.path))
        let found = check.findings.filter { $0.subject == "switch" && $0.level == .wrong }
            .filter { !$0.text.contains("nonlocal_bind") }
        #expect(found.map(\.text) == ["\(scripted.endpoint) refuses the password in \(secret.path)"])
        #expect(found.first?.fix?.contains("mod_event_socket.conf") == false)
        #expect(found.first?.fix?.contains("start FreeSWITCH") == false)
    }

    @Test("A switch that is not there is one finding, not a heap of them")
    func absent() throws {
        var check = try Self.check()
        check.file.freeswitch = .eventSocket(
            SwitchAccess(
                endpoint: Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 1),
                passwordFile: "/nowhere"))
        #expect(check.findings.count { $0.subject == "switch" && $0.level == .wrong } == 1)
        check.file.freeswitch = SwitchSettings.none
        #expect(check.findings.map(\.level) == [.fine])
    }

    @Test("Our own services are reported absent as long as the node service does not run")
    func services() throws {
        let directory = Scratch()
        let secret = try directory.secret("password", "ClueCon")
        let nobody = ListenerSettings(
            endpoint: Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 1), passwordFile: secret)
        let section = SwitchSection(eventSocket: nobody, limitService: nobody)
        let absent = ServiceCheck(section: section, node: "fs1", user: geteuid(), fix: { $0 }).findings
        #expect(absent.map(\.level) == [.notice, .notice])

        let scripted = ScriptedSwitch { line, _ in line == "switchname" ? "fs1" : "" }
        let served = SwitchSection(
            eventSocket: ListenerSettings(endpoint: scripted.endpoint, passwordFile: secret))
        #expect(
            ServiceCheck(section: served, node: "fs1", user: geteuid(), fix: { $0 }).findings.map(\.level)
                == [.fine])
        #expect(
            ServiceCheck(section: served, node: "fs2", user: geteuid(), fix: { $0 }).findings.map(\.level)
                == [.wrong])
    }
}

/// A directory of a test's own, removed when the test ends.
private final class Scratch {
    let path: String

    init() {
        var template = Array("/tmp/fsdns-test-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func secret(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        chmod(file, 0o600)
        return file
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
