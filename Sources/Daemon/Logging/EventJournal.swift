import Cluster
import Synchronization
import Wire

/// Remembers the last events of this node and hands every new one to those who follow.
final class EventJournal: Sendable {
    private struct State {
        var lines: [EventLine] = []
        var next: UInt64 = 1
        var followers: [(id: UInt64, tell: @Sendable (EventLine) -> Void)] = []
        var nextFollower: UInt64 = 1
    }

    private static let remembered = 1000
    private let node: String
    private let state = Mutex(State())

    init(node: String) { self.node = node }

    func add(_ event: ClusterEvent) {
        let time = WallClock.text()
        state.withLock { state in
            let line = EventLine(sequence: state.next, time: time, node: node, event: event)
            state.next += 1
            if state.lines.count == Self.remembered { state.lines.removeFirst() }
            state.lines.append(line)
            // Within the lock, so that every follower sees them in order; telling only enqueues.
            for follower in state.followers { follower.tell(line) }
        }
    }

    /// The remembered lines after `sequence`, oldest first.
    func lines(after sequence: UInt64) -> [EventLine] {
        state.withLock { $0.lines.filter { $0.sequence > sequence } }
    }

    /// Tells the remembered lines after `sequence` and every later one, none twice and none left out.
    func follow(after sequence: UInt64, _ tell: @escaping @Sendable (EventLine) -> Void) -> UInt64 {
        state.withLock { state in
            for line in state.lines where line.sequence > sequence { tell(line) }
            defer { state.nextFollower += 1 }
            state.followers.append((state.nextFollower, tell))
            return state.nextFollower
        }
    }

    func leave(_ follower: UInt64) {
        state.withLock { $0.followers.removeAll { $0.id == follower } }
    }
}
