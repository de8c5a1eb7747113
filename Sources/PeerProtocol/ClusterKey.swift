import Crypto
import FoundationEssentials

/// The secret every node of a cluster shares, and the keys that follow from it, each for one use only.
///
/// Derived by HKDF-SHA256 (RFC 5869), salted with the cluster's name, so that one key file used for two clusters
/// still gives them nothing in common.
package struct ClusterKey: Sendable {
    package let cluster: String
    /// Shown by every heartbeat in clear: which cluster it belongs to.
    let clusterHash: UInt64
    /// Shown in clear too: whether it is worth trying to open.
    let keyID: UInt32
    let heartbeats: SymmetricKey
    private let peerLinks: SymmetricKey
    /// Of links whose ends show certificates.
    let linkProofs: SymmetricKey

    /// - Parameter secret: what the key file holds; any bytes, at least 16 of them for any safety.
    package init(cluster: String, secret: [UInt8]) {
        self.cluster = cluster
        let salt = Array(cluster.utf8)
        func derive(_ use: String, _ length: Int) -> SymmetricKey {
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: secret), salt: salt, info: Array(use.utf8),
                outputByteCount: length)
        }
        clusterHash = SHA256.hash(data: salt).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        heartbeats = derive("fsdns 1 heartbeat", 32)
        peerLinks = derive("fsdns 1 peer link", 32)
        linkProofs = derive("fsdns 1 link proof", 32)
        keyID = derive("fsdns 1 key id", 4).withUnsafeBytes { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    /// What every sealed heartbeat of this cluster begins with, so that the kernel can drop what does not.
    package var heartbeatPrefix: [UInt8] {
        var writer = FrameWriter()
        writer.write(byte: HeartbeatHeader.version)
        writer.write(fixed: clusterHash)
        writer.write(fixed: keyID)
        return writer.bytes
    }

    /// Pre-shared key of the peer links (RFC 4279, RFC 5489); its identity is the cluster's name.
    package var peerSecret: [UInt8] { peerLinks.withUnsafeBytes { Array($0) } }

    /// The key of one session: of one start of one node service.
    func sessionKey(_ session: HeartbeatSession) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: heartbeats, info: Array("fsdns 1 session".utf8) + session.bytes,
            outputByteCount: 32)
    }
}

/// Sixteen random bytes drawn once per start of a service: every session seals with a key of its own.
///
/// So a counter can be the nonce, and not even a copied disk or a restored backup makes two frames share one.
package struct HeartbeatSession: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    var bytes: [UInt8] {
        var writer = FrameWriter()
        writer.write(fixed: high)
        writer.write(fixed: low)
        return writer.bytes
    }
}
