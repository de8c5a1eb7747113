/// What a signature record says went wrong (RFC 8945 §5.2).
package enum TSIGErrorCode: Hashable, Sendable, CustomStringConvertible {
    case none
    case badSig
    case badKey
    case badTime
    case badTrunc
    case other(UInt16)

    package init(code: UInt16) {
        switch code {
        case 0: self = .none
        case 16: self = .badSig
        case 17: self = .badKey
        case 18: self = .badTime
        case 22: self = .badTrunc
        default: self = .other(code)
        }
    }

    package var code: UInt16 {
        switch self {
        case .none: 0
        case .badSig: 16
        case .badKey: 17
        case .badTime: 18
        case .badTrunc: 22
        case .other(let code): code
        }
    }

    package var description: String {
        switch self {
        case .none: "no error"
        case .badSig: "BADSIG"
        case .badKey: "BADKEY"
        case .badTime: "BADTIME"
        case .badTrunc: "BADTRUNC"
        case .other(let code): "TSIG error \(code)"
        }
    }
}

/// The signature record at the end of a message (RFC 8945 §4.2).
package struct TSIGRecord: Hashable, Sendable {
    package var keyName: DNSName
    package var algorithm: DNSName
    /// Seconds since 1970 UTC, 48 bits.
    package var timeSigned: UInt64
    /// Seconds the signer's clock may differ from the verifier's.
    package var fudge: UInt16
    package var mac: [UInt8]
    package var originalID: UInt16
    package var error: TSIGErrorCode
    /// The server's time, 6 bytes, in a BADTIME reply; else empty.
    package var otherData: [UInt8]

    package init(
        keyName: DNSName, algorithm: DNSName, timeSigned: UInt64, fudge: UInt16, mac: [UInt8],
        originalID: UInt16, error: TSIGErrorCode, otherData: [UInt8]
    ) {
        self.keyName = keyName
        self.algorithm = algorithm
        self.timeSigned = timeSigned
        self.fudge = fudge
        self.mac = mac
        self.originalID = originalID
        self.error = error
        self.otherData = otherData
    }

    /// Reads the rest of the record, after its name and type.
    init(name: DNSName, from reader: inout ByteReader) throws(DNSFailure) {
        guard try reader.readUInt16() == RecordClass.any.rawValue, try reader.readUInt32() == 0 else {
            throw .malformedMessage("a TSIG record is not of class ANY and TTL 0")
        }
        let length = Int(try reader.readUInt16())
        let end = reader.offset + length
        keyName = name
        algorithm = try reader.readName()
        timeSigned = try reader.readUInt48()
        fudge = try reader.readUInt16()
        mac = try reader.readBytes(Int(try reader.readUInt16()))
        originalID = try reader.readUInt16()
        error = TSIGErrorCode(code: try reader.readUInt16())
        otherData = try reader.readBytes(Int(try reader.readUInt16()))
        guard reader.offset == end else { throw .malformedMessage("a TSIG record of the wrong length") }
    }

    /// The server's clock in a BADTIME reply, seconds since 1970 UTC.
    package var serverTime: UInt64? {
        guard error == .badTime, otherData.count == 6 else { return nil }
        return otherData.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The whole record, names uncompressed.
    var wire: [UInt8] {
        var data = algorithm.canonicalWire
        data.append(network48: timeSigned)
        data.append(network: fudge)
        data.append(network: UInt16(mac.count))
        data += mac
        data.append(network: originalID)
        data.append(network: error.code)
        data.append(network: UInt16(otherData.count))
        data += otherData
        var bytes = keyName.canonicalWire
        bytes.append(network: RecordType.tsig.rawValue)
        bytes.append(network: RecordClass.any.rawValue)
        bytes.append(network: UInt32(0))
        bytes.append(network: UInt16(data.count))
        return bytes + data
    }

    /// What the signature of a later message of one reply covers besides the message (RFC 8945 §5.3.1).
    var timers: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(network48: timeSigned)
        bytes.append(network: fudge)
        return bytes
    }

    /// What the signature covers besides the message (RFC 8945 §4.3.3).
    var variables: [UInt8] {
        var bytes = keyName.canonicalWire
        bytes.append(network: RecordClass.any.rawValue)
        bytes.append(network: UInt32(0))
        bytes += algorithm.canonicalWire
        bytes.append(network48: timeSigned)
        bytes.append(network: fudge)
        bytes.append(network: error.code)
        bytes.append(network: UInt16(otherData.count))
        return bytes + otherData
    }
}
