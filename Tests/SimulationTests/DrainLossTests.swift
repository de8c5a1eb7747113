import Simulation
import Testing

/// DNS cannot be updated any more, and a machine that takes part in a drain dies: whoever asks DNS, or is in a call, still
/// finds somebody; and when DNS can be updated again, the drain comes to an end.
@Suite struct DrainLossTests {
    /// How a drain comes to a phase, with what remains to be waited for in it.
    struct Way: Sendable, CustomTestStringConvertible {
        var phase: String
        var drain = "drain master1"
        /// What is done before it is awaited.
        var first: [String] = []
        var testDescription: String { phase }

        /// The taker has followers only as long as the drain can be undone: then the drained node is given up.
        func hasAnHeir(after loss: String) -> Bool {
            !loss.hasSuffix("fs3")
                || !["hanging-up", "handing-over", "lingering", "rotating"].contains(phase)
        }
    }

    static let ways: [Way] = [
        Way(phase: "raising"),
        Way(phase: "publishing"),
        Way(phase: "withdrawing", first: ["until publishing", "run 2ms", "dns refuses"]),
        Way(phase: "forgetting"),
        Way(phase: "moving-registrations"),
        Way(phase: "waiting-for-calls"),
        Way(phase: "hanging-up", drain: "drain master1 2s hangup"),
        Way(phase: "handing-over", drain: "drain master1 0ms handover"),
        Way(phase: "lingering", drain: "drain master1 0ms handover"),
        Way(phase: "rotating", first: ["until waiting-for-calls", "calls fs1 0"]),
        Way(phase: "restoring", first: ["until forgetting", "dns refuses", "abort"]),
        Way(phase: "retreating", first: ["until forgetting", "abort"]),
        Way(phase: "emptying", first: ["until forgetting", "abort"]),
        Way(phase: "aborting", first: ["until waiting-for-calls", "abort"]),
    ]

    /// What happens, and whether another slave is left: fs1 is drained, fs3 takes over, w1 leads.
    static let losses = ["crash fs1", "crash fs3", "crash w1", "switch-fails fs1", "switch-fails fs3"]

    private func acts(_ way: Way, _ loss: String, isSpareLeft: Bool, calls: Int, delay: String) -> [String] {
        var acts = [isSpareLeft ? "nodes fs1 fs2 fs3 fs4" : "nodes fs1 fs2 fs3", "witness w1", "seats 2"]
        acts += ["rest", "switches", "calls fs1 \(calls)", "calls fs2 0", way.drain] + way.first
        acts += [way.phase == "raising" ? "run 5ms" : "until \(way.phase)", "dns refuses", "run \(delay)"]
        acts += [loss, "run 3s", "expect served", "expect held master1 master2"]
        acts += ["dns recovers", "run 3s", "expect served", "calls all 0", "rest", "expect drain none"]
        return acts + ["expect served", "expect held master1 master2"]
    }

    @Test("whoever is lost while DNS is stuck, in whichever phase, callers find somebody", arguments: ways)
    func lost(_ way: Way) throws {
        for loss in Self.losses {
            // With no call to wait for, a drain is over soon: then nobody else may take the place of who is lost.
            var cases = [(isSpareLeft: true, calls: 2, delay: "0ms")]
            cases += [(false, 2, "0ms"), (false, 2, "700ms")]
            if loss.hasSuffix("fs1") { cases.append((false, 0, "0ms")) }
            for (isSpareLeft, calls, delay) in cases where isSpareLeft || way.hasAnHeir(after: loss) {
                let acts = acts(way, loss, isSpareLeft: isSpareLeft, calls: calls, delay: delay)
                #expect(
                    throws: Never.self,
                    "\(loss), \(isSpareLeft ? "a" : "no") spare, \(calls) calls, \(delay)"
                ) {
                    try Scenario(acts.joined(separator: "\n")).play()
                }
            }
        }
    }
}
