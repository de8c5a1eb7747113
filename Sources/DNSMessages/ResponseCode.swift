/// What a server answered (RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 6891 §9).
package enum ResponseCode: Hashable, Sendable, CustomStringConvertible {
    case noError
    case formErr
    case servFail
    case nxDomain
    case notImp
    case refused
    case yxDomain
    case yxRRSet
    case nxRRSet
    case notAuth
    case notZone
    case badVers
    case other(UInt16)

    private static let named: [(ResponseCode, UInt16, String)] = [
        (.noError, 0, "NOERROR"), (.formErr, 1, "FORMERR"), (.servFail, 2, "SERVFAIL"),
        (.nxDomain, 3, "NXDOMAIN"), (.notImp, 4, "NOTIMP"), (.refused, 5, "REFUSED"),
        (.yxDomain, 6, "YXDOMAIN"), (.yxRRSet, 7, "YXRRSET"), (.nxRRSet, 8, "NXRRSET"),
        (.notAuth, 9, "NOTAUTH"), (.notZone, 10, "NOTZONE"), (.badVers, 16, "BADVERS"),
    ]

    /// Twelve bits; more than four need EDNS to travel.
    package init(code: UInt16) {
        self = Self.named.first { $0.1 == code }?.0 ?? .other(code)
    }

    package var code: UInt16 {
        if case .other(let code) = self { return code }
        return Self.named.first { $0.0 == self }?.1 ?? 0
    }

    package var description: String {
        Self.named.first { $0.0 == self }?.2 ?? "RCODE\(code)"
    }
}

/// What a message asks for (RFC 1035 §4.1.1, RFC 2136 §1.3, RFC 1996 §3).
package enum OperationCode: Hashable, Sendable {
    case query
    case notify
    case update
    case other(UInt8)

    package init(code: UInt8) {
        switch code {
        case 0: self = .query
        case 4: self = .notify
        case 5: self = .update
        default: self = .other(code)
        }
    }

    /// Four bits.
    package var code: UInt8 {
        switch self {
        case .query: 0
        case .notify: 4
        case .update: 5
        case .other(let code): code
        }
    }
}
