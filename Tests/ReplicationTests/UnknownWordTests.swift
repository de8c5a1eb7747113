import Primitives
import Replication
import Testing

/// What a replica makes of words of a later release.
@Suite("Words that a replica does not know")
struct UnknownWordTests {
    private let stream = StreamID.address("master1")

    @Test("A message of an unknown kind is told from one without meaning, whatever it holds")
    func kind() throws {
        let ask = ReplicaMessage.ask(asked: Instant(nanoseconds: 5)).encoded()
        for kind in [UInt8(9), 200, 255] {
            #expect(throws: ReplicaFailure.unknownKind(kind)) {
                try ReplicaMessage(decoding: [ask[0], kind] + ask.dropFirst(2) + [1, 2, 3])
            }
        }
        #expect(throws: ReplicaFailure.unknownKind(0)) { try ReplicaMessage(decoding: [ask[0], 0]) }
        #expect(throws: ReplicaFailure.newerVersion(2)) {
            try ReplicaMessage(decoding: [2] + ask.dropFirst())
        }
    }

    @Test("A record of an unknown kind is kept, told, and copied on by who knows it as little")
    func record() {
        let world = World(seed: 7, settings: .init(), names: ["a", "b", "c"])
        world.connect("a", "b")
        for name in ["a", "b", "c"] { world.give(name, .writer(stream, "a", ReplicaTests.epoch(1))) }
        world.give("a", .own(stream, ReplicaTests.epoch(1)))
        let later = Record(kind: RecordKind(rawValue: 200), key: [1], payload: [9, 9, 9])
        var told: [Change] = []
        world.onChange = { machine, _, change in if machine.name == "b" { told.append(change) } }
        world.give("a", .write(stream, [.put(later)]))
        world.run(for: 2_000_000_000)
        #expect(told == [.put(later)])
        world.cut("a", "b")
        world.connect("b", "c")
        for name in ["b", "c"] { world.give(name, .writer(stream, nil, ReplicaTests.epoch(2))) }
        world.run(for: 3_000_000_000)
        let copy = world["c"].replica
        #expect(copy.record(later.kind, key: later.key, in: stream, at: world.clock(world["c"])) == later)
    }
}
