import Cluster
import Primitives
import Replication

/// What replicas say to each other, and the records in it.
extension FuzzTarget {
    static let replication: [FuzzTarget] = [records, replicaMessage, replicaSession]

    static let records = FuzzTarget(
        "records", "a registration's and a call leg's record: what is read can be written and read again",
        maximumLength: 8192,
        seeds: {
            var samples = RecordSamples(seed: 1)
            return (0..<8).flatMap { number in
                [
                    (try? Record(samples.registration(number)))?.payload,
                    (try? Record(samples.oddRegistration()))?.payload,
                    (try? Record(samples.callLeg()))?.payload,
                ].compactMap { $0 }
            }
        }
    ) { input in
        let payload = input.rest()
        let key = Record.key(uuid: "cbc0db67-98e0-428b-b2f8-785ae6308b4e")
        if let leg = try? Record(kind: .callLeg, key: key, payload: payload).callLeg() {
            let again = try? Record(leg).callLeg()
            expect(again == leg, "another leg comes back: \(leg)")
        }
        let record = Record(
            kind: .registration, key: registrationKey, expires: Instant(nanoseconds: 5), payload: payload)
        if let registration = try? record.registration() {
            let again = try? Record(registration).registration()
            expect(again == registration, "another registration comes back: \(registration)")
        }
    }

    private static let registrationKey = Record.key(
        user: "1000", host: "voice.example.net", discriminator: "x")

    static let replicaMessage = FuzzTarget(
        "replica-message", "a message between replicas: what is read can be written and read again",
        maximumLength: 8192, seeds: { conversation().map { $0.encoded() } }
    ) { input in
        guard let message = try? ReplicaMessage(decoding: input.rest()) else { return }
        expect((try? ReplicaMessage(decoding: message.encoded())) == message, "another message comes back")
    }

    private static let stream = StreamID.address("m1")

    static let replicaSession = FuzzTarget(
        "replica-session", "a replica that a peer tells anything, while it serves and follows others",
        maximumLength: 16_384,
        seeds: {
            let messages = conversation().map { $0.encoded() }
            return stride(from: 0, to: messages.count, by: 6).map { start in
                messages[start..<min(messages.count, start + 6)].flatMap {
                    FuzzInput.message(UInt8($0.count & 0xFF), $0)
                }
            }
        }
    ) { input in
        var now = Instant(nanoseconds: 1_000_000_000)
        let replica = Replica(me: "a", settings: .init(maxStreams: 8), seed: 1, at: now)
        for event in [
            .connected("liar"), .connected("b"), .own(stream, Epoch(term: 9, index: 9)),
            .writer(.address("m2"), "liar", Epoch(term: 1, index: 1)),
            .write(stream, [.put(Record(kind: .callLeg, key: [9], payload: [9]))]),
        ] as [Replica.Event] { _ = replica.handle(event, at: now) }
        while let (kind, bytes) = input.message() {
            now += .milliseconds(Int(kind) * 8)
            if let message = try? ReplicaMessage(decoding: bytes) {
                for effect in replica.handle(.received(message, from: "liar"), at: now) { read(effect) }
            }
            for effect in replica.handle(.tick, at: now) { read(effect) }
            if kind & 0x3F == 0 { _ = replica.handle(.disconnected("liar"), at: now) }
            if kind & 0x3F < 2 { _ = replica.handle(.connected("liar"), at: now) }
            _ = replica.nextDeadline
        }
    }

    private static func read(_ effect: Replica.Effect) {
        switch effect {
        case .send(let message, _): _ = message.encoded()
        case .changed(_, let changes): for change in changes { _ = change }
        default: break
        }
    }

    /// All that two replicas say to each other about a stream that is written, cut off and followed again.
    private static func conversation() -> [ReplicaMessage] {
        var now = Instant(nanoseconds: 1_000_000_000)
        let names = ["a", "b"]
        let replicas = names.map { Replica(me: $0, seed: 3, at: now) }
        var said: [ReplicaMessage] = []
        var waiting: [(to: Int, message: ReplicaMessage)] = []
        func give(_ to: Int, _ event: Replica.Event) {
            for case .send(let message, _) in replicas[to].handle(event, at: now) {
                said.append(message)
                waiting.append((1 - to, message))
            }
        }
        func settle() {
            for _ in 0..<50 {
                now += .milliseconds(100)
                while !waiting.isEmpty {
                    let (to, message) = waiting.removeFirst()
                    give(to, .received(message, from: names[1 - to]))
                }
                for index in 0...1 { give(index, .tick) }
            }
        }
        var samples = RecordSamples(seed: 2)
        let epoch = Epoch(term: 2, index: 4)
        for round in 0..<2 {
            for index in 0...1 { give(index, .connected(names[1 - index])) }
            for index in 0...1 { give(index, .writer(stream, "a", epoch)) }
            give(0, .own(stream, epoch))
            let writes = (0..<3).flatMap { number -> [Write] in
                [try? Record(samples.registration(number + round)), try? Record(samples.callLeg())]
                    .compactMap { $0 }.map { .put($0) }
            }
            give(0, .write(stream, writes))
            settle()
            for index in 0...1 { give(index, .disconnected(names[1 - index])) }
            waiting = []
        }
        return said
    }
}
