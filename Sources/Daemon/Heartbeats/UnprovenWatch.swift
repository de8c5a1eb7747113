import Cluster
import Consensus
import Primitives

/// Who sends heartbeats that do not count because no certificate vouches for them, for `status` and the log.
struct UnprovenWatch {
    /// The gravest last.
    enum Sort: Int, Comparable {
        /// Of a former start: whoever listened on the ring can play them again.
        case former
        /// Perhaps its node has no link yet.
        case unproven
        /// They are not by the key that was told for their session.
        case forged

        static func < (a: Sort, b: Sort) -> Bool { a.rawValue < b.rawValue }
    }

    private struct Entry {
        var name: String
        /// The last of them.
        var sources: [IPAddress]
        var since: Instant
        var last: Instant
        var sort: Sort

        var isNotable: Bool { last - since >= UnprovenWatch.notable }
    }

    /// Shorter is ordinary: a node that starts is heard before it has a link.
    fileprivate static let notable: Duration = .seconds(2)
    private static let memory: Duration = .seconds(60)
    private static let entryLimit = 32
    /// Names and machines told of at once.
    private static let most = 4
    private var entries: [Entry] = []

    /// - Returns: whether that goes on for so long that it is worth a line of the log.
    mutating func note(_ name: String, from source: IPAddress, _ sort: Sort, at now: Instant) -> Bool {
        if let place = entries.firstIndex(where: { $0.name == name && $0.sort == sort }) {
            if now - entries[place].last >= Self.memory {
                entries[place].since = now
                entries[place].sources = []
            }
            entries[place].last = now
            if !entries[place].sources.contains(source) {
                entries[place].sources = Array((entries[place].sources + [source]).suffix(Self.most))
            }
            return entries[place].isNotable
        }
        if entries.count >= Self.entryLimit {
            // Names that somebody makes up push each other out, and nothing that is told.
            let brief = entries.indices.filter { !entries[$0].isNotable }
            let oldest = (brief.isEmpty ? Array(entries.indices) : brief).min {
                entries[$0].last < entries[$1].last
            }
            if let oldest { entries.remove(at: oldest) }
        }
        entries.append(Entry(name: name, sources: [source], since: now, last: now, sort: sort))
        return false
    }

    /// Those of that node count from now on. Former starts of it are told of no more; somebody who goes on in its name is, two
    /// seconds later.
    mutating func prove(_ name: String) {
        entries.removeAll { $0.name == name && $0.sort == .unproven }
    }

    /// What is told of one name.
    private struct Told {
        var name: String
        var sources: [IPAddress]
        var sort: Sort
    }

    private func told(at now: Instant, isHeard: (String) -> Bool) -> [Told] {
        let notable = entries.filter { now - $0.last < Self.memory && $0.isNotable }
        return Set(notable.map(\.name)).sorted().prefix(Self.most).map { name in
            let all = notable.filter { $0.name == name }
            let worst = all.map(\.sort).max() ?? .unproven
            let ones = all.filter { $0.sort == worst }
            return Told(
                name: name, sources: Array(Set(ones.flatMap(\.sources)).sorted().prefix(Self.most)),
                sort: worst == .unproven && isHeard(name) ? .forged : worst)
        }
    }

    /// What an operator should see, a sentence for each name.
    ///
    /// - Parameter isHeard: whether heartbeats of that node arrive that count.
    func warnings(at now: Instant, isHeard: (String) -> Bool) -> [String] {
        told(at: now, isHeard: isHeard).map { one in
            let from = one.sources.map { "\($0)" }.joined(separator: ", ")
            switch one.sort {
            case .former:
                return
                    "heartbeats of former starts of \(one.name) come from \(from): somebody recorded them and plays them "
                    + "again, for which nobody needs cluster.key; they do not count: find that machine"
            case .forged:
                return
                    "heartbeats are forged in the name of \(one.name), by somebody who has cluster.key; they do not "
                    + "count, and come from \(from): find that machine, then replace the key"
            case .unproven:
                return
                    "heartbeats in the name of \(one.name) do not count, they come from \(from) and no link vouches for "
                    + "them by its certificate: if that is its machine, see fsdns rings for what is wrong with its link; "
                    + "else somebody has cluster.key, and it is to be replaced"
            }
        }
    }

    /// The same in short, as others hear of it.
    func troubles(at now: Instant, isHeard: (String) -> Bool) -> [PathTrouble] {
        let told = told(at: now, isHeard: isHeard)
        return [(PathTrouble.Kind.forged, Sort.forged), (.unproven, .unproven), (.replayed, .former)]
            .compactMap {
                kind, sort in
                let ones = told.filter { $0.sort == sort }
                guard !ones.isEmpty else { return nil }
                return PathTrouble(
                    kind, detail: PathTrouble.sources(ones.flatMap(\.sources)), peers: ones.map(\.name))
            }
    }
}

extension PathTrouble {
    /// As many as a detail has room for.
    static func sources(_ sources: [IPAddress]) -> String {
        var text = ""
        for source in Set(sources).sorted() {
            let longer = text.isEmpty ? "\(source)" : "\(text), \(source)"
            if longer.count > longestDetail { break }
            text = longer
        }
        return text
    }
}
