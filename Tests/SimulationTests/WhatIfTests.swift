import Cluster
import Simulation
import Testing

@Suite("A cluster as it stands, pretended") struct WhatIfTests {
    /// fs1 to fs3 hold master1 to master3; the slaves are in this order.
    private func cluster(
        slaves: [String] = ["fs4", "fs5"], failed: [String] = [], maintenance: [String] = []
    ) -> WhatIf {
        let names = ["fs1", "fs2", "fs3", "fs4", "fs5"]
        let plans = names.map { Blueprint.MachinePlan(name: $0) }
        let settings = Blueprint.settings(
            machines: plans, seats: 3, timing: Timing(discovery: .milliseconds(300)))
        let sites = names.map { name in
            WhatIf.Site(
                name: name, kind: .full, health: .healthy,
                standing: failed.contains(name)
                    ? .failed : maintenance.contains(name) ? .maintenance : .serving,
                calls: name == "fs2" ? 7 : 0)
        }
        return WhatIf(settings: settings, sites: sites, slaves: slaves)
    }

    private func drain(_ target: String) -> WhatIf.Question {
        .drain(
            DrainRequest(
                target: target, deadline: nil, onDeadline: .wait, reason: "", dryRun: false, who: "ann@ops"))
    }

    @Test("a drain is told phase by phase, and ends with the slave that is first in the list") func drains() {
        let outcome = cluster(slaves: ["fs5", "fs4"]).ask(drain("master2"))
        #expect(outcome.violation == nil && outcome.unrest == nil && outcome.refusals.isEmpty)
        #expect(outcome.differences.isEmpty, "\(outcome.differences)")
        #expect(outcome.seats.map(\.holder) == ["fs1", "fs5", "fs3"])
        #expect(outcome.seats[1].address.map { "\($0)" } == "10.0.0.14")
        #expect(outcome.maintenance == ["fs2"])
        #expect(outcome.slaves == ["fs4"])
        #expect(outcome.published.map { "\($0)" } == ["10.0.0.11", "10.0.0.13", "10.0.0.14"])
        let told = outcome.story.map(\.text)
        #expect(told.contains { $0.hasSuffix("waiting-for-calls") }, "\(told)")
        #expect(told.contains("all 7 calls have ended, in their own time"), "\(told)")
        #expect(told.contains("DNS withdraws 10.0.0.12"), "\(told)")
        #expect(!outcome.plan.isEmpty)
    }

    @Test("machines that fail at once are replaced, and how long each address was silent is told")
    func fails() {
        let outcome = cluster().ask(.fail(["fs1", "fs3"]))
        #expect(outcome.violation == nil && outcome.unrest == nil)
        #expect(Set(outcome.seats.compactMap(\.holder)) == ["fs2", "fs4", "fs5"])
        #expect(outcome.seats.map { $0.silence != nil } == [true, false, true])
        for silence in outcome.seats.compactMap(\.silence) {
            #expect(silence > .milliseconds(100) && silence < .seconds(1))
        }
        #expect(outcome.slaves.isEmpty)
    }

    @Test("a lost quorum is told: nobody takes over") func quorum() {
        let outcome = cluster().ask(.fail(["fs1", "fs2", "fs3"]))
        #expect(outcome.violation == nil)
        #expect(outcome.unrest == "there is no leader")
        #expect(outcome.seats.allSatisfy { $0.holder == nil })
    }

    @Test("what is refused is told with its reasons") func refused() {
        #expect(cluster().ask(drain("master9")).refusals.contains { $0.contains("master9") })
    }

    @Test("machines that have failed or are in maintenance take nothing over") func notServing() {
        let outcome = cluster(slaves: [], failed: ["fs5"], maintenance: ["fs4"]).ask(.fail(["fs2"]))
        #expect(outcome.differences.isEmpty, "\(outcome.differences)")
        #expect(outcome.violation == nil)
        #expect(outcome.seats.map(\.holder) == ["fs1", nil, "fs3"])
        #expect(outcome.maintenance == ["fs4"])
    }
}
