import Cluster
import Consensus
import Wire

/// All heartbeat paths of this node: seals what it says, opens what it hears, and knows how well it hears.
final class Heartbeats {
    /// A heartbeat heard for the first time, and how it got here.
    struct Heard {
        var heartbeat: Heartbeat
        var from: Endpoint
        /// Where on this node it arrived.
        var local: Endpoint
        var isNew: Bool
    }

    private struct Path {
        var peer: String
        var network: String
        var remote: Endpoint
        var statistics: PathStatistics
    }

    /// Peers times networks, and some that changed their address.
    private static let pathLimit = 512
    /// So many datagrams are read before the clock is looked at again.
    static let burst = 1024

    /// So long after its start, and after another node of this machine was heard, a node can be heard by such.
    private static let loopsAtLeast: Duration = .seconds(10)

    let ports: [HeartbeatPort]
    private var firstTend: Instant?
    private let me: String
    private let timing: Timing
    private let session: HeartbeatSession
    private var sealer: HeartbeatSealer
    private var opener: HeartbeatOpener
    private var paths: [Path] = []
    private var dropped: [RingsReport.Count] = []
    private var buffer = [UInt8](repeating: 0, count: FrameLimits.longestHeartbeat + 1)
    private let log: EventLog

    init(plans: [HeartbeatPort.Plan], me: String, timing: Timing, key: ClusterKey, log: EventLog) {
        ports = plans.map { HeartbeatPort(plan: $0) }
        self.me = me
        self.timing = timing
        self.log = log
        var random = SystemRandomNumberGenerator()
        session = HeartbeatSession(high: random.next(), low: random.next())
        sealer = HeartbeatSealer(key: key, session: session)
        opener = HeartbeatOpener(key: key)
    }

    /// The address of ours that somebody else on this machine speaks from already.
    var takenAddress: Endpoint? { ports.lazy.compactMap(\.taken).first }

    func tend(at now: Instant) {
        let interfaces = InterfaceAddress.all()
        let isEarly = now - (firstTend ?? now) < Self.loopsAtLeast
        if firstTend == nil { firstTend = now }
        let hasSibling = paths.contains { path in
            now - path.statistics.lastHeard < Self.loopsAtLeast
                && interfaces.contains { $0.ip == path.remote.ip }
        }
        for port in ports {
            port.loop(isEarly || hasSibling)
            let before = port.local
            let troubleBefore = port.trouble
            port.tend(interfaces, at: now)
            if let local = port.local, before != local {
                log.notice("ring-up", port.plan.name, "heartbeats leave from \(local)")
            } else if port.local == nil, let trouble = port.trouble, trouble != troubleBefore {
                log.warning("ring-down", port.plan.name, trouble)
            }
        }
    }

    func send(_ heartbeat: Heartbeat, at now: Instant) {
        let datagram = sealer.seal(heartbeat)
        for port in ports { port.send(datagram, at: now) }
    }

    /// Everything that waits on one port, up to a bound; heartbeats of our own that come back are left out.
    ///
    /// - Parameter isReady: whether a descriptor has something to read.
    func receive(
        on port: HeartbeatPort, where isReady: (Int32) -> Bool = { _ in true }, _ hear: (Heard) -> Void
    ) {
        for _ in 0..<Self.burst {
            guard let local = port.local, let arrival = port.receive(into: &buffer, where: isReady) else {
                return
            }
            // Our own comes back by multicast; a namesake's does not look like it.
            if session.isNamed(by: arrival.bytes) { continue }
            let now = BootClock.now()
            do throws(FrameFailure) {
                let opened = try opener.open(arrival.bytes)
                let sender = opened.heartbeat.sender
                note(sender, opened.counter, port.plan.name, arrival.from, at: now)
                hear(
                    Heard(
                        heartbeat: opened.heartbeat, from: arrival.from, local: local, isNew: opened.isNew))
            } catch {
                count(error.reason)
                log.warning("frame-dropped", "\(arrival.from.ip)", error.description)
            }
        }
    }

    private func note(
        _ holder: Holder, _ counter: UInt64, _ network: String, _ from: Endpoint, at now: Instant
    ) {
        let place = paths.firstIndex {
            $0.remote == from && $0.network == network && $0.peer == holder.name
        }
        if let place {
            paths[place].statistics.hear(holder, counter: counter, at: now)
            return
        }
        if paths.count >= Self.pathLimit,
            let oldest = paths.indices.min(by: {
                paths[$0].statistics.lastHeard < paths[$1].statistics.lastHeard
            })
        {
            paths.remove(at: oldest)
        }
        paths.append(
            Path(
                peer: holder.name, network: network, remote: from,
                statistics: PathStatistics(holder: holder, counter: counter, at: now)))
    }

    private func count(_ reason: String) {
        if let place = dropped.firstIndex(where: { $0.reason == reason }) {
            dropped[place].count += 1
        } else {
            dropped.append(RingsReport.Count(reason: reason, count: 1))
        }
    }

    /// - Parameters:
    ///   - counted: what others dropped, added to the report.
    ///   - warnings: what this process could not arm.
    func report(
        counted: [RingsReport.Count], warnings: [String], expected: [String], at now: Instant
    ) -> RingsReport {
        var lines: [RingsReport.Path] = []
        for port in ports {
            let local = port.local.map { "\($0)" } ?? "-"
            let heard = paths.filter { $0.network == port.plan.name }
            for path in heard {
                let statistics = path.statistics
                let condition = statistics.condition(at: now, silentAfter: timing.deadAfter)
                lines.append(
                    RingsReport.Path(
                        peer: path.peer, network: path.network, local: local, remote: "\(path.remote)",
                        lossPerMille: statistics.lossPerMille, gapMedianMs: statistics.gapMedian,
                        gapMaxMs: statistics.gapMax,
                        lastHeardMs: Int((now - statistics.lastHeard).nanoseconds / 1_000_000),
                        condition: port.trouble.map { "\(condition); \($0)" } ?? condition))
            }
            for name in expected where name != me && !heard.contains(where: { $0.peer == name }) {
                lines.append(
                    RingsReport.Path(
                        peer: name, network: port.plan.name, local: local, remote: "-", lossPerMille: nil,
                        gapMedianMs: nil, gapMaxMs: nil, lastHeardMs: nil,
                        condition: port.trouble ?? "never heard"))
            }
        }
        lines.sort { ($0.peer, $0.network, $0.remote) < ($1.peer, $1.network, $1.remote) }
        let counts = (dropped + counted).filter { $0.count > 0 }.sorted { $0.reason < $1.reason }
        return RingsReport(node: me, paths: lines, dropped: counts, warnings: warnings)
    }
}
