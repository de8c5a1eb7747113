import Primitives
import Switch
import Testing

private func at(_ milliseconds: Int) -> Instant { .zero + .seconds(50) + .milliseconds(milliseconds) }

/// Calls of an address that went away and comes back to the same switch.
@Suite struct ForgottenCallsTests {
    @Test("they wait for their old channels, and are remembered until it is known what became of them")
    func comesBack() {
        var forgotten = ForgottenCalls()
        let told = [(["a", "b"], 0), (["a", "b"], 100), (["a", "b", "c"], 200), ([], 300)].map {
            forgotten.forget($0, of: "alpha", at: at($1))
        }
        #expect(told == [true, false, true, false])
        #expect(forgotten.isLeaving("a", of: "alpha") && !forgotten.isLeaving("a", of: "beta"))
        let first = ["a", "x"].map { forgotten.destroyed($0) }
        #expect(first == [nil, nil])
        #expect(!forgotten.isLeaving("a", of: "alpha") && forgotten.contains("a", of: "alpha"))
        #expect(forgotten.isLeaving("alpha", at: at(300)) && forgotten.isLeaving(at: at(300)))
        let last = ["b", "c"].map { forgotten.destroyed($0) }
        #expect(last == [nil, "alpha"])
        #expect(!forgotten.isLeaving("alpha", at: at(300)) && !forgotten.isLeaving(at: at(300)))
        forgotten.settle(["a", "b"], of: "alpha")
        #expect(!forgotten.contains("a", of: "alpha") && forgotten.contains("c", of: "alpha"))
    }

    @Test("channels that do not go are not waited for without end, and are told again") func stuck() {
        var forgotten = ForgottenCalls()
        _ = forgotten.forget(["a"], of: "alpha", at: at(0))
        #expect(!forgotten.isLeaving("alpha", at: at(8000)))
        let isTold = forgotten.forget(["a"], of: "alpha", at: at(8000))
        #expect(isTold)
    }

    @Test("another process of the switch has none of them") func restarted() {
        var forgotten = ForgottenCalls()
        _ = forgotten.forget(["a"], of: "alpha", at: at(0))
        forgotten.restarted()
        #expect(!forgotten.contains("a", of: "alpha") && !forgotten.isLeaving("alpha", at: at(1)))
    }
}
