import Primitives
import Replication
import Testing

@Suite struct ReplicaTests {
    let stream = StreamID.address("master1")

    static func epoch(_ index: UInt64) -> Epoch { Epoch(term: 1, index: index) }

    static func record(_ key: Int, _ value: Int, size: Int = 20, expires: Instant? = nil) -> Record {
        let payload = Array("\(value)".utf8) + [UInt8](repeating: 0, count: size)
        return Record(kind: .limitUsage, key: Array("key \(key)".utf8), expires: expires, payload: payload)
    }

    /// All linked, `a` the writer.
    func world(
        _ names: [String] = ["a", "b", "c"], settings: Replica.Settings = .init(), seed: UInt64 = 7
    ) -> World {
        let world = World(seed: seed, settings: settings, names: names)
        world.connectAll()
        for name in names { world.give(name, .writer(stream, "a", Self.epoch(1))) }
        world.give("a", .own(stream, Self.epoch(1)))
        world.run(for: 1_000_000_000)
        return world
    }

    func expectSame(
        _ world: World, _ names: [String], as writer: String, _ location: SourceLocation = #_sourceLocation
    ) {
        let wanted = world.values(writer, stream)
        for name in names {
            #expect(world.values(name, stream) == wanted, sourceLocation: location)
            let (copy, own) = (
                world[name].replica.status(of: stream), world[writer].replica.status(of: stream)
            )
            #expect(copy?.digest == own?.digest && copy?.position == own?.position, sourceLocation: location)
            #expect(copy?.isComplete == true, sourceLocation: location)
        }
    }

    @Test("What the writer puts and removes is in every copy a delay later, and told as changes")
    func live() {
        let world = world()
        var told: [String] = []
        world.onChange = { machine, _, change in
            if machine.name == "b" { told.append(ReplicaTests.name(change)) }
        }
        world.give("a", .write(stream, [.put(Self.record(1, 1)), .put(Self.record(2, 1))]))
        world.give("a", .write(stream, [.put(Self.record(1, 2))]))
        world.give("a", .write(stream, [.remove(.limitUsage, key: Array("key 2".utf8))]))
        world.run(for: 10_000_000)
        expectSame(world, ["b", "c"], as: "a")
        #expect(world.values("b", stream).count == 1)
        #expect(told == ["put key 1", "put key 2", "put key 1", "removed key 2"])
        #expect(world["a"].replica.status(of: stream)?.followers.map(\.sequence) == [4, 4])
    }

    static func name(_ change: Change) -> String {
        switch change {
        case .put(let record): "put \(String(decoding: record.key, as: UTF8.self))"
        case .removed(_, let key): "removed \(String(decoding: key, as: UTF8.self))"
        case .expired(_, let key): "expired \(String(decoding: key, as: UTF8.self))"
        }
    }

    @Test("A node that was cut off gets only what it missed")
    func resumption() {
        let world = world()
        world.give("a", .write(stream, (0..<500).map { .put(Self.record($0, 0)) }))
        world.run(for: 50_000_000)
        world.cut("a", "b")
        world.run(for: 50_000_000)
        world.give(
            "a", .write(stream, [.put(Self.record(3, 1)), .remove(.limitUsage, key: Array("key 4".utf8))]))
        var told: [String] = []
        world.onChange = { machine, _, change in
            if machine.name == "b" { told.append(ReplicaTests.name(change)) }
        }
        world.keepsMessages = true
        world.connect("a", "b")
        world.run(for: 1_000_000_000)
        #expect(told == ["put key 3", "removed key 4"])
        #expect(world.messages.reduce(0) { $0 + $1.count } < 4000)
        expectSame(world, ["b", "c"], as: "a")
    }

    @Test(
        "When the removals are no longer remembered a copy is compared as a whole, and only differences are told"
    )
    func wholeAfterManyRemovals() {
        let world = world(settings: .init(removalBytes: 1024))
        world.give("a", .write(stream, (0..<500).map { .put(Self.record($0, 0)) }))
        world.run(for: 50_000_000)
        world.cut("a", "b")
        world.run(for: 50_000_000)
        world.give("a", .write(stream, (0..<200).map { .remove(.limitUsage, key: Array("key \($0)".utf8)) }))
        var told: [String] = []
        world.onChange = { machine, _, change in
            if machine.name == "b" { told.append(ReplicaTests.name(change)) }
        }
        world.connect("a", "b")
        world.run(for: 1_000_000_000)
        #expect(told.sorted() == (0..<200).map { "removed key \($0)" }.sorted())
        expectSame(world, ["b", "c"], as: "a")
    }

    @Test("A change of one stream passes a snapshot of another that is under way")
    func fairness() throws {
        let small = StreamID.address("master2")
        let world = world(["a", "b"], settings: .init(streamWindow: 64 << 10, frameBytes: 16 << 10))
        for name in ["a", "b"] { world.give(name, .writer(small, "a", Self.epoch(1))) }
        world.give("a", .own(small, Self.epoch(1)))
        world.run(for: 100_000_000)
        world.give("a", .write(stream, (0..<5000).map { .put(Self.record($0, 0, size: 400)) }))
        world.run(for: 5_000_000)
        world.give("a", .write(small, [.put(Self.record(1, 1))]))
        world.run(for: 5_000_000)
        #expect(world["b"].replica.count(small) == 1)
        #expect(world["b"].replica.count(stream) < 5000)
        world.run(for: 3_000_000_000)
        expectSame(world, ["b"], as: "a")
    }

    @Test("What is under way to a peer never exceeds its windows")
    func windows() {
        let settings = Replica.Settings(streamWindow: 32 << 10, peerWindow: 32 << 10, frameBytes: 8 << 10)
        let a = Replica(me: "a", settings: settings, seed: 1, at: .zero)
        _ = a.handle(.own(stream, Self.epoch(1)), at: .zero)
        let writes = (0..<5000).map { Write.put(Self.record($0, 0, size: 100)) }
        _ = a.handle(.write(stream, writes), at: .zero)
        let b = Replica(me: "b", settings: settings, seed: 2, at: .zero)
        _ = b.handle(.writer(stream, "a", Self.epoch(1)), at: .zero)
        var toA = sends(b.handle(.connected("a"), at: .zero))
        var toB = sends(a.handle(.connected("b"), at: .zero))
        var largest = 0
        while !toA.isEmpty || !toB.isEmpty {
            largest = max(largest, toB.reduce(0) { $0 + $1.encoded().count })
            let (forA, forB) = (toA, toB)
            toA = forB.flatMap { sends(b.handle(.received($0, from: "a"), at: .zero)) }
            toB = forA.flatMap { sends(a.handle(.received($0, from: "b"), at: .zero)) }
        }
        #expect(b.count(stream) == 5000)
        #expect(largest < 48 << 10)
    }

    private func sends(_ effects: [Replica.Effect]) -> [ReplicaMessage] {
        effects.compactMap { if case .send(let message, _) = $0 { message } else { nil } }
    }

    @Test("The new writer goes on from its copy; what only the old one had goes")
    func takeover() {
        let world = world()
        world.give("a", .write(stream, (0..<100).map { .put(Self.record($0, 0)) }))
        world.run(for: 50_000_000)
        world.cut("a", "b")
        world.cut("a", "c")
        world.run(for: 50_000_000)
        world.give(
            "a", .write(stream, [.put(Self.record(200, 0)), .remove(.limitUsage, key: Array("key 7".utf8))]))
        for name in ["b", "c"] { world.give(name, .writer(stream, "b", Self.epoch(2))) }
        world.give("b", .own(stream, Self.epoch(2)))
        world.give("b", .write(stream, [.put(Self.record(8, 1))]))
        world.run(for: 50_000_000)
        expectSame(world, ["c"], as: "b")
        world.give("a", .writer(stream, "b", Self.epoch(2)))
        world.connectAll()
        world.run(for: 1_000_000_000)
        expectSame(world, ["a", "c"], as: "b")
        #expect(world.values("a", stream).count == 100)
        #expect(!["a", "c"].contains { name in world[name].reports.contains { $0.contains("differs") } })
    }

    @Test("An old writer's late writes are refused, and reported once")
    func lateWrites() {
        let world = world()
        world.give("a", .write(stream, [.put(Self.record(1, 0))]))
        world.run(for: 50_000_000)
        for name in ["b", "c"] { world.give(name, .writer(stream, "b", Self.epoch(2))) }
        world.give("b", .own(stream, Self.epoch(2)))
        for value in 1...5 { world.give("a", .write(stream, [.put(Self.record(1, value))])) }
        world.run(for: 50_000_000)
        #expect(world["c"].reports.filter { $0.contains("refused") }.count == 1)
        #expect(world["b"].reports.filter { $0.contains("refused") }.count == 1)
        expectSame(world, ["c"], as: "b")
        #expect(world.content("c", stream).first?.payload == Self.record(1, 0).payload)
        world.give("a", .writer(stream, "b", Self.epoch(2)))
        world.give("a", .write(stream, [.put(Self.record(1, 9))]))
        world.run(for: 1_000_000_000)
        expectSame(world, ["a", "c"], as: "b")
    }

    @Test("A stream without a writer is served by whoever has the newest copy")
    func writerless() {
        let world = world(["a", "b", "c", "d"])
        world.cut("a", "d")
        world.cut("b", "d")
        world.cut("c", "d")
        world.run(for: 50_000_000)
        world.give("a", .write(stream, (0..<300).map { .put(Self.record($0, 0)) }))
        world.run(for: 50_000_000)
        world.cut("a", "c")
        world.run(for: 50_000_000)
        world.give("a", .write(stream, [.put(Self.record(1, 1))]))
        world.run(for: 50_000_000)
        for name in ["b", "c"] {
            world.cut("a", name)
            world.connect(name, "d")
        }
        world.run(for: 50_000_000)
        for name in ["d", "c", "b"] { world.give(name, .writer(stream, nil, Self.epoch(2))) }
        world.run(for: 2_000_000_000)
        #expect(world.values("b", stream).count == 300)
        expectSame(world, ["c", "d"], as: "b")
        world.give("d", .own(stream, Self.epoch(3)))
        for name in ["b", "c"] { world.give(name, .writer(stream, "d", Self.epoch(3))) }
        world.give("d", .write(stream, [.put(Self.record(2, 2))]))
        world.run(for: 2_000_000_000)
        expectSame(world, ["b", "c"], as: "d")
    }

    @Test("A record ends in every copy by itself, also when its writer is gone, and never late")
    func expiry() {
        let world = world()
        let ends = Instant(nanoseconds: world.time + world["a"].ahead) + .seconds(3)
        let trueEnd = world.time + 3_000_000_000
        world.give("a", .write(stream, [.put(Self.record(1, 0, expires: ends)), .put(Self.record(2, 0))]))
        world.run(for: 500_000_000)
        world.cut("a", "b")
        world.cut("b", "c")
        var expired: [String] = []
        world.onChange = { machine, _, change in
            if case .expired = change {
                expired.append(machine.name)
                #expect(world.time <= trueEnd + 2_000_000)
                #expect(world.time >= trueEnd - (machine.name == "a" ? 0 : 8_000_000))
            }
        }
        world.run(for: 2_480_000_000)
        #expect(world.content("b", stream).count == 2)
        world.run(for: 30_000_000)
        #expect(expired.sorted() == ["a", "b", "c"])
        for name in ["a", "b", "c"] {
            #expect(world[name].replica.count(stream) == 1)
            let record = world[name].replica.record(
                .limitUsage, key: Array("key 1".utf8), in: stream, at: world.clock(world[name]))
            #expect(record == nil)
        }
        world.connectAll()
        world.run(for: 2_000_000_000)
        expectSame(world, ["b", "c"], as: "a")
        #expect(expired.count == 3)
    }

    @Test("What belongs to a node is learnt from that node, and goes with a new life of it")
    func nodeStreams() {
        let world = world()
        let usage = StreamID.node("b")
        world.give("b", .own(usage, Self.epoch(5)))
        world.give("b", .write(usage, [.put(Self.record(1, 0))]))
        world.run(for: 50_000_000)
        #expect(world.values("a", usage).count == 1 && world.values("c", usage).count == 1)
        world.restart("b")
        world.run(for: 50_000_000)
        #expect(world.values("a", usage).count == 1)
        world.give("b", .own(usage, Self.epoch(6)))
        world.give("b", .write(usage, [.put(Self.record(2, 0))]))
        world.connectAll()
        world.run(for: 1_000_000_000)
        #expect(world.values("a", usage) == world.values("b", usage))
        #expect(world.values("c", usage) == world.values("b", usage))
        world.give("a", .forget(usage))
        #expect(world.values("a", usage).isEmpty)
    }

    @Test(
        "Writes of a node that is not the writer, a right older than known, and oversized records are refused"
    )
    func refusals() {
        let world = world()
        world.give("b", .write(stream, [.put(Self.record(1, 0))]))
        world.give("b", .own(stream, Self.epoch(1)))
        world.give("a", .writer(stream, "b", .zero))
        world.give("a", .write(stream, [.put(Self.record(1, 0, size: 70_000))]))
        #expect(world["b"].reports.count == 2)
        #expect(world["a"].reports.count == 2)
        #expect(world["a"].replica.count(stream) == 0)
        world.give("a", .release(stream))
        world.give("a", .write(stream, [.put(Self.record(1, 0))]))
        #expect(world["a"].replica.count(stream) == 0)
    }

    @Test("A copy that came to differ is noticed by its digest and repaired")
    func digest() throws {
        // The right name, epoch and sequences, but other records: as after a fault of memory.
        let world = world(["a", "b"])
        world.give("a", .write(stream, (0..<50).map { .put(Self.record($0, 0)) }))
        world.run(for: 50_000_000)
        world.restart("a")
        world.give("a", .writer(stream, "a", Self.epoch(1)))
        world.give("a", .own(stream, Self.epoch(1)))
        world.give("a", .write(stream, (0..<50).map { .put(Self.record($0, 1)) }))
        world.connectAll()
        world.run(for: 5_000_000_000)
        #expect(world["b"].reports.contains { $0.contains("differs") })
        expectSame(world, ["b"], as: "a")
    }

    @Test("Memory of a million put, replaced and removed records is given back")
    func memory() throws {
        let a = Replica(me: "a", seed: 1, at: .zero)
        _ = a.handle(.own(stream, Self.epoch(1)), at: .zero)
        var samples = RecordSamples(seed: 1)
        let count = 40_000
        for number in 0..<count {
            let record = try Record(samples.registration(number), identity: .user)
            _ = a.handle(.write(stream, [.put(record)]), at: .zero)
        }
        let full = try #require(a.status(of: stream))
        #expect(full.bytes / count <= 400)
        for _ in 0..<3 {
            for number in 0..<count where samples.chance(60) {
                let record = Self.record(number, 0, size: samples.int(1...400))
                _ = a.handle(.write(stream, [.put(record)]), at: .zero)
            }
        }
        let keys = a.page(of: stream, after: nil, limit: 1_000_000, at: .zero).records
        for record in keys where samples.chance(90) {
            _ = a.handle(.write(stream, [.remove(record.kind, key: record.key)]), at: .zero)
        }
        let status = try #require(a.status(of: stream))
        #expect(status.count < count / 3)
        #expect(status.bytes < full.bytes * 2)
        #expect(a.page(of: stream, after: nil, limit: 1_000_000, at: .zero).records.count == status.count)
    }
}
