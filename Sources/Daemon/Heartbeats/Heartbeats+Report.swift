import Cluster
import Config
import ControlProtocol
import Primitives

// What is heard how well, and which ways carry nothing, as `fsdns rings` and `fsdns status` tell it.

extension Heartbeats {
    /// Notes which way the heartbeat came, and where its sender says that it speaks.
    func observe(
        _ heartbeat: Heartbeat, _ from: Endpoint, _ port: HeartbeatPort, _ way: DatagramWay, at now: Instant
    ) {
        let sender = heartbeat.sender
        guard sender.name != me else { return }
        for remote in heartbeat.endpoints {
            for port in ports where port.expects(remote) {
                watch.expect(
                    sender.name, at: remote, on: port.plan.name,
                    unicast: heartbeat.paths != nil || port.plan.peers.contains(remote), at: now)
            }
        }
        let age = heartbeat.acknowledgements.first { $0.holder == speaker }?.age
        watch.hear(sender, from: from, on: port.plan.name, by: way, age: age, at: now)
    }

    /// Rings and ways that carry nothing while others do, or lose much. To be asked about once a second.
    func troubles(at now: Instant) -> [PathTrouble] {
        lossWatch.look(
            paths.filter { now - $0.statistics.lastHeard < timing.deadAfter }.map {
                (peer: $0.peer, ring: $0.network, perMille: $0.statistics.lossPerMille)
            })
        let rings = ports.map { port in
            RingWatch.Ring(
                name: port.plan.name, group: port.plan.network?.group,
                closed: port.local == nil ? port.trouble : nil)
        }
        return watch.troubles(on: rings, at: now) + lossWatch.troubles
            + clockWatch.troubles(of: me, heardWithin: timing.deadAfter, at: now)
            + keys.watch.troubles(at: now) { isHeard($0, at: now) } + strangerTroubles(at: now)
    }

    private func strangerTroubles(at now: Instant) -> [PathTrouble] {
        let strangers = strangers(at: now)
        guard !strangers.isEmpty else { return [] }
        return [PathTrouble(.otherKey, detail: PathTrouble.sources(strangers), peers: [])]
    }

    /// - Parameters:
    ///   - counted: what others dropped, added to the report.
    ///   - warnings: what this process could not arm, and what is wrong with its ways to others.
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
                var line = RingsReport.Path(
                    peer: path.peer, network: path.network, local: local, remote: "\(path.remote)",
                    lossPerMille: statistics.lossPerMille, gapMedianMs: statistics.gapMedian,
                    gapMaxMs: statistics.gapMax,
                    lastHeardMs: Int((now - statistics.lastHeard).nanoseconds / 1_000_000),
                    condition: port.trouble.map { "\(condition); \($0)" } ?? condition)
                let ways = watch.heard(path.peer, on: path.network, at: now)
                line.multicastMs = ways.multicast
                line.unicastMs = ways.unicast
                line.speaksMulticast = port.plan.network?.group != nil
                lines.append(line)
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
