/// How much of a stream may be held before it is refused: all in bytes but the number of headers.
package struct FrameLimits: Hashable, Sendable {
    /// All lines before the blank line together.
    package var headerBytes: Int
    package var headerCount: Int
    /// FreeSWITCH's own limit for a command's body is 16 MiB (mod_event_socket.c, MAX_CONTENT_LENGTH).
    package var bodyBytes: Int
    /// Bytes received and not yet taken: at least one whole frame must fit.
    package var bufferedBytes: Int

    package init(
        headerBytes: Int = 1 << 18, headerCount: Int = 2048, bodyBytes: Int = 1 << 24,
        bufferedBytes: Int? = nil
    ) {
        self.headerBytes = headerBytes
        self.headerCount = headerCount
        self.bodyBytes = bodyBytes
        self.bufferedBytes = bufferedBytes ?? headerBytes + bodyBytes + 1 << 20
    }

    /// Of FreeSWITCH's answer to one question, in bytes: some 350,000 registrations.
    package static let longestAnswer = 256 << 20

    /// A body above the limit is read over up to here, in bytes: what is longer is no answer of FreeSWITCH.
    package static let longestOmitted = 1 << 30

    /// What a peer that has not yet given its password may send.
    package static let beforeAuthentication = FrameLimits(
        headerBytes: 4096, headerCount: 16, bodyBytes: 0, bufferedBytes: 1 << 18)
}

/// Why a stream of frames or commands cannot be read on: the connection has to be closed.
package enum FrameError: Error, Hashable, Sendable {
    case headerTooLong(limit: Int)
    case tooManyHeaders(limit: Int)
    /// A line without a name before a colon; its beginning.
    case malformedHeader(String)
    case badContentLength(String)
    case bodyTooLong(length: Int, limit: Int)
    case bufferFull(limit: Int)

    static let excerptLength = 80
}

extension FrameError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .headerTooLong(let limit): "headers longer than \(limit) bytes"
        case .tooManyHeaders(let limit): "more than \(limit) headers"
        case .malformedHeader(let line): "a header line without a name and a colon: “\(line)”"
        case .badContentLength(let value): "Content-Length is not a length: “\(value)”"
        case .bodyTooLong(let length, let limit): "Content-Length is \(length), the limit is \(limit)"
        case .bufferFull(let limit): "more than \(limit) bytes waiting to be read"
        }
    }
}
