/// Who hears whose heartbeats, as far as one node knows, and what people should read of it.
///
/// A node that hears nobody, or that nobody hears, is named as a whole, and so are two parts that do not hear each other: a
/// list of pairs would hide where to look.
struct HearingMatrix: Hashable, Sendable {
    struct Row: Hashable, Sendable {
        var node: String
        /// Sorted.
        var unheard: [String]
    }

    /// Everybody who is known to run.
    private let living: [String]
    /// Of those whose hearing is known, sorted.
    private let rows: [Row]

    init(living: [String], rows: [Row]) {
        self.living = living.sorted()
        self.rows = rows.sorted { $0.node < $1.node }
    }

    var sentences: [String] {
        let deaf = rows.filter { row in
            let others = living.filter { $0 != row.node }
            return others.count > 1 && others.allSatisfy(row.unheard.contains)
        }.map(\.node)
        var mute = living.filter { node in
            let others = rows.filter { $0.node != node && !deaf.contains($0.node) }
            return others.count > 1 && others.allSatisfy { $0.unheard.contains(node) }
        }
        // Several of whom nothing is known may well hear each other: that is a part of its own.
        let unknown = mute.filter { node in !rows.contains { $0.node == node } }
        if unknown.count > 1 { mute.removeAll(where: unknown.contains) }
        let rest = rows.filter { !deaf.contains($0.node) }.map { row in
            Row(node: row.node, unheard: row.unheard.filter { !mute.contains($0) })
        }.filter { !$0.unheard.isEmpty }
        return whole(deaf: deaf, mute: mute) + parts(rest)
    }

    private func whole(deaf: [String], mute: [String]) -> [String] {
        let machine = "packet filter, cable and switch port of that machine, and fsdns rings there"
        var sentences: [String] = []
        for node in Set(deaf + mute).sorted() {
            switch (deaf.contains(node), mute.contains(node)) {
            case (true, true):
                sentences.append(
                    "\(node) hears nobody and nobody hears it, by heartbeats, though it runs; look at \(machine)"
                )
            case (true, false):
                sentences.append(
                    "\(node) hears nobody's heartbeats, though it runs; let UDP in there: look at \(machine)")
            default:
                sentences.append(
                    "nobody hears the heartbeats of \(node), though it runs; let UDP out of it: look at \(machine)"
                )
            }
        }
        return sentences
    }

    private func parts(_ rows: [Row]) -> [String] {
        var groups: [(nodes: [String], unheard: [String])] = []
        for row in rows {
            if let at = groups.firstIndex(where: { $0.unheard == row.unheard }) {
                groups[at].nodes.append(row.node)
            } else {
                groups.append(([row.node], row.unheard))
            }
        }
        var texts: [String] = []
        var single: [PathTrouble.Told] = []
        var told: [[String]] = []
        for group in groups where !told.contains(group.nodes) {
            let isMutual = groups.contains { $0.nodes == group.unheard && $0.unheard == group.nodes }
            if isMutual, group.nodes.count + group.unheard.count > 2 {
                told.append(group.unheard)
                texts.append(
                    "\(PathTrouble.list(group.nodes)) on one side, \(PathTrouble.list(group.unheard)) on the other do "
                        + "not hear each other")
            } else if group.nodes.count > 1, group.unheard.count > 1 {
                texts.append(
                    "\(PathTrouble.list(group.nodes)) do not hear \(PathTrouble.list(group.unheard))")
            } else {
                single += group.nodes.map {
                    PathTrouble.Told(node: $0, trouble: PathTrouble(.ring, peers: group.unheard))
                }
            }
        }
        var sentences: [String] = []
        if !texts.isEmpty {
            sentences.append(
                "heartbeats do not pass between parts of the cluster: \(texts.joined(separator: "; ")); look for the "
                    + "switch, the trunk or the filter between them")
        }
        if !single.isEmpty {
            sentences.append(
                "heartbeats do not pass on any ring between nodes that others hear: "
                    + "\(PathTrouble.deafness(single)); look for a filter, a cable or a switch port between them"
            )
        }
        return sentences
    }
}
