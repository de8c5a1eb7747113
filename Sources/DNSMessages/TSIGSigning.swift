/// A signed message and the signature its reply must be bound to.
package struct SignedMessage: Hashable, Sendable {
    package var wire: [UInt8]
    package var mac: [UInt8]
}

/// Why a signature was not accepted.
package enum TSIGFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes are no message at all.
    case malformed(DNSFailure)
    /// No signature at all; of a reply its code, which anybody may have written.
    case unsigned(ResponseCode?)
    /// Signed under another name, or by another algorithm, than the one configured.
    case wrongKey(DNSName, algorithm: DNSName)
    /// Shorter or longer than the algorithm's signature; truncation is not accepted.
    case wrongSize(Int)
    case badSignature
    /// The signature is right, but made at this time, further from our clock than its fudge.
    case badTime(signed: UInt64, now: UInt64)
    /// The peer did not accept ours. `authenticated` tells whether this reply itself is signed;
    /// the time is the server's clock, given with BADTIME.
    case refused(TSIGErrorCode, serverTime: UInt64?, authenticated: Bool)

    package var description: String {
        switch self {
        case .malformed(let failure): "\(failure)"
        case .unsigned(nil): "the message is not signed"
        case .unsigned(let code?): "the reply is not signed; it says \(code)"
        case .wrongKey(let name, let algorithm): "signed with key \(name) \(algorithm), which is not ours"
        case .wrongSize(let count): "the signature has \(count) bytes"
        case .badSignature: "the signature is wrong"
        case .badTime(let signed, let now): "signed at \(signed), which is too far from our time \(now)"
        case .refused(.badTime, let time?, _): "the server answered BADTIME: its clock says \(time)"
        case .refused(let code, _, _): "the server answered \(code)"
        }
    }
}

extension TSIGKey {
    /// The time difference RFC 8945 §10 recommends to allow, in seconds.
    package static let recommendedFudge: UInt16 = 300

    /// Signs message bytes that carry no signature yet.
    ///
    /// - Parameters:
    ///   - now: wall time, seconds since 1970 UTC.
    ///   - requestMAC: for a reply, the signature of its request; for a continuation, of the message before.
    ///   - isContinuation: whether this is a later message of one reply (RFC 8945 §5.3.1).
    ///   - error: for a reply to a request whose signature was right but late: BADTIME.
    ///   - serverTime: goes with BADTIME.
    package func sign(
        _ wire: [UInt8], at now: UInt64, fudge: UInt16 = recommendedFudge, requestMAC: [UInt8]? = nil,
        isContinuation: Bool = false, error: TSIGErrorCode = .none, serverTime: UInt64? = nil
    ) -> SignedMessage {
        precondition(wire.count >= 12, "only messages are signed")
        var other: [UInt8] = []
        if let serverTime { other.append(network48: serverTime) }
        var record = TSIGRecord(
            keyName: name, algorithm: algorithm.name, timeSigned: now, fudge: fudge, mac: [],
            originalID: UInt16(wire[0]) << 8 | UInt16(wire[1]), error: error, otherData: other)
        record.mac = signature(
            over: Self.covered(wire, record, requestMAC: requestMAC, isContinuation: isContinuation))
        return SignedMessage(wire: Self.append(record, to: wire), mac: record.mac)
    }

    /// Ends a reply to a request whose signature was not accepted: named but not signed (RFC 8945 §5.3.2).
    package static func appendError(
        _ error: TSIGErrorCode, to wire: [UInt8], answering request: TSIGRecord
    ) -> [UInt8] {
        var record = request
        record.mac = []
        record.error = error
        record.otherData = []
        return append(record, to: wire)
    }

    /// Verifies a request: key, algorithm, signature, then time, in the order of RFC 8945 §5.2.
    ///
    /// Returns the signature the reply must be bound to. On `badTime` the signature was right.
    package func verifyRequest(_ scan: PacketScan, at now: UInt64) throws(TSIGFailure) -> [UInt8] {
        guard let record = scan.signature else { throw .unsigned(nil) }
        try check(record, of: scan, requestMAC: nil)
        try Self.checkTime(record, now)
        return record.mac
    }

    /// Verifies a reply against the signature of its request and returns the message.
    ///
    /// A reply in which the server refuses our signature throws `refused`, after its own signature was
    /// checked if it has one (BADTIME has, BADKEY and BADSIG cannot).
    package func verifyReply(
        _ wire: [UInt8], requestMAC: [UInt8], at now: UInt64
    ) throws(TSIGFailure) -> DNSMessage {
        let scan: PacketScan
        do throws(DNSFailure) { scan = try PacketScan(wire) } catch { throw .malformed(error) }
        guard let record = scan.signature else { throw .unsigned(scan.code) }
        if record.mac.isEmpty, record.error == .badSig || record.error == .badKey {
            throw .refused(record.error, serverTime: nil, authenticated: false)
        }
        try check(record, of: scan, requestMAC: requestMAC)
        if record.error != .none {
            throw .refused(record.error, serverTime: record.serverTime, authenticated: true)
        }
        try Self.checkTime(record, now)
        do throws(DNSFailure) { return try DNSMessage(scan) } catch { throw .malformed(error) }
    }

    private func check(
        _ record: TSIGRecord, of scan: PacketScan, requestMAC: [UInt8]?
    ) throws(TSIGFailure) {
        guard record.keyName == name, record.algorithm == algorithm.name else {
            throw .wrongKey(record.keyName, algorithm: record.algorithm)
        }
        guard record.mac.count == algorithm.size else { throw .wrongSize(record.mac.count) }
        let covered = Self.covered(scan.unsigned, record, requestMAC: requestMAC)
        guard isValid(record.mac, over: covered) else { throw .badSignature }
    }

    private static func checkTime(_ record: TSIGRecord, _ now: UInt64) throws(TSIGFailure) {
        let signed = record.timeSigned
        let difference = signed > now ? signed - now : now - signed
        guard difference <= UInt64(record.fudge) else { throw .badTime(signed: signed, now: now) }
    }

    /// The bytes a signature covers (RFC 8945 §4.3): the request's signature, the message, the variables.
    private static func covered(
        _ message: [UInt8], _ record: TSIGRecord, requestMAC: [UInt8]?, isContinuation: Bool = false
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        if let requestMAC {
            bytes.append(network: UInt16(requestMAC.count))
            bytes += requestMAC
        }
        return bytes + message + (isContinuation ? record.timers : record.variables)
    }

    private static func append(_ record: TSIGRecord, to wire: [UInt8]) -> [UInt8] {
        var bytes = wire
        let count = (UInt16(wire[10]) << 8 | UInt16(wire[11])) + 1
        bytes[10] = UInt8(count >> 8)
        bytes[11] = UInt8(count & 0xFF)
        return bytes + record.wire
    }
}

extension TSIGKey.Algorithm {
    package var name: DNSName {
        guard let name = DNSName(wire: wire) else { preconditionFailure("\(rawValue) is a name") }
        return name
    }
}

extension TSIGKey {
    /// Bytes a signature adds to a message: name, fixed fields, algorithm, data, MAC.
    package var recordSize: Int { name.wire.count + 10 + algorithm.wire.count + 16 + algorithm.size }
}
