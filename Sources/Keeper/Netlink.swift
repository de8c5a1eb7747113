import CLinux
import KeeperProtocol

/// Writes one rtnetlink message (linux/netlink.h: host byte order, everything padded to 4 bytes).
struct NetlinkWriter {
    private var bytes: [UInt8]

    init(type: Int, flags: Int32, sequence: UInt32) {
        bytes = []
        bytes.reserveCapacity(128)
        append(UInt32(0))
        append(UInt16(type))
        append(UInt16(flags))
        append(sequence)
        append(UInt32(0))
    }

    mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value) { bytes += $0 }
    }

    mutating func append(_ raw: [UInt8]) { bytes += raw }

    /// struct ifaddrmsg
    mutating func appendAddressHeader(_ address: KeeperAddress, interface: Int32) {
        append(UInt8(address.family == .v4 ? AF_INET : AF_INET6))
        append(address.prefixLength)
        append(UInt8(0))
        append(UInt8(RT_SCOPE_UNIVERSE.rawValue))
        append(UInt32(interface))
    }

    mutating func append(attribute type: Int, _ payload: [UInt8]) {
        append(UInt16(4 + payload.count))
        append(UInt16(type))
        bytes += payload
        bytes += repeatElement(0, count: (4 - payload.count % 4) % 4)
    }

    mutating func append(attribute type: Int, words: [UInt32]) {
        append(attribute: type, words.flatMap { word in withUnsafeBytes(of: word) { Array($0) } })
    }

    consuming func finish() -> [UInt8] {
        withUnsafeBytes(of: UInt32(bytes.count)) { length in
            for (position, byte) in length.enumerated() { bytes[position] = byte }
        }
        return bytes
    }
}

/// One rtnetlink message as it came from the kernel.
struct NetlinkMessage: Equatable, Sendable {
    let type: Int
    let flags: Int32
    let sequence: UInt32
    let payload: [UInt8]

    private static let headerBytes = 16

    /// Every whole message in a datagram; a malformed rest is left out.
    static func messages(in bytes: ArraySlice<UInt8>) -> [NetlinkMessage] {
        var messages: [NetlinkMessage] = []
        var rest = bytes
        while let length: UInt32 = rest.load(at: 0), length >= headerBytes, Int(length) <= rest.count,
            let type: UInt16 = rest.load(at: 4), let flags: UInt16 = rest.load(at: 6),
            let sequence: UInt32 = rest.load(at: 8)
        {
            let payload = Array(rest.prefix(Int(length)).dropFirst(headerBytes))
            messages.append(
                NetlinkMessage(type: Int(type), flags: Int32(flags), sequence: sequence, payload: payload))
            rest = rest.dropFirst((Int(length) + 3) & ~3)
        }
        return messages
    }

    /// A field of the fixed part; nil when the message is too short for it.
    func field<Value: FixedWidthInteger>(at offset: Int) -> Value? { payload[...].load(at: offset) }

    /// The first attribute of that type after a fixed part of `offset` bytes.
    func attribute(_ wanted: Int, after offset: Int) -> [UInt8]? {
        var rest = payload.dropFirst(offset)
        while let length: UInt16 = rest.load(at: 0), length >= 4, Int(length) <= rest.count,
            let type: UInt16 = rest.load(at: 2)
        {
            if Int(type & 0x3fff) == wanted { return Array(rest.prefix(Int(length)).dropFirst(4)) }
            rest = rest.dropFirst((Int(length) + 3) & ~3)
        }
        return nil
    }
}

extension ArraySlice<UInt8> {
    /// A host-order integer at that distance from the start; nil past the end.
    fileprivate func load<Value: FixedWidthInteger>(at offset: Int) -> Value? {
        let size = Value.bitWidth / 8
        guard count >= offset + size else { return nil }
        return dropFirst(offset).prefix(size).withUnsafeBytes { $0.loadUnaligned(as: Value.self) }
    }
}
