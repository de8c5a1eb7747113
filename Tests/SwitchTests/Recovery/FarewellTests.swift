import Replication
import Switch
import Testing

@Suite("Peers of calls that are lost are told")
struct FarewellTests {
    /// A bridged call whose second leg is over a connection that only its peer could open.
    private func half(_ name: String) -> [CallLeg] {
        var legs = call(name)
        legs[1].variables.append(.init("sip_via_protocol", "wss"))
        return legs
    }

    private func call(_ name: String) -> [CallLeg] {
        [
            RecoveryPlanTests.leg("\(name)-a", partner: "\(name)-b"),
            RecoveryPlanTests.leg("\(name)-b", partner: "\(name)-a", direction: .outbound),
        ]
    }

    private func run(_ legs: [CallLeg], silence: Duration = .zero) -> RecoveryRun {
        RecoveryRun(
            legs: legs, profile: "svcA", settings: .init(plan: .init(serviceAddress: "10.77.0.50")),
            silence: silence, sequence: .some, at: .zero)
    }

    @Test("the living are revived first; a leg without its other one comes back only to be hung up")
    func half() throws {
        let legs = call("x") + half("y")
        let plan = try RecoveryPlan(
            legs: legs, profile: "svcA", local: RecoveryPlanTests.local(),
            settings: .init(serviceAddress: "10.77.0.50"))
        let told = plan.farewells.flatMap { $0 }
        #expect(told.map { $0.legs.map(\.uuid) } == [["y-a"]])
        let row = try #require(told.first?.rows(for: "slave-1", sequence: .some).first)
        #expect(
            row.metadata.contains(
                "<application app_name=\"hangup\" app_data=\"NORMAL_TEMPORARY_FAILURE\"/></extension>"))
        #expect(!row.metadata.contains("signal_bond") && !row.metadata.contains("app_name=\"park\""))
        var run = run(legs)
        var pretend = PretendSwitch()
        let summary = try pretend.carry(&run)
        #expect(
            pretend.log.prefix(4) == [
                "stage x-a x-b", "sofia profile svcA recover", "stage y-a", "sofia profile svcA recover",
            ])
        #expect(summary.recovered == ["x-a", "x-b"])
        #expect(summary.lost.map(\.uuid) == ["y-a", "y-b"])
        #expect(summary.lost.first?.reason == .impossible(.halfKnown("y-b")))
    }

    @Test("nobody is told whose leg, or whose other leg, the switch still has, or whose dialog is not known")
    func untold() throws {
        var untagged = half("z")
        untagged[0].variables[0] = .init("sip_full_to", "<sip:x@192.0.2.1>")
        let plan = try RecoveryPlan(
            legs: half("x") + half("y") + untagged, profile: "svcA",
            local: RecoveryPlanTests.local(channels: ["x-a", "y-b"]), settings: .init())
        #expect(plan.farewells == [])
    }

    @Test("calls nobody had for a minute are not revived, but told that they are over") func late() throws {
        var late = run(call("x"), silence: .seconds(60))
        var pretend = PretendSwitch()
        let summary = try pretend.carry(&late)
        #expect(pretend.log.prefix(2) == ["stage x-a x-b", "sofia profile svcA recover"])
        #expect(summary.recovered == [])
        #expect(summary.lost.map(\.reason) == [.tooLate, .tooLate])
        var early = run(call("x"), silence: .seconds(59))
        var other = PretendSwitch()
        #expect(try other.carry(&early).recovered.count == 2)
    }

    @Test("rows the switch may not have read are taken out when the recovery is over") func rows() throws {
        var run = run(call("x"))
        var pretend = PretendSwitch()
        pretend.weather.lostAnswers = 100
        let summary = try pretend.carry(&run)
        #expect(summary.recovered.count + summary.lost.count == 2)
        #expect(pretend.log.last == "stage ")
    }
}
