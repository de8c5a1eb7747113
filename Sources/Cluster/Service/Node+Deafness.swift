import Consensus

// Nodes that do not hear each other on any ring, although others hear both.

extension Node {
    /// What was heard so lately is heard.
    private static let freshness = Duration.milliseconds(500)
    /// Who was not heard for so long is not heard.
    private static let silence = Duration.seconds(1)
    /// A node that was heard here for less says nothing yet of whom it hears.
    private static let acquaintance = Duration.seconds(2)
    /// With more, a heartbeat may not carry all whom its sender hears (`HeartbeatCodec`).
    private static let mostNodes = 20

    /// One sentence of all of them, or none.
    func deafnessWarnings(at now: Instant) -> [String] {
        guard neighbours.all.count <= Self.mostNodes else { return [] }
        let heard = neighbours.all.filter {
            now - $0.received < Self.freshness && $0.unproven == nil
                && timing.interval * Int(clamping: min($0.heartbeat.sequence &- $0.firstSequence, 1_000_000))
                    >= Self.acquaintance
        }
        var told: [PathTrouble.Told] = []
        func note(_ node: String, deafTo peers: [String]) {
            guard !peers.isEmpty else { return }
            told.append(.init(node: node, trouble: PathTrouble(.ring, peers: peers.sorted())))
        }
        for neighbour in heard {
            let others = heard.filter { $0.holder != neighbour.holder }
            note(
                neighbour.holder.name,
                deafTo: others.filter { !hears(neighbour, $0.holder) }.map(\.holder.name))
        }
        for neighbour in neighbours.all {
            if let unproven = neighbour.unproven, now - unproven.arrived < Self.freshness,
                now - neighbour.provenAt >= Self.acquaintance
            {
                note(neighbour.holder.name, deafTo: [name])
            }
        }
        let unheard = (state?.members ?? []).map(\.holder).filter { holder in
            holder.member != me.member && now - neighbours.floor >= Self.silence
                && !neighbours.isHeard(holder.member, within: Self.silence, at: now)
                && neighbours[holder.member]?.unproven == nil
                && heard.contains { heardLately($0, holder) }
        }
        note(name, deafTo: unheard.map(\.name))
        guard !told.isEmpty else { return [] }
        return [
            "heartbeats do not pass on any ring between nodes that others hear: "
                + "\(PathTrouble.deafness(told)); look for a filter, a cable or a switch port between them"
        ]
    }

    /// Whether a node may hear another: of one that it names without acknowledging anything it does not say when.
    private func hears(_ neighbour: Neighbour, _ holder: Holder) -> Bool {
        neighbour.heartbeat.acknowledgements.contains {
            $0.holder.member == holder.member && ($0.sequence == 0 || $0.age < Self.silence)
        }
    }

    /// Whether a node certainly heard another a moment ago.
    private func heardLately(_ neighbour: Neighbour, _ holder: Holder) -> Bool {
        neighbour.heartbeat.acknowledgements.contains {
            $0.holder.member == holder.member && $0.sequence > 0 && $0.age < Self.freshness
        }
    }
}
