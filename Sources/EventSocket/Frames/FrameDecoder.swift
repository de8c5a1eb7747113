/// One message from an event-socket server: headers, and the body whose length they told.
package struct Frame: Hashable, Sendable {
    package var headers: Headers
    package var body: [UInt8]
    /// The length of a body above the limit, which was read over; 0 when it is all here.
    package var omitted = 0

    package init(headers: Headers, body: [UInt8] = []) {
        self.headers = headers
        self.body = body
    }

    package var contentType: String { headers["Content-Type"] ?? "" }

    /// The frame's bytes, headers as they are: the caller has put a `Content-Length` among them if there is a body.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64 + body.count)
        for field in headers.fields {
            bytes.append(contentsOf: field.name.utf8)
            bytes.append(contentsOf: [UInt8(ascii: ":"), UInt8(ascii: " ")])
            bytes.append(contentsOf: field.value.utf8)
            bytes.append(UInt8(ascii: "\n"))
        }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: body)
        return bytes
    }
}

/// Makes frames of what an event-socket server sends, however the bytes are cut; half a frame waits in bounded memory.
///
/// A body above the limit is read over: phones and callers make answers long (a list of registrations), and the connection of
/// a switch that serves them must not end by it.
package struct FrameDecoder: Sendable {
    private var reader: BlockReader

    package init(limits: FrameLimits = FrameLimits()) {
        reader = BlockReader(limits: limits, beginsWithLine: false)
        reader.omitsLongBodies = true
    }

    /// Bytes received and not yet given out as frames.
    package var buffered: Int { reader.buffered }
    /// Whether a frame has begun and not ended.
    package var isInsideFrame: Bool { reader.isInsideBlock }
    /// Bytes looked at or moved so far: a small multiple of the bytes received.
    package var work: Int { reader.work }

    package mutating func append(_ bytes: [UInt8]) { reader.append(bytes[...]) }
    package mutating func append(_ bytes: ArraySlice<UInt8>) { reader.append(bytes) }

    /// The next whole frame, nil when there is none yet. After an error the stream cannot be read on.
    package mutating func next() throws(FrameError) -> Frame? {
        guard let block = try reader.next() else { return nil }
        var frame = Frame(headers: block.headers, body: block.body)
        frame.omitted = block.omitted
        return frame
    }
}
