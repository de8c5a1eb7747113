import Cluster
import Config
import ControlProtocol
@preconcurrency import Glibc
import Kernel
import PeerProtocol
import Primitives

/// All heartbeat paths of this node: seals what it says, opens what it hears, and knows how well it hears.
final class Heartbeats {
    /// A heartbeat that was opened, and how it got here.
    struct Heard {
        var heartbeat: Heartbeat
        var from: Endpoint
        /// Where on this node it arrived.
        var local: Endpoint
        /// Whether no copy of it was opened before, over whatever network.
        var isNew: Bool
        /// Whether it is of the node it names. Otherwise it is only a hint of where that node may be called.
        var counts = true
        /// Whether it came from where its sender says that it speaks: the second copy, over another ring, is as good as
        /// the first then.
        var isFromSender: Bool {
            heartbeat.endpoints.isEmpty ? isNew : heartbeat.endpoints.contains { $0.ip == from.ip }
        }
    }

    struct Path {
        var peer: String
        var network: String
        var remote: Endpoint
        var statistics: PathStatistics
        /// When its silence was first noticed.
        private var silentSince: Instant?

        init(peer: String, network: String, remote: Endpoint, statistics: PathStatistics) {
            (self.peer, self.network, self.remote, self.statistics) = (peer, network, remote, statistics)
        }

        /// Whether it carries something now. Five intervals of silence must be noticed, and be silence still two intervals
        /// later: what waits on one ring's socket is read before what waits on the other's.
        mutating func isHeard(at now: Instant, interval: Duration) -> Bool {
            guard now - statistics.lastHeard > interval * 5 else {
                silentSince = nil
                return true
            }
            let since = silentSince ?? now
            silentSince = since
            return now - since < interval * 2
        }
    }

    /// Peers times networks, and some that changed their address.
    private static let pathLimit = 512
    /// So long one port is read in one turn of the loop, whatever arrives: then the node's own deadlines come first.
    private static let turn: Duration = .milliseconds(3)
    /// A machine with another key is told of for so long after its last datagram.
    private static let strangerMemory: Duration = .seconds(60)
    private static let strangerLimit = 8
    /// So long after its start, and after another node of this machine was heard, a node can be heard by such.
    private static let loopsAtLeast: Duration = .seconds(10)

    let ports: [HeartbeatPort]
    private var firstTend: Instant?
    let me: String
    let timing: Timing
    private let session: HeartbeatSession
    private let cluster: String
    /// Addresses of nodes, as the cluster file gives them.
    let bindings: [NodeBinding]
    private var sealer: HeartbeatSealer
    var opener: HeartbeatOpener
    /// Nil where whoever has the cluster key is believed.
    let trust: LinkTrust?
    var keys = HeartbeatKeys()
    private(set) var sieve: HeartbeatSieve
    var watch: RingWatch
    var lossWatch = LossWatch()
    var clockWatch = ClockWatch()
    /// In milliseconds since 1970.
    let wallClock: () -> Int64
    /// As whom this node speaks.
    private(set) var speaker: Holder?
    private(set) var paths: [Path] = []
    private(set) var dropped: [RingsReport.Count] = []
    /// Machines that seal with another key: where, and when they were heard last.
    private var strangers: [(ip: IPAddress, at: Instant)] = []
    private let batch = DatagramBatch(longest: FrameLimits.longestHeartbeat)
    let log: EventLog

    /// - Parameters:
    ///   - signer: signs what this node says; nil where it has no certificate that could vouch for the key.
    ///   - trust: whether others need one.
    ///   - wallClock: milliseconds since 1970.
    init(
        plans: [HeartbeatPort.Plan], me: String, timing: Timing, key: ClusterKey,
        bindings: [NodeBinding] = [], signer: HeartbeatSigner? = nil, trust: LinkTrust? = nil, log: EventLog,
        wallClock: @escaping () -> Int64 = WallClock.milliseconds
    ) {
        self.wallClock = wallClock
        let filter = DatagramFilter(
            prefix: key.heartbeatPrefix, lengths: HeartbeatOpener.shortest...FrameLimits.longestHeartbeat)
        ports = plans.map { HeartbeatPort(plan: $0, filter: filter) }
        cluster = key.cluster
        self.bindings = bindings
        self.me = me
        self.timing = timing
        self.log = log
        watch = RingWatch(interval: timing.interval)
        self.trust = trust
        if let signer {
            session = signer.voucher.session
            sealer = HeartbeatSealer(key: key, signer: signer)
        } else {
            var random = SystemRandomNumberGenerator()
            session = HeartbeatSession(high: random.next(), low: random.next())
            sealer = HeartbeatSealer(key: key, session: session)
        }
        opener = HeartbeatOpener(key: key, requiresProof: trust?.requiresCertificates ?? false)
        sieve = HeartbeatSieve(
            own: session, familiar: plans.flatMap { $0.peers.map(\.ip) } + bindings.map(\.address))
    }

    /// The address of ours that somebody else on this machine speaks from already.
    var takenAddress: Endpoint? { ports.lazy.compactMap(\.taken).first }

    func tend(at now: Instant) {
        let interfaces = InterfaceAddress.all()
        if interfaces == nil {
            log.warning(
                "ring", me,
                "the interfaces of this machine cannot be listed (\(errorText(errno))); "
                    + "the rings stay as they are")
        }
        let isEarly = now - (firstTend ?? now) < Self.loopsAtLeast
        if firstTend == nil { firstTend = now }
        let hasSibling = paths.contains { path in
            now - path.statistics.lastHeard < Self.loopsAtLeast
                && interfaces?.contains { $0.ip == path.remote.ip } == true
        }
        forgetExpired(at: now)
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
        var heartbeat = heartbeat
        heartbeat.endpoints = ports.compactMap(\.local)
        heartbeat.wallClock = wallClock()
        speaker = heartbeat.sender
        let datagram = sealer.seal(heartbeat)
        for port in ports {
            port.send(datagram, at: now)
            guard port.plan.network?.group != nil else { continue }
            let listed = port.plan.peers
            for remote in watch.unicasts(on: port.plan.name, at: now) where !listed.contains(remote) {
                port.send(datagram, to: remote)
            }
        }
    }

    // MARK: - Hearing

    /// What waits on one port, for a bounded time; heartbeats of our own that come back are left out.
    ///
    /// - Parameter isReady: whether a descriptor has something to read.
    func receive(
        on port: HeartbeatPort, where isReady: (Int32) -> Bool = { _ in true }, _ hear: (Heard) -> Void
    ) {
        guard let number = ports.firstIndex(where: { $0 === port }) else { return }
        let end = Instant.now() + Self.turn
        // A flood on one socket does not keep the other waiting: they are read by turns.
        var waiting = port.descriptors.filter(isReady)
        while !waiting.isEmpty {
            waiting.removeAll { descriptor in
                let count = batch.receive(from: descriptor)
                // The port may be closed by what is heard; what was read is of no use then.
                guard count > 0, let local = port.local else { return true }
                let now = Instant.now()
                let way: DatagramWay = descriptor == port.groupDescriptor ? .multicast : .unicast
                for place in 0..<count { take(place, of: port, number, way, local, at: now, hear) }
                return count < DatagramBatch.capacity
            }
            if Instant.now() >= end { return }
        }
    }

    private func take(
        _ place: Int, of port: HeartbeatPort, _ number: Int, _ way: DatagramWay, _ local: Endpoint,
        at now: Instant, _ hear: (Heard) -> Void
    ) {
        let source = batch.source(place)
        // What comes both ways is opened twice: each way is known for itself.
        let network = 2 * number + way.rawValue
        switch sieve.judge(batch[place], from: source, network: network, by: opener, at: now) {
        case .ignore: return
        case .overBudget: count("over-budget", 1)
        case .drop(let failure):
            // Of what the kernel filters only a sample arrives.
            count(failure.reason, port.isFiltered ? UInt64(DatagramFilter.sampling) : 1)
            tell(failure, of: place, source, at: now)
        case .open:
            let begun = Instant.now()
            do throws(FrameFailure) {
                let opened = try opener.open(batch[place], network: network)
                guard let from = batch.sender(place) else { return }
                switch opened.proof {
                case .notAsked: break
                case .proven: keys.hear(opened.session, of: opened.heartbeat.sender, at: now)
                case .stale: return openedInVain(place, network, since: begun)
                case .missing, .wrong:
                    openedInVain(place, network, since: begun)
                    noteUnproven(opened, from: from.ip, at: now)
                    guard opened.proof == .missing else { return }
                    return hear(
                        Heard(
                            heartbeat: opened.heartbeat, from: from, local: local, isNew: true, counts: false)
                    )
                }
                let told = opened.heartbeat.endpoints
                // Anybody may send a copy on, and be faster with it: from elsewhere it is no sign of its sender.
                if told.isEmpty || told.contains(where: { $0.ip == from.ip }) {
                    sieve.trust(source)
                    note(opened.heartbeat.sender, opened.counter, port.plan.name, from, at: now)
                }
                observe(opened.heartbeat, from, port, way, at: now)
                if opened.isNew { compareClocks(opened.heartbeat, at: now) }
                hear(Heard(heartbeat: opened.heartbeat, from: from, local: local, isNew: opened.isNew))
            } catch {
                openedInVain(place, network, since: begun)
                count(error.reason, 1)
                tell(error, of: place, source, at: now)
            }
        }
    }

    private func openedInVain(_ place: Int, _ network: Int, since begun: Instant) {
        let now = Instant.now()
        sieve.openedInVain(batch[place], network: network, taking: now - begun, at: now)
    }

    private func compareClocks(_ heartbeat: Heartbeat, at now: Instant) {
        guard let said = heartbeat.wallClock, heartbeat.sender.name != me else { return }
        clockWatch.hear(heartbeat.sender.name, says: said, here: wallClock(), at: now)
    }

    /// Builds no text while the log would not say it: a stranger's datagrams must cost nothing.
    private func tell(_ failure: FrameFailure, of place: Int, _ source: DatagramSource, at now: Instant) {
        if failure == .wrongKey, let ip = batch.sender(place)?.ip { remember(stranger: ip, at: now) }
        log.stranger("frame-dropped", source, sort: failure.reason) {
            (batch.sender(place).map { "\($0.ip)" } ?? "?", failure.description)
        }
    }

    private func remember(stranger ip: IPAddress, at now: Instant) {
        if let place = strangers.firstIndex(where: { $0.ip == ip }) {
            strangers[place].at = now
        } else {
            if strangers.count == Self.strangerLimit { strangers.removeFirst() }
            strangers.append((ip, now))
        }
    }

    /// What an operator should see, each a sentence.
    func warnings(at now: Instant) -> [String] {
        strangers(at: now).map { ip in
            "datagrams of cluster \(cluster) sealed with another key arrive from \(ip): compare cluster.key there "
                + "with ours, or give the other cluster another name"
        }
            + keys.watch.warnings(at: now) { isHeard($0, at: now) }
    }

    func strangers(at now: Instant) -> [IPAddress] {
        strangers.filter { now - $0.at < Self.strangerMemory }.map { $0.ip }.sorted()
    }

    /// Whether heartbeats of that node come, or it is this one.
    func isHeard(_ name: String, at now: Instant) -> Bool {
        name == me || paths.contains { $0.peer == name && now - $0.statistics.lastHeard < timing.deadAfter }
    }

    /// How the links of the sender of a new heartbeat are called: as it says itself, else as the cluster file says,
    /// else where it came from.
    func sighting(of heard: Heard, at now: Instant) -> PeerSighting {
        let sender = heard.heartbeat.sender
        var told = heard.heartbeat.endpoints
        if told.isEmpty, let ip = bindings.first(where: { $0.node == sender.name })?.address {
            told = [Endpoint(ip: ip, port: heard.from.port)]
        }
        let ways = told.flatMap { remote in
            ports.compactMap { port in
                port.reaches(remote.ip) ? port.local.map { PeerWay(remote: remote, local: $0) } : nil
            }
        }
        let living = ways.filter { way in
            paths.indices.contains { place in
                paths[place].peer == sender.name && paths[place].remote.ip == way.remote.ip
                    && paths[place].isHeard(at: now, interval: timing.interval)
            }
        }
        if !ways.isEmpty {
            return PeerSighting(holder: sender, ways: living.isEmpty ? ways : living, isTold: true)
        }
        return PeerSighting(
            holder: sender, ways: [PeerWay(remote: heard.from, local: heard.local)], isTold: false)
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

    func count(_ reason: String, _ number: UInt64) {
        if let place = dropped.firstIndex(where: { $0.reason == reason }) {
            dropped[place].count += number
        } else {
            dropped.append(RingsReport.Count(reason: reason, count: number))
        }
    }
}
