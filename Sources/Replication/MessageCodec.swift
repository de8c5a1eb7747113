import Primitives

extension ReplicaMessage {
    private static let version: UInt8 = 1
    /// Bytes of a message beside names, lists and body, at most.
    private static let fixedPart = 128
    private static let havePart = 64

    /// The message as bytes, without a length: version, kind, fields; at most `ReplicationLimits.message`.
    package func encoded() -> [UInt8] {
        FieldWriter.bytes(capacity: capacity) { writer in
            writer.byte(ReplicaMessage.version)
            switch self {
            case .hello(let asked, let haves):
                writer.byte(1)
                writer.instant(asked)
                writer.haves(haves)
            case .have(let haves):
                writer.byte(2)
                writer.haves(haves)
            case .ask(let asked):
                writer.byte(3)
                writer.instant(asked)
            case .clock(let asked, let clock):
                writer.byte(4)
                writer.instant(asked)
                writer.instant(clock)
            case .pull(let pull):
                writer.byte(5)
                writer.pull(pull)
            case .start(let start):
                writer.byte(6)
                writer.start(start)
            case .batch(let batch):
                writer.byte(7)
                writer.batch(batch)
            case .applied(let stream, let session, let bytes, let sequence):
                writer.byte(8)
                writer.stream(stream)
                writer.number(UInt64(session))
                writer.number(bytes)
                writer.number(sequence)
            }
        }
    }

    private var capacity: Int {
        switch self {
        case .hello(_, let haves), .have(let haves):
            haves.reduce(ReplicaMessage.fixedPart) {
                $0 + ReplicaMessage.havePart + $1.stream.name.utf8.count
            }
        case .ask, .clock: ReplicaMessage.fixedPart
        case .pull(let pull): ReplicaMessage.fixedPart + pull.stream.name.utf8.count
        case .start(let start):
            ReplicaMessage.fixedPart + start.stream.name.utf8.count + 32 * start.lineage.count
        case .batch(let batch):
            ReplicaMessage.fixedPart + batch.stream.name.utf8.count + batch.body.count
        case .applied(let stream, _, _, _): ReplicaMessage.fixedPart + stream.name.utf8.count
        }
    }

    /// Reads what `encoded` wrote. `.unknownKind` is a newer fsdns's message to be passed over; after any other
    /// error the link cannot be trusted.
    package init(decoding bytes: [UInt8]) throws(ReplicaFailure) {
        self = try bytes.withBytes { bytes throws(ReplicaFailure) in
            try ReplicaMessage(decoding: bytes)
        }
    }

    /// The same from memory that the caller owns.
    package init(decoding bytes: UnsafeRawBufferPointer) throws(ReplicaFailure) {
        guard bytes.count <= ReplicationLimits.message else { throw .tooLarge(bytes.count) }
        var reader = FieldReader(bytes)
        let kind: UInt8
        do throws(RecordFailure) {
            let version = try reader.byte()
            guard version <= ReplicaMessage.version else { throw RecordFailure.newerVersion(version) }
            guard version == ReplicaMessage.version else { throw RecordFailure.malformed("version") }
            kind = try reader.byte()
        } catch { throw ReplicaFailure(error) }
        guard (1...8).contains(kind) else { throw .unknownKind(kind) }
        do throws(RecordFailure) {
            self = try reader.message(kind)
            try reader.end()
        } catch { throw ReplicaFailure(error) }
    }
}

extension FieldWriter {
    fileprivate mutating func instant(_ instant: Instant) { fixed64(UInt64(bitPattern: instant.nanoseconds)) }

    fileprivate mutating func stream(_ stream: StreamID) {
        switch stream {
        case .address: byte(1)
        case .node: byte(2)
        }
        text(stream.name)
    }

    fileprivate mutating func epoch(_ epoch: Epoch) {
        number(epoch.term)
        number(epoch.index)
    }

    fileprivate mutating func position(_ position: Position) {
        epoch(position.epoch)
        number(position.sequence)
    }

    fileprivate mutating func haves(_ haves: [ReplicaMessage.Have]) {
        number(haves.count)
        for have in haves {
            stream(have.stream)
            position(have.position)
            byte((have.isComplete ? 1 : 0) | (have.isWriter ? 2 : 0))
        }
    }

    fileprivate mutating func pull(_ pull: ReplicaMessage.Pull) {
        stream(pull.stream)
        number(UInt64(pull.session))
        byte((pull.whole ? 1 : 0) | (pull.base == nil ? 0 : 2))
        position(pull.position)
        if let base = pull.base { position(base) }
    }

    fileprivate mutating func start(_ start: ReplicaMessage.Start) {
        stream(start.stream)
        number(UInt64(start.session))
        epoch(start.epoch)
        byte(start.whole ? 1 : 0)
        number(start.after)
        number(start.sequence)
        number(start.count)
        number(start.lineage.count)
        for end in start.lineage { position(end) }
    }

    fileprivate mutating func batch(_ batch: ReplicaMessage.Batch) {
        stream(batch.stream)
        number(UInt64(batch.session))
        epoch(batch.epoch)
        number(batch.through)
        byte(batch.digest == nil ? 0 : 1)
        if let digest = batch.digest { fixed64(digest) }
        blob(batch.body)
    }
}

extension FieldReader {
    fileprivate mutating func message(_ kind: UInt8) throws(RecordFailure) -> ReplicaMessage {
        switch kind {
        case 1: return .hello(asked: try instant("asked"), try haves())
        case 2: return .have(try haves())
        case 3: return .ask(asked: try instant("asked"))
        case 4: return .clock(asked: try instant("asked"), clock: try instant("clock"))
        case 5: return .pull(try pull())
        case 6: return .start(try start())
        case 7: return .batch(try batch())
        default:
            let stream = try stream()
            return .applied(
                stream, session: try session(), bytes: try number("bytes"), sequence: try number("sequence"))
        }
    }

    private mutating func instant(_ field: StaticString) throws(RecordFailure) -> Instant {
        let value = Int64(bitPattern: try fixed64())
        // Half the range leaves room to map one clock to another without overflow.
        guard value >= 0, value < .max / 4 else { throw .malformed("\(field)") }
        return Instant(nanoseconds: value)
    }

    private mutating func stream() throws(RecordFailure) -> StreamID {
        let kind = try byte()
        let name = try text("stream", limit: ReplicationLimits.name)
        guard !name.isEmpty else { throw .malformed("stream") }
        switch kind {
        case 1: return .address(name)
        case 2: return .node(name)
        default: throw .malformed("stream")
        }
    }

    private mutating func session() throws(RecordFailure) -> UInt32 {
        guard let session = UInt32(exactly: try number("session")) else { throw .malformed("session") }
        return session
    }

    private mutating func epoch() throws(RecordFailure) -> Epoch {
        Epoch(term: try number("epoch"), index: try number("epoch"))
    }

    private mutating func sequence(_ field: StaticString) throws(RecordFailure) -> UInt64 {
        let value = try number(field)
        guard value < 1 << 62 else { throw .malformed("\(field)") }
        return value
    }

    private mutating func place() throws(RecordFailure) -> Position {
        Position(epoch: try epoch(), sequence: try sequence("sequence"))
    }

    private mutating func bits(_ limit: UInt8) throws(RecordFailure) -> UInt8 {
        let value = try byte()
        guard value <= limit else { throw .malformed("flags") }
        return value
    }

    private mutating func haves() throws(RecordFailure) -> [ReplicaMessage.Have] {
        let count = try count("streams", limit: ReplicationLimits.message)
        var haves: [ReplicaMessage.Have] = []
        for _ in 0..<count {
            let stream = try stream()
            let position = try place()
            let flags = try bits(3)
            haves.append(
                ReplicaMessage.Have(
                    stream: stream, position: position, isComplete: flags & 1 != 0, isWriter: flags & 2 != 0))
        }
        return haves
    }

    private mutating func pull() throws(RecordFailure) -> ReplicaMessage.Pull {
        let stream = try stream()
        let session = try session()
        let flags = try bits(3)
        let position = try place()
        return ReplicaMessage.Pull(
            stream: stream, session: session, position: position,
            base: flags & 2 == 0 ? nil : try place(), whole: flags & 1 != 0)
    }

    private mutating func start() throws(RecordFailure) -> ReplicaMessage.Start {
        var start = ReplicaMessage.Start(
            stream: try stream(), session: try session(), epoch: try epoch(), whole: try bits(1) == 1,
            after: try sequence("after"), sequence: try sequence("sequence"),
            count: Int(try sequence("count")), lineage: [])
        let count = try count("lineage", limit: ReplicationLimits.lineage)
        for _ in 0..<count { start.lineage.append(try place()) }
        return start
    }

    private mutating func batch() throws(RecordFailure) -> ReplicaMessage.Batch {
        let stream = try stream()
        let session = try session()
        let epoch = try epoch()
        let through = try sequence("through")
        let digest = try bits(1) == 1 ? try fixed64() : nil
        return ReplicaMessage.Batch(
            stream: stream, session: session, epoch: epoch, through: through, digest: digest,
            body: try blob("body", limit: ReplicationLimits.message))
    }
}
