import CLDNS

/// A resource record type by its number (RFC 1035 §3.2.2 and successors).
package struct RecordType: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let a = RecordType(rawValue: 1)
    package static let ns = RecordType(rawValue: 2)
    package static let cname = RecordType(rawValue: 5)
    package static let soa = RecordType(rawValue: 6)
    package static let ptr = RecordType(rawValue: 12)
    package static let txt = RecordType(rawValue: 16)
    package static let aaaa = RecordType(rawValue: 28)
    package static let srv = RecordType(rawValue: 33)
    package static let naptr = RecordType(rawValue: 35)
    package static let opt = RecordType(rawValue: 41)
    package static let tsig = RecordType(rawValue: 250)
    package static let ixfr = RecordType(rawValue: 251)
    package static let axfr = RecordType(rawValue: 252)
    package static let any = RecordType(rawValue: 255)

    /// Reads a mnemonic (`AAAA`) or RFC 3597 text (`TYPE65280`); unknown text is nil.
    package init?(_ text: String) {
        guard !text.utf8.contains(0) else { return nil }
        let type = ldns_get_rr_type_by_name(text)
        guard type.rawValue != 0, let number = UInt16(exactly: type.rawValue) else { return nil }
        rawValue = number
    }

    /// Whether records of this type are asked for or carried, never stored (RFC 6895 §3.1).
    package var isMeta: Bool { self == .opt || (128...255).contains(rawValue) || rawValue == 0 }

    package var description: String {
        guard let text = ldns_rr_type2str(ldns) else { return "TYPE\(rawValue)" }
        defer { free(text) }
        return String(cString: text)
    }

    var ldns: ldns_rr_type { ldns_rr_type(rawValue: UInt32(rawValue)) }

    package static func < (a: RecordType, b: RecordType) -> Bool { a.rawValue < b.rawValue }
}

/// A record class by its number; fsdns keeps IN data, the others only carry RFC 2136's meanings.
package struct RecordClass: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let `in` = RecordClass(rawValue: 1)
    package static let none = RecordClass(rawValue: 254)
    package static let any = RecordClass(rawValue: 255)

    package var description: String {
        switch self {
        case .in: "IN"
        case .none: "NONE"
        case .any: "ANY"
        default: "CLASS\(rawValue)"
        }
    }
}
