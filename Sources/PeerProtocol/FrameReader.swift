import Cluster
import Consensus
import Primitives

/// Takes values from bytes of unknown origin; every read is checked and nothing traps.
struct FrameReader {
    private let bytes: [UInt8]
    private var position: Int

    init(_ bytes: [UInt8], from position: Int = 0) {
        self.bytes = bytes
        self.position = min(position, bytes.count)
    }

    var remaining: Int { bytes.count - position }

    mutating func byte() throws(FrameFailure) -> UInt8 {
        guard position < bytes.count else { throw .truncated }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func raw(_ count: Int) throws(FrameFailure) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else { throw .truncated }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    mutating func fixed32() throws(FrameFailure) -> UInt32 {
        try raw(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func fixed64() throws(FrameFailure) -> UInt64 {
        try raw(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func number(_ field: String) throws(FrameFailure) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let next = try byte()
            if shift == 63, next > 1 { throw .malformed(field) }
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 { return value }
        }
        throw .malformed(field)
    }

    mutating func number32(_ field: String) throws(FrameFailure) -> UInt32 {
        guard let value = UInt32(exactly: try number(field)) else { throw .malformed(field) }
        return value
    }

    /// How many of something follow; each takes at least one byte, so a lie is found before it costs memory.
    mutating func count(_ field: String, limit: Int) throws(FrameFailure) -> Int {
        let value = try number(field)
        guard value <= UInt64(limit) else { throw .malformed(field) }
        guard value <= UInt64(remaining) else { throw .truncated }
        return Int(value)
    }

    mutating func blob(_ field: String, limit: Int) throws(FrameFailure) -> [UInt8] {
        let count = try count(field, limit: limit)
        return Array(try raw(count))
    }

    mutating func text(_ field: String, limit: Int = FrameLimits.name) throws(FrameFailure) -> String {
        guard let text = String(validating: try blob(field, limit: limit), as: UTF8.self) else {
            throw .malformed(field)
        }
        return text
    }

    mutating func name(_ field: String) throws(FrameFailure) -> String {
        let name = try text(field)
        guard Self.isName(name) else { throw .malformed(field) }
        return name
    }

    /// Whether somebody or something may be called so: what a cluster file admits, and letters beyond ASCII. It goes
    /// into `status`, logs and file names of others.
    static func isName(_ name: String) -> Bool {
        guard (1...63).contains(name.utf8.count), VisibleText.isPlain(name) else { return false }
        return name.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
            default: !scalar.isASCII && !scalar.properties.isWhitespace
            }
        }
    }

    mutating func name(_ field: String, after previous: String) throws(FrameFailure) -> String {
        let shared = try number(field)
        guard shared <= UInt64(previous.utf8.count) else { throw .malformed(field) }
        let bytes = Array(previous.utf8.prefix(Int(shared))) + (try blob(field, limit: FrameLimits.name))
        guard let name = String(validating: bytes, as: UTF8.self), Self.isName(name) else {
            throw .malformed(field)
        }
        return name
    }

    mutating func age(_ field: String) throws(FrameFailure) -> Duration {
        let microseconds = try number(field)
        guard microseconds <= UInt64(FrameLimits.longestAge.nanoseconds / 1000) else {
            throw .malformed(field)
        }
        return .microseconds(Int64(microseconds))
    }

    mutating func epoch(_ field: String) throws(FrameFailure) -> Epoch {
        let term = try number(field)
        return Epoch(term: term, index: try number(field))
    }

    mutating func member(_ field: String) throws(FrameFailure) -> MemberID {
        let name = try name(field)
        return MemberID(name: name, birth: try fixed64())
    }

    mutating func holder(_ field: String) throws(FrameFailure) -> Holder {
        let member = try member(field)
        return Holder(member: member, incarnation: try fixed64())
    }
}
