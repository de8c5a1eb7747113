import Cluster
import Primitives
import Testing

@testable import PeerProtocol

/// One who has the cluster key sends what is dear to refuse, as from a node's address and in its session: what is opened, and
/// how late.
@Suite("Heartbeats that are opened in vain")
struct VainOpeningTests {
    /// A node that reads one queue, as fast as a machine does: to look at a datagram takes 1 µs, to check a signature 66 µs.
    private struct Reader {
        static let look: Duration = .microseconds(1)
        static let check: Duration = .microseconds(66)
        static let here = DatagramSource(high: 0, low: 0x0A00_0001)
        static let there = DatagramSource(high: 0, low: 0x0A00_0002)

        private let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
        private var opener: HeartbeatOpener
        private var sieve = HeartbeatSieve(own: HeartbeatSession(high: 7, low: 7), familiar: [])
        private var datagrams: [[UInt8]] = []
        private var counter: UInt64 = 1000
        private(set) var now = Instant.zero
        private(set) var inVain = Duration.zero

        init() throws {
            var samples = FrameSamples(seed: 3)
            opener = HeartbeatOpener(key: key)
            for low in UInt64(1)...2 {
                var sealer = HeartbeatSealer(key: key, session: HeartbeatSession(high: 1, low: low))
                datagrams.append(sealer.seal(samples.heartbeat()))
                _ = try opener.open(datagrams[datagrams.count - 1])
            }
            sieve.trust(Self.here)
            sieve.trust(Self.there)
        }

        /// Reads one that arrived then; returns whether it was opened, and how late that was known.
        mutating func read(
            of sender: Int, isForged: Bool, network: Int = 0, arrived: Instant
        ) -> (isOpened: Bool, lag: Duration) {
            now = max(now, arrived) + Self.look
            // As if it were sealed: before it is opened only its head is looked at.
            counter += 1
            for place in 0..<8 {
                datagrams[sender][HeartbeatHeader.counterStart + place] = UInt8(
                    truncatingIfNeeded: counter >> (56 - 8 * place))
            }
            let verdict = datagrams[sender].withUnsafeBytes {
                sieve.judge(
                    $0, from: sender == 0 ? Self.here : Self.there, network: network, by: opener, at: now)
            }
            if verdict == .open {
                now += Self.check
                if isForged {
                    inVain = inVain + Self.check
                    datagrams[sender].withUnsafeBytes {
                        sieve.openedInVain($0, network: network, taking: Self.check, at: now)
                    }
                }
            }
            return (verdict == .open, now - arrived)
        }
    }

    /// What became of the true heartbeats of one node, of one every 25 ms, in two seconds.
    private struct Outcome {
        var sent = 0
        var opened = 0
        var lag = Duration.zero
    }

    /// The first node's session is forged so often a second; in bursts of so many.
    private func flood(_ reader: inout Reader, perSecond: Int, burst: Int = 1) -> [Outcome] {
        var outcomes = [Outcome(), Outcome()]
        var generator = SeededGenerator(seed: 11)
        var next = [reader.now, reader.now]
        let start = reader.now
        for number in 0..<(2 * perSecond) {
            let arrived = start + .nanoseconds(number / burst * burst * (1_000_000_000 / perSecond))
            for sender in 0...1 where next[sender] <= arrived {
                let (isOpened, lag) = reader.read(of: sender, isForged: false, arrived: next[sender])
                outcomes[sender].sent += 1
                if isOpened { outcomes[sender].opened += 1 }
                outcomes[sender].lag = max(outcomes[sender].lag, lag)
                next[sender] = next[sender] + .microseconds(20_000 + Int(generator.next() % 10_000))
            }
            _ = reader.read(of: 0, isForged: true, arrived: arrived)
        }
        return outcomes
    }

    @Test(
        "a flood of forged signatures makes nobody's heartbeats late: all of others are opened, and a share of those in whose name it comes",
        arguments: [(8000, 1), (14_000, 1), (40_000, 1), (40_000, 400), (80_000, 1)])
    func flood(perSecond: Int, burst: Int) throws {
        var reader = try Reader()
        let outcomes = flood(&reader, perSecond: perSecond, burst: burst)
        #expect(outcomes[1].sent > 70 && outcomes[1].opened == outcomes[1].sent, "\(outcomes)")
        #expect(outcomes.allSatisfy { $0.lag < .milliseconds(35) }, "\(outcomes)")
        // As many as of the forged ones: 4 of 10 parts of the time over what all would take.
        let share = min(1, 0.4 / (Double(perSecond) * 66e-6))
        #expect(Double(outcomes[0].opened) > 0.6 * share * Double(outcomes[0].sent), "\(outcomes)")
        #expect(reader.inVain < .milliseconds(900))
    }

    @Test(
        "a copy that comes over a network without a flood is opened, and after the flood all are, within 50 ms"
    )
    func elsewhereAndAfter() throws {
        var reader = try Reader()
        _ = flood(&reader, perSecond: 40_000)
        for _ in 0..<50 {
            #expect(reader.read(of: 0, isForged: false, network: 1, arrived: reader.now).isOpened)
        }
        let calm = reader.now + .milliseconds(50)
        for number in 0..<50 {
            #expect(
                reader.read(of: 0, isForged: false, arrived: calm + .milliseconds(25 * number)).isOpened)
        }
    }

    @Test("what nothing vouches for yet, as of a node that starts, is opened every time")
    func starting() throws {
        var reader = try Reader()
        for number in 0..<400 {
            let arrived = Instant.zero + .milliseconds(25 * number)
            #expect(reader.read(of: 0, isForged: true, arrived: arrived).isOpened)
        }
    }
}
