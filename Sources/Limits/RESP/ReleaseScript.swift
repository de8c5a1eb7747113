/// Recognises the one script mod_hiredis sends with `delete-when-zero`: decrement the key, delete it when it is then
/// zero or less, return the number (mod_hiredis.c, hiredis_limit_release).
///
/// It is known by its shape: spaces, line ends, comments, semicolons, kinds of quotes and the variable's name do
/// not matter. Nothing is run.
enum ReleaseScript {
    private enum Token: Hashable {
        case word(String)
        case text(String)
        case sign(UInt8)
    }

    /// `local V = redis.call("decr", KEYS[1]) if V <= 0 then redis.call("del", KEYS[1]) end return V`
    static func isKnown(_ script: UnsafeRawBufferPointer) -> Bool {
        guard let tokens = tokens(script), tokens.count > 1, tokens[0] == .word("local"),
            case .word(let name) = tokens[1]
        else { return false }
        let shape =
            [.word("local"), .word(name), .sign(61)] + call("decr")
            + [.word("if"), .word(name), .sign(60), .sign(61), .word("0"), .word("then")] + call("del")
            + [.word("end"), .word("return"), .word(name)]
        return tokens == shape
    }

    private static func call(_ command: String) -> [Token] {
        [
            .word("redis"), .sign(46), .word("call"), .sign(40), .text(command), .sign(44), .word("KEYS"),
            .sign(91),
            .word("1"), .sign(93), .sign(41),
        ]
    }

    /// Nil when it is too long, or no text we can read.
    private static func tokens(_ script: UnsafeRawBufferPointer) -> [Token]? {
        guard script.count <= 1024 else { return nil }
        var tokens: [Token] = []
        var at = 0
        while at < script.count {
            let byte = script[at]
            if byte <= 32 || byte == UInt8(ascii: ";") {
                at += 1
            } else if byte == UInt8(ascii: "-"), at + 1 < script.count, script[at + 1] == byte {
                while at < script.count, script[at] != 10 { at += 1 }
            } else if isLetter(byte) {
                let end = (at..<script.count).first { !isLetter(script[$0]) } ?? script.count
                tokens.append(.word(text(script, at, end)))
                at = end
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                guard let end = ((at + 1)..<script.count).first(where: { script[$0] == byte }) else {
                    return nil
                }
                tokens.append(.text(text(script, at + 1, end).lowercased()))
                at = end + 1
            } else {
                tokens.append(.sign(byte))
                at += 1
            }
            if tokens.count > 64 { return nil }
        }
        return tokens
    }

    private static func text(_ script: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> String {
        String(decoding: script[start..<end], as: UTF8.self)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 95, 97...122: true
        default: false
        }
    }
}
