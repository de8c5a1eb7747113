import Crypto

/// A shared secret that signs DNS messages (RFC 8945); the secret is never printed, mirrored or handed out.
package struct TSIGKey: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    package enum Algorithm: String, Hashable, Sendable, CaseIterable {
        case hmacSHA256 = "hmac-sha256"
        case hmacSHA384 = "hmac-sha384"
        case hmacSHA512 = "hmac-sha512"

        /// Bytes of an untruncated signature.
        package var size: Int {
            switch self {
            case .hmacSHA256: 32
            case .hmacSHA384: 48
            case .hmacSHA512: 64
            }
        }

        /// Uncompressed wire form in lower case, as the signature covers it.
        var wire: [UInt8] {
            let label = Array(rawValue.utf8)
            return [UInt8(label.count)] + label + [0]
        }
    }

    package let name: DNSName
    package let algorithm: Algorithm
    private let secret: [UInt8]

    /// Nil for an empty secret or one of more than 1024 bytes.
    package init?(name: DNSName, algorithm: Algorithm, secret: [UInt8]) {
        guard (1...1024).contains(secret.count) else { return nil }
        self.name = name
        self.algorithm = algorithm
        self.secret = secret
    }

    /// What a secret could be guessed for, as the rest of a sentence that starts with its file.
    package enum Weakness: Hashable, Sendable {
        case trivial
        /// RFC 8945 §6 asks for as many bytes as the signature has.
        case short(bytes: Int, of: Int)

        package var text: String {
            switch self {
            case .trivial: "holds a secret that is guessed at once; make one with: tsig-keygen"
            case .short(let bytes, let size):
                "holds a secret of \(bytes) bytes; its algorithm is worth \(size), make one with: tsig-keygen"
            }
        }
    }

    package var weakness: Weakness? {
        if secret.count < 8 || Set(secret).count < 4 { return .trivial }
        return secret.count < algorithm.size ? .short(bytes: secret.count, of: algorithm.size) : nil
    }

    package var description: String { "\(name) \(algorithm.rawValue)" }

    package var customMirror: Mirror {
        Mirror(self, children: ["name": name, "algorithm": algorithm])
    }

    func signature(over bytes: [UInt8]) -> [UInt8] {
        let key = SymmetricKey(data: secret)
        return switch algorithm {
        case .hmacSHA256: Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
        case .hmacSHA384: Array(HMAC<SHA384>.authenticationCode(for: bytes, using: key))
        case .hmacSHA512: Array(HMAC<SHA512>.authenticationCode(for: bytes, using: key))
        }
    }

    /// Compares in a time that does not tell where the difference lies.
    func isValid(_ signature: [UInt8], over bytes: [UInt8]) -> Bool {
        let key = SymmetricKey(data: secret)
        return switch algorithm {
        case .hmacSHA256: HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
        case .hmacSHA384: HMAC<SHA384>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
        case .hmacSHA512: HMAC<SHA512>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
        }
    }
}
