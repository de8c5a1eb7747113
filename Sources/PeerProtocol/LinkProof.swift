import Crypto
import FoundationEssentials

/// The proof of the cluster key within a link whose ends have shown each other certificates: TLS itself proves the key only
/// where it is all there is (TLS 1.2 with a pre-shared key).
///
/// HMAC-SHA256 under a key of this one use, over fresh random bytes of both ends and the fingerprints of both
/// certificates. TLS has proved the certificates' private keys, so whoever stands between two nodes shows either of them
/// another certificate than theirs, and cannot pass on what the one says to the other. (RFC 5705 would bind the proof to
/// the TLS session itself, but our TLS library shows no such value.) Which end speaks is part of it, so that nobody can
/// answer with what was said to him.
package struct LinkProof: Sendable {
    package enum End: UInt8, Sendable {
        /// Who made the connection.
        case caller = 1
        case called = 2
    }

    /// Of random bytes, proofs and fingerprints alike.
    package static let length = 32
    private static let label = Array("fsdns 1 link".utf8)

    private let key: SymmetricKey
    private let transcript: [UInt8]

    /// - Parameters:
    ///   - nonces: `length` random bytes of the end that called and of the one that was called.
    ///   - certificates: fingerprints of theirs, in the same order.
    package init(
        _ key: ClusterKey, nonces: (caller: [UInt8], called: [UInt8]),
        certificates: (caller: [UInt8], called: [UInt8])
    ) {
        self.key = key.linkProofs
        let parts = [nonces.caller, nonces.called, certificates.caller, certificates.called]
        precondition(parts.allSatisfy { $0.count == Self.length }, "every part has the same length")
        transcript = parts.flatMap { $0 }
    }

    /// What that end says.
    package func proof(of end: End) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Self.label + [end.rawValue] + transcript, using: key))
    }

    /// Whether only somebody with the key could have said it, at that end; takes the same time whatever it is.
    package func isProof(_ bytes: [UInt8], of end: End) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(
            bytes, authenticating: Self.label + [end.rawValue] + transcript, using: key)
    }

    /// SHA-256 of a certificate in DER.
    package static func fingerprint(_ certificate: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: certificate))
    }

    /// Of the system's own cryptographic generator.
    package static func nonce() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}
