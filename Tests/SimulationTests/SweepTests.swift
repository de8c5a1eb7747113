import Simulation
import Testing

/// Hundreds of seeds: nothing unsafe in any storm, everything well in calm.
@Suite struct SweepTests {
    /// Ten of these; script/soak runs thousands.
    static let chunk: UInt64 = 25

    @Test("no storm breaks the cluster", arguments: (0..<10).map { UInt64($0) * chunk })
    func sweep(from first: UInt64) {
        let sweep = Simulation.sweep(seeds: first..<(first + Self.chunk))
        if let failure = sweep.failure, let violation = failure.violation {
            Issue.record("\(violation)\nreplay: \(failure.replay)")
        }
        #expect(sweep.failure == nil)
        // A sweep without takeovers would prove nothing.
        #expect(sweep.takeovers > 10)
        #expect(sweep.playbookRuns > 10)
        #expect(sweep.executions > 0)
    }

    @Test(
        "seeds that once found something find nothing",
        arguments: [100, 466, 529, 559, 740, 1239, 1584, 3001, 3620, 4043, 4705, 7004])
    func formerFindings(seed: UInt64) {
        let violation = Simulation.replay(seed: seed, trace: false).violation
        #expect(violation == nil)
    }

    @Test("the same seed gives the same trace") func repeatable() {
        let once = Simulation.replay(seed: 3, trace: true)
        let again = Simulation.replay(seed: 3, trace: true)
        #expect(once.trace.lines.count > 100)
        #expect(once.trace == again.trace)
        #expect(once.steps == again.steps)
    }
}

/// The judge bites: when a law of the world is broken, some storm shows it.
@Suite struct SabotageTests {
    @Test(
        "a broken law is noticed",
        arguments: [
            (Sabotage.keeperIgnoresExpiry, Law.twoHolders, 20), (.wildClocks, .twoHolders, 300),
            (.inflatedAges, .twoHolders, 400),
        ] as [(Sabotage, Law, UInt64)])
    func notices(_ sabotage: Sabotage, _ law: Law, within seeds: UInt64) {
        var found: Violation?
        for seed in 0..<seeds {
            let violation = Simulation.replay(seed: seed, trace: false, sabotage: sabotage).violation
            if let violation, violation.law == law {
                found = violation
                break
            }
        }
        #expect(found != nil, "\(sabotage) went unnoticed in \(seeds) seeds")
    }

    @Test(
        "a broken law is noticed in storms",
        arguments: [(Sabotage.epochlessAcknowledgements, Law.twoHolders, StormTheme.views)])
    func noticesInStorms(_ sabotage: Sabotage, _ law: Law, _ theme: StormTheme) {
        let seeds = (UInt64(0)..<400).lazy.filter { Simulation.theme(of: $0) == theme }
        let found = seeds.contains { seed in
            Simulation.storm(seed: seed, trace: false, sabotage: sabotage).violation?.law == law
        }
        #expect(found, "\(sabotage) went unnoticed")
    }

    @Test(
        "a broken law that storms hardly ever meet is noticed in a story that leads to it",
        arguments: [(Sabotage.carelessPrimary, Law.zoneEpoch, "a-late-update-is-refused.scenario")])
    func notices(_ sabotage: Sabotage, _ law: Law, in story: String) throws {
        let scenario = Scenario(try ScenarioTests.text(of: story))
        let failure = #expect(throws: Scenario.Failure.self) { try scenario.play(sabotage: sabotage) }
        #expect(failure?.text.contains(law.rawValue) == true, "\(String(describing: failure))")
    }
}
