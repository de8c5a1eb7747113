import Lab

/// One connection that speaks RESP2, as hiredis makes it.
final class RedisClient {
    private let connection: Connection

    init(_ port: UInt16, on machine: Machine, password: String? = nil, seconds: Int = 20) throws {
        connection = try Connection(to: port, on: machine, seconds: seconds)
        if let password {
            let answer = try text("AUTH", password)
            guard answer == "OK" else { throw LabFailure("AUTH: \(answer)") }
        }
    }

    /// The number a command is answered with; 0 for nothing.
    func command(_ words: String...) throws -> Int {
        let answer = try ask(words)
        if answer.isEmpty { return 0 }
        guard let value = Int(answer) else { throw LabFailure("\(words.joined(separator: " ")): \(answer)") }
        return value
    }

    /// The text a command is answered with; empty for nothing.
    func text(_ words: String...) throws -> String { try ask(words) }

    /// A field of INFO; empty when there is none.
    func info(_ section: String, _ field: String) throws -> String {
        let lines = try text("INFO", section).split(whereSeparator: \.isNewline)
        return lines.first { $0.hasPrefix(field + ":") }.map { String($0.dropFirst(field.count + 1)) } ?? ""
    }

    private func ask(_ words: [String]) throws -> String {
        let parts = words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }
        try connection.send("*\(words.count)\r\n" + parts.joined())
        let answer = try connection.line()
        switch answer.first {
        case ":", "+": return String(answer.dropFirst())
        case "$":
            guard let count = Int(answer.dropFirst()) else { break }
            if count < 0 { return "" }
            return String(decoding: try connection.bytes(count + 2).dropLast(2), as: UTF8.self)
        default: break
        }
        throw LabFailure("\(words.joined(separator: " ").prefix(80)): \(answer)")
    }
}
