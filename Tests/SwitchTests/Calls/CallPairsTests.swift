import Primitives
import Replication
import Testing

@testable import Switch

/// Plans, `calls` and what is hung up before a move count calls by one rule.
@Suite("Which legs are one call") struct CallPairsTests {
    private func leg(_ uuid: String, _ partner: String? = nil, begins: Bool = false) -> CallLeg {
        var leg = RecoveryPlanTests.leg(uuid)
        leg.partner = partner
        leg.isOriginator = begins
        return leg
    }

    private func firsts(_ legs: [CallLeg]) -> [String] {
        let pairs = CallPairs(legs)
        return legs.filter(pairs.isFirst).map(\.uuid)
    }

    @Test("a young call, of which only one leg knows the other, is one", arguments: [("a", "b"), ("b", "a")])
    func young(_ caller: String, _ callee: String) {
        let legs = [leg(caller), leg(callee, caller)]
        #expect(firsts(legs).count == 1)
        #expect(CallPairs(legs).whole(legs[0]).partner == callee)
        #expect(CallPairs(legs).partner(of: legs[0])?.uuid == callee)
        #expect(CallPairs(legs).partner(of: legs[1])?.partner == callee)
    }

    @Test("the leg that began the call stands for it, else the smaller uuid") func first() {
        #expect(firsts([leg("a", "b"), leg("b", "a", begins: true)]) == ["b"])
        #expect(firsts([leg("a", "b"), leg("b", "a")]) == ["a"])
        #expect(firsts([leg("a"), leg("b")]) == ["a", "b"])
    }

    @Test("legs that do not name each other are calls of their own, and one leg is claimed by one only")
    func torn() {
        #expect(firsts([leg("a", "b"), leg("b", "c"), leg("c", "b")]) == ["a", "b"])
        #expect(firsts([leg("a", "x"), leg("b", "x"), leg("x")]) == ["a", "b"])
        #expect(firsts([leg("a", "gone")]) == ["a"])
    }

    @Test("at every moment of a recording the tracker counts as many calls as it lists") func counted() throws
    {
        var tracker = CallTracker()
        for event in try Recordings.events("events_call_bridge_plain.raw") {
            tracker.handle(event, at: .zero)
            #expect(tracker.counts.calls == firsts(tracker.legs).count)
        }
    }

    @Test("a caller and all that rings for him are one call, which he stands for, and he is judged alone")
    func ringing() {
        var callees = [leg("a", "m"), leg("z", "m")]
        for index in callees.indices { callees[index].phase = .ringing }
        let legs = callees + [leg("m")]
        #expect(firsts(legs) == ["m"])
        #expect(CallPairs(legs).whole(legs[2]).partner == nil)
        #expect(CallPairs(legs).partner(of: legs[2])?.uuid == "a")
    }

    @Test("on each profile a caller and what rings for him are one call") func profiles() {
        var callees = ["a", "b", "y", "z"].map { leg($0, "m") }
        for index in callees.indices { callees[index].phase = .ringing }
        var legs = callees + [leg("m")]
        func firsts() -> [String] {
            let pairs = CallPairs(legs)
            return legs.filter(pairs.isFirstOfProfile).map(\.uuid)
        }
        #expect(firsts() == ["m"])
        for index in [1, 2] { legs[index].profile = "other" }
        #expect(firsts() == ["b", "m"])
    }
}
