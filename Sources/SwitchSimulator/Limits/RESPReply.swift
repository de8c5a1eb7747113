/// A reply of a RESP service (redis.io/docs/reference/protocol-spec), as far as mod_hiredis's limits need it.
enum RESPReply: Hashable, Sendable {
    case status(String)
    case error(String)
    case number(Int)
    case text(String?)

    /// A counter's value; an absent key counts zero.
    var value: Int? {
        switch self {
        case .number(let number): number
        case .text(let text): text.map { Int($0) ?? 0 } ?? 0
        case .status: 0
        case .error: nil
        }
    }

    var isError: Bool { if case .error = self { true } else { false } }

    struct Failure: Error, Hashable {
        var reason: String
    }

    /// Reads replies out of a stream; what is not whole stays.
    struct Decoder: Sendable {
        static let limit = 1 << 20
        private var bytes: [UInt8] = []

        mutating func append(_ more: [UInt8]) { bytes += more }

        mutating func next() throws(Failure) -> RESPReply? {
            guard let (line, end) = line(from: 0) else {
                guard bytes.count <= Self.limit else { throw Failure(reason: "a line longer than 1 MiB") }
                return nil
            }
            guard let kind = line.utf8.first else { throw Failure(reason: "an empty line") }
            let rest = String(line.dropFirst())
            var used = end
            let reply: RESPReply
            switch kind {
            case UInt8(ascii: "+"): reply = .status(rest)
            case UInt8(ascii: "-"): reply = .error(rest)
            case UInt8(ascii: ":"):
                guard let number = Int(rest) else { throw Failure(reason: "no number after a colon") }
                reply = .number(number)
            case UInt8(ascii: "$"):
                guard let length = Int(rest), (-1...Self.limit).contains(length) else {
                    throw Failure(reason: "a bulk string's length is wrong")
                }
                if length < 0 {
                    reply = .text(nil)
                } else {
                    guard bytes.count >= end + length + 2 else { return nil }
                    reply = .text(String(decoding: bytes[end..<end + length], as: UTF8.self))
                    used = end + length + 2
                }
            default: throw Failure(reason: "a reply of unknown kind")
            }
            bytes.removeFirst(used)
            return reply
        }

        private func line(from start: Int) -> (text: String, end: Int)? {
            var index = start
            while index + 1 < bytes.count {
                if bytes[index] == 13, bytes[index + 1] == 10 {
                    return (String(decoding: bytes[start..<index], as: UTF8.self), index + 2)
                }
                index += 1
            }
            return nil
        }
    }

    /// A command as an array of bulk strings.
    static func command(_ words: [String]) -> [UInt8] {
        Array(("*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()).utf8)
    }
}
