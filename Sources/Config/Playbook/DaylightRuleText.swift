import Calendar

/// Reads a POSIX `TZ` value, `CET-1CEST,M3.5.0,M10.5.0/3` (POSIX.1-2024 §8.3; RFC 8536 §3.3.1 for the wider times).
struct DaylightRuleText {
    private var rest: Substring

    /// Nil for what is no such value; also for daylight time without the days it begins and ends on.
    static func parse(_ text: String) -> DaylightRule? {
        var reader = DaylightRuleText(rest: text[...])
        return reader.rule()
    }

    private mutating func rule() -> DaylightRule? {
        guard let name = name(), let west = time(hours: 24) else { return nil }
        let standard = TimeZoneRules.Period(offset: -west, isDaylight: false, abbreviation: name)
        if rest.isEmpty { return DaylightRule(standard: standard) }
        guard let daylightName = self.name() else { return nil }
        var offset = standard.offset + 3600
        if let first = rest.first, first != "," {
            guard let west = time(hours: 24) else { return nil }
            offset = -west
        }
        guard take(","), let begins = change(), take(","), let ends = change(), rest.isEmpty,
            abs(offset) <= TimeZoneRules.offsetLimit
        else { return nil }
        let daylight = TimeZoneRules.Period(offset: offset, isDaylight: true, abbreviation: daylightName)
        return DaylightRule(
            standard: standard, daylight: .init(period: daylight, begins: begins, ends: ends))
    }

    private mutating func take(_ character: Character) -> Bool {
        guard rest.first == character else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// Letters, or anything alphanumeric with signs in angle brackets: `<+0330>`.
    private mutating func name() -> String? {
        if take("<") {
            let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "+" || $0 == "-") }
            rest = rest.dropFirst(name.count)
            return (3...32).contains(name.count) && take(">") ? String(name) : nil
        }
        let name = rest.prefix { $0.isASCII && $0.isLetter }
        rest = rest.dropFirst(name.count)
        return (3...32).contains(name.count) ? String(name) : nil
    }

    private mutating func number(_ range: ClosedRange<Int>) -> Int? {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard (1...3).contains(digits.count), let number = Int(digits), range.contains(number) else {
            return nil
        }
        rest = rest.dropFirst(digits.count)
        return number
    }

    /// `[+-]h[:m[:s]]` in seconds.
    private mutating func time(hours: Int) -> Int? {
        let sign = take("-") ? -1 : 1
        if sign == 1 { _ = take("+") }
        guard let hour = number(0...hours) else { return nil }
        var seconds = hour * 3600
        for scale in [60, 1] {
            guard take(":") else { break }
            guard let part = number(0...59) else { return nil }
            seconds += part * scale
        }
        return sign * seconds
    }

    private mutating func change() -> DaylightRule.Change? {
        guard let day = day() else { return nil }
        guard take("/") else { return .init(day: day, time: 7200) }
        return time(hours: 167).map { .init(day: day, time: $0) }
    }

    private mutating func day() -> DaylightRule.Change.Day? {
        if take("J") { return number(1...365).map { .julian($0) } }
        guard take("M") else { return number(0...365).map { .ordinal($0) } }
        guard let month = number(1...12), take("."), let week = number(1...5), take("."),
            let weekday = number(0...6)
        else { return nil }
        return .weekday(month: month, week: week, weekday: weekday)
    }
}
