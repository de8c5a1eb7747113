import Lab
import PeerProtocol

/// What who has the cluster's key and no certificate makes of somebody's heartbeat: the same in the same session, of a later
/// number, with a signature that is one in form, but by a key of his own. To find that out takes as long as to find a true
/// one right: what has no signature at its end, or none that could be one, is dropped before anything is computed.
///
/// Nothing is remembered of it, so that one datagram may be sent over and over.
enum SignedForgery {
    /// Beyond what the true sender comes to meanwhile.
    private static let lead: UInt64 = 1 << 32

    static func datagram(like sample: [UInt8], cluster: String, secret: String) throws -> [UInt8] {
        let key = ClusterKey(cluster: cluster, secret: Array(secret.utf8))
        var opener = HeartbeatOpener(key: key)
        let opened = try opener.open(sample)
        var sealer = HeartbeatSealer(
            forging: opened.session, after: opened.counter + lead, key: key, signer: HeartbeatSigner())
        return sealer.seal(opened.heartbeat)
    }
}
