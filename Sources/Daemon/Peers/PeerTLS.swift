import NIOCore
import NIOSSL
import PeerProtocol

/// What links are made with at one time; a link keeps what it began with.
struct LinkCredentials: Sendable {
    let client: NIOSSLContext
    let server: NIOSSLContext
    /// What this machine shows; nil where the cluster key is all there is.
    let own: PeerCertificate?
}

/// TLS for links.
///
/// By the cluster key alone: TLS 1.2 with a pre-shared key and an ephemeral exchange (RFC 5489, RFC 7905), so that both ends
/// prove that they know the key, nothing else is trusted, and a key that leaks later opens nothing that was recorded before.
///
/// With certificates: TLS 1.3, in which both ends show theirs, checked against our own authority and no other. That TLS proves
/// no key, so `LinkGuard` does. While certificates are not required, one context speaks both: who offers TLS 1.3 is asked for a
/// certificate, and the only suite for TLS 1.2 is the one that proves the key.
enum PeerTLS {
    private static let suites = "ECDHE-PSK-CHACHA20-POLY1305"
    /// What was refused is gone after so long, whether its end takes part or not: it has no place any more, but a descriptor.
    private static let farewell: TimeAmount = .milliseconds(500)
    /// Of an end with certificates that understands hellos with the key of heartbeats (ALPN, RFC 7301). One that does not offer
    /// it is told none: it would not know what to make of it.
    static let vouching = "fsdns/1.1"

    /// By the key alone.
    static func credentials(_ key: ClusterKey) throws -> LinkCredentials {
        var configuration = TLSConfiguration.makePreSharedKeyConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.maximumTLSVersion = .tlsv12
        configuration.certificateVerification = .none
        return LinkCredentials(
            client: try client(configuration, key), server: try server(configuration, key), own: nil)
    }

    /// - Throws: `ServiceFailure` when the certificate and the key do not belong together.
    static func credentials(
        _ certificates: LinkCertificates, _ key: ClusterKey
    ) throws(ServiceFailure) -> LinkCredentials {
        let chain = certificates.chain.map { NIOSSLCertificateSource.certificate($0) }
        var configuration = TLSConfiguration.makeServerConfigurationWithMTLS(
            certificateChain: chain, privateKey: .privateKey(certificates.key),
            trustRoots: .certificates(certificates.authorities))
        configuration.minimumTLSVersion = certificates.files.isRequired ? .tlsv13 : .tlsv12
        configuration.maximumTLSVersion = .tlsv13
        configuration.applicationProtocols = [vouching]
        do {
            return LinkCredentials(
                client: try client(configuration, key), server: try server(configuration, key),
                own: certificates.own)
        } catch {
            throw ServiceFailure(
                "certificates for links: the certificate and the private key in "
                    + "\(certificates.files.certificateFile) do not belong together, or are of a kind that TLS does "
                    + "not take: \(error)")
        }
    }

    private static func client(_ base: TLSConfiguration, _ key: ClusterKey) throws -> NIOSSLContext {
        var configuration = base
        configuration.cipherSuites = suites
        configuration.shutdownTimeout = farewell
        configuration.pskHint = key.cluster
        configuration.pskClientProvider = { _ in
            PSKClientIdentityResponse(key: NIOSSLSecureBytes(key.peerSecret), identity: key.cluster)
        }
        return try NIOSSLContext(configuration: configuration)
    }

    private static func server(_ base: TLSConfiguration, _ key: ClusterKey) throws -> NIOSSLContext {
        var configuration = base
        configuration.cipherSuites = suites
        configuration.shutdownTimeout = farewell
        configuration.pskHint = key.cluster
        configuration.pskServerProvider = { context in
            guard context.clientIdentity == key.cluster else { throw OtherCluster() }
            return PSKServerIdentityResponse(key: NIOSSLSecureBytes(key.peerSecret))
        }
        return try NIOSSLContext(configuration: configuration)
    }

    private struct OtherCluster: Error {}
}
