import Primitives
import TestSupport
import Testing

@testable import Replication

extension ReplicaMessage: CountedCases {
    package enum CaseName: String, CaseIterable {
        case hello, have, ask, clock, pull, start, batch, applied
    }
    package var caseName: CaseName {
        switch self {
        case .hello: .hello
        case .have: .have
        case .ask: .ask
        case .clock: .clock
        case .pull: .pull
        case .start: .start
        case .batch: .batch
        case .applied: .applied
        }
    }
}

extension StreamID: CountedCases {
    package enum CaseName: String, CaseIterable { case address, node }
    package var caseName: CaseName {
        switch self {
        case .address: .address
        case .node: .node
        }
    }
}

/// What replica links carry, as bytes that were recorded.
@Suite("Recorded bytes of replicas")
struct ReplicaBytesTests {
    private static let stream = StreamID.address("alpha")
    private static let epoch = Epoch(term: 3, index: 300)
    private static let place = Position(epoch: epoch, sequence: 1000)

    private static var messages: [(name: String, value: ReplicaMessage)] {
        let haves = [
            ReplicaMessage.Have(stream: stream, position: place, isComplete: true, isWriter: true),
            ReplicaMessage.Have(
                stream: .node("fs2"), position: .zero, isComplete: false, isWriter: false),
        ]
        let asked = Instant(nanoseconds: 0x0102_0304_0506_0708)
        return [
            ("hello", .hello(asked: asked, haves)), ("have", .have(haves)), ("ask", .ask(asked: asked)),
            ("clock", .clock(asked: asked, clock: Instant(nanoseconds: 5_000_000_000))),
            (
                "pull",
                .pull(.init(stream: stream, session: 70_000, position: place, base: place, whole: true))
            ),
            (
                "pull-plain",
                .pull(.init(stream: stream, session: 1, position: .zero, base: nil, whole: false))
            ),
            (
                "start",
                .start(
                    .init(
                        stream: stream, session: 70_000, epoch: epoch, whole: true, after: 900,
                        sequence: 1000, count: 500, lineage: [place]))
            ),
            (
                "batch",
                .batch(
                    .init(
                        stream: stream, session: 70_000, epoch: epoch, through: 1000,
                        digest: 0xF102_0304_0506_0708, body: [1, 2, 3]))
            ),
            (
                "batch-plain",
                .batch(
                    .init(stream: stream, session: 1, epoch: epoch, through: 1, digest: nil, body: []))
            ), ("applied", .applied(stream, session: 70_000, bytes: 1 << 40, sequence: 1000)),
        ]
    }

    @Test("Every message is the bytes that were recorded, and is read from them")
    func messages() throws {
        #expect(
            try Golden("message", as: .hex).faults(
                Self.messages, write: { $0.encoded() }, read: { try ReplicaMessage(decoding: $0) }) == [])
        #expect(Coverage(Self.messages.map(\.value), leaves: [Instant.self]).gaps == [])
    }

    @Test("Every operation in a batch is the bytes that were recorded, and is read from them")
    func batch() throws {
        #expect(
            try Golden("batch", as: .hex).faults(
                [("operations", Self.changes)], write: { _ in Self.body }, read: Self.changes) == [])
    }

    private static let phone = Record(
        kind: .registration, key: Array("a phone".utf8), expires: Instant(nanoseconds: 900_000_000_000),
        payload: [1, 2, 3])
    private static let call = Record(kind: .callLeg, key: Array("a call".utf8), payload: [4])
    private static let later = Record(
        kind: RecordKind(rawValue: 200), key: Array("of later".utf8), payload: [5, 6])
    private static let gone = Record(kind: .limitUsage, key: Array("gone".utf8), payload: [7])
    private static let late = Record(
        kind: .registration, key: Array("late".utf8), expires: Instant(nanoseconds: 3_000_000_000),
        payload: [8])
    private static let changes: [Change] = [
        .put(phone), .put(call), .put(later), .put(gone), .put(late),
        .removed(gone.kind, key: gone.key), .expired(late.kind, key: late.key),
    ]

    /// What a writer sends: records that are put, one that is removed, and one that expires.
    private static var body: [UInt8] {
        let replica = Replica(me: "fs1", seed: 7, at: Instant(nanoseconds: 1_000_000_000))
        var body: [UInt8] = []
        func give(_ event: Replica.Event, at second: Int64 = 1) {
            for effect in replica.handle(event, at: Instant(nanoseconds: second * 1_000_000_000)) {
                if case .send(.batch(let batch), _) = effect { body += batch.body }
            }
        }
        give(.writer(stream, "fs1", epoch))
        give(.own(stream, epoch))
        give(.connected("fs2"))
        let pull = ReplicaMessage.Pull(
            stream: stream, session: 1, position: .zero, base: nil, whole: false)
        give(.received(.pull(pull), from: "fs2"))
        give(.write(stream, [phone, call, later, gone, late].map { .put($0) }))
        give(.write(stream, [.remove(gone.kind, key: gone.key)]))
        for second in Int64(2)...6 { give(.tick, at: second) }
        return body
    }

    private static func changes(_ body: [UInt8]) throws -> [Change] {
        var offsets: [UInt32] = []
        try body.withUnsafeBytes { bytes in
            var place = 0
            while place < bytes.count {
                offsets.append(UInt32(place))
                place = try BatchItem(bytes, at: place).end
            }
        }
        return Array(Changes(bytes: body, offsets: offsets))
    }
}

/// Registrations and legs of calls, as bytes that were recorded.
@Suite("Recorded bytes of records")
struct RecordBytesTests {
    private static let registration = Registration(
        profile: "alpha", user: "1001", host: "voice.example.net",
        contact: "\"Ann\" <sip:1001@10.0.0.9:5062>", callID: "7a31c2d4@10.0.0.9", status: "Registered(TLS)",
        presenceHosts: "voice.example.net,other", rpid: "open", toUser: "ann", toHost: "example.net",
        networkIP: "10.0.0.9", networkPort: "5062", username: "ann-1001", realm: "realm.example.net",
        userAgent: "Yealink SIP-T46S 66.86.0.15", mwiAccount: "ann@mail", expires: Instant(nanoseconds: 5))

    /// All that it has is what is expected.
    private static let expected = Registration(
        profile: "alpha", user: "1001", host: "voice.example.net", contact: "sip:1001@10.0.0.9",
        callID: "7a31c2d4", status: "Registered(UDP-NAT)", presenceHosts: "n/a", rpid: "unknown",
        toUser: "1001", toHost: "voice.example.net", networkIP: "10.0.0.9", networkPort: "5060",
        username: "1001", realm: "voice.example.net", userAgent: "", mwiAccount: "1001@voice.example.net",
        expires: Instant(nanoseconds: 5))

    private static func leg(_ phase: CallLeg.Phase, _ direction: CallLeg.Direction) -> CallLeg {
        CallLeg(
            uuid: "0bf2d8e5-3ea5-4efe-aa34-100000", runtime: "r-1", switchname: "fs1", profile: "alpha",
            direction: direction, phase: phase, partner: "1bf2d8e5-3ea5-4efe-aa34-100001",
            isOriginator: true, variables: [.init("sip_call_id", "7a31c2d4"), .init("empty", "")],
            caller: [.init("Caller-ANI", "1001")], flags: "av")
    }

    private static let plainLeg = CallLeg(
        uuid: "0bf2d8e5-3ea5-4efe-aa34-100000", runtime: "", switchname: "", profile: "", direction: .inbound,
        phase: .ringing)

    @Test("A registration is the bytes that were recorded, whatever tells it from others")
    func registrations() throws {
        let identities: [(name: String, value: RegistrationIdentity)] = [
            ("user", .user), ("contact", .contact), ("call-id", .callID),
        ]
        let values = ["full": Self.registration, "expected": Self.expected]
        let records = try values.sorted { $0.key < $1.key }.flatMap { name, value in
            try identities.map { (name: "\(name)-\($0.name)", value, try Record(value, identity: $0.value)) }
        }
        let (keys, payloads) = (
            Golden("registration-key", as: .hex), Golden("registration", as: .hex)
        )
        #expect(try keys.faults(records.map { ($0.name, $0.2.key) }) == [])
        #expect(try payloads.faults(records.map { ($0.name, $0.2.payload) }) == [])
        for (name, value, _) in records {
            let recorded = Record(
                kind: .registration, key: try keys.recorded(name), expires: value.expires,
                payload: try payloads.recorded(name))
            #expect(try recorded.registration() == value, "\(name)")
        }
        #expect(Coverage([Self.registration], leaves: [Instant.self]).gaps == [])
    }

    @Test("A leg of a call is the bytes that were recorded, and is read from them")
    func legs() throws {
        let legs: [(name: String, value: CallLeg)] = [
            ("ringing", Self.leg(.ringing, .outbound)), ("answered", Self.leg(.answered, .inbound)),
            ("held", Self.leg(.held, .inbound)), ("plain", Self.plainLeg),
        ]
        #expect(
            try Golden("leg", as: .hex).faults(
                legs, write: { try Record($0).payload },
                read: {
                    let key = Record.key(uuid: Self.plainLeg.uuid)
                    return try Record(kind: .callLeg, key: key, payload: $0).callLeg()
                }) == [])
        #expect(Coverage(legs.map(\.value)).gaps == [])
        #expect(Record.key(uuid: "0bf2d8e5") == Array("0bf2d8e5".utf8))
    }
}

extension CallLeg.Direction: CountedCases {
    package enum CaseName: String, CaseIterable { case inbound, outbound }
    package var caseName: CaseName {
        switch self {
        case .inbound: .inbound
        case .outbound: .outbound
        }
    }
}

extension CallLeg.Phase: CountedCases {
    package enum CaseName: String, CaseIterable { case ringing, answered, held }
    package var caseName: CaseName {
        switch self {
        case .ringing: .ringing
        case .answered: .answered
        case .held: .held
        }
    }
}
