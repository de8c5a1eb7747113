import Glibc
import Primitives
import Replication
import Testing

/// Feeds records and messages that no honest peer sends: each for `FSDNS_FUZZ_SECONDS`, on the seed `FSDNS_SEED`.
@Suite struct ReplicationFuzzTests {
    @Test("Damaged and random records never trap")
    func records() {
        let rounds = fuzz { samples in
            guard var record = try? Record(samples.registration(samples.int(0...1_000_000))),
                var leg = try? Record(samples.callLeg())
            else { return }
            record.payload = samples.damaged(record.payload)
            if samples.chance(50) { record.key = samples.damaged(record.key) }
            _ = try? record.registration()
            leg.payload = samples.damaged(leg.payload)
            _ = try? leg.callLeg()
            record.payload = [1] + samples.bytes(samples.int(0...200))
            _ = try? record.registration()
        }
        #expect(rounds >= 200)
    }

    @Test("Every message comes back from its bytes, and a damaged one is refused or another message")
    func messages() {
        let recorded = recordedMessages()
        var kinds: Set<UInt8> = []
        let rounds = fuzz { samples in
            let bytes = recorded[samples.int(0...(recorded.count - 1))]
            kinds.insert(bytes[1])
            guard let message = try? ReplicaMessage(decoding: bytes) else {
                Issue.record("a message cannot be read: \(bytes.prefix(40))")
                return
            }
            #expect(message.encoded() == bytes)
            if let other = try? ReplicaMessage(decoding: samples.damaged(bytes)) {
                #expect((try? ReplicaMessage(decoding: other.encoded())) == other)
            }
            _ = try? ReplicaMessage(
                decoding: [1, UInt8(samples.int(0...9))] + samples.bytes(samples.int(0...100)))
        }
        #expect(rounds >= 200)
        #expect(kinds.count == 8)
    }

    @Test("A replica that is told nonsense by an authenticated peer neither traps nor stops following others")
    func replicas() {
        let recorded = recordedMessages()
        let stream = StreamID.address("m1")
        var now = Instant(nanoseconds: 1_000_000_000)
        var world = nonsenseWorld(stream)
        let rounds = fuzz { samples in
            let bytes = recorded[samples.int(0...(recorded.count - 1))]
            let damaged = samples.chance(30) ? bytes : samples.damaged(bytes)
            guard let message = try? ReplicaMessage(decoding: damaged) else { return }
            let to = samples.chance(50) ? "a" : "b"
            now += .milliseconds(samples.int(0...50))
            _ = world[to].replica.handle(.received(message, from: "liar"), at: now)
            _ = world[to].replica.handle(.tick, at: now)
            if samples.chance(1) { world = nonsenseWorld(stream) }
        }
        #expect(rounds >= 200)
        world = nonsenseWorld(stream)
        for _ in 0..<2000 {
            guard
                let message = try? ReplicaMessage(
                    decoding: recorded[world.samples.int(0...(recorded.count - 1))])
            else { continue }
            world.give("b", .received(message, from: "liar"))
        }
        let write = Write.put(Record(kind: .callLeg, key: [9], payload: [9]))
        world.give("a", .write(stream, [write]))
        world.run(for: 5_000_000_000)
        #expect(world.values("b", stream) == world.values("a", stream))
        #expect(world.values("b", stream).count == 1)
    }

    /// Two honest nodes, each with a link to a liar.
    private func nonsenseWorld(_ stream: StreamID) -> World {
        let world = World(seed: 5, settings: .init(), names: ["a", "b"])
        world.connectAll()
        for name in ["a", "b"] {
            world.give(name, .connected("liar"))
            world.give(name, .writer(stream, "a", Epoch(term: 9, index: 9)))
            world.give(name, .writer(.address("m2"), "liar", Epoch(term: 1, index: 1)))
        }
        world.give("a", .own(stream, Epoch(term: 9, index: 9)))
        world.run(for: 500_000_000)
        return world
    }

    private func recordedMessages() -> [[UInt8]] {
        let storm = Storm(seed: 3)
        storm.world.keepsMessages = true
        _ = storm.run(steps: 60)
        return storm.world.messages
    }

    /// Runs rounds until the time is over, at least two hundred of them; returns how many.
    private func fuzz(_ round: (inout RecordSamples) -> Void) -> Int {
        var samples = RecordSamples(seed: environment("FSDNS_SEED").flatMap { UInt64($0) } ?? 20_261_121)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(environment("FSDNS_FUZZ_SECONDS").flatMap { Double($0) } ?? 1)
        var rounds = 0
        while rounds < 200 || clock.now < end {
            round(&samples)
            rounds += 1
        }
        return rounds
    }

    private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
