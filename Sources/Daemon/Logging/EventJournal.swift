import Cluster
import ControlProtocol
import Synchronization

/// Remembers the last events of this node and keeps every new one for those who follow, until they take it.
///
/// Nobody is called while the lock is held: a follower's answer may lead back here, on the same thread.
final class EventJournal: Sendable {
    private struct Follower {
        var id: UInt64
        /// What it has not taken yet, oldest first.
        var waiting: [EventLine]
        /// Whether it knows that something waits.
        var isWoken = false
        /// It left more untaken than is kept for it.
        var isBehind = false
        var wake: @Sendable () -> Void
    }

    private struct State {
        var lines: [EventLine] = []
        var next: UInt64 = 1
        var followers: [Follower] = []
        var nextFollower: UInt64 = 1
    }

    private static let remembered = 1000
    /// Lines kept for a follower that does not take them.
    private static let waitingLimit = 4 * remembered
    private let node: String
    private let state = Mutex(State())

    init(node: String) { self.node = node }

    func add(_ event: ClusterEvent) {
        let time = WallClock.text()
        let wakes: [@Sendable () -> Void] = state.withLock { state in
            let line = EventLine(sequence: state.next, time: time, node: node, event: event)
            state.next += 1
            if state.lines.count == Self.remembered { state.lines.removeFirst() }
            state.lines.append(line)
            return state.followers.indices.compactMap { Self.keep(line, for: &state.followers[$0]) }
        }
        for wake in wakes { wake() }
    }

    /// What is to be called after the lock; nil when the follower knows already.
    private static func keep(_ line: EventLine, for follower: inout Follower) -> (@Sendable () -> Void)? {
        if follower.waiting.count < waitingLimit {
            follower.waiting.append(line)
        } else {
            follower.isBehind = true
        }
        defer { follower.isWoken = true }
        return follower.isWoken ? nil : follower.wake
    }

    /// The remembered lines after `sequence`, oldest first.
    func lines(after sequence: UInt64) -> [EventLine] {
        state.withLock { $0.lines.filter { $0.sequence > sequence } }
    }

    /// Keeps the remembered lines after `sequence` and every later one, none twice and none left out, until they are
    /// taken or the follower leaves.
    ///
    /// - Parameter wake: called, on any thread, when a line waits of which the follower does not know yet; not for
    ///   the remembered ones.
    func follow(after sequence: UInt64, wake: @escaping @Sendable () -> Void) -> UInt64 {
        state.withLock { state in
            defer { state.nextFollower += 1 }
            let known = state.lines.filter { $0.sequence > sequence }
            state.followers.append(Follower(id: state.nextFollower, waiting: known, wake: wake))
            return state.nextFollower
        }
    }

    /// What waits, oldest first; nil for one that has left, or that fell too far behind to be told everything.
    func take(_ follower: UInt64) -> [EventLine]? {
        state.withLock { state in
            guard let place = state.followers.firstIndex(where: { $0.id == follower }),
                !state.followers[place].isBehind
            else { return nil }
            defer {
                state.followers[place].waiting = []
                state.followers[place].isWoken = false
            }
            return state.followers[place].waiting
        }
    }

    func leave(_ follower: UInt64) {
        state.withLock { $0.followers.removeAll { $0.id == follower } }
    }

    /// How many follow now.
    var followers: Int { state.withLock { $0.followers.count } }
}
