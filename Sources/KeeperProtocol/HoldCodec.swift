import Primitives

/// What is wrong with a datagram of the hold protocol.
package enum HoldProtocolError: Error, Equatable, Sendable {
    case size(Int)
    case magic
    case version(UInt8)
    case kind(UInt8)
    case field(String)
}

/// The layout of a datagram: "fK", version, kind, then the fields big-endian, then zeros to the fixed size.
package enum HoldCodec {
    package static let version: UInt8 = 1

    fileprivate enum Kind: UInt8 {
        case configure = 1
        case hold = 2
        case release = 3
        case announce = 4
        case ready = 129
        case held = 130
        case released = 131
        case failed = 132
        case contested = 133
        case guarded = 134
    }
}

extension KeeperRequest {
    /// The datagram, always `KeeperLimits.datagramBytes` long.
    package var datagram: [UInt8] {
        switch self {
        case .configure(let part):
            var writer = DatagramWriter(.configure)
            writer.write(part)
            return writer.finish()
        case .hold(let address, let until, let token):
            var writer = DatagramWriter(.hold)
            writer.write(address)
            writer.write(token)
            writer.write(UInt64(bitPattern: until.nanoseconds))
            return writer.finish()
        case .release(let address, let token):
            var writer = DatagramWriter(.release)
            writer.write(address)
            writer.write(token)
            return writer.finish()
        case .announce(let address):
            var writer = DatagramWriter(.announce)
            writer.write(address)
            return writer.finish()
        }
    }

    /// Reads one datagram; throws when it is not a request of this version.
    package init(datagram: [UInt8]) throws(HoldProtocolError) {
        var reader = try DatagramReader(datagram)
        switch reader.kind {
        case .configure:
            self = .configure(try reader.part())
        case .hold:
            let address = try reader.address()
            let token = reader.integer(as: UInt64.self)
            self = .hold(address, until: reader.instant(), token: token)
        case .release:
            let address = try reader.address()
            self = .release(address, token: reader.integer(as: UInt64.self))
        case .announce:
            self = .announce(try reader.address())
        case .ready, .held, .released, .failed, .contested, .guarded:
            throw .kind(reader.kind.rawValue)
        }
    }
}

extension KeeperReport {
    /// The datagram, `KeeperLimits.datagramBytes` long; an overlong failure text is cut between characters.
    package var datagram: [UInt8] {
        switch self {
        case .ready(let holding, let armed, let version):
            var writer = DatagramWriter(.ready)
            writer.write(holding)
            writer.write(armed.rawValue)
            writer.write(version)
            return writer.finish()
        case .held(let address, let token, let instant, let announcedAt):
            var writer = DatagramWriter(.held)
            writer.write(address)
            writer.write(token)
            writer.write(UInt64(bitPattern: instant.nanoseconds))
            writer.write(UInt8(announcedAt == nil ? 0 : 1))
            writer.write(UInt64(bitPattern: announcedAt?.nanoseconds ?? 0))
            return writer.finish()
        case .released(let address, let token, let instant, let cause):
            var writer = DatagramWriter(.released)
            writer.write(address)
            writer.write(token)
            writer.write(UInt64(bitPattern: instant.nanoseconds))
            writer.write(cause.rawValue)
            return writer.finish()
        case .failed(let address, let token, let errno, let text):
            var writer = DatagramWriter(.failed)
            writer.write(address)
            writer.write(token)
            writer.write(UInt32(bitPattern: errno))
            writer.write(text, atMost: KeeperLimits.failureTextBytes)
            return writer.finish()
        case .contested(let address, let token, let hardware):
            var writer = DatagramWriter(.contested)
            writer.write(address)
            writer.write(token)
            writer.write(hardware)
            return writer.finish()
        case .guarded(let isWell):
            var writer = DatagramWriter(.guarded)
            writer.write(UInt8(isWell ? 1 : 0))
            return writer.finish()
        }
    }

    /// Reads one datagram; throws when it is not a report of this version.
    package init(datagram: [UInt8]) throws(HoldProtocolError) {
        var reader = try DatagramReader(datagram)
        switch reader.kind {
        case .ready:
            let holding = reader.integer(as: UInt16.self)
            let armed = KeeperArms(rawValue: reader.integer(as: UInt8.self))
            self = .ready(holding: holding, armed: armed, version: reader.integer(as: UInt8.self))
        case .held:
            let address = try reader.address()
            let token = reader.integer(as: UInt64.self)
            let instant = reader.instant()
            let announced = try reader.flag("announced")
            let announcedAt = reader.instant()
            self = .held(address, token: token, at: instant, announcedAt: announced ? announcedAt : nil)
        case .released:
            let address = try reader.address()
            let token = reader.integer(as: UInt64.self)
            let instant = reader.instant()
            guard let cause = ReleaseCause(rawValue: reader.integer(as: UInt8.self)) else {
                throw .field("cause")
            }
            self = .released(address, token: token, at: instant, cause: cause)
        case .failed:
            let address = try reader.address()
            let token = reader.integer(as: UInt64.self)
            let errno = Int32(bitPattern: reader.integer(as: UInt32.self))
            let text = try reader.text("text", atMost: KeeperLimits.failureTextBytes)
            self = .failed(address, token: token, errno: errno, text: text)
        case .contested:
            let address = try reader.address()
            let token = reader.integer(as: UInt64.self)
            let hardware = reader.integer(as: UInt64.self)
            guard hardware >> 48 == 0 else { throw .field("hardware address") }
            self = .contested(address, token: token, hardware: hardware)
        case .guarded:
            self = .guarded(try reader.flag("guarded"))
        case .configure, .hold, .release, .announce:
            throw .kind(reader.kind.rawValue)
        }
    }
}

/// Fills one fixed-size datagram from the front.
private struct DatagramWriter {
    private var bytes: [UInt8] = []

    init(_ kind: HoldCodec.Kind) {
        bytes.reserveCapacity(KeeperLimits.datagramBytes)
        bytes += [UInt8(ascii: "f"), UInt8(ascii: "K"), HoldCodec.version, kind.rawValue]
    }

    mutating func write(_ value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func write(_ address: KeeperAddress) {
        write(address.family.rawValue)
        write(address.prefixLength)
        bytes += address.bytes
        bytes += repeatElement(0, count: 16 - address.family.length)
    }

    mutating func write(_ text: String, atMost limit: Int) {
        var kept: [UInt8] = []
        for character in text {
            guard kept.count + character.utf8.count <= limit else { break }
            kept += Array(character.utf8)
        }
        write(UInt8(kept.count))
        bytes += kept
    }

    mutating func write(_ part: KeeperConfiguration.Part) {
        switch part.mode {
        case .kernel:
            write(UInt8(0))
            write(UInt16(0))
        case .loopback(let probePort):
            write(UInt8(1))
            write(probePort)
        }
        write(UInt8(part.isLast ? 1 : 0))
        write(part.nodeName, atMost: KeeperLimits.nodeNameBytes)
        let some = part.managed.prefix(KeeperLimits.addressesPerPart)
        write(UInt8(some.count))
        for address in some { write(address) }
    }

    func finish() -> [UInt8] {
        precondition(bytes.count <= KeeperLimits.datagramBytes, "a datagram's fields exceed its fixed size")
        return bytes + repeatElement(0, count: KeeperLimits.datagramBytes - bytes.count)
    }
}

/// Reads the fields of one fixed-size datagram; no combination of fields can reach past the fixed size.
private struct DatagramReader {
    private let bytes: [UInt8]
    private var position = 4
    let kind: HoldCodec.Kind

    init(_ bytes: [UInt8]) throws(HoldProtocolError) {
        guard bytes.count == KeeperLimits.datagramBytes else { throw .size(bytes.count) }
        guard bytes[0] == UInt8(ascii: "f"), bytes[1] == UInt8(ascii: "K") else { throw .magic }
        guard bytes[2] == HoldCodec.version else { throw .version(bytes[2]) }
        guard let kind = HoldCodec.Kind(rawValue: bytes[3]) else { throw .kind(bytes[3]) }
        self.bytes = bytes
        self.kind = kind
    }

    mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(as type: Value.Type) -> Value {
        var value: UInt64 = 0
        for byte in take(Value.bitWidth / 8) { value = value << 8 | UInt64(byte) }
        return Value(truncatingIfNeeded: value)
    }

    mutating func instant() -> Instant {
        Instant(nanoseconds: Int64(bitPattern: integer(as: UInt64.self)))
    }

    mutating func flag(_ name: String) throws(HoldProtocolError) -> Bool {
        switch integer(as: UInt8.self) {
        case 0: return false
        case 1: return true
        default: throw .field(name)
        }
    }

    mutating func address() throws(HoldProtocolError) -> KeeperAddress {
        guard let family = KeeperAddress.Family(rawValue: integer(as: UInt8.self)) else {
            throw .field("address family")
        }
        let prefixLength = integer(as: UInt8.self)
        let bytes = take(16).prefix(family.length)
        guard let address = KeeperAddress(family: family, bytes: bytes, prefixLength: prefixLength) else {
            throw .field("prefix length")
        }
        return address
    }

    mutating func text(_ name: String, atMost limit: Int) throws(HoldProtocolError) -> String {
        let count = Int(integer(as: UInt8.self))
        guard count <= limit else { throw .field(name) }
        guard let text = String(validating: take(count), as: UTF8.self) else { throw .field(name) }
        return text
    }

    mutating func part() throws(HoldProtocolError) -> KeeperConfiguration.Part {
        let modeCode = integer(as: UInt8.self)
        let probePort = integer(as: UInt16.self)
        let mode: KeeperMode
        switch modeCode {
        case 0: mode = .kernel
        case 1: mode = .loopback(probePort: probePort)
        default: throw .field("mode")
        }
        let isLast = try flag("last part")
        let nodeName = try text("node name", atMost: KeeperLimits.nodeNameBytes)
        let count = Int(integer(as: UInt8.self))
        guard count <= KeeperLimits.addressesPerPart else { throw .field("address count") }
        var managed: [KeeperAddress] = []
        for _ in 0..<count { managed.append(try address()) }
        return KeeperConfiguration.Part(mode: mode, nodeName: nodeName, managed: managed, isLast: isLast)
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8> {
        defer { position += count }
        return bytes[position..<position + count]
    }
}
