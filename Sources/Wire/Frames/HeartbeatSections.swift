/// What later versions add to a heartbeat, behind the fields of version 1: sections of tag, length and content.
///
/// A reader skips the tags that it does not know, so nodes of neighbouring versions understand each other. A tag is
/// never used again for something else.
enum HeartbeatSection {
    /// How many sections a reader looks at.
    static let limit = 32
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
