import EventSocket
import Foundation
import Primitives
import Switch
import Testing

private let start = Instant.zero + .seconds(5000)

/// What a caller in a menu goes on with on another machine.
@Suite final class ExtensionTests {
    private static let uuid = "819080fe-eb30-4c67-a85f-bd1581a53212"
    private static let runtime = "05046388-2e35-41e0-ba53-5ac97c0aef75"
    private static let digits =
        "1 1 30 60000 # tone_stream://%(2000,100,500);loops=200 silence_stream://250 dig \\d"

    private var sequence = 0
    private var tracker = CallTracker()

    /// An answered caller's event.
    private func tell(
        _ name: String, _ application: String, _ data: String = "", profile: Int = 1, number: String = "ivr"
    ) {
        sequence += 1
        tracker.handle(
            SwitchEvent(
                headers: Headers([
                    .init("Event-Name", name), .init("Core-UUID", Self.runtime),
                    .init("FreeSWITCH-Switchname", "swA"), .init("Event-Sequence", "\(sequence)"),
                    .init("Unique-ID", Self.uuid), .init("Call-Direction", "inbound"),
                    .init("Answer-State", "answered"), .init("Channel-Call-State", "ACTIVE"),
                    .init("Caller-Profile-Index", "\(profile)"), .init("Caller-Dialplan", "XML"),
                    .init("Caller-Destination-Number", number), .init("Caller-Context", "public"),
                    .init("Application", application), .init("Application-Data", data),
                    .init("variable_recovery_profile_name", "alpha"),
                    .init("variable_sip_full_to", "<sip:ivr@192.0.2.1>;tag=t"),
                    .init("variable_current_application", application),
                    .init("variable_current_application_data", data),
                ])), at: start + .milliseconds(sequence))
    }

    private func read(_ applications: [(String, String)], next: Int?, profile: Int = 1) {
        let written = applications.enumerated().map { index, application in
            "<application \(index == next ? "last_executed=\"true\" " : "")app_name=\"\(application.0)\" "
                + "app_data=\"\(application.1)\"></application>"
        }
        let metadata =
            "<cdr><channel_data><direction>inbound</direction><flags>1=1</flags></channel_data><variables/>"
            + "<callflow profile_index=\"\(profile)\"><extension name=\"x\" number=\"x\">\(written.joined())"
            + "</extension></callflow></cdr>"
        tracker.noteExtensions(
            [
                RecoveryRow(
                    runtimeUUID: Self.runtime, profileName: "alpha", hostname: "swA", uuid: Self.uuid,
                    metadata: metadata)
            ], at: start)
    }

    private func staged() throws -> [String] {
        let leg = try #require(tracker.leg(Self.uuid))
        let row = try #require(RecoverableCall(legs: [leg]).rows(for: "slave", sequence: .some).first)
        let metadata = try RecoveryMetadata(reading: row)
        #expect(!metadata.leg.variables.contains { $0.name.hasPrefix("fsdns_application") })
        return metadata.applications.map { $0.data.isEmpty ? $0.name : "\($0.name) \($0.data)" }
    }

    private static let menu = [
        ("answer", ""), ("set", "step=one"), ("play_and_get_digits", digits), ("set", "step=two"),
        ("transfer", "menu2 XML public"),
    ]

    @Test("a caller in a menu goes on with the rest of its extension, from the current application on")
    func rest() throws {
        tell("CHANNEL_ANSWER", "answer")
        tell("CHANNEL_EXECUTE", "set", "step=one")
        tell("CHANNEL_EXECUTE", "play_and_get_digits", Self.digits)
        #expect(try staged() == ["transfer ivr XML public"])
        // As recorded: the row was written while the digits were awaited, and marks what is next.
        read(Self.menu, next: 3)
        #expect(
            try staged() == [
                "play_and_get_digits \(Self.digits)", "set step=two", "transfer menu2 XML public",
            ])
        tell("CHANNEL_EXECUTE", "set", "step=two")
        #expect(try staged() == ["set step=two", "transfer menu2 XML public"])
    }

    @Test("a row that was written at the answer, and read later, is followed by the events")
    func late() throws {
        tell("CHANNEL_ANSWER", "answer")
        tell("CHANNEL_EXECUTE", "answer")
        tell("CHANNEL_EXECUTE", "set", "step=one")
        tell("CHANNEL_EXECUTE", "play_and_get_digits", Self.digits)
        read(Self.menu, next: 1)
        #expect(try staged().first == "play_and_get_digits \(Self.digits)")
        #expect(try staged().count == 3)
    }

    @Test("a transfer makes another extension; its row comes later, and the older one is not taken for it")
    func transfer() throws {
        tell("CHANNEL_EXECUTE", "play_and_get_digits", Self.digits)
        read(Self.menu, next: 3)
        tell("CHANNEL_EXECUTE", "set", "step=menu2", profile: 2, number: "menu2")
        tell("CHANNEL_EXECUTE", "read", "1 1 x y", profile: 2, number: "menu2")
        read(Self.menu, next: 3)
        #expect(try staged() == ["transfer menu2 XML public"])
        let wanted = tracker.wanted(limit: 10, at: start + .seconds(60))
        #expect(wanted.rows == [Self.uuid])
        read([("set", "step=menu2"), ("read", "1 1 x ${y}"), ("park", "")], next: 0, profile: 2)
        #expect(try staged() == ["read 1 1 x y", "park"])
        #expect(tracker.wanted(limit: 10, at: start + .seconds(120)).isEmpty)
    }

    @Test("what a script plays by itself begins anew with the script")
    func script() throws {
        tell("CHANNEL_ANSWER", "answer")
        tell("CHANNEL_EXECUTE", "lua", "menu.lua")
        tell("CHANNEL_EXECUTE", "playback", "hello.wav")
        read([("answer", ""), ("lua", "menu.lua"), ("playback", "bye.wav")], next: 1)
        #expect(try staged() == ["lua menu.lua", "playback bye.wav"])
    }

    @Test("the last application is all there is") func last() throws {
        tell("CHANNEL_EXECUTE", "conference", "room@default")
        read([("answer", ""), ("conference", "room@default")], next: nil)
        #expect(try staged() == ["conference room@default"])
    }

    @Test("a caller whose ACK came late is asked for again, and is doubtful meanwhile, not lost")
    func lateACK() throws {
        tell("CHANNEL_ANSWER", "park")
        var leg = try #require(tracker.leg(Self.uuid))
        #expect(tracker.verdict(on: Self.uuid, serviceAddress: nil) == .recoverable)
        var headers = Headers([
            .init("Event-Name", "CHANNEL_ANSWER"), .init("Core-UUID", Self.runtime),
            .init("Event-Sequence", "100"), .init("Unique-ID", "late"), .init("Call-Direction", "inbound"),
            .init("Answer-State", "answered"), .init("variable_recovery_profile_name", "alpha"),
            .init("variable_sip_full_to", "<sip:park@192.0.2.1>"),
            .init("variable_current_application", "park"),
        ])
        tracker.handle(SwitchEvent(headers: headers), at: start)
        #expect(tracker.verdict(on: "late", serviceAddress: nil) == .risky(.unconfirmed))
        leg = try #require(tracker.leg("late"))
        let local = LocalSwitch(
            coreUUID: "slave", profiles: [SofiaProfile(name: "alpha", state: "RUNNING (0)")])
        let plan = try RecoveryPlan(legs: [leg], profile: "alpha", local: local, settings: .init())
        #expect(plan.left.map(\.reason) == [.impossible(.noTag)])
        // Not at once, soon, and ever more seldom, until there is a tag.
        #expect(tracker.wanted(limit: 10, at: start).dumps == [])
        var asked: [Duration] = []
        var now = start
        while now < start + .seconds(20) {
            now += .milliseconds(100)
            if tracker.wanted(limit: 10, at: now).dumps == ["late"] { asked.append(now - start) }
        }
        #expect(asked.first == .milliseconds(300))
        #expect((6...9).contains(asked.count))
        headers["Event-Name"] = "CHANNEL_DATA"
        headers["Event-Sequence"] = "101"
        headers.append("variable_sip_to_tag", "tag")
        tracker.handle(SwitchEvent(headers: headers), at: now)
        #expect(tracker.verdict(on: "late", serviceAddress: nil) == .recoverable)
        #expect(tracker.wanted(limit: 10, at: now + .seconds(60)).dumps == [])
        tracker.gone("late", at: now)
        #expect(tracker.wanted(limit: 10, at: now + .seconds(120)).rows == [Self.uuid])
    }
}
