import Foundation
import Simulation
import Testing

/// Storms look for the moments when decisions are under way (docs/testing.md); FSDNS_STORM_SEEDS runs more of them.
@Suite struct StormTests {
    static let seeds = ProcessInfo.processInfo.environment["FSDNS_STORM_SEEDS"].flatMap { UInt64($0) } ?? 48

    @Test("no storm gives two machines one address, and after each everything is well", arguments: 0..<6)
    func storms(part: UInt64) {
        let count = Self.seeds / 6
        let seeds = part * count..<(part + 1) * count
        let sweep = Simulation.sweep(seeds: seeds, areStorms: true)
        if let failure = sweep.failure, let violation = failure.violation {
            Issue.record("\(violation)\nreplay: \(failure.replay)")
        }
        #expect(sweep.failure == nil)
        // A sweep without takeovers would prove nothing.
        #expect(sweep.takeovers > 3)
    }

    @Test("directed schedules give no two machines one address", arguments: Directed.allCases)
    func schedules(_ directed: Directed) {
        var played = 0
        for variant in UInt64(1)...16 {
            guard let outcome = directed.run(variant: variant, trace: false) else { continue }
            played += 1
            #expect(outcome.violation == nil, "\(directed.rawValue) --seed \(variant)")
        }
        #expect(played > 3, "the schedule did not come to its point")
    }

    @Test("the same seed gives the same storm") func repeatable() {
        let once = Simulation.storm(seed: 11, trace: true)
        let again = Simulation.storm(seed: 11, trace: true)
        #expect(once.trace.lines.count > 100)
        #expect(once.trace == again.trace)
    }
}
