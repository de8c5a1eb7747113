import Primitives

/// What two replicas say to each other over their reliable, ordered link.
package enum ReplicaMessage: Hashable, Sendable {
    /// The first message on a link: what the sender has of every stream, and its clock for the answer.
    case hello(asked: Instant, [Have])
    /// What the sender has of some streams, after a change of writers.
    case have([Have])
    /// Asks for the receiver's clock.
    case ask(asked: Instant)
    /// The clock of the sender, at a moment after the receiver asked.
    case clock(asked: Instant, clock: Instant)
    case pull(Pull)
    case start(Start)
    case batch(Batch)
    /// What of this session was applied: bytes of bodies since its start, and the sequence reached.
    case applied(StreamID, session: UInt32, bytes: UInt64, sequence: UInt64)

    package struct Have: Hashable, Sendable {
        package var stream: StreamID
        package var position: Position
        /// The copy is what its writer had at this position, with nothing under way.
        package var isComplete: Bool
        /// The sender is the stream's writer.
        package var isWriter: Bool
    }

    /// Asks for everything after a position; what comes of it carries the session.
    package struct Pull: Hashable, Sendable {
        package var stream: StreamID
        package var session: UInt32
        /// How far records came, perhaps of a transfer that was cut.
        package var position: Position
        /// Where the copy was last complete; nil while it is being replaced as a whole.
        package var base: Position?
        /// Compare everything: the copy is known to differ.
        package var whole: Bool
    }

    /// Says how a session goes on.
    package struct Start: Hashable, Sendable {
        package var stream: StreamID
        package var session: UInt32
        package var epoch: Epoch
        /// Every record follows; those of the copy that do not are to be removed at the end.
        package var whole: Bool
        /// Records after this sequence follow.
        package var after: UInt64
        /// The sequence of the sender now.
        package var sequence: UInt64
        /// How many records there are now.
        package var count: Int
        /// Where earlier writers' parts of this stream end.
        package var lineage: [Position]
    }

    /// Puts and removals in the order of their versions.
    package struct Batch: Hashable, Sendable {
        package var stream: StreamID
        package var session: UInt32
        package var epoch: Epoch
        /// The sequence the copy has reached with it.
        package var through: UInt64
        /// The digest at `through`, when nothing more is there to send.
        package var digest: UInt64?
        package var body: [UInt8]
    }
}

/// Why bytes are not a message between replicas.
package enum ReplicaFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case truncated
    case malformed(String)
    case tooLarge(Int)
    /// Said by a later version of fsdns: to be passed over.
    case unknownKind(UInt8)
    case newerVersion(UInt8)

    package var description: String {
        switch self {
        case .truncated: "the replica message is cut short"
        case .malformed(let field): "the replica message's \(field) is malformed"
        case .tooLarge(let bytes):
            "the replica message has \(bytes) bytes, more than \(ReplicationLimits.message)"
        case .unknownKind(let kind): "the replica message's kind \(kind) is unknown"
        case .newerVersion(let version): "the replica message has version \(version), newer than this fsdns"
        }
    }

    init(_ failure: RecordFailure) {
        switch failure {
        case .malformed(let field): self = .malformed(field)
        case .tooLarge(_, let bytes, _): self = .tooLarge(bytes)
        case .newerVersion(let version): self = .newerVersion(version)
        case .wrongKind: self = .malformed("kind")
        case .truncated: self = .truncated
        }
    }
}
