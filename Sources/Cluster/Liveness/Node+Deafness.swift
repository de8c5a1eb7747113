import Consensus
import Primitives

// Nodes that do not hear each other on any ring, although they run: others hear both, or their links stand.

extension Node {
    /// What was heard so lately is heard.
    private static let freshness = Duration.milliseconds(500)
    /// Who was not heard for so long is not heard.
    private static let silence = Duration.seconds(1)
    /// A node that was heard here for less says nothing yet of whom it hears.
    private static let acquaintance = Duration.seconds(2)
    /// With more, a heartbeat may not carry all whom its sender hears (`HeartbeatCodec`).
    private static let mostNodes = 20

    package func deafnessWarnings(at now: Instant) -> [String] {
        guard neighbours.all.count <= Self.mostNodes else { return [] }
        var rows: [(holder: Holder, hears: (Holder) -> Bool)] = []
        for neighbour in neighbours.all {
            guard let said = hearing(of: neighbour, at: now) else { continue }
            let isDeafToMe = neighbour.unproven != nil
            rows.append(
                (
                    neighbour.holder,
                    { [me] other in
                        other.member == me.member ? !isDeafToMe : Self.hears(said, other)
                    }
                ))
        }
        let unheard = unheardAlive(at: now)
        let living = rows.map(\.holder) + unheard + [me]
        rows.append((me, { other in !unheard.contains { $0.member == other.member } }))
        return HearingMatrix(
            living: living.map(\.name),
            rows: rows.map { row in
                let others = living.filter { $0.member != row.holder.member && !row.hears($0) }
                return HearingMatrix.Row(node: row.holder.name, unheard: others.map(\.name).sorted())
            }
        ).sentences
    }

    /// Whom a node hears, by heartbeats of it that arrive now; nil when it was not heard for long enough to tell.
    private func hearing(of neighbour: Neighbour, at now: Instant) -> [Acknowledgement]? {
        if let unproven = neighbour.unproven {
            let isTold =
                now - unproven.arrived < Self.freshness && now - neighbour.provenAt >= Self.acquaintance
            return isTold ? unproven.acknowledgements : nil
        }
        let beats = min(neighbour.heartbeat.sequence &- neighbour.firstSequence, 1_000_000)
        guard now - neighbour.received < Self.freshness,
            timing.interval * Int(clamping: beats) >= Self.acquaintance
        else { return nil }
        return neighbour.heartbeat.acknowledgements
    }

    /// Members that are not heard here and run all the same: somebody heard them a moment ago, or their link says so.
    private func unheardAlive(at now: Instant) -> [Holder] {
        guard now - neighbours.floor >= Self.silence else { return [] }
        return (state?.members ?? []).map(\.holder).filter { holder in
            guard holder.member != me.member,
                !neighbours.isHeard(holder.member, within: Self.silence, at: now),
                neighbours[holder.member]?.unproven == nil
            else { return false }
            let last = neighbours[holder.member]?.received ?? neighbours.floor
            return linkWords.isSpoken(by: holder.member, since: last + Self.silence, at: now)
                || hasLink(with: holder.member, at: now)
                || neighbours.all.contains { neighbour in
                    neighbour.unproven == nil && now - neighbour.received < Self.freshness
                        && neighbour.heartbeat.acknowledgements.contains {
                            $0.holder.member == holder.member && $0.sequence > 0 && $0.age < Self.freshness
                        }
                }
        }
    }

    /// Whether the link with a node that is not heard stands, and not only because TCP has not noticed yet.
    func hasLink(with member: MemberID, at now: Instant) -> Bool {
        let last = neighbours[member]?.received ?? neighbours.floor
        return linkWords.standing.contains(member) && now - last >= LinkWords.notice
    }

    /// Whether a node may hear another: of one that it names without acknowledging anything it does not say when.
    private static func hears(_ said: [Acknowledgement], _ holder: Holder) -> Bool {
        said.contains {
            $0.holder.member == holder.member && ($0.sequence == 0 || $0.age < silence)
        }
    }
}

/// When messages came by links: a node whose link speaks runs, whether its heartbeats are heard or not.
struct LinkWords: Hashable, Sendable {
    private struct Word: Hashable {
        var member: MemberID
        /// Since when no pause was longer than `pause`.
        var first: Instant
        var last: Instant
    }
    /// Longer than links of slow clusters are quiet.
    private static let pause = Duration.seconds(2)
    /// After so long a link to a machine that is gone stands no more, and that was told (`LinkOptions.probes`).
    static let notice = Duration.seconds(5)
    private var words: [Word] = []
    /// With whom a link stands, though nothing may be said there: without a leader hardly anything is.
    var standing: [MemberID] = []

    mutating func note(_ member: MemberID, at now: Instant) {
        guard let at = words.firstIndex(where: { $0.member == member }) else {
            if words.count >= ClusterLimits.nodes { words.removeFirst() }
            words.append(Word(member: member, first: now, last: now))
            return
        }
        if now - words[at].last > Self.pause { words[at].first = now }
        words[at].last = now
    }

    /// Whether a member spoke a moment ago, and went on after `instant`, for a while: what was under way while it
    /// ended, or began, is no sign.
    func isSpoken(by member: MemberID, since instant: Instant, at now: Instant) -> Bool {
        words.contains {
            $0.member == member && now - $0.last < Self.pause && $0.last >= instant
                && $0.last - $0.first >= Self.pause
        }
    }
}
