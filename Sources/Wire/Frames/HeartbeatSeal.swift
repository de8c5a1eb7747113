import Cluster
import Crypto
import FoundationEssentials

/// The head of a sealed heartbeat, in clear but authenticated.
///
/// ```
/// version 1 | cluster hash 8 | key id 4 | session 16 | counter 8 | ciphertext … | tag 16
/// ```
struct HeartbeatHeader: Hashable, Sendable {
    static let version: UInt8 = 1
    static let length = 37
    static let sessionStart = 13
    static let counterStart = 29
    static let tagLength = 16

    var clusterHash: UInt64
    var keyID: UInt32
    var session: HeartbeatSession
    /// Counts the frames of one session, from 1; the nonce.
    var counter: UInt64

    init(clusterHash: UInt64, keyID: UInt32, session: HeartbeatSession, counter: UInt64) {
        self.clusterHash = clusterHash
        self.keyID = keyID
        self.session = session
        self.counter = counter
    }

    init(_ datagram: [UInt8]) throws(FrameFailure) {
        var reader = FrameReader(datagram)
        let version = try reader.byte()
        guard version == Self.version else { throw .version(version) }
        clusterHash = try reader.fixed64()
        keyID = try reader.fixed32()
        let high = try reader.fixed64()
        session = HeartbeatSession(high: high, low: try reader.fixed64())
        counter = try reader.fixed64()
        guard reader.remaining >= Self.tagLength else { throw .truncated }
    }

    var bytes: [UInt8] {
        var writer = FrameWriter()
        writer.write(byte: Self.version)
        writer.write(fixed: clusterHash)
        writer.write(fixed: keyID)
        writer.write(raw: session.bytes)
        writer.write(fixed: counter)
        return writer.bytes
    }

    /// Twelve bytes (RFC 8439 §2.3): four zeros and the counter.
    func nonce() -> ChaChaPoly.Nonce {
        var writer = FrameWriter()
        writer.write(fixed: UInt32(0))
        writer.write(fixed: counter)
        guard let nonce = try? ChaChaPoly.Nonce(data: writer.bytes) else {
            preconditionFailure("twelve bytes make a nonce")
        }
        return nonce
    }
}

extension HeartbeatSession {
    /// Whether a datagram says that it was sealed in this session; nothing but opening it proves that.
    package func isNamed(by datagram: [UInt8]) -> Bool {
        var reader = FrameReader(datagram, from: HeartbeatHeader.sessionStart)
        return (try? reader.fixed64()) == high && (try? reader.fixed64()) == low
    }
}

/// Seals the heartbeats of one start of one node service (ChaCha20-Poly1305, RFC 8439).
package struct HeartbeatSealer: Sendable {
    private let clusterKey: ClusterKey
    private let session: HeartbeatSession
    private let key: SymmetricKey
    private var counter: UInt64 = 0

    /// - Parameter session: fresh from the system's randomness; never one that was used before.
    package init(key clusterKey: ClusterKey, session: HeartbeatSession) {
        self.clusterKey = clusterKey
        self.session = session
        key = clusterKey.sessionKey(session)
    }

    /// One datagram, the same for every path it is sent on.
    package mutating func seal(_ heartbeat: Heartbeat) -> [UInt8] {
        counter += 1
        let header = HeartbeatHeader(
            clusterHash: clusterKey.clusterHash, keyID: clusterKey.keyID, session: session, counter: counter)
        let overhead = HeartbeatHeader.length + HeartbeatHeader.tagLength
        let body = HeartbeatCodec.encode(heartbeat, room: FrameLimits.heartbeat - overhead)
        let head = header.bytes
        guard
            let box = try? ChaChaPoly.seal(body, using: key, nonce: header.nonce(), authenticating: head)
        else { preconditionFailure("a heartbeat can always be sealed") }
        return head + box.ciphertext + box.tag
    }
}

/// Opens the heartbeats of all others and tells the second copy of one from the first.
package struct HeartbeatOpener: Sendable {
    /// A heartbeat that is what it says.
    package struct Opened: Hashable, Sendable {
        package var heartbeat: Heartbeat
        /// Whether it had not been opened before; the same datagram comes once over every network.
        package var isNew: Bool
        /// The start of a service that sealed it.
        package var session: HeartbeatSession
        /// Of its session; what is missing between two was lost on the way.
        package var counter: UInt64
    }

    /// What is remembered of one session.
    private struct Known {
        var session: HeartbeatSession
        var key: SymmetricKey
        var window = ReplayWindow()
        var lastUse: UInt64
    }

    /// Twice the nodes there can be: a restarted node has two for a while.
    private static let rememberedSessions = 2 * Limits.nodes
    private let clusterKey: ClusterKey
    private var known: [Known] = []
    private var uses: UInt64 = 0

    package init(key: ClusterKey) { clusterKey = key }

    /// - Throws: what is wrong with the datagram; nothing is remembered of one that does not open.
    package mutating func open(_ datagram: [UInt8]) throws(FrameFailure) -> Opened {
        guard datagram.count <= FrameLimits.longestHeartbeat else { throw .tooLong(datagram.count) }
        let header = try HeartbeatHeader(datagram)
        guard header.clusterHash == clusterKey.clusterHash else { throw .otherCluster }
        guard header.keyID == clusterKey.keyID else { throw .wrongKey }
        let place = known.firstIndex { $0.session == header.session }
        let key = place.map { known[$0].key } ?? clusterKey.sessionKey(header.session)
        let heartbeat = try HeartbeatCodec.decode(try Self.body(of: datagram, key))
        uses += 1
        let isNew = remember(header, key, at: place)
        return Opened(
            heartbeat: heartbeat, isNew: isNew, session: header.session, counter: header.counter)
    }

    private static func body(
        of datagram: [UInt8], _ key: SymmetricKey
    ) throws(FrameFailure) -> [UInt8] {
        do {
            // The counter stands before the ciphertext: with four zeros it is the nonce, in one buffer.
            var combined = Data(datagram[(HeartbeatHeader.counterStart - 4)...])
            combined.resetBytes(in: combined.startIndex..<(combined.startIndex + 4))
            let box = try ChaChaPoly.SealedBox(combined: combined)
            let opened = try ChaChaPoly.open(
                box, using: key, authenticating: datagram[..<HeartbeatHeader.length])
            return Array(opened)
        } catch {
            throw .wrongKey
        }
    }

    private mutating func remember(_ header: HeartbeatHeader, _ key: SymmetricKey, at place: Int?) -> Bool {
        if let place {
            known[place].lastUse = uses
            return known[place].window.accept(header.counter)
        }
        if known.count == Self.rememberedSessions,
            let oldest = known.indices.min(by: { known[$0].lastUse < known[$1].lastUse })
        {
            known.remove(at: oldest)
        }
        var fresh = Known(session: header.session, key: key, lastUse: uses)
        _ = fresh.window.accept(header.counter)
        known.append(fresh)
        return true
    }
}

/// Which of the last 64 counters of a session were seen (RFC 4303 §3.4.3); older ones count as seen.
struct ReplayWindow: Hashable, Sendable {
    private var newest: UInt64 = 0
    /// Bit `n` stands for `newest - n`.
    private var seen: UInt64 = 0

    /// Whether this counter is seen for the first time.
    mutating func accept(_ counter: UInt64) -> Bool {
        if counter > newest {
            let step = counter - newest
            seen = step < 64 ? seen << step | 1 : 1
            newest = counter
            return true
        }
        let back = newest - counter
        guard back < 64, seen & (1 << back) == 0 else { return false }
        seen |= 1 << back
        return true
    }
}
