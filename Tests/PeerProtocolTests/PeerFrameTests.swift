import Cluster
import Consensus
import PeerProtocol
import Primitives
import Testing

@Suite("Peer frames")
struct PeerFrameTests {
    @Test("every frame comes back as it was", arguments: [UInt64](1...300))
    func roundTrip(seed: UInt64) throws {
        var samples = FrameSamples(seed: seed)
        let frame = samples.frame()
        #expect(try PeerFrameCodec.decodeFrame(PeerFrameCodec.encode(frame)) == frame)
    }

    @Test("a message comes back through the codec of messages; a hello is none")
    func messages() throws {
        let message = PeerMessage.refused("no")
        #expect(try PeerFrameCodec.decode(PeerFrameCodec.encode(message)) == message)
        var samples = FrameSamples(seed: 1)
        let hello = PeerFrameCodec.encode(.hello(PeerHello(cluster: "pbx", holder: samples.holder())))
        #expect(throws: FrameFailure.malformed("message kind")) { try PeerFrameCodec.decode(hello) }
    }

    @Test("a frame cut anywhere is refused", arguments: [UInt64](1...20))
    func truncation(seed: UInt64) {
        var samples = FrameSamples(seed: seed)
        let bytes = PeerFrameCodec.encode(samples.frame())
        for length in 0..<bytes.count {
            #expect(throws: FrameFailure.truncated) {
                try PeerFrameCodec.decodeFrame(Array(bytes[..<length]))
            }
        }
    }

    @Test("a stream is cut into the same frames however its bytes arrive", arguments: [UInt64](1...20))
    func stream(seed: UInt64) throws {
        var samples = FrameSamples(seed: seed)
        let frames = samples.list(3...9) { $0.frame() }
        let bytes = frames.flatMap { PeerFrameCodec.encode($0) }
        var decoder = PeerFrameDecoder()
        var received: [PeerFrame] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(samples.int(1...700))
            rest = rest.dropFirst(part.count)
            decoder.append(part)
            while let frame = try decoder.next() { received.append(frame) }
        }
        #expect(received == frames)
    }

    @Test("a frame longer than any of ours is refused before it is awaited")
    func tooLong() {
        var decoder = PeerFrameDecoder()
        decoder.append([0x7F, 0, 0, 0])
        #expect(throws: FrameFailure.tooLong(0x7F00_0000)) { try decoder.next() }
    }

    @Test("a drain that waits for ages is refused before anything computes with it")
    func deadline() {
        var samples = FrameSamples(seed: 2)
        let request = DrainRequest(
            target: samples.name(), deadline: .seconds(Int64.max / 2), onDeadline: .wait, reason: "",
            dryRun: false, who: "")
        let bytes = PeerFrameCodec.encode(.request(id: 1, .drain(request)))
        #expect(throws: FrameFailure.malformed("deadline")) { try PeerFrameCodec.decode(bytes) }
    }

    @Test(
        "nobody is called what no file may call him", arguments: ["f\0\0", "a b", "\u{202E}x", "a\n", "a/b"])
    func names(name: String) {
        let holder = Holder(member: MemberID(name: name, birth: 1), incarnation: 1 << 32)
        let messages: [PeerMessage] = [
            .relinquish(Relinquishment(holder: holder, reason: "", leaving: false)),
            .admission(Admission(holder: holder, kind: .full, settingsVersion: 1)),
            .released(ReleaseNotice(address: name, holder: holder, epoch: Epoch(term: 1, index: 1))),
        ]
        for message in messages {
            #expect(throws: FrameFailure.self) { try PeerFrameCodec.decode(PeerFrameCodec.encode(message)) }
        }
    }

    @Test(
        "a reason that is more than one plain line is refused", arguments: ["a\nb", "\u{1B}[2J", "\u{9B}1m"])
    func reason(text: String) {
        let drain = DrainRequest(
            target: "master1", deadline: nil, onDeadline: .wait, reason: text, dryRun: false, who: "ann@ops")
        let failure = FrameFailure.malformed("reason (has control characters)")
        #expect(throws: failure) { try RequestCheck.plausible(.drain(drain)) }
        #expect(throws: FrameFailure.malformed("name of who asks (has control characters)")) {
            try RequestCheck.plausible(.abortDrain(who: text))
        }
        let long = OperatorRequest.undrain(node: String(repeating: "x", count: 2000), who: "")
        #expect(throws: FrameFailure.malformed("node (is too long)")) { try RequestCheck.plausible(long) }
    }

    @Test("a playbook no arithmetic could bear is refused before it is looked at")
    func playbook() {
        let step = PlaybookStep(line: 7, action: .wait(.seconds(Int64.max / 2)), timeout: .seconds(1))
        let playbook = Playbook(name: "upgrade", summary: "", steps: [step])
        let bytes = PeerFrameCodec.encode(.request(id: 1, .playbook(.schedule(playbook, who: ""))))
        let failure = FrameFailure.malformed("playbook (line 7: a duration is out of bounds)")
        #expect(throws: failure) { try PeerFrameCodec.decode(bytes) }
    }

    @Test("a state with playbooks comes back as it was", arguments: [UInt64](1...50))
    func playbookState(seed: UInt64) throws {
        var samples = FrameSamples(seed: seed)
        var state = ControlState(clusterID: 1, settings: samples.settings())
        samples.addPlaybooks(to: &state)
        #expect(!state.playbooks.schedules.isEmpty && !state.audit.entries.isEmpty)
        let snapshot = ControlSnapshot(
            epoch: Epoch(term: 1, index: 9), membership: samples.membership(),
            membershipEpoch: Epoch(term: 1, index: 1), state: state)
        #expect(try StorageCodec.decodeSnapshot(StorageCodec.encode(snapshot)) == snapshot)
    }

    @Test("stored entries and snapshots come back as they were", arguments: [UInt64](1...100))
    func storage(seed: UInt64) throws {
        var samples = FrameSamples(seed: seed)
        let entry = samples.entry()
        let snapshot = samples.snapshot()
        let bytes = StorageCodec.encode(snapshot)
        #expect(try StorageCodec.decodeEntry(StorageCodec.encode(entry)) == entry)
        #expect(try StorageCodec.decodeSnapshot(bytes) == snapshot)
        #expect(throws: FrameFailure.version(2)) { try StorageCodec.decodeSnapshot([2] + bytes.dropFirst()) }
        #expect(throws: FrameFailure.malformed("end")) { try StorageCodec.decodeSnapshot(bytes + [0]) }
    }

    @Test("equal states are equal bytes")
    func deterministic() {
        var one = FrameSamples(seed: 11)
        var other = FrameSamples(seed: 11)
        #expect(StorageCodec.encode(one.snapshot()) == StorageCodec.encode(other.snapshot()))
    }
}
