import Primitives

/// Ways between nodes that carry nothing while others do, in the words of the node that notices it.
///
/// What else links and people need of a node rides with them: its certificate, its wall clock, and who forges heartbeats at it.
///
/// It rides in every heartbeat, so that whichever node is asked can tell of all of them. Who is heard on no way at all is
/// not told of here: that is what fences are for.
package struct PathTrouble: Hashable, Sendable, Comparable {
    /// The raw values are those of the heartbeat.
    package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        /// Heartbeats arrive, and the link that decisions go by does not stand.
        case link = 1
        /// Heartbeats arrive, and the link that calls, registrations and limits are copied by does not stand.
        case replicaLink = 2
        /// Unicast arrives on the ring, multicast does not.
        case multicast = 3
        /// Multicast arrives on the ring, unicast does not.
        case unicast = 4
        /// Another ring carries heartbeats, this one carries none.
        case ring = 5
        /// Every tenth heartbeat or more does not arrive.
        case loss = 6
        /// A link stands by the cluster key alone although the teller shows a certificate.
        case plainLink = 7
        /// The teller's own certificate for links ends soon, has ended, or its files need a look.
        case certificate = 8
        /// Somebody's wall clock differs from the others'.
        case clock = 9
        /// Heartbeats come to the teller that somebody with the cluster key forges in the name of others.
        case forged = 10
        /// Heartbeats come to the teller in the name of others, and nothing vouches for them.
        case unproven = 11
        /// Datagrams of a cluster of this name come to the teller that are sealed with another key.
        case otherKey = 12
        /// Heartbeats of former starts of others come to the teller: recordings.
        case replayed = 13

        /// As programs read it.
        var word: String {
            switch self {
            case .link: "link"
            case .replicaLink: "replica-link"
            case .multicast: "multicast"
            case .unicast: "unicast"
            case .ring: "ring"
            case .loss: "loss"
            case .plainLink: "plain-link"
            case .certificate: "certificate"
            case .clock: "clock"
            case .forged: "forged"
            case .unproven: "unproven"
            case .otherKey: "other-key"
            case .replayed: "replayed"
            }
        }

        /// Whether the node itself has a longer sentence for it, that of the link or of the file.
        package var isToldAlone: Bool {
            switch self {
            case .link, .replicaLink, .certificate, .forged, .unproven, .otherKey, .replayed: true
            case .multicast, .unicast, .ring, .loss, .plainLink, .clock: false
            }
        }
    }
    package var kind: Kind
    /// Its name in the cluster file; empty for links.
    package var ring: String
    /// The group, the port, how the last attempt ended, what the certificate lacks, by how much the clock differs, or where
    /// it comes from.
    package var detail: String
    /// Whom it is about, sorted.
    package var peers: [String]

    package init(_ kind: Kind, ring: String = "", detail: String = "", peers: [String]) {
        self.kind = kind
        self.ring = ring
        self.detail = detail
        self.peers = peers
    }

    /// What a heartbeat carries at most.
    package static let most = 6
    package static let longestDetail = 80

    package static func < (a: PathTrouble, b: PathTrouble) -> Bool {
        (a.kind.rawValue, a.ring, a.detail, a.peers.first ?? "")
            < (b.kind.rawValue, b.ring, b.detail, b.peers.first ?? "")
    }

    /// As a heartbeat carries them: an attack first, since whoever attacks may also cause enough of the rest.
    package static func abridged(_ troubles: [PathTrouble]) -> [PathTrouble] {
        let sorted = troubles.sorted()
        let first = sorted.filter { $0.kind == .forged }
        return (first + sorted.filter { $0.kind != .forged }).prefix(most).map { trouble in
            var trouble = trouble
            trouble.detail = String(trouble.detail.prefix(longestDetail))
            trouble.peers = Array(trouble.peers.prefix(ClusterLimits.nodes))
            return trouble
        }
    }
}

// MARK: - What operators read

extension PathTrouble {
    /// A trouble and the node that notices it.
    package struct Told: Hashable, Sendable {
        package var node: String
        package var trouble: PathTrouble

        package init(node: String, trouble: PathTrouble) {
            self.node = node
            self.trouble = trouble
        }
    }

    /// One sentence for each ring and kind of trouble, and for each link.
    package static func sentences(_ told: [Told]) -> [String] {
        var groups: [(kind: Kind, ring: String, told: [Told])] = []
        for one in told.sorted(by: { ($0.trouble, $0.node) < ($1.trouble, $1.node) }) {
            let (kind, ring) = (one.trouble.kind, one.trouble.ring)
            if let at = groups.firstIndex(where: { $0.kind == kind && $0.ring == ring }) {
                groups[at].told.append(one)
            } else {
                groups.append((kind, ring, [one]))
            }
        }
        return groups.map { sentence($0.kind, ring: $0.ring, $0.told) }
    }

    private static func sentence(_ kind: Kind, ring: String, _ told: [Told]) -> String {
        let detail = told.lazy.map(\.trouble.detail).first { !$0.isEmpty }.map { " (\($0))" } ?? ""
        switch kind {
        case .link:
            return
                "no link, although heartbeats arrive: \(missing(told)); no decision goes this way: "
                + (remedy(told) ?? "let TCP pass between the nodes' ring addresses")
        case .replicaLink:
            return
                "no replica link, although heartbeats arrive: \(missing(told)); calls, registrations and limits "
                + "are not copied this way: "
                + (remedy(told) ?? "let TCP pass on the port above that of the heartbeats")
        case .multicast:
            return
                "multicast stops on ring \(ring)\(detail), unicast passes: \(deafness(told)); heartbeats go by "
                + "unicast meanwhile: turn on an IGMP querier in that network, or snooping off"
        case .unicast:
            return
                "unicast stops on ring \(ring)\(detail), multicast passes: \(deafness(told)); nothing is left "
                + "there when multicast stops too: let UDP pass to the nodes' own addresses"
        case .ring:
            return
                "ring \(ring) carries nothing\(detail), another one does: \(deafness(told)); look for a cable, "
                + "a VLAN or a filter of that network"
        case .loss:
            return
                "ring \(ring) loses every tenth heartbeat or more: \(gaps(told)); look for a bad cable, a duplex "
                + "mismatch or a link that is full"
        case .plainLink:
            return
                "links stand by the cluster key alone, which certificates are to end: \(plain(told)); give the "
                + "cluster file with <links> to all, then set required=\"yes\""
        case .certificate:
            return
                "certificates for links: \(some(told.map { "on \($0.node) \($0.trouble.detail)" })); "
                + "fsdns doctor there says what to do"
        case .clock:
            if let groups = clockGroups(told) {
                return
                    "clocks fall into \(groups.count) groups, and none of them is most: "
                    + "\(groups.joined(separator: "; ")); which are right is not known here, and certificates, "
                    + "schedules and revocations go by them: let chrony or another NTP client set all of them"
            }
            return
                "clocks differ: \(clocks(told)); certificates, schedules and revocations go by them: let chrony or "
                + "another NTP client set it there"
        case .forged:
            return
                "somebody who has cluster.key forges heartbeats: \(forgeries(told)); they do not count, and many of them "
                + "take a node's time: find that machine, then replace the key"
        case .unproven:
            return
                "heartbeats do not count, as no link vouches for them: \(forgeries(told)); fsdns status there says what "
                + "to do"
        case .replayed:
            return
                "recorded heartbeats of former starts are played again: \(forgeries(told)); they do not count, and nobody "
                + "needs cluster.key for it: find that machine"
        case .otherKey:
            return
                "datagrams of this cluster's name sealed with another key arrive: \(forgeries(told)); compare cluster.key "
                + "there with ours, or give the other cluster another name"
        }
    }

    /// `at fs1 in the name of fs3, from 10.0.0.66`
    private static func forgeries(_ told: [Told]) -> String {
        some(
            told.map { one in
                let names = one.trouble.peers.isEmpty ? "" : " in the name of \(list(one.trouble.peers))"
                return "at \(one.node)\(names)"
                    + (one.trouble.detail.isEmpty ? "" : ", from \(one.trouble.detail)")
            })
    }

    private static let certificates = "look at the keys and certificates of both: fsdns doctor"
    private static let newer =
        "whoever was forgotten or revoked (fsdns forget) needs a newer certificate to come back"

    /// What to do where TCP passes, and one end does not believe the other; nil elsewhere.
    private static func remedy(_ told: [Told]) -> String? {
        let details = told.map(\.trouble.detail)
        if details.contains(where: { $0.hasPrefix(refusal) && $0.contains(forgotten) }) { return newer }
        return details.contains { $0.contains(distrust) || $0.hasPrefix(refusal) } ? certificates : nil
    }

    /// How the reason of a link begins whose other end is not believed.
    package static let distrust = "whoever answers there is not believed"
    /// How the reason of a link begins whose other end does not believe this one, and says why.
    package static let refusal = "refused there"
    /// What is said of a certificate that `fsdns forget` made worthless.
    package static let forgotten = "was forgotten"

    /// Observers named one by one; beyond that they are counted.
    private static let namedObservers = 4

    /// `fs3 has none to fs1 (TCP 5405 of 10.0.0.1 refuses)`
    private static func missing(_ told: [Told]) -> String {
        let all = told.flatMap { one in one.trouble.peers.map { (one.node, $0, one.trouble.detail) } }
        return some(
            all.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map { node, peer, why in
                "\(node) has none to \(peer)" + (why.isEmpty ? "" : " (\(why))")
            })
    }

    /// `fs1 does not hear fs2 and fs3, fs2 does not hear fs1`, or `fs1, fs2 and fs3 do not hear each other`.
    static func deafness(_ told: [Told]) -> String {
        let views = views(told)
        let all = views.map(\.node)
        if all.count > 1, views.allSatisfy({ view in all.filter { $0 != view.node } == view.peers }) {
            return "\(list(all)) do not hear each other"
        }
        return some(views.map { "\($0.node) does not hear \(list($0.peers))" })
    }

    /// `fs1 misses some of fs2 and fs3`
    private static func gaps(_ told: [Told]) -> String {
        some(views(told).map { "\($0.node) misses some of \(list($0.peers))" })
    }

    /// `fs1 to fs3, fs2 to fs3`
    private static func plain(_ told: [Told]) -> String {
        some(views(told).map { "\($0.node) to \(list($0.peers))" })
    }

    /// `that of fs3 is 4 s ahead of the others`, each clock once, whoever tells of it.
    private static func clocks(_ told: [Told]) -> String {
        var all: [(peer: String, detail: String)] = []
        for one in told {
            for peer in one.trouble.peers where !all.contains(where: { $0.peer == peer }) {
                all.append((peer, one.trouble.detail))
            }
        }
        return some(
            all.sorted { $0.peer < $1.peer }.map { "that of \($0.peer) is \($0.detail)" })
    }

    /// `that of fs1`, `those of fs2 and fs3, 4 s ahead`: where no clocks that agree are most, and each teller names those of
    /// the other groups; nil elsewhere, and of two nodes, where one name beside the other says as much.
    private static func clockGroups(_ told: [Told]) -> [String]? {
        func offset(_ one: Told, _ word: String) -> String? {
            let end = " \(word) \(one.node)"
            return one.trouble.detail.hasSuffix(end) ? String(one.trouble.detail.dropLast(end.count)) : nil
        }
        guard told.allSatisfy({ offset($0, "ahead of") != nil || offset($0, "behind") != nil }) else {
            return nil
        }
        var groups: [[String]] = []
        // The whole of a group first, should a teller not know all of it.
        let named = told.map(\.trouble.peers)
        for peers in named.sorted(by: { ($1.count, $0.joined()) < ($0.count, $1.joined()) }) {
            let new = peers.filter { peer in !groups.joined().contains(peer) }
            if !new.isEmpty { groups.append(new.sorted()) }
        }
        // Tellers nobody else tells of belong together.
        let rest = Set(told.map(\.node)).subtracting(groups.joined()).sorted()
        if !rest.isEmpty { groups.append(rest) }
        guard groups.count > 1, groups.joined().count > 2 else { return nil }
        func isIn(_ group: [String], _ names: [String]) -> Bool { names.contains(where: group.contains) }
        let first =
            groups.first { group in
                !told.contains { isIn(group, $0.trouble.peers) && offset($0, "ahead of") != nil }
                    && !told.contains { group.contains($0.node) && offset($0, "behind") != nil }
            } ?? groups[0]
        let texts = groups.filter { $0 != first }.sorted { $0[0] < $1[0] }.map { group -> String in
            let said =
                told.lazy.compactMap { one -> String? in
                    if first.contains(one.node), isIn(group, one.trouble.peers) {
                        return offset(one, "ahead of")
                    }
                    if group.contains(one.node), isIn(first, one.trouble.peers) {
                        return offset(one, "behind")
                    }
                    return nil
                }.first
            return clocks(of: group) + (said.map { ", \($0) ahead" } ?? "")
        }
        return [clocks(of: first)] + texts
    }

    private static func clocks(of nodes: [String]) -> String {
        "\(nodes.count == 1 ? "that" : "those") of \(list(nodes))"
    }

    /// What each observer says of its peers.
    private static func views(_ told: [Told]) -> [(node: String, peers: [String])] {
        var views: [(node: String, peers: [String])] = []
        for one in told.sorted(by: { $0.node < $1.node }) {
            if let at = views.firstIndex(where: { $0.node == one.node }) {
                views[at].peers = Set(views[at].peers + one.trouble.peers).sorted()
            } else {
                views.append((one.node, one.trouble.peers.sorted()))
            }
        }
        return views
    }

    private static func some(_ texts: [String]) -> String {
        let more = texts.count - namedObservers
        return texts.prefix(namedObservers).joined(separator: ", ") + (more > 0 ? ", and \(more) more" : "")
    }

    /// `fs1, fs2 and fs3`
    static func list(_ names: [String]) -> String {
        guard let last = names.last, names.count > 1 else { return names.first ?? "" }
        return names.dropLast().joined(separator: ", ") + " and " + last
    }
}

extension Node {
    /// What the service notices of its own ways, whenever that changes.
    mutating func pathsSeen(_ troubles: [PathTrouble]) {
        let former = pathTroubles
        pathTroubles = PathTrouble.abridged(troubles)
        // Missing links have events of their own, from those who make them.
        for trouble in pathTroubles where trouble.ring != "" && !former.contains(trouble) {
            for text in PathTrouble.sentences([.init(node: name, trouble: trouble)]) {
                report(.trouble, trouble.ring, text)
            }
        }
        for trouble in former where trouble.ring != "" {
            let isLeft = pathTroubles.contains { $0.kind == trouble.kind && $0.ring == trouble.ring }
            if !isLeft {
                report(.trouble, trouble.ring, "ring \(trouble.ring) is heard by \(name) again on every way")
            }
        }
    }

    /// What this node notices, and what others tell in heartbeats that still come.
    func pathsTold(at now: Instant) -> [PathTrouble.Told] {
        var told = pathTroubles.map { PathTrouble.Told(node: name, trouble: $0) }
        for neighbour in neighbours.all where now - neighbour.received < timing.deadAfter {
            told += (neighbour.heartbeat.paths ?? []).map {
                PathTrouble.Told(node: neighbour.holder.name, trouble: $0)
            }
        }
        return told
    }
}
