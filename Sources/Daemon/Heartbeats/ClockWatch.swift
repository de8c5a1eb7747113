import Cluster
import Consensus
import Primitives

/// Whose wall clock differs from those of the others, by what heartbeats say of it.
///
/// A heartbeat that was under way for long makes its sender's clock look slow, never fast: so of each window of some seconds the
/// sample counts that is furthest ahead, which was under way the shortest. Two windows in a row must agree, and after a
/// gap, as when this or the other process was paused, everything begins anew.
struct ClockWatch {
    private struct Entry {
        var peer: String
        var lastHeard: Instant
        var begun: Instant
        var count = 1
        /// Milliseconds the peer is ahead of here, in this window.
        var best: Int64
        /// Of the windows before, newest last; two at most.
        var settled: [Int64] = []

        init(_ peer: String, _ ahead: Int64, at now: Instant) {
            (self.peer, best, lastHeard, begun) = (peer, ahead, now, now)
        }
    }

    /// Milliseconds. Schedules and revocations go by whole seconds, and no clock that is set by NTP is so far off.
    static let limit: Int64 = 2000
    /// A silence that ordinary loss does not explain.
    private static let gap: Duration = .seconds(1)
    /// By which two windows may differ, in milliseconds.
    private static let agreement: Int64 = 500
    private static let entryLimit = 2 * ClusterLimits.nodes
    /// Some ten thousand years; nobody's clock says more.
    private static let longest: Int64 = 1 << 48

    private let window: Duration
    private let leastSamples: Int
    private var entries: [Entry] = []

    /// Both are those of a window.
    init(window: Duration = .seconds(4), leastSamples: Int = 10) {
        (self.window, self.leastSamples) = (window, leastSamples)
    }

    /// A new heartbeat, no copy of one, was heard.
    ///
    /// - Parameters:
    ///   - said: its sender's wall clock, milliseconds since 1970.
    ///   - here: this machine's, now.
    mutating func hear(_ peer: String, says said: Int64, here: Int64, at now: Instant) {
        guard (-Self.longest...Self.longest).contains(said), (-Self.longest...Self.longest).contains(here)
        else { return }
        let ahead = said - here
        guard let place = entries.firstIndex(where: { $0.peer == peer }) else {
            if entries.count >= Self.entryLimit,
                let oldest = entries.indices.min(by: { entries[$0].lastHeard < entries[$1].lastHeard })
            {
                entries.remove(at: oldest)
            }
            entries.append(Entry(peer, ahead, at: now))
            return
        }
        guard now - entries[place].lastHeard < Self.gap else {
            entries[place] = Entry(peer, ahead, at: now)
            return
        }
        entries[place].lastHeard = now
        entries[place].count += 1
        entries[place].best = max(entries[place].best, ahead)
        guard now - entries[place].begun >= window, entries[place].count >= leastSamples else {
            return
        }
        let settled = Array((entries[place].settled + [entries[place].best]).suffix(2))
        entries[place].settled = settled
        (entries[place].begun, entries[place].count, entries[place].best) = (now, 0, .min)
    }

    /// Who differs: from most, this node among them. Where no clocks that agree are most, every node tells of the groups that
    /// hers is not in; of two nodes only the one that is behind does, as both would say the same.
    ///
    /// - Parameter me: this node's name.
    func troubles(of me: String, heardWithin silence: Duration, at now: Instant) -> [PathTrouble] {
        let peers = entries.compactMap { entry -> Clock? in
            guard now - entry.lastHeard < silence, entry.settled.count == 2,
                abs(entry.settled[0] - entry.settled[1]) <= Self.agreement
            else { return nil }
            return Clock(node: entry.peer, ahead: entry.settled[1])
        }
        let all = (peers + [Clock(node: me, ahead: 0)]).sorted { ($0.ahead, $0.node) < ($1.ahead, $1.node) }
        let center = all[(all.count - 1) / 2].ahead
        guard all.contains(where: { abs($0.ahead - center) > Self.limit }) else { return [] }
        let groups = Self.groups(all)
        if let most = groups.first(where: { 2 * $0.count > all.count }) {
            let middle = most[(most.count - 1) / 2].ahead
            return all.filter { abs($0.ahead - middle) > Self.limit }.map { clock in
                Self.trouble(of: [clock], by: clock.ahead - middle, than: "the others")
            }.sorted()
        }
        let others = groups.filter { group in
            !group.contains { $0.node == me } && (all.count > 2 || group[0].ahead > 0)
        }
        return others.map { group in
            Self.trouble(of: group, by: group[(group.count - 1) / 2].ahead, than: me)
        }.sorted()
    }

    private struct Clock {
        var node: String
        var ahead: Int64
    }

    /// Sorted clocks, parted where one is further from the next than clocks that belong together are.
    ///
    /// Half the limit: what is measured of two groups that are just the limit apart would else join them now and then.
    private static func groups(_ clocks: [Clock]) -> [[Clock]] {
        var groups: [[Clock]] = []
        for clock in clocks {
            if let last = groups.last?.last, clock.ahead - last.ahead <= limit / 2 {
                groups[groups.count - 1].append(clock)
            } else {
                groups.append([clock])
            }
        }
        return groups
    }

    private static func trouble(of group: [Clock], by ahead: Int64, than whom: String) -> PathTrouble {
        PathTrouble(
            .clock, detail: "\(text(abs(ahead))) \(ahead > 0 ? "ahead of" : "behind") \(whom)",
            peers: group.map(\.node).sorted())
    }

    /// For people: whole seconds, or what is longer in larger units.
    private static func text(_ milliseconds: Int64) -> String {
        let seconds = (milliseconds + 500) / 1000
        switch seconds {
        case ..<120: return "\(seconds) s"
        case ..<7200: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3600) h"
        default: return "\(seconds / 86_400) days"
        }
    }
}
