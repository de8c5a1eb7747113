/// Why bytes are no RESP2 command, in the words redis uses; the connection is closed after it.
package enum RESPFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case argumentCount
    /// Nobody who has not given the password needs so many, or such long, arguments.
    case unauthenticatedCount
    case unauthenticatedLength
    case noBulk(UInt8)
    case bulkLength
    case noLineEnd
    case inlineTooLong
    case quotes
    case tooLong

    package var description: String {
        switch self {
        case .argumentCount: "invalid multibulk length"
        case .unauthenticatedCount: "unauthenticated multibulk length"
        case .unauthenticatedLength: "unauthenticated bulk length"
        case .noBulk(let byte):
            byte >= 0x20 && byte < 0x7F
                ? "expected '$', got '\(String(UnicodeScalar(byte)))'"
                : "expected '$', got a byte of value \(byte)"
        case .bulkLength: "invalid bulk length"
        case .noLineEnd: "expected a line end after an argument"
        case .inlineTooLong: "too big inline request"
        case .quotes: "unbalanced quotes in request"
        case .tooLong: "the command is longer than \(RESPLimits.command) bytes"
        }
    }
}

/// The bounds of one command. What FreeSWITCH sends is below 400 bytes.
package enum RESPLimits {
    package static let arguments = 64
    /// Of one argument, in bytes; a password may have 4096.
    package static let argument = 8192
    /// Of a whole command, in bytes.
    package static let command = 32_768
    /// Of a command in one line, in bytes.
    package static let inline = 1024
    /// Before the password was given.
    package static let unauthenticatedArguments = 10
    package static let unauthenticatedArgument = 4096
    /// Of a line that says how many arguments or bytes follow.
    static let header = 32
}

/// Finds RESP2 commands in a stream, as arrays of bulk strings or as words in one line, without copying them.
///
/// It remembers how far it read into a half command, so that each byte is looked at once, however it comes.
package struct RESPDecoder {
    /// Where an argument stands, counted from the beginning of its command.
    package struct Argument: Hashable, Sendable {
        package var start: Int
        package var count: Int
    }

    /// Of the command `next` found last; empty for an empty line or an empty array, which asks for nothing.
    package private(set) var arguments: [Argument] = []
    /// Set once the password was given: until then, less is read.
    package var isTrusted: Bool
    /// Bytes of the command under way that were read already.
    private var position = 0
    /// Arguments still to come; nil before the command's first line.
    private var missing: Int?
    /// Bytes of the argument under way; nil before the line that says it.
    private var bulk: Int?

    package init(isTrusted: Bool) {
        self.isTrusted = isTrusted
        arguments.reserveCapacity(8)
    }

    /// Whether a part of a command was read.
    package private(set) var isUnderWay = false

    /// - Parameter bytes: from the beginning of the command under way: the same bytes as in the call before, and more.
    /// - Returns: how many bytes the command has; nil when it is not whole yet.
    package mutating func next(_ bytes: UnsafeRawBufferPointer) throws(RESPFailure) -> Int? {
        if missing == nil {
            guard let first = bytes.first else { return nil }
            isUnderWay = true
            arguments.removeAll(keepingCapacity: true)
            guard first == UInt8(ascii: "*") else { return try inline(bytes) }
            guard let count = try number(bytes, .argumentCount) else { return nil }
            if count > (isTrusted ? RESPLimits.arguments : RESPLimits.unauthenticatedArguments) {
                throw isTrusted ? .argumentCount : .unauthenticatedCount
            }
            missing = max(count, 0)
        }
        while let left = missing, left > 0 {
            guard try argument(bytes) else { return nil }
            missing = left - 1
        }
        defer { reset() }
        return position
    }

    private mutating func reset() {
        isUnderWay = false
        position = 0
        missing = nil
        bulk = nil
    }

    /// False when it is not whole yet.
    private mutating func argument(_ bytes: UnsafeRawBufferPointer) throws(RESPFailure) -> Bool {
        if bulk == nil {
            guard position < bytes.count else { return false }
            guard bytes[position] == UInt8(ascii: "$") else { throw .noBulk(bytes[position]) }
            guard let count = try number(bytes, .bulkLength) else { return false }
            guard count >= 0, count <= RESPLimits.argument else { throw .bulkLength }
            guard isTrusted || count <= RESPLimits.unauthenticatedArgument else {
                throw .unauthenticatedLength
            }
            guard position + count + 2 <= RESPLimits.command else { throw .tooLong }
            bulk = count
        }
        guard let count = bulk, bytes.count - position >= count + 2 else { return false }
        guard bytes[position + count] == 13, bytes[position + count + 1] == 10 else { throw .noLineEnd }
        arguments.append(Argument(start: position, count: count))
        position += count + 2
        bulk = nil
        return true
    }

    /// Reads `*12\r\n` or `$3\r\n` at the position; nil when the line is not whole yet. A line is at most
    /// `RESPLimits.header` long, so looking at it again costs nothing that grows.
    private mutating func number(
        _ bytes: UnsafeRawBufferPointer, _ failure: RESPFailure
    ) throws(RESPFailure) -> Int? {
        var at = position + 1
        let end = min(bytes.count, position + RESPLimits.header)
        var isNegative = false
        if at < end, bytes[at] == UInt8(ascii: "-") {
            isNegative = true
            at += 1
        }
        var value = 0
        let firstDigit = at
        while at < end, bytes[at] >= 48, bytes[at] <= 57 {
            guard value <= 1_000_000_000 else { throw failure }
            value = value * 10 + Int(bytes[at] - 48)
            at += 1
        }
        if at == end {
            if end == bytes.count, end < position + RESPLimits.header { return nil }
            throw failure
        }
        guard at > firstDigit, bytes[at] == 13 else { throw failure }
        guard at + 1 < bytes.count else { return nil }
        guard bytes[at + 1] == 10 else { throw failure }
        position = at + 2
        return isNegative ? -value : value
    }

    /// One line of words; a word in quotes may have spaces, but no escapes.
    private mutating func inline(_ bytes: UnsafeRawBufferPointer) throws(RESPFailure) -> Int? {
        var end = position
        while end < bytes.count, bytes[end] != 10 {
            end += 1
            if end > RESPLimits.inline { throw .inlineTooLong }
        }
        guard end < bytes.count else {
            position = end
            return nil
        }
        let line = end > 0 && bytes[end - 1] == 13 ? end - 1 : end
        defer { reset() }
        try words(bytes, upTo: line)
        return end + 1
    }

    private mutating func words(_ bytes: UnsafeRawBufferPointer, upTo line: Int) throws(RESPFailure) {
        var at = 0
        while at < line {
            if bytes[at] == 32 || bytes[at] == 9 {
                at += 1
                continue
            }
            guard arguments.count < RESPLimits.arguments else { throw .argumentCount }
            let first = bytes[at]
            var end = at + 1
            if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") {
                while end < line, bytes[end] != first, bytes[end] != UInt8(ascii: "\\") { end += 1 }
                guard end < line, bytes[end] == first, end + 1 == line || bytes[end + 1] == 32 else {
                    throw .quotes
                }
                arguments.append(Argument(start: at + 1, count: end - at - 1))
                at = end + 1
            } else {
                while end < line, bytes[end] != 32, bytes[end] != 9 { end += 1 }
                arguments.append(Argument(start: at, count: end - at))
                at = end
            }
        }
    }
}
