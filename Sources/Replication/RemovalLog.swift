/// The newest removals of a stream in the order of their versions, in bounded memory.
///
/// Records themselves say what was put; only what is gone must be remembered, so that a copy that was cut off
/// hears of it. A copy older than `floor` has to be compared as a whole.
struct RemovalLog {
    /// A place in the log that stays valid until the log has moved past it.
    struct Cursor: Hashable {
        var segment: UInt64
        var offset: Int
    }

    private struct Segment {
        var bytes: [UInt8] = []
        var lastVersion: UInt64 = 0
    }

    private static let header = 12
    private var segments: [Segment] = []
    private var firstSegment: UInt64 = 0
    private let segmentBytes: Int
    private let limit: Int
    /// Every removal after this version is here.
    private(set) var floor: UInt64
    private(set) var bytes = 0
    private var lastVersion: UInt64 = 0

    /// `limit` is in bytes; a sixteenth of it is forgotten at a time.
    init(limit: Int, floor: UInt64 = 0) {
        self.limit = limit
        self.floor = floor
        segmentBytes = max(256, limit / 16)
    }

    var end: Cursor {
        guard let last = segments.last else { return Cursor(segment: firstSegment, offset: 0) }
        return Cursor(segment: firstSegment + UInt64(segments.count - 1), offset: last.bytes.count)
    }

    /// Forgets everything; what was removed up to `version` is unknown from now on.
    mutating func clear(floor version: UInt64) {
        firstSegment += UInt64(segments.count) + 1
        segments = []
        bytes = 0
        floor = version
        lastVersion = version
    }

    /// What is not newer than the newest removal here is known already, and passed over.
    mutating func append(
        _ operation: BatchItem.Operation, kind: UInt8, version: UInt64, key: UnsafeRawBufferPointer
    ) {
        guard version > lastVersion else { return }
        lastVersion = version
        if segments.last.map({ $0.bytes.count >= segmentBytes }) ?? true {
            var segment = Segment()
            segment.bytes.reserveCapacity(segmentBytes + BatchItem.overhead + key.count)
            segments.append(segment)
        }
        let item = FieldWriter.bytes(capacity: RemovalLog.header + BatchItem.overhead + key.count) { writer in
            writer.fixed64(version)
            for _ in 0..<4 { writer.byte(0) }
            BatchItem.writeRemoval(operation, kind: kind, version: version, key: key, to: &writer)
        }
        let last = segments.count - 1
        let start = segments[last].bytes.count
        segments[last].bytes += item
        let count = UInt32(item.count - RemovalLog.header)
        for place in 0..<4 {
            segments[last].bytes[start + 8 + place] = UInt8(truncatingIfNeeded: count >> UInt32(8 * place))
        }
        segments[last].lastVersion = version
        bytes += item.count
        while bytes > limit, segments.count > 1 {
            let oldest = segments.removeFirst()
            firstSegment += 1
            bytes -= oldest.bytes.count
            floor = oldest.lastVersion
        }
    }

    /// Whether all removals from this place on are still here.
    func holds(_ cursor: Cursor) -> Bool { cursor.segment >= firstSegment }

    /// The place of the first removal after `version`, which is not below `floor`.
    func cursor(after version: UInt64) -> Cursor {
        for (index, segment) in segments.enumerated() where segment.lastVersion > version {
            var cursor = Cursor(segment: firstSegment + UInt64(index), offset: 0)
            while let next = self.version(at: &cursor), next <= version { skip(&cursor) }
            return cursor
        }
        return end
    }

    /// The version of the removal at this place; nil at the end. The cursor steps over the end of a segment.
    func version(at cursor: inout Cursor) -> UInt64? {
        while true {
            guard cursor.segment >= firstSegment else { return nil }
            let index = Int(cursor.segment - firstSegment)
            guard index < segments.count else { return nil }
            let bytes = segments[index].bytes
            if cursor.offset < bytes.count {
                return bytes.withUnsafeBytes {
                    UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: cursor.offset, as: UInt64.self))
                }
            }
            guard index + 1 < segments.count else { return nil }
            cursor = Cursor(segment: cursor.segment + 1, offset: 0)
        }
    }

    /// The bytes the removal at this place takes in a batch.
    func size(at cursor: Cursor) -> Int {
        segments[Int(cursor.segment - firstSegment)].bytes.withUnsafeBytes {
            Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: cursor.offset + 8, as: UInt32.self)))
        }
    }

    /// Writes the removal at this place in its form of a batch, and steps over it.
    func write(_ cursor: inout Cursor, to writer: inout FieldWriter) {
        let size = size(at: cursor)
        segments[Int(cursor.segment - firstSegment)].bytes.withUnsafeBytes { bytes in
            let start = cursor.offset + RemovalLog.header
            writer.raw(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + size)]))
        }
        skip(&cursor)
    }

    private func skip(_ cursor: inout Cursor) { cursor.offset += RemovalLog.header + size(at: cursor) }
}
