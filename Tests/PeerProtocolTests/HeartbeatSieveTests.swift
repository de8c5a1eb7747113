import Cluster
import PeerProtocol
import Primitives
import Testing

@Suite("What of the ring's datagrams is opened")
struct HeartbeatSieveTests {
    private let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
    private let own = HeartbeatSession(high: 7, low: 7)
    private let peer = DatagramSource(high: 0, low: 0x0A00_0001)
    private let stranger = DatagramSource(high: 0, low: 0x0A00_0063)

    private func heartbeat(_ sequence: UInt64 = 1) -> Heartbeat {
        var samples = FrameSamples(seed: sequence)
        return samples.heartbeat()
    }

    private func judge(
        _ sieve: inout HeartbeatSieve, _ datagram: [UInt8], from source: DatagramSource, network: Int = 0,
        by opener: HeartbeatOpener, at now: Instant = .zero
    ) -> HeartbeatSieve.Verdict {
        datagram.withUnsafeBytes { sieve.judge($0, from: source, network: network, by: opener, at: now) }
    }

    /// A copied head with a session nobody has.
    private func forged(_ datagram: [UInt8], _ number: Int) -> [UInt8] {
        var forged = datagram
        forged[13] ^= 0x55
        for place in 0..<4 { forged[14 + place] = UInt8(truncatingIfNeeded: number >> (8 * place)) }
        return forged
    }

    @Test("a known session is opened however many forged datagrams come, and of those only a budget is tried")
    func flood() throws {
        var sieve = HeartbeatSieve(own: own, familiar: [])
        var opener = HeartbeatOpener(key: key)
        var sealer = HeartbeatSealer(key: key, session: HeartbeatSession(high: 1, low: 2))
        _ = try opener.open(sealer.seal(heartbeat()))
        sieve.trust(peer)
        var tried = 0
        let template = sealer.seal(heartbeat())
        // Ten seconds of twenty thousand a second.
        for number in 0..<200_000 {
            let now = Instant.zero + .microseconds(50 * number)
            let source = DatagramSource(high: 0, low: UInt64(number) &* 0x9E37_79B9)
            if judge(&sieve, forged(template, number), from: source, by: opener, at: now) == .open {
                tried += 1
            }
            if number % 500 == 0 {
                let next = sealer.seal(heartbeat())
                #expect(judge(&sieve, next, from: peer, by: opener, at: now) == .open)
            }
        }
        #expect((5000...10_020).contains(tried), "a thousand a second")
    }

    @Test(
        "one address has a small share of the budget, and an address where true heartbeats came from its own")
    func shares() throws {
        var sieve = HeartbeatSieve(own: own, familiar: [])
        let opener = HeartbeatOpener(key: key)
        var sealer = HeartbeatSealer(key: key, session: HeartbeatSession(high: 1, low: 2))
        sieve.trust(peer)
        let datagram = sealer.seal(heartbeat())
        var tried = 0
        for number in 0..<1000
        where judge(&sieve, forged(datagram, number), from: stranger, by: opener) == .open { tried += 1 }
        #expect(tried == 2)
        // A node that started again, amid all that: another session from its address.
        #expect(judge(&sieve, datagram, from: peer, by: opener) == .open)
        // And a new one.
        let newcomer = DatagramSource(high: 0, low: 0x0A00_0042)
        #expect(judge(&sieve, datagram, from: newcomer, by: opener) == .open)
    }

    @Test(
        "a copied session with a broken tag is opened only by the budget, unless it comes from where the node is"
    )
    func brokenTags() throws {
        var sieve = HeartbeatSieve(own: own, familiar: [])
        var opener = HeartbeatOpener(key: key)
        var sealer = HeartbeatSealer(key: key, session: HeartbeatSession(high: 1, low: 2))
        _ = try opener.open(sealer.seal(heartbeat()))
        sieve.trust(peer)
        var broken = sealer.seal(heartbeat())
        broken[broken.count - 1] ^= 1
        var tried = 0
        for _ in 0..<1000 where judge(&sieve, broken, from: stranger, by: opener) == .open { tried += 1 }
        #expect(tried == 2)
        #expect(judge(&sieve, broken, from: peer, by: opener) == .open)
        #expect(throws: FrameFailure.forged) { try opener.open(broken) }
    }

    @Test("a copy is not opened twice on one network, and is once on another")
    func copies() throws {
        var sieve = HeartbeatSieve(own: own, familiar: [])
        var opener = HeartbeatOpener(key: key)
        var sealer = HeartbeatSealer(key: key, session: HeartbeatSession(high: 1, low: 2))
        let datagram = sealer.seal(heartbeat())
        sieve.trust(peer)
        #expect(try opener.open(datagram, network: 0).isNew)
        #expect(judge(&sieve, datagram, from: peer, by: opener) == .ignore)
        #expect(judge(&sieve, datagram, from: peer, network: 1, by: opener) == .open)
        #expect(try !opener.open(datagram, network: 1).isNew)
        #expect(judge(&sieve, datagram, from: peer, network: 1, by: opener) == .ignore)
        for _ in 0..<100 { _ = try opener.open(sealer.seal(heartbeat()), network: 0) }
        #expect(judge(&sieve, datagram, from: peer, by: opener) == .ignore, "too old to be told apart")
    }

    @Test("our own heartbeats are left out, and what is of another cluster, key or version is told apart")
    func others() throws {
        var sieve = HeartbeatSieve(own: own, familiar: [])
        let opener = HeartbeatOpener(key: key)
        var mine = HeartbeatSealer(key: key, session: own)
        #expect(judge(&sieve, mine.seal(heartbeat()), from: peer, by: opener) == .ignore)
        let otherKey = ClusterKey(cluster: "pbx", secret: Array("another secret of length".utf8))
        var other = HeartbeatSealer(key: otherKey, session: own)
        let foreign = other.seal(heartbeat())
        #expect(judge(&sieve, foreign, from: peer, by: opener) == .drop(.wrongKey))
        let otherName = ClusterKey(cluster: "lab", secret: Array("a secret of enough length".utf8))
        other = HeartbeatSealer(key: otherName, session: own)
        #expect(judge(&sieve, other.seal(heartbeat()), from: peer, by: opener) == .drop(.otherCluster))
        #expect(judge(&sieve, [9, 9], from: peer, by: opener) == .drop(.version(9)))
        #expect(judge(&sieve, [], from: peer, by: opener) == .drop(.truncated))
        #expect(key.heartbeatPrefix == Array(mine.seal(heartbeat()).prefix(13)))
        #expect(foreign.prefix(9) == key.heartbeatPrefix.prefix(9))
    }
}
