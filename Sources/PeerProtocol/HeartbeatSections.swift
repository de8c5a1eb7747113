import Primitives

/// What later versions add to a heartbeat, behind the fields of version 1: sections of tag, length and content.
///
/// A reader skips the tags that it does not know, so nodes of neighbouring versions understand each other. A tag is
/// never used again for something else.
enum HeartbeatSection {
    /// How many sections a reader looks at.
    static let limit = 32
    /// Why the sender could not serve, and whom it reaches (`HeartbeatService`).
    static let service: UInt8 = 1
    /// Where the sender's links are called (`Heartbeat.endpoints`).
    static let endpoints: UInt8 = 2
    /// Which lives use which identity (`HeartbeatIdentity`).
    static let identity: UInt8 = 3
    /// How much the sender's log knows, and where it runs (`HeartbeatOrigin`).
    static let origin: UInt8 = 4
    /// Ways that carry nothing while others do (`HeartbeatPaths`).
    static let paths: UInt8 = 5
    /// Whose turn it is to try the zone (`HeartbeatZone`).
    static let zone: UInt8 = 6
    /// The sender's wall clock (`Heartbeat.wallClock`).
    static let wallClock: UInt8 = 7
    /// The sender's signature of all before it; always the last (`HeartbeatSignature`).
    static let signature: UInt8 = 8
    /// The sender's release, and which formats of what is agreed it reads (`HeartbeatRelease`).
    static let release: UInt8 = 9
    /// As many rings as a node may have.
    static let endpointLimit = 8
}

extension FrameWriter {
    /// Each address as its length, its bytes and the port.
    mutating func write(endpoints: [Endpoint]) {
        for endpoint in endpoints.prefix(HeartbeatSection.endpointLimit) {
            write(blob: endpoint.ip.bytes)
            write(byte: UInt8(endpoint.port >> 8))
            write(byte: UInt8(endpoint.port & 0xFF))
        }
    }
}

extension FrameReader {
    mutating func endpoints() throws(FrameFailure) -> [Endpoint] {
        var list: [Endpoint] = []
        while remaining > 0, list.count < HeartbeatSection.endpointLimit {
            guard let ip = IPAddress(bytes: try blob("endpoint", limit: 16)) else {
                throw .malformed("endpoint")
            }
            let high = UInt16(try byte())
            list.append(Endpoint(ip: ip, port: high << 8 | UInt16(try byte())))
        }
        return list
    }
}

extension FrameWriter {
    /// A section that says nothing is left out.
    mutating func write(section tag: UInt8, _ body: (inout FrameWriter) -> Void) {
        var content = FrameWriter()
        body(&content)
        guard !content.bytes.isEmpty else { return }
        write(byte: tag)
        write(blob: content.bytes)
    }
}

extension FrameReader {
    /// Hands each section to `take`, which may leave some or all of its content unread.
    mutating func sections(
        _ take: (UInt8, inout FrameReader) throws(FrameFailure) -> Void
    ) throws(FrameFailure) {
        for _ in 0..<HeartbeatSection.limit where remaining > 0 {
            let tag = try byte()
            var content = FrameReader(try blob("section", limit: FrameLimits.longestHeartbeat))
            try take(tag, &content)
        }
    }
}
