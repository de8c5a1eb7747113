import CLDNS

/// An absolute domain name; compared without regard to case, printed in the case it came in.
package struct DNSName: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Uncompressed wire form in the original case, 1 to 255 bytes.
    package let wire: [UInt8]
    /// The wire form with ASCII letters in lower case (RFC 4034 §6.2), which is what equality means.
    package let canonicalWire: [UInt8]

    package static let root = DNSName(validWire: [0])

    /// Reads an uncompressed wire name that fills `wire` exactly; anything else is nil.
    package init?(wire: some Collection<UInt8>) {
        let bytes = Array(wire)
        guard (1...255).contains(bytes.count) else { return nil }
        var offset = 0
        while bytes[offset] != 0 {
            guard bytes[offset] <= 63, offset + Int(bytes[offset]) + 1 < bytes.count else { return nil }
            offset += Int(bytes[offset]) + 1
        }
        guard offset == bytes.count - 1 else { return nil }
        self.init(validWire: bytes)
    }

    private init(validWire: [UInt8]) {
        wire = validWire
        let lowered = validWire.map(Self.lowered)
        canonicalWire = lowered == validWire ? validWire : lowered
    }

    /// Reads presentation text (RFC 1035 §5.1 escapes allowed); text without a final dot is absolute too.
    package init(_ text: String) throws(DNSFailure) {
        let backslashes = text.utf8.reversed().prefix { $0 == 0x5C }.count
        guard !text.isEmpty, text.utf8.count <= 1024, !text.utf8.contains(0), backslashes.isMultiple(of: 2)
        else {
            throw .malformedName("\"\(text.prefix(80))\"")
        }
        guard let rdf = ldns_dname_new_frm_str(Self.endsWithDot(text) ? text : text + ".") else {
            throw .malformedName("\"\(text.prefix(80))\"")
        }
        defer { ldns_rdf_deep_free(rdf) }
        guard let name = DNSName(rdf) else { throw .malformedName("\"\(text.prefix(80))\"") }
        self = name
    }

    /// Reads text relative to `origin`; text with a final dot is absolute, `@` is the origin itself.
    package init(_ text: String, relativeTo origin: DNSName) throws(DNSFailure) {
        if text == "@" {
            self = origin
        } else if Self.endsWithDot(text) {
            try self.init(text)
        } else {
            let front = try DNSName(text)
            guard let joined = DNSName(wire: front.wire.dropLast() + origin.wire) else {
                throw .malformedName("\"\(text)\" under \(origin) is longer than 255 bytes")
            }
            self = joined
        }
    }

    /// Copies a name out of libldns; nil when its bytes are no name.
    init?(_ rdf: UnsafeMutablePointer<ldns_rdf>) {
        self.init(wire: RecordBytes.copy(rdf))
    }

    /// The labels from left to right, in the original case, without the root.
    package var labels: [ArraySlice<UInt8>] { Self.labels(of: wire) }

    private static func labels(of wire: [UInt8]) -> [ArraySlice<UInt8>] {
        var labels: [ArraySlice<UInt8>] = []
        var offset = 0
        while wire[offset] != 0 {
            let end = offset + 1 + Int(wire[offset])
            labels.append(wire[(offset + 1)..<end])
            offset = end
        }
        return labels
    }

    /// The name without its first label; nil for the root.
    package var parent: DNSName? {
        wire[0] == 0 ? nil : DNSName(validWire: Array(wire[(1 + Int(wire[0]))...]))
    }

    /// Whether this name is `other` or lies below it.
    package func isSubdomain(of other: DNSName) -> Bool {
        var name: DNSName? = self
        while let candidate = name, candidate.wire.count >= other.wire.count {
            if candidate == other { return true }
            name = candidate.parent
        }
        return false
    }

    /// Presentation text with a final dot; bytes other than letters, digits and `-_*/+` become `\DDD`.
    package var description: String {
        if wire[0] == 0 { return "." }
        var text: [UInt8] = []
        for label in labels {
            for byte in label {
                if Self.isPlain(byte) {
                    text.append(byte)
                } else {
                    text += [0x5C, 48 + byte / 100, 48 + byte / 10 % 10, 48 + byte % 10]
                }
            }
            text.append(0x2E)
        }
        return String(decoding: text, as: UTF8.self)
    }

    package static func == (a: DNSName, b: DNSName) -> Bool { a.canonicalWire == b.canonicalWire }

    package func hash(into hasher: inout Hasher) { hasher.combine(canonicalWire) }

    /// Canonical order (RFC 4034 §6.1): labels from right to left, so a zone's names stand together.
    package static func < (a: DNSName, b: DNSName) -> Bool {
        let left = labels(of: a.canonicalWire).reversed()
        let right = labels(of: b.canonicalWire).reversed()
        for (x, y) in zip(left, right) where x != y { return x.lexicographicallyPrecedes(y) }
        return left.count < right.count
    }

    private static func lowered(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte + 0x20 : byte
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2A, 0x2B, 0x2D, 0x2F, 0x5F: true
        default: false
        }
    }

    /// A final dot counts only when an even number of backslashes stands before it.
    private static func endsWithDot(_ text: String) -> Bool {
        guard text.utf8.last == 0x2E else { return false }
        let backslashes = text.utf8.dropLast().reversed().prefix { $0 == 0x5C }.count
        return backslashes.isMultiple(of: 2)
    }
}
