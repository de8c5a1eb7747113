import Primitives

/// One put or removal in its form on the wire; offsets are into the bytes of the batch.
struct BatchItem {
    enum Operation: UInt8 {
        case put = 1
        case putForever = 2
        case remove = 3
        case expire = 4
    }

    /// Bytes of an item beside key and payload, at most.
    static let overhead = 2 + 3 * FieldWriter.number + 8

    var operation: Operation
    var kind: UInt8
    var version: UInt64
    /// By the sender's clock; `.max` for none.
    var expires: Int64
    /// Where the key begins; the payload follows it.
    var content: Int
    var keyCount: Int
    var payloadCount: Int
    /// Where the next item begins.
    var end: Int

    init(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(RecordFailure) {
        var reader = FieldReader(bytes, from: offset)
        guard let operation = Operation(rawValue: try reader.byte()) else { throw .malformed("operation") }
        self.operation = operation
        kind = try reader.byte()
        version = try reader.number("version")
        let keyCount = try reader.number("key")
        let payloadCount = try reader.number("payload")
        guard keyCount > 0, keyCount <= ReplicationLimits.key else { throw .malformed("key") }
        guard payloadCount <= ReplicationLimits.payload else { throw .malformed("payload") }
        if operation == .remove || operation == .expire, payloadCount > 0 { throw .malformed("payload") }
        expires = .max
        if operation == .put {
            guard let end = Int64(exactly: try reader.fixed64()), end < .max / 2 else {
                throw .malformed("expires")
            }
            expires = end
        }
        content = reader.position
        self.keyCount = Int(keyCount)
        self.payloadCount = Int(payloadCount)
        end = content + Int(keyCount) + Int(payloadCount)
        guard end <= bytes.count else { throw .truncated }
    }

    static func writePut(
        _ entry: Entry, content: UnsafeRawPointer, to writer: inout FieldWriter
    ) {
        let forever = entry.expires == .max
        writer.byte((forever ? Operation.putForever : .put).rawValue)
        writer.byte(entry.kind)
        writer.number(entry.version)
        writer.number(Int(entry.keyCount))
        writer.number(Int(entry.payloadCount))
        if !forever { writer.fixed64(UInt64(max(0, entry.expires))) }
        let count = Int(entry.keyCount) + Int(entry.payloadCount)
        writer.raw(UnsafeRawBufferPointer(start: content, count: count))
    }

    static func writeRemoval(
        _ operation: Operation, kind: UInt8, version: UInt64, key: UnsafeRawBufferPointer,
        to writer: inout FieldWriter
    ) {
        writer.byte(operation.rawValue)
        writer.byte(kind)
        writer.number(version)
        writer.number(key.count)
        writer.number(0)
        writer.raw(key)
    }
}

/// What became different in a copy, still in the bytes it came in: decoded only by who looks.
package struct Changes: Sequence, Hashable, Sendable {
    private let bytes: [UInt8]
    /// Where the items begin that changed something.
    private let offsets: [UInt32]
    /// What has to be added to the sender's clock to have ours.
    private let shift: Int64

    init(bytes: [UInt8], offsets: [UInt32], shift: Int64 = 0) {
        self.bytes = bytes
        self.offsets = offsets
        self.shift = shift
    }

    package var count: Int { offsets.count }

    package struct Iterator: IteratorProtocol {
        fileprivate let changes: Changes
        fileprivate var place = 0

        package mutating func next() -> Change? {
            guard place < changes.offsets.count else { return nil }
            defer { place += 1 }
            return changes.change(at: Int(changes.offsets[place]))
        }
    }

    package func makeIterator() -> Iterator { Iterator(changes: self) }

    private func change(at offset: Int) -> Change {
        bytes.withUnsafeBytes { bytes in
            guard let item = try? BatchItem(bytes, at: offset) else {
                preconditionFailure("a change was applied that cannot be read")
            }
            let key = Array(bytes[item.content..<(item.content + item.keyCount)])
            let kind = RecordKind(rawValue: item.kind)
            switch item.operation {
            case .remove: return .removed(kind, key: key)
            case .expire: return .expired(kind, key: key)
            case .put, .putForever:
                let expires = item.expires == .max ? nil : Instant(nanoseconds: item.expires + shift)
                let payload = Array(bytes[(item.content + item.keyCount)..<item.end])
                return .put(Record(kind: kind, key: key, expires: expires, payload: payload))
            }
        }
    }
}

/// Gathers removals that this node itself found, in the form `Changes` has.
struct RemovalGatherer {
    private var bytes: [UInt8] = []
    private var offsets: [UInt32] = []

    var isEmpty: Bool { offsets.isEmpty }

    mutating func add(_ operation: BatchItem.Operation, kind: UInt8, key: UnsafeRawBufferPointer) {
        offsets.append(UInt32(bytes.count))
        let capacity = BatchItem.overhead + key.count
        bytes += FieldWriter.bytes(capacity: capacity) { writer in
            BatchItem.writeRemoval(operation, kind: kind, version: 0, key: key, to: &writer)
        }
    }

    consuming func changes() -> Changes { Changes(bytes: bytes, offsets: offsets) }
}
