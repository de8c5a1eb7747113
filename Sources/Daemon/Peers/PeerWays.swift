import Cluster
import Consensus
import NIOCore
import Primitives

/// One way to call a peer: its end and ours.
struct PeerWay: Hashable, Sendable {
    var remote: Endpoint
    var local: Endpoint
}

/// What a new heartbeat of a peer says about how its links are called.
struct PeerSighting: Hashable, Sendable {
    var holder: Holder
    /// Of several rings, those on which the peer is heard now.
    var ways: [PeerWay]
    /// Whether the peer named these itself, inside the sealed body, or the cluster file does. Otherwise they are where
    /// its datagram came from, which nothing proves.
    var isTold: Bool

    /// Whether a link between these ends is still of use: by what the peer tells, and by what is heard of it, that way
    /// carries something. Of a peer that tells nothing this is not known.
    func allows(_ way: PeerWay) -> Bool {
        !isTold || ways.contains { $0.local.ip == way.local.ip && $0.remote.ip == way.remote.ip }
    }

    func allows(_ channel: any Channel) -> Bool {
        guard let local = channel.localAddress.flatMap(Endpoint.init),
            let remote = channel.remoteAddress.flatMap(Endpoint.init)
        else { return true }
        return allows(PeerWay(remote: remote, local: local))
    }
}

/// The ways by which one peer may be called, and which of them is tried next: first the one that last led to the peer
/// itself, then those not tried yet, and those that failed last.
struct PeerWays {
    private struct Entry {
        var way: PeerWay
        var seenAt: NIODeadline
        /// When it failed last, counted in attempts; zero when it has not since it last led to the peer.
        var failedAt: UInt64 = 0
    }

    /// Ways remembered of where datagrams came from.
    static let observedLimit = 4
    private var entries: [Entry] = []
    /// Where somebody says that the peer is, which nothing vouches for; tried after all others.
    private var hinted: [Entry] = []
    private var proven: PeerWay?
    private var isTold = false
    private var attempts: UInt64 = 0

    /// What the peer tells of itself replaces all that was only seen, and is never mixed with it again.
    mutating func learn(_ sighting: PeerSighting, at now: NIODeadline) {
        if sighting.isTold {
            let former = entries
            entries = sighting.ways.map { way in
                var entry = Entry(way: way, seenAt: now)
                entry.failedAt = former.first { $0.way == way }?.failedAt ?? 0
                return entry
            }
            isTold = true
            return
        }
        guard !isTold else { return }
        for way in sighting.ways { Self.note(way, at: now, in: &entries, keeping: proven) }
    }

    /// Somebody says that the peer is there.
    mutating func hint(_ ways: [PeerWay], at now: NIODeadline) {
        for way in ways {
            if let place = entries.firstIndex(where: { $0.way == way }) {
                entries[place].seenAt = now
            } else {
                Self.note(way, at: now, in: &hinted, keeping: proven)
            }
        }
    }

    private static func note(
        _ way: PeerWay, at now: NIODeadline, in entries: inout [Entry], keeping proven: PeerWay?
    ) {
        if let place = entries.firstIndex(where: { $0.way == way }) {
            entries[place].seenAt = now
            return
        }
        if entries.count >= observedLimit {
            // The proven way is never lost to one that was only seen.
            let oldest = entries.indices.filter { entries[$0].way != proven }
                .min { entries[$0].seenAt < entries[$1].seenAt }
            if let oldest { entries.remove(at: oldest) }
        }
        entries.append(Entry(way: way, seenAt: now))
    }

    /// The peer started again: what failed before may not fail now.
    mutating func forgive() {
        for place in entries.indices { entries[place].failedAt = 0 }
        for place in hinted.indices { hinted[place].failedAt = 0 }
    }

    /// The way to try now; nil when none was seen within `silence`.
    func next(at now: NIODeadline, within silence: TimeAmount) -> PeerWay? {
        func best(of entries: [Entry]) -> Entry? {
            entries.filter { now - $0.seenAt < silence }.min { a, b in
                if a.failedAt != b.failedAt { return a.failedAt < b.failedAt }
                return a.way == proven && b.way != proven
            }
        }
        guard let known = best(of: entries) else { return best(of: hinted)?.way }
        // What failed goes behind what was not tried yet, wherever that comes from.
        guard let hint = best(of: hinted), hint.failedAt < known.failedAt else { return known.way }
        return hint.way
    }

    mutating func failed(_ way: PeerWay) {
        attempts += 1
        if let place = entries.firstIndex(where: { $0.way == way }) { entries[place].failedAt = attempts }
        if let place = hinted.firstIndex(where: { $0.way == way }) { hinted[place].failedAt = attempts }
    }

    /// Whoever answered there proved to be the peer.
    mutating func succeeded(_ way: PeerWay) {
        proven = way
        if let place = entries.firstIndex(where: { $0.way == way }) { entries[place].failedAt = 0 }
        if let place = hinted.firstIndex(where: { $0.way == way }) { hinted[place].failedAt = 0 }
    }

    func leads(to ip: IPAddress) -> Bool { (entries + hinted).contains { $0.way.remote.ip == ip } }
}
