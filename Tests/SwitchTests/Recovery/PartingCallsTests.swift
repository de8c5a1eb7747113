import Primitives
import Testing

@testable import Switch

/// Before an address goes elsewhere by plan.
@Suite struct PartingCallsTests {
    private let start = Instant.zero + .seconds(10)

    @Test("an address without hopeless calls may go at once") func none() {
        var calls = PartingCalls()
        #expect(calls.look(findHopeless: { [] }, isThere: { _ in true }, at: start) == .done)
        #expect(calls.isDone && calls.due == nil && calls.ended.isEmpty)
    }

    @Test("what looks hopeless for a moment is not hung up") func doubt() {
        var calls = PartingCalls()
        let first = calls.look(findHopeless: { ["a"] }, isThere: { _ in true }, at: start)
        #expect(first == .ask(["a"]))
        let early = calls.look(
            findHopeless: { ["a"] }, isThere: { _ in true }, at: start + .milliseconds(299))
        #expect(early == .wait)
        // Another is in between now, and was not before.
        let late = calls.look(
            findHopeless: { ["b"] }, isThere: { _ in true }, at: start + .milliseconds(300))
        #expect(late == .done)
    }

    @Test("hopeless legs are hung up in batches, once more what came meanwhile, and then the address may go")
    func paced() {
        var calls = PartingCalls()
        var there = Set((0..<45).map { "leg\(100 + $0)" })
        var now = start
        var told: [Int] = []
        var steps = 0
        var hasMore = true
        while !calls.isDone, steps < 50 {
            steps += 1
            let step = calls.look(
                findHopeless: { there.sorted() }, isThere: { there.contains($0) }, at: now)
            if case .hangUp(let batch) = step {
                told.append(batch.count)
                // They end until the next look; one caller comes when the last of them are told.
                there.subtract(batch)
                if told.count == 3, hasMore {
                    there.insert("late")
                    hasMore = false
                }
            }
            if let due = calls.due { now = due }
        }
        #expect(told == [20, 20, 5, 1])
        #expect(calls.ended.count == 46)
        #expect(now - start == .milliseconds(300 + 4 * 50 + 30))
    }

    @Test("a switch that ends nothing is waited for, and told once") func stuck() {
        var calls = PartingCalls()
        var now = start
        var told = 0
        for _ in 0..<40 {
            let step = calls.look(findHopeless: { ["a"] }, isThere: { _ in true }, at: now)
            if case .hangUp = step { told += 1 }
            now = calls.due ?? now
        }
        #expect(told == 1 && !calls.isDone)
    }
}
