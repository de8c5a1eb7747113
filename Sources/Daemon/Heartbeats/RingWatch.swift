import Cluster
import Consensus
import Primitives

/// How a datagram reached a ring's port.
enum DatagramWay: Int, Hashable, Sendable {
    /// To this node's own address.
    case unicast
    /// To the ring's group.
    case multicast
}

/// Who is heard on which ring by multicast and by unicast; which of these carry nothing while others do; and who must be
/// told by unicast because multicast may not reach it.
///
/// On a ring with a group, heartbeats go by multicast, and to each peer some by unicast as well: so that each way is
/// known for itself, and known before it is needed.
struct RingWatch {
    /// A ring of this node as it is now.
    struct Ring: Hashable, Sendable {
        var name: String
        /// Nil where only unicast is spoken.
        var group: IPAddress?
        /// Why this node does not speak there; nil when it does.
        var closed: String?
    }

    private struct Entry {
        var peer: String
        var ring: String
        var remote: Endpoint
        /// Whether the peer sends to us by unicast there.
        var isUnicastExpected: Bool
        /// When the peer said last that it speaks there.
        var toldAt: Instant
        /// Silence counts from here at the earliest.
        var since: Instant
        var unicastAt: Instant?
        var multicastAt: Instant?
        var nextProbe: Instant
    }

    private struct Peer {
        var name: String
        var incarnation: UInt64
        var heardAt: Instant
        /// When it showed last that it had not heard us for some intervals.
        var deafAt: Instant?
    }

    /// A way that carried nothing for so long while another one did is told of.
    static let notable: Duration = .seconds(3)
    /// Between two heartbeats that go to a peer by unicast although multicast is well.
    static let probeInterval: Duration = .milliseconds(500)
    /// Who was not heard on any way for so long is down rather than cut off.
    private static let absence: Duration = .seconds(1)
    /// Afterwards a peer that is heard nowhere is only probed.
    private static let rescue: Duration = .seconds(10)
    private static let memory: Duration = .seconds(600)
    private static let entryLimit = 512

    private let interval: Duration
    private var entries: [Entry] = []
    private var peers: [Peer] = []

    init(interval: Duration) { self.interval = interval }

    /// Silence of so long on multicast is answered by unicast.
    private var shortSilence: Duration { interval * 5 / 2 }

    /// A copy of one of the peer's heartbeats arrived, by whichever way.
    ///
    /// - Parameter age: since when it has not heard this node, by its own words; nil when it does not know this node.
    mutating func hear(
        _ holder: Holder, from remote: Endpoint, on ring: String, by way: DatagramWay, age: Duration?,
        at now: Instant
    ) {
        let isBack = note(holder, age: age, at: now)
        for at in entries.indices where entries[at].peer == holder.name {
            if isBack { entries[at].since = now }
            guard entries[at].ring == ring, entries[at].remote.ip == remote.ip else { continue }
            switch way {
            case .unicast:
                entries[at].unicastAt = now
                entries[at].isUnicastExpected = true
            case .multicast: entries[at].multicastAt = now
            }
        }
    }

    /// - Returns: whether it was away, or is another life.
    private mutating func note(_ holder: Holder, age: Duration?, at now: Instant) -> Bool {
        let isDeaf = age.map { $0 > shortSilence } ?? true
        guard let at = peers.firstIndex(where: { $0.name == holder.name }) else {
            if peers.count >= 2 * ClusterLimits.nodes { peers.removeFirst() }
            peers.append(
                Peer(
                    name: holder.name, incarnation: holder.incarnation, heardAt: now,
                    deafAt: isDeaf ? now : nil))
            return true
        }
        let isBack = now - peers[at].heardAt > Self.absence || holder.incarnation != peers[at].incarnation
        peers[at].heardAt = now
        peers[at].incarnation = holder.incarnation
        if isDeaf { peers[at].deafAt = now }
        return isBack
    }

    /// The peer says that it speaks there, on a ring of ours.
    mutating func expect(
        _ peer: String, at remote: Endpoint, on ring: String, unicast: Bool, at now: Instant
    ) {
        if let at = entries.firstIndex(where: { $0.peer == peer && $0.ring == ring }) {
            if entries[at].remote != remote || now - entries[at].toldAt > Self.absence {
                entries[at].since = now
            }
            entries[at].remote = remote
            entries[at].toldAt = now
            if unicast { entries[at].isUnicastExpected = true }
            return
        }
        if entries.count >= Self.entryLimit,
            let oldest = entries.indices.min(by: { entries[$0].toldAt < entries[$1].toldAt })
        {
            entries.remove(at: oldest)
        }
        entries.append(
            Entry(
                peer: peer, ring: ring, remote: remote, isUnicastExpected: unicast, toldAt: now, since: now,
                nextProbe: now))
    }

    /// To whom the heartbeat of this moment goes by unicast on a ring with a group.
    mutating func unicasts(on ring: String, at now: Instant) -> [Endpoint] {
        entries.removeAll { now - $0.toldAt > Self.memory }
        var remotes: [Endpoint] = []
        for at in entries.indices where entries[at].ring == ring {
            let isDue = now >= entries[at].nextProbe
            if isDue { entries[at].nextProbe = now + Self.probeInterval }
            if isDue || needsUnicast(entries[at], at: now) { remotes.append(entries[at].remote) }
        }
        return remotes
    }

    private func needsUnicast(_ entry: Entry, at now: Instant) -> Bool {
        guard now - entry.toldAt < Self.rescue else { return false }
        if now - (entry.multicastAt ?? entry.since) > shortSilence { return true }
        let deafAt = peers.first { $0.name == entry.peer }?.deafAt
        return deafAt.map { now - $0 < Self.absence } ?? false
    }

    // MARK: - What is wrong

    private func isHeard(_ peer: String, at now: Instant) -> Bool {
        peers.first { $0.name == peer }.map { now - $0.heardAt < Self.absence } ?? false
    }

    private func silence(_ last: Instant?, _ entry: Entry, at now: Instant) -> Duration {
        now - max(last ?? entry.since, entry.since)
    }

    func troubles(on rings: [Ring], at now: Instant) -> [PathTrouble] {
        rings.flatMap { ring -> [PathTrouble] in
            var silent: [PathTrouble.Kind: [String]] = [:]
            let here = entries.filter {
                $0.ring == ring.name && now - $0.toldAt < Self.absence && isHeard($0.peer, at: now)
            }
            for entry in here {
                if let kind = trouble(of: entry, on: ring, at: now) {
                    silent[kind, default: []].append(entry.peer)
                }
            }
            return PathTrouble.Kind.allCases.compactMap { kind in
                guard let peers = silent[kind] else { return nil }
                let detail =
                    switch kind {
                    case .multicast: ring.group.map { "\($0)" } ?? ""
                    case .ring: ring.closed ?? ""
                    default: ""
                    }
                return PathTrouble(kind, ring: ring.name, detail: detail, peers: peers.sorted())
            }
        }
    }

    private func trouble(of entry: Entry, on ring: Ring, at now: Instant) -> PathTrouble.Kind? {
        let isUnicastSilent = silence(entry.unicastAt, entry, at: now) > Self.notable
        guard ring.group != nil else { return isUnicastSilent ? .ring : nil }
        let isMulticastSilent = silence(entry.multicastAt, entry, at: now) > Self.notable
        switch (isMulticastSilent, isUnicastSilent) {
        case (true, true): return .ring
        case (true, false): return .multicast
        case (false, true): return entry.isUnicastExpected ? .unicast : nil
        case (false, false): return nil
        }
    }

    /// How long ago the peer was heard there by each way, in milliseconds; nil for never.
    func heard(_ peer: String, on ring: String, at now: Instant) -> (multicast: Int?, unicast: Int?) {
        let entry = entries.first { $0.peer == peer && $0.ring == ring }
        func age(_ last: Instant?) -> Int? { last.map { Int((now - $0).nanoseconds / 1_000_000) } }
        return (age(entry?.multicastAt), age(entry?.unicastAt))
    }
}
