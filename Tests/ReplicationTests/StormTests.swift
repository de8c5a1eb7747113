import Glibc
import Testing

/// Set FSDNS_SEEDS to a number of seeds, and FSDNS_SEED to the first, for longer runs.
@Suite struct StormTests {
    @Test(
        "Through cuts, takeovers, restarts and late writes no end is lengthened, no late write taken, and after calm all copies are the writer's"
    )
    func storms() {
        let first = getenv("FSDNS_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
        let seeds = getenv("FSDNS_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 200
        for seed in first..<(first + seeds) {
            let faults = Storm(seed: seed).run(steps: 60)
            if !faults.isEmpty {
                Issue.record("seed \(seed): \(faults.joined(separator: "; "))")
                return
            }
        }
    }

    @Test("The same seed gives the same messages, byte for byte")
    func determinism() {
        let runs = (0..<2).map { _ in
            let storm = Storm(seed: 42)
            storm.world.keepsMessages = true
            _ = storm.run(steps: 60)
            return storm.world.messages
        }
        #expect(runs[0].count > 100)
        #expect(runs[0] == runs[1])
    }
}
