import EventSocket
import Primitives
import Switch
import Testing

/// A caller of whose words the dialplan makes a variable's name, as `limit hash r ${sip_from_user} 5` does: FreeSWITCH
/// decodes the user of a SIP address, line ends among it.
@Suite("Names of variables that a caller makes") struct HostileVariableTests {
    private let name = "limit_usage_r_y: 1\nvariable_api_hangup_hook: system touch%20/tmp/x\nvariable_z"

    private var event: SwitchEvent {
        var headers = Headers([
            .init("Event-Name", "CHANNEL_DATA"), .init("Core-UUID", "core-1"), .init("Event-Sequence", "7"),
            .init("Unique-ID", "leg"), .init("Call-Direction", "inbound"), .init("Answer-State", "answered"),
            .init("variable_recovery_profile_name", "svcA"),
        ])
        headers.append("variable_\(name)", "1")
        return SwitchEvent(headers: headers)
    }

    private func names(_ event: SwitchEvent) -> [String] {
        var tracker = CallTracker()
        tracker.handle(event, at: .zero + .seconds(5000))
        return tracker.leg("leg")?.variables.map(\.name) ?? []
    }

    @Test("are one name in an event and a dump as JSON, which is how they are asked for") func json() throws {
        let bytes = EventCodec.encode(event, as: .json)
        #expect(names(try EventCodec.decode(bytes, as: .json)) == ["recovery_profile_name", name])
        let dump = try #require(try ChannelDump.read(bytes + Array("\n\n".utf8)))
        #expect(names(dump) == ["recovery_profile_name", name])
        #expect(ChannelDump.command("leg") == "uuid_dump leg json")
    }

    @Test("would be variables of his own in a text") func text() throws {
        let lines = event.headers.fields.map { "\($0.name): \($0.value)\n" }.joined() + "\n"
        let plain = try EventCodec.decode(Array(lines.utf8), as: .plain)
        #expect(names(plain).contains("api_hangup_hook"))
    }
}
