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

    /// Object identifiers, as DER has them.
    private enum Name {
        static let rsa: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01]
        static let curve: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]
        static let curveWithSHA1: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01]
        static let constraints: [UInt8] = [0x55, 0x1D, 0x13]
        static let uses: [UInt8] = [0x55, 0x1D, 0x25]
        private static let use: [UInt8] = [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03]
        static let forServers = use + [1]
        static let forClients = use + [2]
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
        var outer = DERReader(der[...])
        guard var whole = outer.sequence(), var body = whole.sequence(), var algorithm = whole.sequence(),
            let signature = algorithm.next(DERReader.Tag.identifier)
        else { return nil }
        isSignedWeakly = Self.isWeak(Array(signature))
        // The version, which the first one leaves out.
        if body.nextTag == 0xA0 { _ = body.next() }
        guard body.next(DERReader.Tag.integer) != nil else { return nil }
        // Algorithm, issuer, validity, subject.
        for _ in 0..<4 { guard body.next(DERReader.Tag.sequence) != nil else { return nil } }
        guard let keyInfo = body.next(DERReader.Tag.sequence), let key = Self.key(keyInfo) else { return nil }
        self.key = key
        publicKey = Array(keyInfo)
        while let (tag, content) = body.next() {
            guard tag == 0xA3 else { continue }
            var list = DERReader(content)
            guard var extensions = list.sequence() else { return nil }
            while var one = extensions.sequence() { guard take(&one) else { return nil } }
        }
    }

    private static func isWeak(_ algorithm: [UInt8]) -> Bool {
        if algorithm == Name.curveWithSHA1 { return true }
        // RSA with MD2, MD4, MD5 and SHA-1 are numbers 2 to 5 of the same arc.
        guard algorithm.dropLast() == Name.rsa[...], let last = algorithm.last else { return false }
        return (2...5).contains(last)
    }

    private static func key(_ info: ArraySlice<UInt8>) -> Key? {
        var info = DERReader(info)
        guard var algorithm = info.sequence(), let name = algorithm.next(DERReader.Tag.identifier),
            var bits = info.next(DERReader.Tag.bitString), bits.popFirst() == 0
        else { return nil }
        if name.dropLast() == Name.rsa[...] {
            var outer = DERReader(bits)
            guard var numbers = outer.sequence(), let modulus = numbers.next(DERReader.Tag.integer) else {
                return nil
            }
            let digits = modulus.drop { $0 == 0 }
            let empty = digits.first?.leadingZeroBitCount ?? 0
            return .rsa(bits: 8 * digits.count - empty)
        }
        guard Array(name) == Name.curve else { return .other }
        // A point: both numbers after 4, or the first of them after 2 or 3.
        let length = max(bits.count - 1, 0)
        return .curve(bits: 8 * (bits.first == 4 ? length / 2 : length))
    }

    /// - Returns: false for what is no extension.
    private mutating func take(_ one: inout DERReader) -> Bool {
        guard let name = one.next(DERReader.Tag.identifier).map(Array.init) else { return false }
        if one.nextTag == DERReader.Tag.boolean { _ = one.next() }
        guard let content = one.next(DERReader.Tag.octetString) else { return false }
        var value = DERReader(content)
        switch name {
        case Name.constraints:
            guard var fields = value.sequence() else { return false }
            isAuthority = fields.next(DERReader.Tag.boolean).map { $0.contains { $0 != 0 } } ?? false
        case Name.uses:
            guard var fields = value.sequence() else { return false }
            var uses: [[UInt8]] = []
            while let use = fields.next(DERReader.Tag.identifier) { uses.append(Array(use)) }
            isForBothEnds = uses.contains(Name.forServers) && uses.contains(Name.forClients)
        default: break
        }
        return true
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
