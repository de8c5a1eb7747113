import Foundation
import Simulation
import Testing

/// A cluster of two releases in storms, upgraded one machine after another; FSDNS_UPGRADE_SEEDS runs more of them.
@Suite struct UpgradeTests {
    static let seeds =
        ProcessInfo.processInfo.environment["FSDNS_UPGRADE_SEEDS"].flatMap { UInt64($0) } ?? 24

    @Test(
        "in no storm does a node meet what its release cannot read, and afterwards the newest format is agreed on",
        arguments: 0..<4)
    func upgrades(part: UInt64) {
        let count = Self.seeds / 4
        for seed in part * count..<(part + 1) * count {
            let outcome = Simulation.upgrade(seed: seed, trace: false)
            guard let violation = outcome.violation else { continue }
            Issue.record("seed \(seed): \(violation)")
            break
        }
    }

    /// In 151 recordings made two starting nodes take their state for a copy.
    @Test("seeds that once found something find nothing", arguments: [UInt64(58), 151])
    func formerFindings(seed: UInt64) {
        #expect(Simulation.upgrade(seed: seed, trace: false).violation == nil)
    }
}
