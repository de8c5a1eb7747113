import ControlProtocol
import Glibc
import PeerProtocol
import Testing

/// Feeds the decoders of frames, streams, stored values and control lines what no honest peer sends: each for
/// `FSDNS_FUZZ_SECONDS`, on the seed `FSDNS_SEED`.
@Suite struct FrameFuzzTests {
    @Test("damaged and random heartbeats never trap")
    func heartbeats() {
        let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
        let opener = HeartbeatOpener(key: key)
        let rounds = fuzz { samples in
            _ = try? HeartbeatCodec.decode(samples.damaged(HeartbeatCodec.encode(samples.heartbeat())))
            let noise = samples.noise()
            _ = try? HeartbeatCodec.decode([1] + noise)
            var opener = opener
            #expect(throws: FrameFailure.self) { try opener.open(noise) }
        }
        #expect(rounds >= 1000)
    }

    @Test("damaged and random peer frames never trap")
    func frames() {
        let rounds = fuzz { samples in
            _ = try? PeerFrameCodec.decodeFrame(samples.damaged(PeerFrameCodec.encode(samples.frame())))
            let body = [1, UInt8(samples.int(0...8))] + samples.noise()
            _ = try? PeerFrameCodec.decodeFrame([0, 0, 0, UInt8(body.count)] + body)
        }
        #expect(rounds >= 1000)
    }

    @Test("damaged and random streams never trap")
    func streams() {
        let rounds = fuzz { samples in
            var decoder = PeerFrameDecoder()
            decoder.append(samples.damaged(PeerFrameCodec.encode(samples.frame())))
            decoder.append(PeerFrameCodec.encode(samples.frame()))
            while let frame = (try? decoder.next()) ?? nil { _ = frame }
        }
        #expect(rounds >= 1000)
    }

    @Test("damaged and random stored values never trap")
    func storage() {
        let rounds = fuzz { samples in
            _ = try? StorageCodec.decodeEntry(samples.damaged(StorageCodec.encode(samples.entry())))
            _ = try? StorageCodec.decodeSnapshot(samples.damaged(StorageCodec.encode(samples.snapshot())))
        }
        #expect(rounds >= 1000)
    }

    @Test("damaged and random control lines never trap")
    func control() {
        let rounds = fuzz { samples in
            let line = ControlJSON.encode(ControlResponse.failure("a reason"))
            _ = try? ControlJSON.decode(ControlResponse.self, samples.damaged(line), field: "response")
            _ = try? ControlJSON.decode(ControlRequest.self, samples.damaged(line), field: "request")
            let noise = Array("{\"body\":{".utf8) + samples.noise()
            _ = try? ControlJSON.decode(ControlRequest.self, noise, field: "request")
        }
        #expect(rounds >= 1000)
    }

    /// Runs rounds until the time is over, at least a thousand of them; returns how many.
    private func fuzz(_ round: (inout FrameSamples) -> Void) -> Int {
        var samples = FrameSamples(seed: environment("FSDNS_SEED").flatMap { UInt64($0) } ?? 20_261_121)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(environment("FSDNS_FUZZ_SECONDS").flatMap { Double($0) } ?? 1)
        var rounds = 0
        while rounds < 1000 || clock.now < end {
            round(&samples)
            rounds += 1
        }
        return rounds
    }

    private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

extension FrameSamples {
    fileprivate mutating func noise() -> [UInt8] {
        (0..<int(0...200)).map { _ in UInt8(truncatingIfNeeded: number32()) }
    }
}
