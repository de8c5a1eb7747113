import SwiftASN1

/// What stands in a certificate that the TLS library takes and links do not: weak keys and signatures, another use than links
/// have, and the right to make other certificates.
struct CertificateFacts: Hashable, Sendable {
    enum Key: Hashable, Sendable {
        case rsa(bits: Int)
        case curve(bits: Int)
        /// TLS takes no other, or refuses it itself.
        case other
    }

    private static let leastRSA = 2048
    private static let leastCurve = 256

    private enum Name {
        static let rsa: ASN1ObjectIdentifier = [1, 2, 840, 113_549, 1, 1, 1]
        static let curve: ASN1ObjectIdentifier = [1, 2, 840, 10045, 2, 1]
        /// RSA with MD2, MD4, MD5 and SHA-1; ECDSA with SHA-1.
        static let weakSignatures: [ASN1ObjectIdentifier] = [
            [1, 2, 840, 113_549, 1, 1, 2], [1, 2, 840, 113_549, 1, 1, 3], [1, 2, 840, 113_549, 1, 1, 4],
            [1, 2, 840, 113_549, 1, 1, 5], [1, 2, 840, 10045, 4, 1],
        ]
        static let constraints: ASN1ObjectIdentifier = [2, 5, 29, 19]
        static let uses: ASN1ObjectIdentifier = [2, 5, 29, 37]
        static let forServers: ASN1ObjectIdentifier = [1, 3, 6, 1, 5, 5, 7, 3, 1]
        static let forClients: ASN1ObjectIdentifier = [1, 3, 6, 1, 5, 5, 7, 3, 2]
    }

    private(set) var key = Key.other
    /// The public key and its kind, as they stand there.
    private(set) var publicKey: [UInt8] = []
    /// Over MD5 or SHA-1, of which somebody may find two certificates with one signature.
    private(set) var isSignedWeakly = false
    /// Whether it is for servers and for clients; true where it does not say.
    private(set) var isForBothEnds = true
    /// Whether its key may sign other certificates.
    private(set) var isAuthority = false

    /// - Parameter der: a whole certificate (RFC 5280 §4.1). Nil when it is none.
    init?(_ der: [UInt8]) {
        do { try read(DER.parse(der)) } catch { return nil }
    }

    private mutating func read(_ whole: ASN1Node) throws {
        try DER.sequence(whole, identifier: .sequence) { parts in
            guard let body = parts.next(), let algorithm = parts.next(), parts.next() != nil else {
                throw Malformed()
            }
            isSignedWeakly = Name.weakSignatures.contains(try Self.algorithm(algorithm))
            try read(body: body)
        }
    }

    private struct Malformed: Error {}

    private mutating func read(body: ASN1Node) throws {
        try DER.sequence(body, identifier: .sequence) { fields in
            // The version, which the first one leaves out.
            _ = try DER.optionalExplicitlyTagged(&fields, tagNumber: 0, tagClass: .contextSpecific) {
                try Int(derEncoded: $0)
            }
            _ = try ArraySlice<UInt8>(derEncoded: &fields)
            // Algorithm, issuer, validity, subject.
            for _ in 0..<4 { guard fields.next()?.identifier == .sequence else { throw Malformed() } }
            guard let keyInfo = fields.next() else { throw Malformed() }
            key = try Self.key(keyInfo)
            publicKey = Array(keyInfo.encodedBytes)
            while let field = fields.next() {
                guard field.identifier == ASN1Identifier(tagWithNumber: 3, tagClass: .contextSpecific),
                    case .constructed(let content) = field.content
                else { continue }
                for list in content {
                    try DER.sequence(list, identifier: .sequence) { extensions in
                        while let one = extensions.next() { try take(one) }
                    }
                }
            }
        }
    }

    /// The name in an AlgorithmIdentifier (RFC 5280 §4.1.1.2).
    private static func algorithm(_ node: ASN1Node) throws -> ASN1ObjectIdentifier {
        try DER.sequence(node, identifier: .sequence) { fields in
            let name = try ASN1ObjectIdentifier(derEncoded: &fields)
            _ = fields.next()
            return name
        }
    }

    private static func key(_ info: ASN1Node) throws -> Key {
        try DER.sequence(info, identifier: .sequence) { fields in
            guard let node = fields.next() else { throw Malformed() }
            let name = try algorithm(node)
            let bits = try ASN1BitString(derEncoded: &fields).bytes
            switch name {
            case Name.rsa:
                return try DER.sequence(DER.parse(bits), identifier: .sequence) { numbers in
                    let digits = try ArraySlice<UInt8>(derEncoded: &numbers).drop { $0 == 0 }
                    _ = try ArraySlice<UInt8>(derEncoded: &numbers)
                    return .rsa(bits: 8 * digits.count - (digits.first?.leadingZeroBitCount ?? 0))
                }
            case Name.curve:
                // A point: both numbers after 4, or the first of them after 2 or 3.
                let length = max(bits.count - 1, 0)
                return .curve(bits: 8 * (bits.first == 4 ? length / 2 : length))
            default: return .other
            }
        }
    }

    private mutating func take(_ node: ASN1Node) throws {
        try DER.sequence(node, identifier: .sequence) { fields in
            let name = try ASN1ObjectIdentifier(derEncoded: &fields)
            var field = fields.next()
            // Whether it is critical.
            if field?.identifier == .boolean { field = fields.next() }
            guard let field else { throw Malformed() }
            let value = try ASN1OctetString(derEncoded: field).bytes
            switch name {
            case Name.constraints:
                isAuthority = try DER.sequence(DER.parse(value), identifier: .sequence) { fields in
                    let first = fields.next()
                    while fields.next() != nil {}
                    guard first?.identifier == .boolean, case .primitive(let bytes)? = first?.content else {
                        return false
                    }
                    return bytes.contains { $0 != 0 }
                }
            case Name.uses:
                let uses: [ASN1ObjectIdentifier] = try DER.sequence(
                    of: ASN1ObjectIdentifier.self, identifier: .sequence, rootNode: DER.parse(value))
                isForBothEnds = uses.contains(Name.forServers) && uses.contains(Name.forClients)
            default: break
            }
        }
    }

    /// Why nobody should rely on its key; nil when one may.
    var weakKey: String? {
        switch key {
        case .rsa(let bits) where bits < Self.leastRSA:
            "has an RSA key of \(bits) bits, and \(Self.leastRSA) are the least"
        case .curve(let bits) where bits < Self.leastCurve:
            "has a key on a curve of \(bits) bits, and \(Self.leastCurve) are the least"
        case .rsa, .curve, .other: nil
        }
    }

    /// Why nobody should rely on it below its authority; nil when one may.
    var weakness: String? {
        weakKey ?? (isSignedWeakly ? "is signed over MD5 or SHA-1, which can be forged" : nil)
    }

    /// Why it is no node's certificate; nil when it may be.
    ///
    /// TLS looks for the use that an end has in one link, and every node calls and is called. Who may sign certificates could make
    /// himself one in another name, or a newer one when it is revoked.
    var unfitness: String? {
        if let weakness { return weakness }
        if isAuthority { return "is one of an authority (basicConstraints CA:TRUE), and could make others" }
        return isForBothEnds ? nil : "is not for servers and clients alike (extendedKeyUsage)"
    }
}
