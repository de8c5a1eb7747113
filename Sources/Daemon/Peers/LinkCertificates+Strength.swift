import Config
import NIOSSL

// What the TLS library would take, and nobody should rely on.

extension LinkCertificates {
    /// - Throws: `ServiceFailure` for a certificate that other nodes refuse, and for one on the way to it, or an authority,
    ///   with a weak key.
    func checkStrength() throws(ServiceFailure) {
        if let text = own.unfitness {
            throw ServiceFailure(
                "certificates for links: that in \(files.certificateFile) \(text); make a key and a certificate anew"
            )
        }
        // The signature on an authority's own certificate is never checked: its key is what counts.
        let others =
            chain.dropFirst().enumerated().map { ($0.offset + 2, files.certificateFile, $0.element, false) }
            + authorities.enumerated().map { ($0.offset + 1, files.authorityFile, $0.element, true) }
        for (number, file, certificate, isRoot) in others {
            let facts = Self.facts(certificate)
            guard let text = facts == nil ? "cannot be read" : isRoot ? facts?.weakKey : facts?.weakness
            else { continue }
            throw ServiceFailure(
                "certificates for links: certificate \(number) in \(file) \(text); make the authority anew, then "
                    + "what it signed")
        }
        guard let key = Self.facts(chain[0])?.publicKey,
            authorities.compactMap(Self.facts).contains(where: { $0.isAuthority && $0.publicKey == key })
        else { return }
        throw ServiceFailure(
            "certificates for links: the private key in \(files.certificateFile) is that of an authority in "
                + "\(files.authorityFile), so that this machine could make certificates for any; make a key of its own"
        )
    }

    private static func facts(_ certificate: NIOSSLCertificate) -> CertificateFacts? {
        (try? certificate.toDERBytes()).flatMap { CertificateFacts($0) }
    }

    /// Private keys besides the one of this machine.
    static func strayKeys(
        _ own: [UInt8], _ authorities: [UInt8], _ files: LinkCertificateFiles
    ) -> [String] {
        var sentences: [String] = []
        if privateKeys(in: authorities) > 0 {
            sentences.append(
                "\(files.authorityFile) has a private key in it: whoever reads it can make certificates for any "
                    + "node; take it out on all machines, and make the authority anew if others could read it"
            )
        }
        if privateKeys(in: own) > 1 {
            sentences.append(
                "\(files.certificateFile) has more than one private key in it, and only the first is used: take the "
                    + "others out, the authority's above all")
        }
        return sentences
    }

    /// `PRIVATE KEY`, `EC PRIVATE KEY`, `RSA PRIVATE KEY`, `ENCRYPTED PRIVATE KEY`.
    private static func privateKeys(in bytes: [UInt8]) -> Int {
        String(decoding: bytes, as: UTF8.self).split { $0.isNewline }.count {
            $0.hasPrefix("-----BEGIN ") && $0.contains("PRIVATE KEY-----")
        }
    }
}
