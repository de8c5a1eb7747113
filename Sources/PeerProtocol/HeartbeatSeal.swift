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

    /// Reads the head of a datagram; allocates nothing.
    init(_ datagram: UnsafeRawBufferPointer) throws(FrameFailure) {
        guard let version = datagram.first else { throw .truncated }
        guard version == Self.version else { throw .version(version) }
        guard datagram.count >= Self.length + Self.tagLength else { throw .truncated }
        clusterHash = Self.number(datagram, at: 1)
        // The low half of the eight bytes that end with it.
        keyID = UInt32(truncatingIfNeeded: Self.number(datagram, at: 5))
        session = HeartbeatSession(
            high: Self.number(datagram, at: Self.sessionStart),
            low: Self.number(datagram, at: Self.sessionStart + 8))
        counter = Self.number(datagram, at: Self.counterStart)
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, at place: Int) -> UInt64 {
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
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

/// Seals the heartbeats of one start of one node service (ChaCha20-Poly1305, RFC 8439).
package struct HeartbeatSealer: Sendable {
    private let clusterKey: ClusterKey
    private let session: HeartbeatSession
    private let key: SymmetricKey
    private let signer: HeartbeatSigner?
    private var counter: UInt64 = 0

    /// Without signatures.
    ///
    /// - Parameter session: fresh from the system's randomness; never one that was used before.
    package init(key clusterKey: ClusterKey, session: HeartbeatSession) {
        self.init(clusterKey, session, nil)
    }

    /// Everything sealed is signed as well.
    ///
    /// - Parameter signer: made for this start, as its session is.
    package init(key clusterKey: ClusterKey, signer: HeartbeatSigner) {
        self.init(clusterKey, signer.voucher.session, signer)
    }

    /// As an attacker with the cluster's key would, in a session that does not follow from his key: for tests, and for those
    /// who measure what it costs to find that out.
    package init(
        forging session: HeartbeatSession, after counter: UInt64, key: ClusterKey, signer: HeartbeatSigner
    ) {
        self.init(key, session, signer)
        self.counter = counter
    }

    private init(_ clusterKey: ClusterKey, _ session: HeartbeatSession, _ signer: HeartbeatSigner?) {
        self.clusterKey = clusterKey
        self.session = session
        self.signer = signer
        key = clusterKey.sessionKey(session)
    }

    /// One datagram, the same for every path it is sent on.
    package mutating func seal(_ heartbeat: Heartbeat) -> [UInt8] {
        counter += 1
        let header = HeartbeatHeader(
            clusterHash: clusterKey.clusterHash, keyID: clusterKey.keyID, session: session, counter: counter)
        let overhead =
            HeartbeatHeader.length + HeartbeatHeader.tagLength
            + (signer == nil ? 0 : HeartbeatSignature.sectionLength)
        var body = HeartbeatCodec.encode(heartbeat, room: FrameLimits.heartbeat - overhead)
        if let signer { body += signer.section(head: header.bytes, body: body) }
        return Self.sealed(body, header, key)
    }

    static func sealed(_ body: [UInt8], _ header: HeartbeatHeader, _ key: SymmetricKey) -> [UInt8] {
        let head = header.bytes
        guard
            let box = try? ChaChaPoly.seal(body, using: key, nonce: header.nonce(), authenticating: head)
        else { preconditionFailure("a heartbeat can always be sealed") }
        return head + box.ciphertext + box.tag
    }
}
