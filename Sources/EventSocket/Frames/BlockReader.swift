/// Splits a byte stream into blocks of header lines with optional bodies, looking at each byte once however it arrives.
///
/// Both directions of the event socket have this shape: lines ended by LF (a CR before it is dropped), a blank line, then as
/// many body bytes as `Content-Length` says. A client's block begins with a command line, a server's does not.
struct BlockReader: Sendable {
    struct Block: Sendable {
        var line: String
        var headers: Headers
        var body: [UInt8]
        /// The length of a body that was too long to be kept; 0 when it is all here.
        var omitted = 0
    }

    var limits: FrameLimits
    /// Whether a body above the limit is read over instead of ending the stream.
    var omitsLongBodies = false
    private let beginsWithLine: Bool
    private var buffer: [UInt8] = []
    /// Bytes before this are done with.
    private var start = 0
    /// The current line was looked through up to here.
    private var scanned = 0
    private var line: String?
    private var fields: [Headers.Field] = []
    /// Bytes of the current block's lines before `start`.
    private var blockBytes = 0
    private var bodyLength: Int?
    /// Of a body that is read over.
    private var passed = 0
    private var failure: FrameError?
    /// Bytes looked at or moved so far: it grows with the bytes received, not with the number of pieces they came in.
    private(set) var work = 0

    init(limits: FrameLimits, beginsWithLine: Bool) {
        self.limits = limits
        self.beginsWithLine = beginsWithLine
    }

    /// Bytes received and not yet given out.
    var buffered: Int { buffer.count - start }
    var isInsideBlock: Bool { buffered > 0 || line != nil || !fields.isEmpty || bodyLength != nil }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        guard failure == nil else { return }
        compact()
        buffer.append(contentsOf: bytes)
        if buffered > limits.bufferedBytes { fail(.bufferFull(limit: limits.bufferedBytes)) }
    }

    /// The next whole block, nil while it is incomplete; after an error, the same error for ever.
    mutating func next() throws(FrameError) -> Block? {
        if let failure { throw failure }
        do throws(FrameError) {
            if bodyLength == nil { try readLines() }
        } catch {
            fail(error)
            throw error
        }
        guard let length = bodyLength else { return nil }
        if length > limits.bodyBytes { return passOver(length) }
        guard buffered >= length else { return nil }
        let block = Block(
            line: line ?? "", headers: Headers(fields),
            body: length == 0 ? [] : Array(buffer[start..<start + length]))
        work += length
        start += length
        endBlock()
        return block
    }

    /// Drops what has come of a body that is too long; the block without it once it is through.
    private mutating func passOver(_ length: Int) -> Block? {
        let bytes = min(length - passed, buffered)
        passed += bytes
        start += bytes
        scanned = start
        guard passed == length else {
            compact()
            return nil
        }
        let block = Block(line: line ?? "", headers: Headers(fields), body: [], omitted: length)
        endBlock()
        return block
    }

    private mutating func endBlock() {
        scanned = start
        (line, fields, blockBytes, bodyLength, passed) = (nil, [], 0, nil, 0)
        if start == buffer.count { compact() }
    }

    /// Reads lines until the blank one that ends the block or until there are no more.
    private mutating func readLines() throws(FrameError) {
        while let end = lineEnd() {
            let next = end + 1
            let last = end > start && buffer[end - 1] == UInt8(ascii: "\r") ? end - 1 : end
            let content = start..<last
            blockBytes += next - start
            start = next
            scanned = next
            guard blockBytes <= limits.headerBytes else { throw .headerTooLong(limit: limits.headerBytes) }
            if content.isEmpty {
                // Blank lines before a block are allowed, as FreeSWITCH allows them.
                guard line != nil || !fields.isEmpty else {
                    blockBytes = 0
                    continue
                }
                bodyLength = try contentLength()
                return
            }
            try take(content)
        }
        guard blockBytes + buffered <= limits.headerBytes else {
            throw .headerTooLong(limit: limits.headerBytes)
        }
    }

    private mutating func lineEnd() -> Int? {
        var at = scanned
        let end = buffer.count
        while at < end, buffer[at] != UInt8(ascii: "\n") { at += 1 }
        work += at - scanned + 1
        scanned = at
        return at < end ? at : nil
    }

    private mutating func take(_ content: Range<Int>) throws(FrameError) {
        if beginsWithLine, line == nil {
            line = String(decoding: buffer[content], as: UTF8.self)
            return
        }
        guard let colon = buffer[content].firstIndex(of: UInt8(ascii: ":")), colon > content.lowerBound else {
            // mod_event_socket (read_packet) passes over such lines of a client; a server never sends one.
            if beginsWithLine { return }
            throw .malformedHeader(excerpt(content))
        }
        guard fields.count < limits.headerCount else { throw .tooManyHeaders(limit: limits.headerCount) }
        var value = colon + 1
        while value < content.upperBound, buffer[value] == UInt8(ascii: " ") { value += 1 }
        fields.append(
            Headers.Field(
                String(decoding: buffer[content.lowerBound..<colon], as: UTF8.self),
                String(decoding: buffer[value..<content.upperBound], as: UTF8.self)))
    }

    /// The body's length by `Content-Length`, 0 without one; a header that says it twice must say the same.
    private func contentLength() throws(FrameError) -> Int {
        var length: Int?
        for field in fields where Headers.isSame(field.name, "Content-Length") {
            guard let value = Decimal.parse(field.value) else {
                throw .badContentLength(String(field.value.prefix(FrameError.excerptLength)))
            }
            guard length == nil || length == value else { throw .badContentLength("two different values") }
            let limit = omitsLongBodies ? max(limits.bodyBytes, FrameLimits.longestOmitted) : limits.bodyBytes
            guard value <= limit else { throw .bodyTooLong(length: value, limit: limit) }
            length = value
        }
        return length ?? 0
    }

    private func excerpt(_ content: Range<Int>) -> String {
        String(decoding: buffer[content].prefix(FrameError.excerptLength), as: UTF8.self)
    }

    private mutating func fail(_ error: FrameError) {
        failure = error
        (buffer, start, scanned, fields, line) = ([], 0, 0, [], nil)
    }

    /// Drops used bytes once they are at least half of the buffer, so that each byte is moved at most once on average.
    private mutating func compact() {
        guard start > 0, start >= buffer.count - start else { return }
        let rest = buffer.count - start
        work += rest
        if rest == 0, buffer.capacity <= 1 << 18 {
            buffer.removeAll(keepingCapacity: true)
        } else if rest == 0 {
            buffer = []
        } else {
            buffer.removeFirst(start)
        }
        scanned -= start
        start = 0
    }
}

/// Unsigned decimal numbers as they stand in headers.
enum Decimal {
    /// The value of ASCII digits with spaces around them; nil for a sign, anything else, or more than 18 digits.
    static func parse(_ text: some StringProtocol) -> Int? {
        var value = 0
        var digits = 0
        var isOver = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: " ") where digits == 0: continue
            case UInt8(ascii: " "): isOver = true
            case UInt8(ascii: "0")...UInt8(ascii: "9") where !isOver && digits < 18:
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
                digits += 1
            default: return nil
            }
        }
        return digits > 0 ? value : nil
    }
}
