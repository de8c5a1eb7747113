/// A client's `filter` commands: once there is one, an event passes only if some filter lets it
/// (mod_event_socket.c: parse_command `filter`; event_handler).
struct EventFilters: Hashable, Sendable {
    enum Refusal: Error {
        case syntax, tooMany
        case pattern(FilterPattern.Failure)
    }
    private struct Filter: Hashable {
        var header: String
        /// As the client gave it.
        var value: String
        var test: Test
        var excludes: Bool
    }
    private enum Test: Hashable {
        case equal(String)
        case pattern(FilterPattern)
    }
    private var filters: [Filter] = []

    /// Takes what follows `filter `; returns the reply.
    mutating func handle(_ argument: Substring, maximum: Int) throws(Refusal) -> String {
        let argument = argument.drop { $0 == " " }
        let (first, rest) = Self.cut(argument)
        guard let rest else { throw .syntax }
        switch first.lowercased() {
        case "delete":
            let (header, value) = Self.cut(rest)
            remove(header, value)
            return "+OK filter deleted. [\(header)][\(value ?? "")]"
        case "add":
            let (header, value) = Self.cut(rest)
            guard let value else { throw .syntax }
            return try add(header, value, maximum)
        default: return try add(first, rest, maximum)
        }
    }

    private static func cut(_ text: Substring) -> (Substring, Substring?) {
        guard let space = text.firstIndex(of: " ") else { return (text, nil) }
        return (text[..<space], text[text.index(after: space)...])
    }

    private mutating func add(_ header: Substring, _ value: Substring, _ maximum: Int) throws(Refusal)
        -> String
    {
        guard filters.count < maximum else { throw .tooMany }
        var excludes = false
        let compared = value.drop { sign in
            if sign == "+" { excludes = false }
            if sign == "-" { excludes = true }
            return sign == "+" || sign == "-" || sign == " "
        }
        let test: Test
        if value.first == "/" {
            do throws(FilterPattern.Failure) {
                test = .pattern(try FilterPattern(String(value)))
            } catch {
                throw .pattern(error)
            }
        } else {
            test = .equal(String(compared))
        }
        filters.append(Filter(header: String(header), value: String(value), test: test, excludes: excludes))
        return "+OK filter added. [\(header)]=[\(value)]"
    }

    private mutating func remove(_ header: Substring, _ value: Substring?) {
        if Headers.isSame(String(header), "all") { return filters = [] }
        filters.removeAll {
            Headers.isSame($0.header, String(header)) && (value == nil || $0.value == String(value!))
        }
    }

    func pass(_ event: SwitchEvent) -> Bool {
        guard !filters.isEmpty else { return true }
        var passes = false
        for filter in filters where filter.excludes || !passes {
            guard let value = event[filter.header] else { continue }
            let matches =
                switch filter.test {
                case .equal(let other): Headers.isSame(value, other)
                case .pattern(let pattern): pattern.matches(value)
                }
            guard matches else { continue }
            if filter.excludes { return false }
            passes = true
        }
        return passes
    }
}
