import Cluster
import Consensus
import PeerProtocol
import Primitives
import Testing

@Suite("Heartbeats on the wire")
struct HeartbeatTests {
    private let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
    private let session = HeartbeatSession(high: 1, low: 2)

    @Test("every heartbeat comes back as it was", arguments: [UInt64](1...200))
    func roundTrip(seed: UInt64) throws {
        var samples = FrameSamples(seed: seed)
        let heartbeat = samples.heartbeat()
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)) == heartbeat)
    }

    @Test("a heartbeat cut anywhere is refused as truncated")
    func truncation() {
        var samples = FrameSamples(seed: 7)
        var heartbeat = samples.heartbeat(acknowledgements: 5...5)
        // Between two sections a cut cannot be seen: the tag of the sealed frame sees it.
        heartbeat.endpoints = []
        (heartbeat.logTerm, heartbeat.machine) = (0, .unknown)
        heartbeat.wallClock = nil
        let bytes = HeartbeatCodec.encode(heartbeat)
        for length in 0..<bytes.count {
            #expect(throws: FrameFailure.truncated) { try HeartbeatCodec.decode(Array(bytes[..<length])) }
        }
    }

    @Test("sections a later version adds at the end are left alone, and a cut one is refused")
    func laterFields() throws {
        var samples = FrameSamples(seed: 8)
        let heartbeat = samples.heartbeat()
        let bytes = HeartbeatCodec.encode(heartbeat)
        #expect(try HeartbeatCodec.decode(bytes + [201, 2, 3, 4, 202, 0]) == heartbeat)
        #expect(throws: FrameFailure.truncated) { try HeartbeatCodec.decode(bytes + [201, 2, 3]) }
    }

    @Test("a heartbeat tells where its sender's links are called, and one without the section tells nothing")
    func endpoints() throws {
        var samples = FrameSamples(seed: 12)
        var heartbeat = samples.heartbeat()
        heartbeat.endpoints = ["10.0.0.1:5405", "[2001:db8::1]:5407"].compactMap { Endpoint($0) }
        let told = HeartbeatCodec.encode(heartbeat)
        #expect(try HeartbeatCodec.decode(told).endpoints == heartbeat.endpoints)
        heartbeat.endpoints = []
        #expect(told.starts(with: HeartbeatCodec.encode(heartbeat)))
        heartbeat.endpoints = Array(repeating: try #require(Endpoint("10.0.0.1:5405")), count: 40)
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)).endpoints.count == 8)
        #expect(throws: FrameFailure.malformed("endpoint")) {
            try HeartbeatCodec.decode(HeartbeatCodec.encode(samples.heartbeat()) + [2, 4, 1, 9, 0, 1])
        }
    }

    @Test("a heartbeat tells its sender's wall clock, whatever it is, and may tell more than that")
    func wallClock() throws {
        var samples = FrameSamples(seed: 12)
        var heartbeat = samples.heartbeat()
        for time in [0, 1_800_000_000_123, -5, Int64.max, .min] {
            heartbeat.wallClock = time
            #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)).wallClock == time)
        }
        heartbeat.wallClock = nil
        let bytes = HeartbeatCodec.encode(heartbeat)
        let later = [UInt8(7), 9] + [UInt8](repeating: 0, count: 7) + [5, 77]
        #expect(try HeartbeatCodec.decode(bytes + later).wallClock == 5)
        #expect(throws: FrameFailure.truncated) { try HeartbeatCodec.decode(bytes + [7, 2, 0, 0]) }
    }

    @Test(
        "a heartbeat tells its sender's release and formats, and may tell more; without the section it tells nothing"
    )
    func releases() throws {
        var samples = FrameSamples(seed: 13)
        var heartbeat = samples.heartbeat()
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)).release == nil)
        let bytes = HeartbeatCodec.encode(heartbeat)
        let name = Array("0.2.0".utf8)
        let section = [1, 3, 2, UInt8(name.count)] + name
        let read = try HeartbeatCodec.decode(bytes + [9, UInt8(section.count + 2)] + section + [7, 7])
        #expect(read.release == ReleaseInfo(name: "0.2.0", formats: 1...3))
        #expect(read.agreedFormat == 2)
        heartbeat.release = ReleaseInfo(name: String(repeating: "x", count: 99), formats: 1...2)
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)).release?.name.utf8.count == 32)
        for odd in [
            [2, 1, 1, 0], [0, 1, 1, 0], [1, 1, 0, 0], [1, 2, 1, 1, 7],
            [1, 2, 1, 33] + [UInt8](repeating: 65, count: 33),
        ] {
            #expect(throws: FrameFailure.self) {
                try HeartbeatCodec.decode(bytes + [9, UInt8(odd.count)] + odd)
            }
        }
    }

    @Test("sections that a later version adds at the end are left alone")
    func laterSections() throws {
        var samples = FrameSamples(seed: 8)
        let heartbeat = samples.heartbeat()
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat) + [250, 2, 3, 4]) == heartbeat)
    }

    @Test("readiness and what is seen of others come back as they were", arguments: [UInt64](1...100))
    func service(seed: UInt64) throws {
        var samples = FrameSamples(seed: seed)
        var heartbeat = samples.heartbeat()
        heartbeat.service = samples.service()
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)) == heartbeat)
    }

    @Test(
        "what is wrong with ways to others and with the zone comes back as it was",
        arguments: [UInt64](1...100))
    func ways(seed: UInt64) throws {
        var samples = FrameSamples(seed: seed)
        var heartbeat = samples.heartbeat()
        heartbeat.paths = samples.list(0...PathTrouble.most) {
            PathTrouble(
                $0.one(of: PathTrouble.Kind.allCases), ring: $0.flag() ? $0.name() : "", detail: $0.name(),
                peers: $0.list(0...5) { $0.name() })
        }
        heartbeat.zone = samples.flag() ? ZoneWord(turn: samples.name(), trouble: samples.name()) : nil
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)) == heartbeat)
        heartbeat.paths = []
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)).paths == [])
    }

    @Test(
        "what is known of identities comes back as it was, and nothing is made up",
        arguments: [UInt64](1...100))
    func identity(seed: UInt64) throws {
        var samples = FrameSamples(seed: seed)
        var heartbeat = samples.heartbeat()
        heartbeat.identity = samples.identity()
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)) == heartbeat)
        heartbeat.identity = IdentityView()
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)).identity == IdentityView())
        heartbeat.identity = nil
        #expect(
            try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)).identity == nil,
            "as before there was one")
    }

    @Test("a word about an identity may have more in it, and there are not too many")
    func laterIdentity() throws {
        var samples = FrameSamples(seed: 8)
        let bytes = HeartbeatCodec.encode(samples.heartbeat())
        let sender = [UInt8(1), UInt8(ascii: "b")] + [UInt8](repeating: 3, count: 16)
        let word = [UInt8(0)] + sender + [UInt8](repeating: 0, count: 8) + [9, 9, 0]
        let longer = [UInt8(word.count + 2)] + word + [7, 7]
        let section = [1, 1, 0, 5, 6, 2] + longer + [UInt8(word.count)] + word
        let view = try #require(HeartbeatCodec.decode(bytes + [3, UInt8(section.count)] + section).identity)
        #expect(view.isUnsure && view.mark == DurableMark(term: 5, hasVoted: false, index: 6))
        #expect(view.words.map(\.holder.name) == ["b", "b"])
        #expect(view.words[0] == view.words[1])
        let many: [UInt8] = [1, 1, 0, 5, 6, 7] + [UInt8](repeating: 0, count: 7)
        #expect(throws: FrameFailure.malformed("identity words")) {
            try HeartbeatCodec.decode(bytes + [3, UInt8(many.count)] + many)
        }
    }

    @Test("kinds of trouble with ways that a later version adds are skipped, and too many are refused")
    func laterWays() throws {
        var samples = FrameSamples(seed: 8)
        let bytes = HeartbeatCodec.encode(samples.heartbeat())
        let known: [UInt8] = [4, 1, UInt8(ascii: "r"), 0, 1, 0, 1, UInt8(ascii: "b")]
        let unknown = [UInt8(77)] + Array(known.dropFirst())
        let section: [UInt8] = [UInt8(1), UInt8(2)] + unknown + known
        let heartbeat = try HeartbeatCodec.decode(bytes + [5, UInt8(section.count)] + section)
        #expect(heartbeat.paths == [PathTrouble(.unicast, ring: "r", peers: ["b"])])
        let many: [UInt8] = [UInt8(1), UInt8(7)] + Array(repeating: known, count: 7).flatMap { $0 }
        #expect(throws: FrameFailure.malformed("path troubles")) {
            try HeartbeatCodec.decode(bytes + [5, UInt8(many.count)] + many)
        }
    }

    @Test("a node of an earlier release tells nothing of its readiness, and one without trouble does")
    func untold() throws {
        var samples = FrameSamples(seed: 8)
        var heartbeat = samples.heartbeat()
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)).service == nil)
        heartbeat.service = ServiceView()
        #expect(try HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat)).service == ServiceView())
    }

    @Test("what a node tells of its readiness is bounded, the gravest first")
    func abridged() {
        var view = ServiceView(
            blockers: (0..<50).map { Blocker(.replica, "a\($0)", String(repeating: "x", count: 500)) })
        view.blockers.append(Blocker(.interface, nil, "no interface"))
        let told = view.abridged
        #expect(told.blockers.count == ServiceView.mostBlockers && told.blockers.first?.kind == .interface)
        #expect(told.blockers.allSatisfy { $0.text.count <= ServiceView.longestText })
        #expect(told.blockers.last?.text.hasSuffix("x…") == true)
        // Earlier releases drop a heartbeat with a longer one.
        view.blockers = [Blocker(.replica, nil, String(repeating: "\u{1F600}", count: 200))]
        #expect((view.abridged.blockers.first?.text.utf8.count ?? 0) <= 400)
    }

    @Test("another layout is refused by its version")
    func version() {
        #expect(throws: FrameFailure.version(9)) { try HeartbeatCodec.decode([9, 0, 0]) }
    }

    @Test("a sealed heartbeat of a full cluster stays within one datagram and tells all within a few")
    func sixtyFourNodes() throws {
        var samples = FrameSamples(seed: 3)
        let holders = (1...64).map {
            Holder(
                member: MemberID(name: "fs\($0)", birth: samples.number() | 1 << 63), incarnation: 7 << 32 | 5
            )
        }
        var heartbeat = samples.heartbeat(acknowledgements: 0...0)
        heartbeat.acknowledgements = holders.sorted().map {
            Acknowledgement(holder: $0, sequence: 200_000_000, age: .microseconds(24_999))
        }
        var sealer = HeartbeatSealer(key: key, session: session)
        var opener = HeartbeatOpener(key: key)
        var told: [Acknowledgement] = []
        for sequence in UInt64(1)...3 {
            heartbeat.sequence = sequence
            let datagram = sealer.seal(heartbeat)
            #expect(datagram.count <= FrameLimits.heartbeat)
            let opened = try opener.open(datagram).heartbeat
            #expect(opened.acknowledgements.count >= 40)
            #expect(opened.acknowledgements.allSatisfy { heartbeat.acknowledgements.contains($0) })
            told += opened.acknowledgements
        }
        #expect(heartbeat.acknowledgements.allSatisfy { told.contains($0) })
    }

    @Test("a sealed heartbeat is opened once as new and then known as a copy")
    func copies() throws {
        var samples = FrameSamples(seed: 4)
        var sealer = HeartbeatSealer(key: key, session: session)
        var opener = HeartbeatOpener(key: key)
        let first = samples.heartbeat()
        let one = sealer.seal(first)
        let two = sealer.seal(samples.heartbeat())
        #expect(one != two)
        #expect(try opener.open(two).isNew)
        let opened = try opener.open(one)
        #expect(opened.heartbeat == first)
        #expect(opened.isNew)
        #expect(opened.counter == 1)
        #expect(try opener.open(one).isNew == false)
        #expect(try opener.open(two).isNew == false)
        for _ in 0..<64 { _ = try opener.open(sealer.seal(first)) }
        #expect(try opener.open(two).isNew == false)
    }

    @Test("the same heartbeat sealed by two sessions shares no byte of ciphertext key")
    func sessions() {
        var samples = FrameSamples(seed: 5)
        let heartbeat = samples.heartbeat()
        var one = HeartbeatSealer(key: key, session: session)
        var other = HeartbeatSealer(key: key, session: HeartbeatSession(high: 1, low: 3))
        #expect(one.seal(heartbeat).dropFirst(37) != other.seal(heartbeat).dropFirst(37))
    }

    @Test("clusters with another name or another key are told apart")
    func strangers() throws {
        var samples = FrameSamples(seed: 6)
        let heartbeat = samples.heartbeat()
        var opener = HeartbeatOpener(key: key)
        let otherKey = ClusterKey(cluster: "pbx", secret: Array("another secret of length".utf8))
        var sealer = HeartbeatSealer(key: otherKey, session: session)
        #expect(throws: FrameFailure.wrongKey) { try opener.open(sealer.seal(heartbeat)) }
        let otherName = ClusterKey(cluster: "lab", secret: Array("a secret of enough length".utf8))
        sealer = HeartbeatSealer(key: otherName, session: session)
        #expect(throws: FrameFailure.otherCluster) { try opener.open(sealer.seal(heartbeat)) }
        #expect(otherName.peerSecret != key.peerSecret)
    }

    @Test("every bit of a sealed heartbeat is protected")
    func bitFlips() throws {
        var samples = FrameSamples(seed: 9)
        var sealer = HeartbeatSealer(key: key, session: session)
        let datagram = sealer.seal(samples.heartbeat(acknowledgements: 2...2))
        var opener = HeartbeatOpener(key: key)
        for bit in 0..<(datagram.count * 8) {
            var damaged = datagram
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: FrameFailure.self) { try opener.open(damaged) }
        }
        for length in 0..<datagram.count {
            #expect(throws: FrameFailure.self) { try opener.open(Array(datagram[..<length])) }
        }
        #expect(try opener.open(datagram).isNew)
    }
}
