/// Why bytes or text are not what DNS says they should be.
package enum DNSFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Bytes no server may process as a message; a server answers FORMERR.
    case malformedMessage(String)
    /// Text or bytes that are no domain name.
    case malformedName(String)
    /// Text or bytes that are no resource record.
    case malformedRecord(String)
    /// More than the 65 535 bytes of a message, or of a record's data.
    case tooLong(Int)

    package var description: String {
        switch self {
        case .malformedMessage(let reason): "malformed DNS message: \(reason)"
        case .malformedName(let reason): "malformed domain name: \(reason)"
        case .malformedRecord(let reason): "malformed DNS record: \(reason)"
        case .tooLong(let count): "\(count) bytes do not fit into DNS's 65535"
        }
    }
}
