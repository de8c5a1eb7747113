import Calendar
import NIOSSL
import PeerProtocol
import Primitives

/// What a certificate says that counts here: whose it is, and from when until when.
struct PeerCertificate: Hashable, Sendable {
    /// More names than this, and longer ones, are not looked at; ours have at most 136 bytes.
    private static let nameLimit = 16
    private static let nameLength = 255
    /// Its URIs (subjectAltName), as they stand there.
    var names: [String]
    /// Seconds since 1970; it counts from the first second to the last.
    var start: Int64
    var end: Int64
    /// SHA-256 of its DER.
    var fingerprint: [UInt8]
    /// Why it is no node's certificate, as the end of a sentence; nil when it may be.
    var unfitness: String?

    /// - Throws: what the TLS library throws for a certificate it cannot write.
    init(_ certificate: NIOSSLCertificate) throws {
        names = certificate._subjectAlternativeNames().prefix(Self.nameLimit).filter { $0.nameType == .uri }
            .compactMap { name in
                name.contents.withUnsafeBufferPointer {
                    $0.count > Self.nameLength ? nil : String(decoding: $0, as: UTF8.self)
                }
            }
        start = Int64(certificate.notValidBefore)
        end = Int64(certificate.notValidAfter)
        let bytes = try certificate.toDERBytes()
        fingerprint = LinkProof.fingerprint(bytes)
        let facts = CertificateFacts(bytes)
        unfitness = facts == nil ? "cannot be read" : facts?.unfitness
    }

    /// What the certificate of a node must be for. A URI with a scheme of our own, and not a host name: an authority that also
    /// signs certificates for web servers makes nobody a node by accident, and that of one cluster none of another.
    static func name(of node: String, in cluster: String) -> String { "fsdns://\(cluster)/\(node)" }

    /// For people.
    var namesText: String {
        if names.isEmpty { return "nobody (it has no URI)" }
        return VisibleText.of(names.prefix(2).joined(separator: ", "), longest: 150)
            + (names.count > 2 ? " and others" : "")
    }

    /// Why it does not count at that time; nil when it does.
    func untimeliness(at now: Int64) -> String? {
        if now > end { return "ended on \(Self.text(end))" }
        if now < start { return "begins only on \(Self.text(start)) (see that the clocks are right)" }
        return nil
    }

    static func text(_ seconds: Int64) -> String { WallTime(seconds: seconds).text }
}

/// Why an end of a link is not believed.
struct LinkFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// What must not hide one another in the log.
    enum Sort: String, Hashable, Sendable {
        /// TLS came to nothing.
        case handshake
        case noCertificate
        /// Signed by somebody else, at another time, or for another use.
        case certificate
        case otherName
        case forgotten
        /// A good certificate, and not the cluster key.
        case noKey
    }
    var sort: Sort
    /// As the end of a sentence that begins with who it is.
    var description: String

    init(_ sort: Sort, _ description: String) {
        self.sort = sort
        self.description = description
    }
}
