import Testing

@testable import Cluster

@Suite("Why a seat leaves a machine whose FreeSWITCH is gone")
struct SwitchReasonTests {
    /// The seat is at fs1, whose node says that of its switch.
    private func stage(_ report: SwitchReport) throws -> Stage {
        var stage = Stage(3, prefer: 1, seed: 5)
        try #require(stage.run(.seconds(10)) { $0.holders == [1] })
        stage.happen(.switchReported(report), at: 1)
        try #require(stage.run(.seconds(10)) { $0.holders.count == 1 && $0.holders != [1] })
        return stage
    }

    @Test("the words of the node beside it are the reason of the move, and the event's")
    func words() throws {
        var report = SwitchReport(health: .unhealthy)
        let why = "FreeSWITCH was stopped and is not reached: the event socket closed without a notice"
        report.blockers = [Blocker(.limits, nil, "something else"), Blocker(.health, nil, why)]
        let stage = try stage(report)
        #expect(stage.state(0)?.grants.map(\.reason) == ["fs1: \(why)"])
        #expect(stage.reports.contains { $0.by == 1 && $0.event.kind == .trouble && $0.event.text == why })
    }

    @Test("a node that does not say why is believed all the same") func wordless() throws {
        let stage = try stage(SwitchReport(health: .unhealthy))
        #expect(stage.state(0)?.grants.map(\.reason) == ["FreeSWITCH on fs1 does not answer"])
    }
}
