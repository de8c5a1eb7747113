import Config
import EventSocket
import Primitives
import Testing

@testable import fsdns

@Suite("The word cluster in FreeSWITCH's console") struct SwitchAliasTests {
    private static func alias(
        program: String = "/usr/bin/fsdns", control: String? = nil
    ) throws -> SwitchAlias {
        let file = try ClusterFile.load(
            text: Array(DemoSite(directory: "/nowhere", network: "127.81.14").configText.utf8),
            path: "/demo.xml")
        return try SwitchAlias(program: program, controlPath: control, node: "fs1", settings: file.settings)
    }

    private static let target =
        "system 2>&1 NO_COLOR=1 FSDNS_OPERATOR=freeswitch@fs1 timeout 20 /usr/bin/fsdns"

    @Test("The alias runs this program for a while, with its errors, and says who asks")
    func target() throws {
        #expect(try Self.alias().target == Self.target)
        #expect(try Self.alias(control: "/x/c.sock").target.contains(" FSDNS_CONTROL=/x/c.sock "))
    }

    @Test(
        "A path that a shell would take apart is refused",
        arguments: ["/my programs/fsdns", "/a;b", "/$x", "/a'b"])
    func paths(_ path: String) {
        #expect(throws: SwitchAlias.Refusal.self) { try Self.alias(program: path) }
        #expect(throws: SwitchAlias.Refusal.self) { try Self.alias(control: path) }
    }

    @Test("The old phrases go before the new ones come, and names stand for themselves")
    func commands() throws {
        let alias = try Self.alias()
        let commands = alias.commands
        #expect(commands[0] == "alias stickyadd cluster \(Self.target)")
        #expect(commands[1] == "complete del cluster")
        #expect(commands[2...].allSatisfy { $0.hasPrefix("complete stickyadd cluster ") })
        #expect(commands.contains("complete stickyadd cluster status"))
        let seat = try #require(alias.seats.first)
        let node = try #require(alias.nodes.first)
        #expect(commands.contains("complete stickyadd cluster switchover \(seat) --to \(node)"))
        #expect(commands.contains("complete stickyadd cluster drain \(seat) --dry-run"))
        #expect(!commands.contains { $0.contains("<") })
        // FreeSWITCH keeps ten words (switch_console.c: switch_console_set_complete).
        #expect(alias.phrases.allSatisfy { $0.split(separator: " ").count <= 10 })
        #expect(Set(commands).count == commands.count)
    }

    private func install(
        _ answer: @escaping @Sendable (String, Bool) -> String
    ) throws -> (said: [String], commands: [String]) {
        let scripted = ScriptedSwitch(answer)
        let client = try SwitchClient(scripted.endpoint, password: ScriptedSwitch.password)
        var said: [String] = []
        try AliasInstallation(alias: try Self.alias(), client: client).run { said.append($0) }
        return (said, scripted.commands)
    }

    private static func expanded(_ output: String) -> String {
        "\nExpand Alias [cluster]->[\(target) status --format json]\n\n\(output)"
    }

    @Test("It is installed, tried, and told")
    func installed() throws {
        let (said, commands) = try install { line, console in
            if line.hasPrefix("console_complete") {
                return "\n\n[             undrain]\t\n\nwrite=3:undrain "
            }
            if console { return Self.expanded("{\n  \"cluster\" : \"pbx\"\n}\n") }
            return line == "global_getvar core_uuid" ? "u" : "+OK\n"
        }
        #expect(said.first == "alias cluster -> \(Self.target)")
        #expect(said.last?.hasPrefix("checked: ") == true)
        #expect(commands.last == "console_complete cluster und")
        #expect(commands.contains("cluster status --format json"))
    }

    @Test("What FreeSWITCH refuses is told, and nothing more is tried")
    func refused() throws {
        #expect(throws: CommandFailure.refused(["FreeSWITCH answered “complete del cluster” with: -USAGE"])) {
            try install { line, _ in line.hasPrefix("complete del") ? "-USAGE\n" : "+OK\n" }
        }
        #expect(
            throws: CommandFailure.refused([
                "FreeSWITCH does not expand the alias: -ERR cluster Command not found!"
            ])
        ) {
            try install { _, console in console ? "-ERR cluster Command not found!\n" : "+OK\n" }
        }
    }

    @Test("An alias that cannot reach its node says what is in the way")
    func unreachable() throws {
        do {
            _ = try install { _, console in
                console ? Self.expanded("cannot open /run/fsdns/control.sock\n") : "+OK\n"
            }
            Issue.record("it is content")
        } catch let failure as CommandFailure {
            #expect(
                failure.lines[0].hasSuffix(
                    "does not work in FreeSWITCH yet: cannot open /run/fsdns/control.sock"))
            #expect(failure.lines.count == 2)
        }
    }

    @Test("A wrong password, a closed port and a silent server are told apart")
    func client() throws {
        let scripted = ScriptedSwitch { _, _ in "" }
        #expect(throws: SwitchClient.Failure.ended(scripted.endpoint, .passwordRefused)) {
            try SwitchClient(scripted.endpoint, password: "guess")
        }
        let nobody = Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 1)
        do {
            _ = try SwitchClient(nobody, password: "x")
            Issue.record("somebody answers")
        } catch { #expect("\(error)".hasPrefix("nobody answers at 127.0.0.1:1: ")) }
        // The first conversation keeps the server busy; the second gets no word.
        let first = try SwitchClient(scripted.endpoint, password: ScriptedSwitch.password)
        let patience = Duration.milliseconds(100)
        #expect(throws: SwitchClient.Failure.silent(scripted.endpoint, after: patience)) {
            try SwitchClient(scripted.endpoint, password: ScriptedSwitch.password, patience: patience)
        }
        #expect(try first.api("anything") == "")
    }

    @Test("Who asks through a console is remembered by the console's word for them")
    func asker() {
        #expect(Operator.named("event-socket@127.0.0.1") == "event-socket@127.0.0.1")
        #expect(Operator.named(nil) == nil)
        #expect(Operator.named("two words") == nil)
        #expect(Operator.named(String(repeating: "x", count: 201)) == nil)
    }
}
