import EventSocket
import SwitchSimulator
import Testing

/// Registrations, the switch's own and injected ones, with the effects the reference lists.
@Suite struct RegistrationTests {
    private func bench(_ kind: SwitchSettings.Profile.Registrations = .single) -> Bench {
        var settings = Bench.settings()
        settings.profiles[0].registrations = kind
        settings.lateMargin = .seconds(60)
        return Bench(settings)
    }

    private func register(
        _ user: String, call: String, port: UInt16 = 5070, expires: Int = 120, sequence: Int = 1,
        on bench: inout Bench
    ) {
        let source = SIPEndpoint(ip: "10.77.0.100", port: port)
        let text = SIPRecording.request(
            "REGISTER", to: user, call: call, from: source, sequence: sequence, extra: ["Expires: \(expires)"]
        )
        bench.receive(text.replacing("Contact: <sip:t@", with: "Contact: <sip:\(user)@"), from: source)
    }

    private func inject(_ headers: String, on bench: inout Bench) {
        let client = bench.connect()
        bench.say(
            "auth ClueCon\n\nsendevent CUSTOM\nEvent-Subclass: multicast::event\n\(headers)\n\n", from: client
        )
    }

    private static let minimal = """
        orig-event-subclass: sofia::register
        orig-profile-name: svcA
        orig-from-user: 1001
        orig-from-host: lab.test
        orig-contact: <sip:1001@10.77.0.100:5072>
        orig-call-id: reg-1001
        orig-expires: 60
        """

    private static let found = "sofia/svcA/sip:1001@10.77.0.100:5072"
    private static let absent = "error/user_not_registered"

    @Test("An injected registration is seen after the queue's lag, and fires no event")
    func lag() {
        var bench = bench()
        inject(Self.minimal, on: &bench)
        let before = bench.events.filter { $0.subclass == "sofia::register" }.count
        bench.advance(by: .milliseconds(149))
        #expect(bench.api("sofia_contact svcA/1001@lab.test") == Self.absent)
        bench.advance(by: .milliseconds(1))
        #expect(bench.api("sofia_contact svcA/1001@lab.test") == Self.found)
        #expect(bench.api("show registrations count") == "\n0 total.\n")
        #expect(bench.events.filter { $0.subclass == "sofia::register" }.count == before)
    }

    @Test("Injections are applied in the order they came, whatever each one's lag")
    func sequence() {
        var settings = Bench.settings()
        settings.registrationLag = .milliseconds(1) ... .milliseconds(500)
        var bench = Bench(settings)
        for round in 0..<50 {
            inject(Self.minimal.replacing("reg-1001", with: "\(round)"), on: &bench)
            inject(
                "orig-event-subclass: sofia::unregister\norig-profile-name: svcA\norig-from-user: 1001\n"
                    + "orig-from-host: lab.test", on: &bench)
        }
        bench.advance(by: .seconds(1))
        #expect(bench.api("sofia_contact svcA/1001@lab.test") == Self.absent)
    }

    @Test(
        "What is left out has its effect",
        arguments: [
            ("orig-profile-name: svcA\n", Self.absent, 0), ("orig-from-host: lab.test\n", Self.absent, 1),
            ("orig-call-id: reg-1001\n", Self.found, 1), ("orig-expires: 60", Self.found, 1),
        ])
    func omissions(line: String, contact: String, rows: Int) {
        var bench = bench()
        inject(Self.minimal.replacing(line, with: ""), on: &bench)
        bench.advance(by: .seconds(1))
        #expect(bench.api("sofia_contact svcA/1001@lab.test") == contact)
        #expect(bench.api("sofia status profile svcA").contains("REGISTRATIONS    \t\(rows)\n"))
        #expect(
            rows == 0 || bench.api("sofia status profile svcA reg").contains("MWI-Account:\t1001@\n")
                || line.contains("host"))
        bench.advance(by: .seconds(30))
        // Without a time it has run out already, and goes with the next sweep.
        let left = bench.api("sofia_contact svcA/1001@lab.test")
        #expect(left == (line.contains("expires") ? Self.absent : contact))
    }

    @Test(
        "Single-registration profiles remove by user, others by Call-ID",
        arguments: ["single", "contact", "call-id"])
    func removal(kind: String) throws {
        let kind = try #require(SwitchSettings.Profile.Registrations(rawValue: kind))
        for (call, isRemoved) in [("another", kind == .single), ("reg-1001", true)] {
            var bench = bench(kind)
            inject(Self.minimal, on: &bench)
            inject(
                "orig-event-subclass: sofia::unregister\norig-profile-name: svcA\norig-from-user: 1001\n"
                    + "orig-from-host: lab.test\norig-call-id: \(call)", on: &bench)
            bench.advance(by: .seconds(1))
            #expect((bench.api("sofia_contact svcA/1001@lab.test") == Self.absent) == isRemoved)
        }
    }

    @Test(
        "By contact, a phone's own refresh replaces by contact and an injected one by Call-ID: a stale row stays"
    )
    func stale() {
        var bench = bench(.contact)
        register("1001", call: "first", on: &bench)
        register("1001", call: "second", on: &bench)
        #expect(bench.api("sofia_count_reg svcA/1001@10.77.0.50") == "1")
        for call in ["first", "second"] {
            inject(Self.minimal.replacing("reg-1001", with: call), on: &bench)
        }
        bench.advance(by: .seconds(1))
        #expect(bench.api("sofia_count_reg svcA/1001@lab.test") == "2")
    }

    @Test("By Call-ID two phones of one user stand side by side")
    func several() {
        var bench = bench(.callID)
        register("1001", call: "desk", port: 5070, on: &bench)
        register("1001", call: "mobile", port: 5071, on: &bench)
        #expect(
            bench.api("sofia_contact */1001@10.77.0.50")
                == "sofia/svcA/sip:1001@10.77.0.100:5070,sofia/svcA/sip:1001@10.77.0.100:5071")
        register("1001", call: "desk", port: 5070, expires: 0, sequence: 2, on: &bench)
        #expect(bench.api("sofia_count_reg 1001@10.77.0.50") == "1")
    }

    @Test("A phone's own registration is kept the late margin longer, an injected one is not")
    func margin() throws {
        var bench = bench()
        register("1002", call: "a", expires: 10, on: &bench)
        inject(Self.minimal.replacing("orig-expires: 60", with: "orig-expires: 10"), on: &bench)
        bench.advance(by: .seconds(31))
        #expect(bench.api("sofia_contact svcA/1001@lab.test") == Self.absent)
        #expect(bench.api("sofia_count_reg svcA/1002@10.77.0.50") == "1")
        bench.advance(by: .seconds(60))
        #expect(bench.api("sofia_count_reg svcA/1002@10.77.0.50") == "0")
        let expired = bench.events.filter { $0.subclass == "sofia::expire" }
        // With `user` and `host`, and the time it ran out.
        #expect(expired.map { $0["user"] } == ["1001", "1002"])
        #expect(expired.allSatisfy { $0["from-user"] == nil && $0["host"] != nil })
        #expect(expired[1]["expires"] == "\(Bench.start.seconds + 70)")
    }

    @Test("A call goes to the registered phone rather than to the carrier")
    func routing() throws {
        var bench = bench()
        register("1001", call: "a", port: 5099, on: &bench)
        _ = bench.takeDatagrams()
        bench.receive(SIPRecording.invite(to: "1001", call: "c"), from: SIPRecording.phone)
        let invite = try #require(bench.takeDatagrams().first { $0.text.hasPrefix("INVITE ") })
        #expect(invite.to == SIPEndpoint(ip: "10.77.0.100", port: 5099))
    }
}
