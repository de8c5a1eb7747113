/// Whether a table or an index is declared as FreeSWITCH declares its own: by names, types and lengths alone.
///
/// Everything else that SQLite can be told there (CHECK, DEFAULT, generated columns, indexes of expressions or with a condition) is
/// computed by whoever writes, for as long and with as much memory as it takes, and `trusted_schema` does not keep it from that.
enum PlainDeclaration {
    private enum Token: Equatable {
        case word(String)
        case open
        case close
        case comma
    }

    private static let longest = 4096

    /// `CREATE TABLE NAME (COLUMN [TYPE [(LENGTH)]], …)`
    static func isTable(_ sql: String) -> Bool {
        var rest = tokens(sql)[...]
        guard take("create", &rest), take("table", &rest), takeWord(&rest) != nil,
            take(.open, &rest)
        else { return false }
        repeat {
            guard takeWord(&rest) != nil else { return false }
            guard takeWord(&rest) != nil else { continue }
            guard take(.open, &rest) else { continue }
            guard let length = takeWord(&rest), length.utf8.allSatisfy({ (48...57).contains($0) }),
                take(.close, &rest)
            else { return false }
        } while take(.comma, &rest)
        return take(.close, &rest) && rest.isEmpty
    }

    /// `CREATE INDEX NAME ON TABLE (COLUMN, …)`
    static func isIndex(_ sql: String) -> Bool {
        var rest = tokens(sql)[...]
        guard take("create", &rest), take("index", &rest), takeWord(&rest) != nil,
            take("on", &rest), takeWord(&rest) != nil, take(.open, &rest)
        else { return false }
        repeat {
            guard takeWord(&rest) != nil else { return false }
        } while take(.comma, &rest)
        return take(.close, &rest) && rest.isEmpty
    }

    private static func take(_ token: Token, _ rest: inout ArraySlice<Token>) -> Bool {
        guard rest.first == token else { return false }
        rest.removeFirst()
        return true
    }

    private static func take(_ keyword: String, _ rest: inout ArraySlice<Token>) -> Bool {
        guard case .word(let word)? = rest.first, word.lowercased() == keyword else { return false }
        rest.removeFirst()
        return true
    }

    private static func takeWord(_ rest: inout ArraySlice<Token>) -> String? {
        guard case .word(let word)? = rest.first else { return nil }
        rest.removeFirst()
        return word
    }

    /// Empty for anything that has other signs in it, so that no declaration begins.
    private static func tokens(_ sql: String) -> [Token] {
        guard sql.utf8.count <= longest else { return [] }
        var tokens: [Token] = []
        var word: [UInt8] = []
        func end() {
            if !word.isEmpty { tokens.append(.word(String(decoding: word, as: UTF8.self))) }
            word = []
        }
        for byte in sql.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                word.append(byte)
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"),
                // A renamed or added one is quoted.
                UInt8(ascii: "\""):
                end()
            case UInt8(ascii: "("):
                end()
                tokens.append(.open)
            case UInt8(ascii: ")"):
                end()
                tokens.append(.close)
            case UInt8(ascii: ","):
                end()
                tokens.append(.comma)
            default: return []
            }
        }
        end()
        return tokens
    }
}
