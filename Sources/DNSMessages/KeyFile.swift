/// Reads the files that hold TSIG secrets: what `tsig-keygen` prints, or bare base64.
///
/// No error text repeats what stands in the file.
package enum KeyFile {
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        package let file: String
        package let line: Int
        package let reason: String

        package init(file: String, line: Int, reason: String) {
            self.file = file
            self.line = line
            self.reason = reason
        }

        package var description: String { "\(file):\(line): \(reason)" }
    }

    /// Largest key file read, in bytes.
    package static let sizeLimit = 65_536

    /// Reads `key "name" { algorithm hmac-sha256; secret "…"; };`, which must be the file's only key.
    package static func parse(_ text: String, file: String) throws(Failure) -> TSIGKey {
        var tokens = try tokens(of: text, file: file)[...]
        let lastLine = tokens.last?.line ?? 1
        func fail(_ line: Int?, _ reason: String) -> Failure {
            Failure(file: file, line: line ?? lastLine, reason: reason)
        }
        func expect(_ word: String) throws(Failure) {
            guard tokens.first?.text == word else { throw fail(tokens.first?.line, "\"\(word)\" expected") }
            tokens.removeFirst()
        }
        try expect("key")
        guard let nameToken = tokens.popFirst(), let name = try? DNSName(nameToken.text) else {
            throw fail(tokens.first?.line, "a key's name expected")
        }
        try expect("{")
        var algorithm: TSIGKey.Algorithm?
        var secret: [UInt8]?
        while let token = tokens.popFirst(), token.text != "}" {
            guard let value = tokens.popFirst() else { throw fail(token.line, "a value expected") }
            switch token.text {
            case "algorithm" where algorithm == nil:
                algorithm = Self.algorithm(value.text)
                if algorithm == nil { throw fail(value.line, unknownAlgorithm) }
            case "secret" where secret == nil:
                secret = Base64.decode(value.text)
                if secret == nil { throw fail(value.line, "the secret is not base64") }
            default: throw fail(token.line, "one \"algorithm\" and one \"secret\" expected")
            }
            try expect(";")
        }
        try expect(";")
        if let extra = tokens.first { throw fail(extra.line, "one key expected, more follows") }
        guard let algorithm, let secret else { throw fail(nil, "\"algorithm\" or \"secret\" is missing") }
        guard let key = TSIGKey(name: name, algorithm: algorithm, secret: secret) else {
            throw fail(nil, "the secret is empty or longer than 1024 bytes")
        }
        return key
    }

    /// Reads a secret file for a key whose name and algorithm are configured.
    ///
    /// The file is bare base64, or a whole key, which then must be of this name and algorithm.
    package static func parse(
        _ text: String, file: String, name: DNSName, algorithm: TSIGKey.Algorithm
    ) throws(Failure) -> TSIGKey {
        if text.contains("{") {
            let key = try parse(text, file: file)
            guard key.name == name, key.algorithm == algorithm else {
                throw Failure(
                    file: file, line: 1, reason: "holds key \(key), not \(name) \(algorithm.rawValue)")
            }
            return key
        }
        guard text.utf8.count <= sizeLimit, let secret = Base64.decode(text) else {
            throw Failure(file: file, line: 1, reason: "is neither a key nor a base64 secret")
        }
        guard let key = TSIGKey(name: name, algorithm: algorithm, secret: secret) else {
            throw Failure(file: file, line: 1, reason: "the secret is empty or longer than 1024 bytes")
        }
        return key
    }

    private static let unknownAlgorithm =
        "the algorithm must be one of \(TSIGKey.Algorithm.allCases.map(\.rawValue).joined(separator: ", "))"

    private static func algorithm(_ text: String) -> TSIGKey.Algorithm? {
        let lowered = text.lowercased()
        return TSIGKey.Algorithm(rawValue: lowered.hasSuffix(".") ? String(lowered.dropLast()) : lowered)
    }
}

// MARK: - Words

extension KeyFile {
    private struct Token {
        var text: String
        var line: Int
    }

    /// Splits BIND's configuration syntax: words, quoted strings, `{ } ;`, comments of three kinds.
    private static func tokens(of text: String, file: String) throws(Failure) -> [Token] {
        let bytes = Array(text.utf8)
        guard bytes.count <= sizeLimit else {
            throw Failure(file: file, line: 1, reason: "is longer than \(sizeLimit) bytes")
        }
        var tokens: [Token] = []
        var line = 1
        var index = 0
        func isAt(_ word: String) -> Bool { bytes[index...].starts(with: word.utf8) }
        while index < bytes.count {
            let byte = bytes[index]
            if byte == 0x0A {
                line += 1
                index += 1
            } else if byte <= 0x20 {
                index += 1
            } else if byte == 0x23 || isAt("//") {
                while index < bytes.count, bytes[index] != 0x0A { index += 1 }
            } else if isAt("/*") {
                let start = line
                while index < bytes.count, !isAt("*/") {
                    if bytes[index] == 0x0A { line += 1 }
                    index += 1
                }
                guard index < bytes.count else {
                    throw Failure(file: file, line: start, reason: "a comment is not closed")
                }
                index += 2
            } else if byte == 0x22 {
                guard let end = bytes[(index + 1)...].firstIndex(where: { $0 == 0x22 || $0 == 0x0A }),
                    bytes[end] == 0x22
                else { throw Failure(file: file, line: line, reason: "a quote is not closed") }
                tokens.append(
                    Token(text: String(decoding: bytes[(index + 1)..<end], as: UTF8.self), line: line))
                index = end + 1
            } else if "{};".utf8.contains(byte) {
                tokens.append(Token(text: String(decoding: [byte], as: UTF8.self), line: line))
                index += 1
            } else {
                let end =
                    bytes[index...].firstIndex { $0 <= 0x20 || "{};\"#".utf8.contains($0) } ?? bytes.count
                tokens.append(Token(text: String(decoding: bytes[index..<end], as: UTF8.self), line: line))
                index = end
            }
        }
        return tokens
    }
}
