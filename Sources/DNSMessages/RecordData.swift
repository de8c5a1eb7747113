import Primitives

/// What a record says, typed for the types fsdns keeps; equality ignores the case of names within.
package enum RecordData: Hashable, Sendable {
    /// A or AAAA, by the family of the address.
    case address(IPAddress)
    case ns(DNSName)
    case cname(DNSName)
    case ptr(DNSName)
    case soa(StartOfAuthority)
    case srv(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName)
    /// One or more strings of at most 255 bytes each.
    case txt([[UInt8]])
    /// Any other type, NAPTR among them: uncompressed wire bytes in canonical form.
    case other(RecordType, [UInt8])

    /// One TXT record of one text, cut into strings of 255 bytes.
    package static func text(_ text: String) -> RecordData {
        let bytes = Array(text.utf8)
        let starts = bytes.isEmpty ? [0] : Array(stride(from: 0, to: bytes.count, by: 255))
        return .txt(starts.map { Array(bytes[$0..<min($0 + 255, bytes.count)]) })
    }

    /// The strings of a TXT record joined and read as UTF-8; nil for other types.
    package var text: String? {
        guard case .txt(let strings) = self else { return nil }
        return String(decoding: strings.joined(), as: UTF8.self)
    }

    package var type: RecordType {
        switch self {
        case .address(let ip): ip.family == .v4 ? .a : .aaaa
        case .ns: .ns
        case .cname: .cname
        case .ptr: .ptr
        case .soa: .soa
        case .srv: .srv
        case .txt: .txt
        case .other(let type, _): type
        }
    }
}

/// The record at a zone's top that carries its serial and timers (RFC 1035 §3.3.13), in seconds.
package struct StartOfAuthority: Hashable, Sendable {
    package var primary: DNSName
    package var mailbox: DNSName
    package var serial: SerialNumber
    package var refresh: UInt32
    package var retry: UInt32
    package var expire: UInt32
    /// Also the time a negative answer may be kept (RFC 2308 §4).
    package var minimum: UInt32

    package init(
        primary: DNSName, mailbox: DNSName, serial: SerialNumber, refresh: UInt32 = 3600,
        retry: UInt32 = 600, expire: UInt32 = 604_800, minimum: UInt32 = 60
    ) {
        self.primary = primary
        self.mailbox = mailbox
        self.serial = serial
        self.refresh = refresh
        self.retry = retry
        self.expire = expire
        self.minimum = minimum
    }
}

/// A zone's version in RFC 1982 arithmetic: it wraps, and "newer" is within half the circle.
package struct SerialNumber: Hashable, Sendable, CustomStringConvertible, ExpressibleByIntegerLiteral {
    package var value: UInt32

    package init(_ value: UInt32) { self.value = value }
    package init(integerLiteral value: UInt32) { self.value = value }

    package func isNewer(than other: SerialNumber) -> Bool {
        let ahead = value &- other.value
        return ahead != 0 && ahead < 0x8000_0000
    }

    /// The next serial; zero is skipped, as some secondaries take it for "none".
    package var next: SerialNumber {
        let next = value &+ 1
        return SerialNumber(next == 0 ? 1 : next)
    }

    package var description: String { "\(value)" }
}

// MARK: - Bytes

extension RecordData {
    /// Reads uncompressed data bytes; throws `malformedRecord` unless they are exactly one record of `type`.
    package init(type: RecordType, wire: [UInt8]) throws(DNSFailure) {
        guard wire.count <= 65_535 else { throw .tooLong(wire.count) }
        do throws(DNSFailure) {
            var reader = ByteReader(wire)
            self = try Self.read(type: type, from: &reader, wire: wire)
            guard reader.isAtEnd else { throw .malformedRecord("\(type) data has bytes left over") }
        } catch {
            throw .malformedRecord("\(type) data of \(wire.count) bytes: \(error)")
        }
    }

    private static func read(
        type: RecordType, from reader: inout ByteReader, wire: [UInt8]
    ) throws(DNSFailure) -> RecordData {
        switch type {
        case .a: return .address(try readAddress(4, from: &reader))
        case .aaaa: return .address(try readAddress(16, from: &reader))
        case .ns: return .ns(try reader.readName())
        case .cname: return .cname(try reader.readName())
        case .ptr: return .ptr(try reader.readName())
        case .srv:
            return .srv(
                priority: try reader.readUInt16(), weight: try reader.readUInt16(),
                port: try reader.readUInt16(), target: try reader.readName())
        case .txt:
            var strings: [[UInt8]] = []
            while !reader.isAtEnd {
                let count = Int(try reader.readUInt8())
                strings.append(try reader.readBytes(count))
            }
            guard !strings.isEmpty else { throw .malformedRecord("no string") }
            return .txt(strings)
        case .soa:
            return .soa(
                StartOfAuthority(
                    primary: try reader.readName(), mailbox: try reader.readName(),
                    serial: SerialNumber(try reader.readUInt32()), refresh: try reader.readUInt32(),
                    retry: try reader.readUInt32(), expire: try reader.readUInt32(),
                    minimum: try reader.readUInt32()))
        default:
            return .other(type, try reader.readBytes(wire.count))
        }
    }

    private static func readAddress(
        _ count: Int, from reader: inout ByteReader
    ) throws(DNSFailure) -> IPAddress {
        guard let address = IPAddress(bytes: try reader.readBytes(count)) else {
            throw .malformedRecord("no address")
        }
        return address
    }

    /// Uncompressed data bytes, names in the case they came in.
    package var wire: [UInt8] { bytes(name: \.wire) }

    /// Data bytes with names in lower case, which RFC 2136 §1.1.1 compares.
    package var canonicalWire: [UInt8] { bytes(name: \.canonicalWire) }

    private func bytes(name: (DNSName) -> [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .address(let ip): bytes = ip.bytes
        case .ns(let target), .cname(let target), .ptr(let target): bytes = name(target)
        case .srv(let priority, let weight, let port, let target):
            bytes.append(network: priority)
            bytes.append(network: weight)
            bytes.append(network: port)
            bytes += name(target)
        case .txt(let strings):
            for string in strings { bytes += [UInt8(truncatingIfNeeded: string.count)] + string.prefix(255) }
        case .soa(let soa):
            bytes = name(soa.primary) + name(soa.mailbox)
            for number in [soa.serial.value, soa.refresh, soa.retry, soa.expire, soa.minimum] {
                bytes.append(network: number)
            }
        case .other(_, let raw): bytes = raw
        }
        return bytes
    }
}
