import Foundation
import Synchronization
import Testing

@testable import Daemon

@Suite("Queues of work with threads of their own")
struct WorkQueueTests {
    private final class Notes: Sendable {
        private let notes = Mutex([Int]())
        func add(_ note: Int) { notes.withLock { $0.append(note) } }
        var all: [Int] { notes.withLock { $0 } }
    }

    @Test("jobs are done in the order they were given, each after the other") func order() {
        let queue = WorkQueue("test")
        let notes = Notes()
        for number in 0..<1000 { queue.async { notes.add(number) } }
        queue.flush()
        #expect(notes.all == Array(0..<1000))
    }

    @Test("as many as the width are under way at once, and no more") func width() async {
        let queue = WorkQueue("test", width: 3)
        let gate = NSCondition()
        let (started, notes) = (Notes(), Notes())
        await withCheckedContinuation { (all: CheckedContinuation<Void, Never>) in
            for number in 0..<4 {
                queue.async {
                    gate.lock()
                    started.add(number)
                    // The first three wait for one another; the fourth finds them there.
                    while started.all.count < 3 { gate.wait() }
                    notes.add(started.all.count)
                    gate.broadcast()
                    gate.unlock()
                    if number == 3 { all.resume() }
                }
            }
        }
        #expect(started.all.count == 4)
        #expect(notes.all.contains(3))
    }

    @Test("what was given before a queue is gone is still done") func end() async {
        let notes = Notes()
        await withCheckedContinuation { done in
            let queue = WorkQueue("test")
            for number in 0..<10 { queue.async { notes.add(number) } }
            queue.async { done.resume() }
        }
        #expect(notes.all == Array(0..<10))
    }
}
