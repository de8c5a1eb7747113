import Config
@preconcurrency import Glibc
import NIOSSL
import PeerProtocol

/// The files of a machine's certificate for links, read and checked.
package struct LinkCertificates: Sendable {
    /// How long before its end a certificate is complained about.
    package static let notice: Int64 = 30 * 86_400
    private static let chainLimit = 8
    private static let authorityLimit = 32

    /// This machine's own first.
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    let authorities: [NIOSSLCertificate]
    let own: PeerCertificate
    /// When the last of the authorities ends.
    let authorityEnd: Int64
    let files: LinkCertificateFiles
    /// What stands in the files and belongs on no machine of the cluster, a sentence each.
    private let strayKeys: [String]

    /// - Parameters:
    ///   - node: whose certificate it should be; nil when that is not known here.
    ///   - user: who runs the service.
    /// - Throws: `ServiceFailure` with the file and what is wrong in it. Certificates that have ended or not begun are read.
    package init(
        _ files: LinkCertificateFiles, node: String?, key cluster: ClusterKey, at now: Int64,
        user: UInt32 = geteuid()
    ) throws(ServiceFailure) {
        let bytes: (own: [UInt8], authorities: [UInt8])
        do throws(SecretFailure) {
            bytes.own = try readSecret(
                path: files.certificateFile, limit: LinkCertificateFiles.sizeLimit, user: user)
            bytes.authorities = try readTrusted(
                path: files.authorityFile, limit: LinkCertificateFiles.sizeLimit, user: user)
        } catch {
            throw ServiceFailure("certificates for links: \(error)")
        }
        chain = try Self.certificates(bytes.own, files.certificateFile, limit: Self.chainLimit)
        authorities = try Self.certificates(
            bytes.authorities, files.authorityFile, limit: Self.authorityLimit)
        do {
            // Without an answer of ours the library might ask a terminal for a passphrase.
            key = try NIOSSLPrivateKey(bytes: bytes.own, format: .pem) { answer in answer([UInt8]()) }
        } catch {
            throw ServiceFailure(
                "certificates for links: \(files.certificateFile) has no private key that can be read; it must "
                    + "stand there in PEM, without a passphrase")
        }
        do {
            own = try PeerCertificate(chain[0])
        } catch {
            throw ServiceFailure("certificates for links: \(files.certificateFile): \(error)")
        }
        authorityEnd = authorities.map { Int64($0.notValidAfter) }.max() ?? 0
        self.files = files
        strayKeys = Self.strayKeys(bytes.own, bytes.authorities, files)
        try checkName(node, cluster.cluster)
        try checkStrength()
        // Nothing to rehearse with at a time that is not its own: then only that is said.
        guard own.untimeliness(at: now) == nil else { return }
        if let fault = LinkRehearsal.fault(try PeerTLS.credentials(self, cluster)) {
            throw ServiceFailure(
                "certificates for links: TLS with \(files.certificateFile) and \(files.authorityFile) fails: the "
                    + "certificate must be signed by an authority in the second file, for server and client alike "
                    + "(extendedKeyUsage), and its key be in the first: \(fault)")
        }
    }

    private static func certificates(
        _ bytes: [UInt8], _ path: String, limit: Int
    ) throws(ServiceFailure) -> [NIOSSLCertificate] {
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMBytes(bytes)
        } catch {
            throw ServiceFailure("certificates for links: \(path) has no certificate in PEM, or a broken one")
        }
        guard (1...limit).contains(certificates.count) else {
            throw ServiceFailure(
                "certificates for links: \(path) has \(certificates.count) certificates; \(limit) are the limit"
            )
        }
        return certificates
    }

    private func checkName(_ node: String?, _ cluster: String) throws(ServiceFailure) {
        let isRight =
            if let node {
                own.names.contains(PeerCertificate.name(of: node, in: cluster))
            } else {
                own.names.contains { $0.hasPrefix(PeerCertificate.name(of: "", in: cluster)) }
            }
        guard !isRight else { return }
        throw ServiceFailure(
            "certificates for links: that in \(files.certificateFile) is for \(own.namesText); this node's has the URI "
                + "\(PeerCertificate.name(of: node ?? "NODE", in: cluster)) in subjectAltName")
    }

    /// What an operator should do about them soon, or should have done.
    package func warnings(at now: Int64) -> [String] { findings(at: now).map(\.sentence) }

    /// The same, each also in short, for the other nodes' `status`.
    func findings(at now: Int64) -> [(short: String, sentence: String)] {
        var findings: [(short: String, sentence: String)] = []
        if let text = own.untimeliness(at: now) {
            findings.append(
                (
                    "the certificate "
                        + (now > own.end ? text : "begins only on \(PeerCertificate.text(own.start))"),
                    "the certificate in \(files.certificateFile) \(text): other nodes make no links with this one"
                ))
        } else if own.end - now < Self.notice {
            let text = PeerCertificate.text(own.end)
            findings.append(
                (
                    "the certificate ends on \(text)",
                    "the certificate in \(files.certificateFile) ends on \(text): put a newer one there"
                ))
        }
        if authorityEnd - now < Self.notice {
            let text = PeerCertificate.text(authorityEnd)
            findings.append(
                (
                    "the last authority ends on \(text)",
                    "the last authority in \(files.authorityFile) ends on \(text): add a newer one on all machines, "
                        + "then make the machines' certificates anew"
                ))
        }
        return findings + strayKeys.map { ("the files have a private key too many", $0) }
    }

    /// For people: whose it is and until when.
    package var summary: String { "for \(own.namesText), until \(PeerCertificate.text(own.end))" }

    /// What commands say of the files on this machine.
    ///
    /// - Parameter node: nil where it is not known which one this is.
    package static func judgement(
        of files: LinkCertificateFiles, cluster: String, node: String?, user: UInt32 = geteuid()
    ) -> (fault: String?, warnings: [String], summary: String) {
        let now = Int64(WallClock.seconds())
        do throws(ServiceFailure) {
            // The key is not looked at: with itself any would do.
            let key = ClusterKey(cluster: cluster, secret: LinkProof.nonce())
            let certificates = try LinkCertificates(files, node: node, key: key, at: now, user: user)
            return (nil, certificates.warnings(at: now), certificates.summary)
        } catch {
            return (error.description, [], "")
        }
    }
}
