import NIOSSL
import Wire

/// TLS for peer links: both ends prove that they know the cluster key, and nothing else is trusted.
///
/// TLS 1.2 with a pre-shared key and an ephemeral exchange (RFC 5489, RFC 7905): a key that leaks later opens
/// nothing that was recorded before.
enum PeerTLS {
    private static let suites = "ECDHE-PSK-CHACHA20-POLY1305"

    static func client(_ key: ClusterKey) throws -> NIOSSLContext {
        var configuration = base(key)
        configuration.pskClientProvider = { _ in
            PSKClientIdentityResponse(key: NIOSSLSecureBytes(key.peerSecret), identity: key.cluster)
        }
        return try NIOSSLContext(configuration: configuration)
    }

    static func server(_ key: ClusterKey) throws -> NIOSSLContext {
        var configuration = base(key)
        configuration.pskServerProvider = { context in
            guard context.clientIdentity == key.cluster else { throw OtherCluster() }
            return PSKServerIdentityResponse(key: NIOSSLSecureBytes(key.peerSecret))
        }
        return try NIOSSLContext(configuration: configuration)
    }

    private struct OtherCluster: Error {}

    private static func base(_ key: ClusterKey) -> TLSConfiguration {
        var configuration = TLSConfiguration.makePreSharedKeyConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.maximumTLSVersion = .tlsv12
        configuration.cipherSuites = suites
        configuration.certificateVerification = .none
        configuration.pskHint = key.cluster
        return configuration
    }
}
