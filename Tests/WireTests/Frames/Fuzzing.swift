import Consensus
import Glibc

/// How long and on what seed decoders are fed nonsense: `FSDNS_FUZZ_SECONDS` in all, `FSDNS_SEED`.
enum Fuzzing {
    /// The decoders that share the time.
    private static let decoders = 4.0
    private static let fallbackSeconds = 4.0

    static var seed: UInt64 { environment("FSDNS_SEED").flatMap { UInt64($0) } ?? 20_261_121 }

    private static var budget: Duration {
        let seconds = environment("FSDNS_FUZZ_SECONDS").flatMap { Double($0) } ?? fallbackSeconds
        return .milliseconds(Int64(seconds * 1000 / decoders))
    }

    /// Runs rounds until the time is over, at least a thousand of them; returns how many.
    static func run(_ round: (inout FrameSamples) -> Void) -> Int {
        var samples = FrameSamples(seed: seed)
        let clock = ContinuousClock()
        let end = clock.now + budget
        var rounds = 0
        while rounds < 1000 || clock.now < end {
            round(&samples)
            rounds += 1
        }
        return rounds
    }

    private static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
