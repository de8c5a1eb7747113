import Primitives

/// What a node says of writing the zone.
package struct ZoneWord: Hashable, Sendable {
    /// Who is to try now whether the primary would take its updates; said by the leader, empty for nobody.
    package var turn: String
    /// Why the sender could not write the zone if it led; empty when it could, or has not tried yet.
    package var trouble: String

    package init(turn: String = "", trouble: String = "") {
        self.turn = turn
        self.trouble = trouble
    }

    package static let longestTrouble = 240
    var isEmpty: Bool { turn.isEmpty && trouble.isEmpty }
}

/// Every node that may have to lead tries now and then whether the primary would take its updates, too: its machine may
/// have another secret, another clock, or no way to the server. They try one after another, each when the leader says so,
/// who counts the update as one of its own: so no server ever gets more than five a second.
struct ZoneTurns: Hashable, Sendable {
    /// After an election.
    static let first = Duration.seconds(120)
    static let interval = Duration.seconds(5)
    /// Between two turns of one node.
    static let round = Duration.seconds(300)
    /// The same of nodes that could not write, while the leader can: what they tell must end soon after it is mended.
    static let intervalInTrouble = Duration.seconds(2)
    static let roundInTrouble = Duration.seconds(10)
    /// After an election, for them.
    static let firstInTrouble = Duration.seconds(5)
    /// Before a leader that cannot write lets others try.
    static let firstShutOut = Duration.seconds(60)
    /// In so many heartbeats a turn is said, as some may be lost.
    private static let beats = 4
    private static let longestSpan = Duration.seconds(4)
    /// A leader that cannot write is followed by one that perhaps can after so long.
    static let patience = Duration.seconds(10)
    /// Where it was known before.
    static let shortPatience = Duration.seconds(2)
    /// A node tries once, in however many heartbeats it hears of its turn: longer than that is said, shorter than a round.
    private static let pause = Duration.seconds(8)

    private struct Turn: Hashable {
        var node: String
        var at: Instant
        /// Until when it is said.
        var end: Instant
    }

    // Of a leader.
    private var current: Turn?
    private var last: [Turn] = []
    private var next = Instant.zero

    // Of every other node, and of a leader that could not write.
    var updating: UInt64?
    private var triedAt: Instant?
    var trouble = ""

    func holder(at now: Instant) -> String {
        guard let current, now < current.end else { return "" }
        return current.node
    }

    func isDue(at now: Instant) -> Bool { now >= next }

    /// Gives the next turn to the one of these that waits longest.
    ///
    /// - Parameter beat: between two heartbeats.
    /// - Returns: until when it may try; nil when nobody's turn is due.
    mutating func give(
        to nodes: [(name: String, isInTrouble: Bool)], beat: Duration, at now: Instant
    ) -> Instant? {
        next = now + (nodes.contains(where: \.isInTrouble) ? Self.intervalInTrouble : Self.interval)
        last.removeAll { turn in !nodes.contains { $0.name == turn.node } }
        let waiting = nodes.filter { node in
            let turn = last.first { $0.node == node.name }
            let round = node.isInTrouble ? Self.roundInTrouble : Self.round
            return turn.map { now - $0.at >= round } ?? true
        }
        func since(_ name: String) -> Instant { last.first { $0.node == name }?.at ?? .zero }
        guard let chosen = waiting.min(by: { (since($0.name), $0.name) < (since($1.name), $1.name) }) else {
            return nil
        }
        last.removeAll { $0.node == chosen.name }
        let turn = Turn(node: chosen.name, at: now, end: now + min(beat * Self.beats, Self.longestSpan))
        last.append(turn)
        current = turn
        return turn.end
    }

    /// Whether a turn that is heard of is a new one.
    mutating func begin(at now: Instant) -> Bool {
        if let triedAt, now - triedAt < Self.pause { return false }
        triedAt = now
        return true
    }
}
