import Cluster
import Config
import Consensus
import Kernel
import PeerProtocol
import Primitives
import Testing

@testable import Daemon

@Suite("Heartbeat paths", .serialized)
struct HeartbeatsTests {
    private static let port: UInt16 = 15_477
    private let peers = ["127.9.7.1", "127.9.7.2"].compactMap { IPAddress($0) }.map {
        Endpoint(ip: $0, port: HeartbeatsTests.port)
    }

    private func paths(
        _ number: Int, secret: String = "a secret of enough length", bindings: [NodeBinding] = [],
        wallClock: Int64 = 1_800_000_000_000
    ) -> Heartbeats {
        let plan = HeartbeatPort.Plan(
            name: "unicast", network: nil, own: peers[number - 1].ip, port: Self.port, peers: peers,
            avoided: [])
        return Heartbeats(
            plans: [plan], me: "fs\(number)", timing: Timing(),
            key: ClusterKey(cluster: "pbx", secret: Array(secret.utf8)), bindings: bindings,
            log: EventLog.silent, wallClock: { wallClock })
    }

    private func heartbeat(_ number: Int, _ sequence: UInt64) -> Heartbeat {
        Heartbeat(
            clusterID: 1,
            sender: Holder(member: MemberID(name: "fs\(number)", birth: 3), incarnation: 1 << 32),
            sequence: sequence, kind: .full, role: .slave, settingsVersion: 1, term: 1, commit: 1,
            leader: nil,
            fenceEpoch: .zero, holding: [], leaseValid: true, keeperEmpty: true, leaving: false,
            load: SwitchReport(health: .none), founding: 0, acknowledgements: [])
    }

    /// Everything that waits on the one port; on loopback what was sent has arrived.
    private func receive(_ paths: Heartbeats) -> [Heartbeats.Heard] {
        var heard: [Heartbeats.Heard] = []
        for port in paths.ports { paths.receive(on: port) { heard.append($0) } }
        return heard
    }

    @Test("a heartbeat travels to the listed peer and is heard with its path")
    func travel() {
        let (one, other) = (paths(1), paths(2))
        one.tend(at: .zero)
        other.tend(at: .zero)
        one.send(heartbeat(1, 1), at: .zero)
        one.send(heartbeat(1, 2), at: .zero)
        let heard = receive(other)
        var (first, second) = (heartbeat(1, 1), heartbeat(1, 2))
        first.endpoints = [peers[0]]
        second.endpoints = [peers[0]]
        (first.wallClock, second.wallClock) = (1_800_000_000_000, 1_800_000_000_000)
        #expect(heard.map(\.heartbeat) == [first, second])
        #expect(heard.map(\.isNew) == [true, true])
        #expect(heard.map(\.from) == [peers[0], peers[0]])
        #expect(heard.map(\.local) == [peers[1], peers[1]])
        let report = other.report(
            counted: [], warnings: [], expected: ["fs1", "fs2", "fs3"], at: Instant.now())
        #expect(report.paths.map(\.peer) == ["fs1", "fs3"])
        #expect(report.paths.map(\.condition) == ["no faults", "never heard"])
        #expect(report.paths[0].lossPerMille == 0)
    }

    @Test(
        "a wall clock that differs is told as a trouble, by what new heartbeats say"
    )
    func clocks() {
        let (one, other) = (paths(1, wallClock: 1_800_000_060_000), paths(2))
        other.clockWatch = ClockWatch(window: .zero, leastSamples: 1)
        one.tend(at: .zero)
        other.tend(at: .zero)
        for sequence in 1...UInt64(3) { one.send(heartbeat(1, sequence), at: .zero) }
        #expect(receive(other).count == 3)
        let told = PathTrouble(.clock, detail: "60 s ahead of fs2", peers: ["fs1"])
        #expect(other.troubles(at: Instant.now()).filter { $0.kind == .clock } == [told])
    }

    @Test("links are called where the sender says, else where the file says, else where it was heard")
    func sighting() throws {
        let (one, other) = (paths(1), paths(2))
        one.tend(at: .zero)
        other.tend(at: .zero)
        one.send(heartbeat(1, 1), at: .zero)
        var heard = try #require(receive(other).first)
        // Somebody else sent the same bytes on first.
        let stranger = Endpoint(ip: try #require(IPAddress("127.9.7.66")), port: Self.port)
        heard.from = stranger
        let itsWay = PeerWay(remote: peers[0], local: peers[1])
        #expect(
            other.sighting(of: heard, at: Instant.now())
                == PeerSighting(holder: heard.heartbeat.sender, ways: [itsWay], isTold: true))
        heard.heartbeat.endpoints = []
        let seen = PeerWay(remote: stranger, local: peers[1])
        #expect(
            other.sighting(of: heard, at: Instant.now())
                == PeerSighting(holder: heard.heartbeat.sender, ways: [seen], isTold: false))
        let port = HeartbeatPort.Plan(
            name: "unicast", network: nil, own: peers[1].ip, port: Self.port + 1, peers: peers, avoided: [])
        let withFile = Heartbeats(
            plans: [port], me: "fs2", timing: Timing(),
            key: ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8)),
            bindings: [NodeBinding(node: "fs1", address: peers[0].ip)], log: EventLog.silent)
        withFile.tend(at: .zero)
        let sighting = withFile.sighting(of: heard, at: Instant.now())
        #expect(sighting.isTold)
        #expect(sighting.ways.map(\.remote) == [peers[0]])
    }

    @Test("what is sealed with another key is counted, not heard, and its machine is named")
    func wrongKey() {
        let (one, other) = (paths(1, secret: "another secret of length"), paths(2))
        one.tend(at: .zero)
        other.tend(at: .zero)
        // The kernel lets a sample through only.
        for sequence in UInt64(1)...640 { one.send(heartbeat(1, sequence), at: .zero) }
        #expect(receive(other).isEmpty)
        let report = other.report(counted: [], warnings: [], expected: [], at: .zero)
        #expect(report.dropped.map(\.reason) == ["wrong-key"])
        #expect((160...1600).contains(report.dropped.first?.count ?? 0))
        let now = Instant.now()
        #expect(other.warnings(at: now).count == 1)
        #expect(other.warnings(at: now).first?.contains("arrive from 127.9.7.1: compare cluster.key") == true)
        #expect(other.troubles(at: now) == [PathTrouble(.otherKey, detail: "127.9.7.1", peers: [])])
        #expect(other.warnings(at: now + .seconds(61)).isEmpty)
        #expect(other.troubles(at: now + .seconds(61)).isEmpty)
    }

    @Test("forged datagrams cost nothing but a count, and true ones among them are heard")
    func forged() throws {
        let (one, other) = (paths(1), paths(2))
        one.tend(at: .zero)
        other.tend(at: .zero)
        let attacker = try DatagramSocket(
            boundTo: Endpoint(ip: try #require(IPAddress("127.9.7.66")), port: 0), group: nil)
        one.send(heartbeat(1, 1), at: .zero)
        #expect(receive(other).count == 1)
        let prefix = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
            .heartbeatPrefix
        var heard = 0
        for round in 0..<40 {
            for number in 0..<50 {
                var datagram = prefix + [UInt8](repeating: UInt8(number), count: 150)
                datagram[20] = UInt8(round)
                #expect(attacker.send(datagram, to: peers[1]) == 0)
            }
            one.send(heartbeat(1, UInt64(round) + 2), at: .zero)
            heard += receive(other).count
        }
        #expect(heard == 40)
        let counts = other.report(counted: [], warnings: [], expected: [], at: .zero).dropped
        #expect(counts.reduce(0) { $0 + $1.count } == 2000)
        #expect(counts.first { $0.reason == "over-budget" }.map { $0.count > 500 } == true)
    }

    @Test(
        "what is opened in vain in the session of a node counts for how much of it is opened, and no true heartbeat does"
    )
    func inVain() throws {
        let other = paths(2)
        other.tend(at: .zero)
        let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
        var sealer = HeartbeatSealer(key: key, session: HeartbeatSession(high: 5, low: 7))
        let sender = try DatagramSocket(boundTo: Endpoint(ip: peers[0].ip, port: 0), group: nil)
        #expect(sender.send(sealer.seal(heartbeat(1, 1)), to: peers[1]) == 0)
        #expect(sender.send(sealer.seal(heartbeat(1, 2)), to: peers[1]) == 0)
        #expect(receive(other).count == 2 && other.sieve.vainOpenings == 0)
        var forged = sealer.seal(heartbeat(1, 3))
        forged[forged.count - 1] ^= 1
        #expect(sender.send(forged, to: peers[1]) == 0)
        #expect(receive(other).isEmpty && other.sieve.vainOpenings == 1)
    }

    @Test("who is faster with a heartbeat than its sender is no path to it")
    func relayed() throws {
        let other = paths(2)
        other.tend(at: .zero)
        let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
        var sealer = HeartbeatSealer(key: key, session: HeartbeatSession(high: 5, low: 7))
        let relay = try DatagramSocket(
            boundTo: Endpoint(ip: try #require(IPAddress("127.9.7.66")), port: 0), group: nil)
        var told = heartbeat(1, 1)
        told.endpoints = [peers[0]]
        #expect(relay.send(sealer.seal(told), to: peers[1]) == 0)
        #expect(receive(other).map(\.isNew) == [true])
        #expect(other.paths.isEmpty)
        // An earlier release does not say from where it speaks.
        told.endpoints = []
        told.sequence = 2
        #expect(relay.send(sealer.seal(told), to: peers[1]) == 0)
        #expect(receive(other).count == 1)
        #expect(other.paths.count == 1)
    }

    @Test("the kernel drops what does not begin as ours, except for a sample")
    func filter() throws {
        let filter = DatagramFilter(prefix: Array(1...13), lengths: 53...1000)
        let receiver = try DatagramSocket(boundTo: peers[0], group: nil, filter: filter)
        let sender = try DatagramSocket(boundTo: peers[1], group: nil)
        #expect(receiver.isFiltered)
        let batch = DatagramBatch(longest: 1000)
        func count(_ datagram: [UInt8]) -> Int {
            var arrived = 0
            for _ in 0..<640 { #expect(sender.send(datagram, to: peers[0]) == 0) }
            while case let some = batch.receive(from: receiver.descriptor), some > 0 { arrived += some }
            return arrived
        }
        let ours = Array(1...13) + [UInt8](repeating: 9, count: 60)
        for _ in 0..<100 { #expect(sender.send(ours, to: peers[0]) == 0) }
        var arrived = 0
        while case let some = batch.receive(from: receiver.descriptor), some > 0 { arrived += some }
        #expect(arrived == 100)
        #expect(batch.sender(0) == peers[1])
        #expect(batch.source(0) == DatagramSource(peers[1].ip))
        for place in 0..<13 {
            var other = ours
            other[place] ^= 0x80
            #expect((1...160).contains(count(other)), "byte \(place)")
        }
        #expect(count(Array(ours.prefix(52))) < 160)
        #expect(count(ours + [UInt8](repeating: 9, count: 1000)) < 160)
    }

    @Test("when the interfaces cannot be listed everything stays as it is")
    func unknownInterfaces() throws {
        let network = HeartbeatNetwork(
            name: "ring", subnet: try #require(IPAddress("127.0.0.0")), prefixLength: 8, group: nil,
            port: Self.port)
        let port = HeartbeatPort(
            plan: HeartbeatPort.Plan(
                name: "ring", network: network, own: peers[0].ip, port: Self.port, peers: [], avoided: []))
        port.tend(nil, at: .zero)
        #expect(port.local == nil)
        #expect(port.trouble == "the interfaces of this machine cannot be listed now")
        let own = InterfaceAddress(interface: "lo", index: 1, ip: peers[0].ip, isUp: true)
        port.tend([own], at: .zero)
        #expect(port.local == peers[0])
        port.tend(nil, at: .zero + .seconds(1))
        #expect(port.local == peers[0])
        port.tend([], at: .zero + .seconds(2))
        #expect(port.local == nil, "an address that is gone is another matter")
    }

    @Test("our own heartbeat that comes back is not heard, a namesake's is")
    func own() throws {
        let one = paths(1)
        one.tend(at: .zero)
        let datagrams = try DatagramSocket(boundTo: peers[1], group: nil)
        let batch = DatagramBatch(longest: 2000)
        one.send(heartbeat(1, 1), at: .zero)
        #expect(batch.receive(from: datagrams.descriptor) == 1)
        #expect(datagrams.send(Array(batch[0]), to: peers[0]) == 0)
        #expect(receive(one).isEmpty)
        var sealer = HeartbeatSealer(
            key: ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8)),
            session: HeartbeatSession(high: 5, low: 6))
        #expect(datagrams.send(sealer.seal(heartbeat(1, 7)), to: peers[0]) == 0)
        #expect(receive(one).map(\.heartbeat) == [heartbeat(1, 7)])
    }

    @Test("an own address that is taken is told, and opened once it is free")
    func taken() throws {
        var first: DatagramSocket? = try DatagramSocket(boundTo: peers[0], group: nil)
        #expect(first?.descriptor ?? -1 >= 0)
        let one = paths(1)
        one.tend(at: .zero)
        #expect(one.takenAddress == peers[0])
        first = nil
        one.tend(at: .zero + .milliseconds(100))
        #expect(one.ports[0].local == nil, "it waits a little before it tries again")
        one.tend(at: .zero + .seconds(1))
        #expect(one.takenAddress == nil)
        #expect(one.ports[0].local == peers[0])
    }

    @Test("an address this machine does not have is a trouble that is told")
    func foreign() throws {
        let foreign = try #require(IPAddress("192.0.2.77"))
        let port = HeartbeatPort(
            plan: HeartbeatPort.Plan(
                name: "ring", network: nil, own: foreign, port: Self.port, peers: [], avoided: []))
        port.tend([], at: .zero)
        #expect(port.local == nil)
        #expect(port.taken == nil)
        #expect(port.trouble?.contains("192.0.2.77") == true)
    }
}

@Suite("Lasting loss")
struct LossWatchTests {
    private func look(_ watch: inout LossWatch, _ perMille: Int, times: Int) {
        for _ in 0..<times { watch.look([(peer: "fs2", ring: "lan", perMille: perMille)]) }
    }

    @Test(
        "every tenth heartbeat lost for five seconds is told, until hardly any is; some that are lost once are not"
    )
    func lasting() {
        var watch = LossWatch()
        look(&watch, 300, times: 4)
        look(&watch, 50, times: 1)
        look(&watch, 300, times: 4)
        #expect(watch.troubles.isEmpty)
        look(&watch, 100, times: 1)
        #expect(watch.troubles == [PathTrouble(.loss, ring: "lan", peers: ["fs2"])])
        look(&watch, 50, times: 60)
        #expect(!watch.troubles.isEmpty)
        look(&watch, 0, times: 5)
        #expect(watch.troubles.isEmpty)
    }

    @Test("who is heard no more is no matter of loss") func gone() {
        var watch = LossWatch()
        look(&watch, 300, times: 5)
        watch.look([])
        #expect(watch.troubles.isEmpty)
    }
}

@Suite("Path statistics")
struct PathStatisticsTests {
    private let holder = Holder(member: MemberID(name: "fs1", birth: 1), incarnation: 1 << 32)

    private func at(_ milliseconds: Int) -> Instant { .zero + .milliseconds(milliseconds) }

    @Test("every tenth heartbeat missing is a loss of about a hundred per mille")
    func loss() {
        var path = PathStatistics(holder: holder, counter: 1, at: at(25))
        for counter in 2...200 where counter % 10 != 0 {
            path.hear(holder, counter: UInt64(counter), at: at(25 * counter))
        }
        #expect((90...125).contains(path.lossPerMille))
        #expect(path.gapMedian == 25)
        #expect(path.gapMax == 50)
        #expect(
            path.condition(at: at(25 * 199), silentAfter: .milliseconds(200))
                == "loses \(path.lossPerMille) of 1000")
    }

    @Test("late and repeated heartbeats are neither loss nor arrival twice")
    func disorder() {
        var path = PathStatistics(holder: holder, counter: 10, at: at(0))
        for (counter, time) in [(12, 50), (11, 51), (11, 52), (12, 53), (13, 75)] {
            path.hear(holder, counter: UInt64(counter), at: at(time))
        }
        #expect(path.lossPerMille == 0)
        #expect(path.lastHeard == at(75))
        #expect(path.gapMax == 50)
    }

    @Test("a ring is silent after five intervals and two of doubt, and speaks again with the first heartbeat")
    func ringSilence() throws {
        let holder = Holder(member: MemberID(name: "fs1", birth: 3), incarnation: 1)
        let remote = Endpoint(ip: try #require(IPAddress("10.0.0.1")), port: 5405)
        var path = Heartbeats.Path(
            peer: "fs1", network: "ring0", remote: remote,
            statistics: PathStatistics(holder: holder, counter: 1, at: at(0)))
        func isHeard(_ time: Int) -> Bool { path.isHeard(at: at(time), interval: .milliseconds(25)) }
        // Its socket was not read meanwhile: the first look after a pause condemns nothing.
        #expect(isHeard(400))
        path.statistics.hear(holder, counter: 2, at: at(401))
        for time in stride(from: 401, through: 526, by: 25) {
            #expect(isHeard(time), "\(time) ms")
        }
        #expect(isHeard(551))
        #expect(isHeard(576))
        #expect(!isHeard(601))
        #expect(!isHeard(5000))
        path.statistics.hear(holder, counter: 30, at: at(5001))
        #expect(isHeard(5001))
    }

    @Test("silence is told with its length, and a new start begins anew")
    func silence() {
        var path = PathStatistics(holder: holder, counter: 100, at: at(0))
        path.hear(holder, counter: 140, at: at(25))
        #expect(path.lossPerMille > 900)
        #expect(path.condition(at: at(1025), silentAfter: .milliseconds(200)) == "silent for 1000 ms")
        var reborn = holder
        reborn.incarnation += 1 << 32
        path.hear(reborn, counter: 1, at: at(2000))
        #expect(path.lossPerMille == 0)
        #expect(path.condition(at: at(2010), silentAfter: .milliseconds(200)) == "no faults")
    }
}
