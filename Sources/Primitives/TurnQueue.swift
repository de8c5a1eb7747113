/// Who of one loop's clients asks for more than a turn, and waits for the next.
///
/// A loop carries out what it is given, and what that gives it, before it looks at its sockets again. So after some turns
/// there is a pause, in which new connections and new requests come in: whoever asks for more waits for those who ask for
/// little, and not the other way round.
///
/// A value that is told the time: whoever has it begins a round when it said so, gives turns while there is a `next`, and
/// ends the round. Listeners of fsdns that serve clients by turns use it.
package struct TurnQueue<Client> {
    package struct Pace: Hashable, Sendable {
        /// In one round at most.
        package var turns: Int
        /// No turn begins in a round that took so long.
        package var time: Duration
        /// Before a round; after one that took longer, as long as that.
        package var pause: Duration

        package init(turns: Int = .max, time: Duration, pause: Duration) {
            self.turns = turns
            self.time = time
            self.pause = pause
        }
    }

    private let pace: Pace
    /// The one that waits longest first.
    private var waiting: [Client] = []
    /// Whether a round is to come, or under way.
    private var isDue = false
    private var left = 0

    package init(_ pace: Pace) { self.pace = pace }

    /// The client wants another turn.
    ///
    /// - Returns: in how long a round is to begin; nil where one is due, or under way.
    package mutating func add(_ client: Client) -> Duration? {
        waiting.append(client)
        guard !isDue else { return nil }
        isDue = true
        return pace.pause
    }

    /// The round that was due begins.
    package mutating func begin() { left = pace.turns }

    /// Whose turn it is in this round; nil when it is over.
    ///
    /// - Parameter used: since it began.
    package mutating func next(after used: Duration) -> Client? {
        guard left > 0, used < pace.time, !waiting.isEmpty else { return nil }
        left -= 1
        return waiting.removeFirst()
    }

    /// - Returns: in how long the next round is to begin; nil where nobody waits.
    package mutating func end(after used: Duration) -> Duration? {
        isDue = !waiting.isEmpty
        return isDue ? max(pace.pause, used) : nil
    }

    /// Clients that are gone have no turn.
    package mutating func remove(where isGone: (Client) -> Bool) { waiting.removeAll(where: isGone) }
}

extension TurnQueue: Sendable where Client: Sendable {}
