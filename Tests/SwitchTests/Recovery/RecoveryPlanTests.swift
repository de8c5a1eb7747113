import Replication
import Switch
import Testing

/// What is revived, in which order, and what is left.
@Suite struct RecoveryPlanTests {
    static func leg(
        _ uuid: String, partner: String? = nil, profile: String = "svcA", answered: Int = 100,
        priority: String? = nil, direction: CallLeg.Direction = .inbound
    ) -> CallLeg {
        var leg = CallLeg(
            uuid: uuid, runtime: "master", switchname: "fsA", profile: profile, direction: direction,
            phase: .answered, partner: partner,
            variables: [
                .init("sip_full_to", "<sip:x@192.0.2.1>;tag=1"), .init("current_application", "park"),
                .init("local_media_ip", "10.77.0.50"),
            ], caller: [.init("Channel-Answered-Time", "\(answered)")])
        if let priority { leg.set("fsdns_priority", priority) }
        return leg
    }

    static func local(
        _ state: String = "RUNNING (0)", paused: Bool = false, channels: Set<String> = [],
        core: String = "slave-1"
    ) -> LocalSwitch {
        LocalSwitch(
            coreUUID: core, profiles: [SofiaProfile(name: "svcA", state: state)], isPaused: paused,
            channels: channels)
    }

    private func plan(_ legs: [CallLeg], _ local: LocalSwitch = local(), first: Int = 20, size: Int = 100)
        throws -> RecoveryPlan
    {
        var settings = RecoveryPlan.Settings(serviceAddress: "10.77.0.50")
        settings.firstBatchLegs = first
        settings.batchLegs = size
        return try RecoveryPlan(legs: legs, profile: "svcA", local: local, settings: settings)
    }

    private func words(_ plan: RecoveryPlan) -> [[String]] {
        plan.batches.map { $0.map { $0.legs.map(\.uuid).joined(separator: "+") } }
    }

    @Test("nothing is revived while the profile or the switch could not take it") func refusals() throws {
        #expect(throws: RecoveryRefusal.profileNotRunning("svcA", state: "DOWN")) {
            try plan([], Self.local("DOWN"))
        }
        #expect(throws: RecoveryRefusal.paused) { try plan([], Self.local(paused: true)) }
        #expect(throws: RecoveryRefusal.profileMissing("svcA")) {
            try plan(
                [],
                LocalSwitch(coreUUID: "slave", profiles: [SofiaProfile(name: "svcB", state: "RUNNING (0)")]))
        }
        #expect(RecoveryRefusal.profileMissing("svcA").description == "the switch has no SIP profile svcA")
    }

    @Test("important calls come first: by priority, then the longer established") func order() throws {
        let legs = [
            Self.leg("d", answered: 50), Self.leg("c", answered: 10),
            Self.leg("b", answered: 90, priority: "5"),
            Self.leg("a", answered: 10), Self.leg("e", answered: 99, priority: "-1"),
        ]
        #expect(try words(plan(legs)) == [["b", "a", "c", "d", "e"]])
    }

    @Test("both legs of a call are in one batch, the originator first, and the first batch is small")
    func batches() throws {
        let legs = (0..<5).flatMap {
            [
                Self.leg("a\($0)", partner: "b\($0)", answered: $0 + 1),
                Self.leg("b\($0)", partner: "a\($0)", answered: $0 + 1, direction: .outbound),
            ]
        }
        #expect(
            try words(plan(legs.reversed(), first: 3, size: 5)) == [
                ["a0+b0"], ["a1+b1", "a2+b2"], ["a3+b3", "a4+b4"],
            ])
    }

    @Test("what cannot be revived is left with its reason") func left() throws {
        var ringing = Self.leg("ringing")
        ringing.phase = .ringing
        let legs = [
            ringing, Self.leg("half", partner: "ringing"), Self.leg("alone", partner: "unheard"),
            Self.leg("there"), Self.leg("x", partner: "y"), Self.leg("y", partner: "x"), Self.leg("good"),
            Self.leg("elsewhere", profile: "svcB"),
        ]
        let plan = try plan(legs, Self.local(channels: ["there", "y"]))
        #expect(words(plan) == [["good"]])
        #expect(
            plan.left.map { "\($0.uuid): \($0.reason)" } == [
                "alone: its other leg unheard cannot be revived",
                "elsewhere: its other leg is on profile svcB",
                "half: its other leg ringing cannot be revived",
                "ringing: not answered yet", "there: it is there already",
                "x: its other leg y cannot be revived", "y: it is there already",
            ])
    }

    @Test("a calling leg that was heard of before its bridge is found by its partner") func lateBond() throws
    {
        let legs = [Self.leg("a"), Self.leg("b", partner: "a", direction: .outbound)]
        let plan = try plan(legs)
        #expect(words(plan) == [["a+b"]])
        let rows = plan.batches[0][0].rows(for: "slave", sequence: .some)
        #expect(rows[0].metadata.contains("<signal_bond>b</signal_bond>"))
        #expect(rows.map { $0.flags?.contains("4=1") } == [true, false])
    }

    @Test("two legs that claim the same partner are not both revived with it") func conflict() throws {
        let legs = [Self.leg("a", partner: "c"), Self.leg("b", partner: "c"), Self.leg("c", partner: "b")]
        let plan = try plan(legs)
        #expect(words(plan) == [["b+c"]])
        #expect(plan.left.map(\.uuid) == ["a"])
    }
}
