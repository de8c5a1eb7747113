import Primitives

/// What a record is; a kind this version does not know is replicated all the same.
package struct RecordKind: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let registration = RecordKind(rawValue: 1)
    package static let callLeg = RecordKind(rawValue: 2)
    package static let limitUsage = RecordKind(rawValue: 3)

    package var description: String {
        switch self {
        case .registration: "registration"
        case .callLeg: "call leg"
        case .limitUsage: "limit usage"
        default: "kind \(rawValue)"
        }
    }

    package static func < (a: RecordKind, b: RecordKind) -> Bool { a.rawValue < b.rawValue }
}

/// One replicated thing in its compact form: bytes under a key, perhaps with an end.
package struct Record: Hashable, Sendable {
    package var kind: RecordKind
    /// Unique among the records of this kind in its stream; at most `ReplicationLimits.key` bytes.
    package var key: [UInt8]
    /// By this machine's boot-time clock; nil means that only its writer ends it.
    package var expires: Instant?
    /// At most `ReplicationLimits.payload` bytes.
    package var payload: [UInt8]

    package init(kind: RecordKind, key: [UInt8], expires: Instant? = nil, payload: [UInt8]) {
        self.kind = kind
        self.key = key
        self.expires = expires
        self.payload = payload
    }

    /// What is wrong with it, if it cannot be replicated.
    package var fault: RecordFailure? {
        if key.isEmpty { return .malformed("key") }
        if key.count > ReplicationLimits.key {
            return .tooLarge("key", bytes: key.count, limit: ReplicationLimits.key)
        }
        if payload.count > ReplicationLimits.payload {
            return .tooLarge("payload", bytes: payload.count, limit: ReplicationLimits.payload)
        }
        return nil
    }
}

/// What the writer of a stream does to it.
package enum Write: Hashable, Sendable {
    /// Replaces a record of the same kind and key.
    case put(Record)
    /// Does nothing when there is no such record.
    case remove(RecordKind, key: [UInt8])
}

/// What became different in a copy.
package enum Change: Hashable, Sendable {
    case put(Record)
    case removed(RecordKind, key: [UInt8])
    /// Its end has come; a switch that has its own copy ends that by itself.
    case expired(RecordKind, key: [UInt8])
}

/// Why bytes are not the record they claim to be, or a record cannot be written as bytes.
package enum RecordFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case truncated
    case malformed(String)
    case tooLarge(String, bytes: Int, limit: Int)
    case wrongKind(RecordKind)
    /// Written by a later version of fsdns.
    case newerVersion(UInt8)

    package var description: String {
        switch self {
        case .truncated: "the record is cut short"
        case .malformed(let field): "the record's \(field) is malformed"
        case .tooLarge(let field, let bytes, let limit):
            "the record's \(field) has \(bytes) bytes, more than \(limit)"
        case .wrongKind(let kind): "the record is a \(kind)"
        case .newerVersion(let version): "the record has version \(version), newer than this fsdns"
        }
    }
}
