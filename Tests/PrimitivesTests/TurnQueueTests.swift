import Primitives
import Testing

@Suite("Turns of clients that ask for much") struct TurnQueueTests {
    private static let pace = TurnQueue<String>.Pace(
        turns: 3, time: .milliseconds(10), pause: .milliseconds(1))

    /// One round of turns that take so long; each client that is served wants another turn.
    private func round(
        _ queue: inout TurnQueue<String>, each: Duration = .zero
    ) -> (served: [String], pause: Duration?) {
        var (served, used): ([String], Duration) = ([], .zero)
        queue.begin()
        while let client = queue.next(after: used) {
            served.append(client)
            #expect(queue.add(client) == nil, "what asks meanwhile makes no round of its own")
            used += each
        }
        return (served, queue.end(after: used))
    }

    @Test("the first that waits makes a round due, the others wait for the same") func due() {
        var queue = TurnQueue<String>(Self.pace)
        #expect(queue.add("a") == .milliseconds(1))
        #expect(queue.add("b") == nil)
    }

    @Test("a round has so many turns at most, and who waited longest has the next") func turns() {
        var queue = TurnQueue<String>(Self.pace)
        for client in ["a", "b", "c", "d"] { _ = queue.add(client) }
        #expect(round(&queue) == (["a", "b", "c"], .milliseconds(1)))
        #expect(round(&queue) == (["d", "a", "b"], .milliseconds(1)))
    }

    @Test("a round begins no turn when its time is over, and a longer one is followed by as long a pause")
    func time() {
        var queue = TurnQueue<String>(Self.pace)
        for client in ["a", "b", "c"] { _ = queue.add(client) }
        #expect(round(&queue, each: .milliseconds(8)) == (["a", "b"], .milliseconds(16)))
        #expect(round(&queue, each: .milliseconds(50)) == (["c"], .milliseconds(50)))
    }

    @Test("nobody waits, no round is due; who is gone has no turn") func over() {
        var queue = TurnQueue<String>(Self.pace)
        for client in ["a", "b"] { _ = queue.add(client) }
        queue.remove { $0 == "a" }
        queue.begin()
        #expect(queue.next(after: .zero) == "b" && queue.next(after: .zero) == nil)
        #expect(queue.end(after: .zero) == nil)
        #expect(queue.add("c") == .milliseconds(1))
    }
}
