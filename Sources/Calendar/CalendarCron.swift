/// Reading the five fields of crontab(5), with lists, ranges, steps, names and the `@daily` family.
extension CronLine {
    package struct Refusal: Error, Hashable, Sendable {
        /// The rest of a sentence that starts with what was written.
        package var reason: String
    }

    /// The longest line that is looked at, in bytes.
    package static let textLimit = 200

    private struct Field {
        var name: String
        var range: ClosedRange<Int>
        /// The first stands for the first number of `range`.
        var names: [String] = []
    }

    private static let fields = [
        Field(name: "minute", range: 0...59),
        Field(name: "hour", range: 0...23),
        Field(name: "day of the month", range: 1...31),
        Field(
            name: "month", range: 1...12,
            names: [
                "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
            ]),
        Field(
            name: "day of the week", range: 0...7,
            names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
    ]

    private static let nicknames = [
        ("@yearly", "0 0 1 1 *"), ("@annually", "0 0 1 1 *"), ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ]

    /// - Throws: what is wrong with which field, or that no date of the calendar fits.
    package init(parsing text: String) throws(Refusal) {
        if text.utf8.count > Self.textLimit {
            throw Refusal(reason: "is longer than \(Self.textLimit) bytes")
        }
        let words = try Self.words(of: text)
        var bits: [UInt64] = []
        for (field, word) in zip(Self.fields, words) { bits.append(try Self.bits(of: word, field)) }
        // 7 is Sunday as well.
        let weekdays = UInt8(truncatingIfNeeded: bits[4] | bits[4] >> 7) & 0x7F
        // crontab(5): a field that starts with * does not restrict, even with a step.
        let isEitherDay = !words[2].hasPrefix("*") && !words[4].hasPrefix("*")
        self.init(
            minutes: bits[0], hours: UInt32(bits[1]), days: UInt32(bits[2]), months: UInt16(bits[3]),
            weekdays: weekdays, text: text, isEitherDay: isEitherDay)
        if let day = impossibleDay { throw Refusal(reason: "is never: \(day)") }
    }

    private static func words(of text: String) throws(Refusal) -> [String] {
        let words = text.split { $0 == " " || $0 == "\t" || $0 == "\n" }.map { $0.lowercased() }
        if words.count == 1, words[0].hasPrefix("@") {
            if let line = nicknames.first(where: { $0.0 == words[0] })?.1 {
                return line.split(separator: " ").map(String.init)
            }
            let known = nicknames.map(\.0).joined(separator: ", ")
            throw Refusal(reason: "is no schedule; the short forms are \(known)")
        }
        guard words.count == fields.count else {
            throw Refusal(
                reason: "has \(words.count) field\(words.count == 1 ? "" : "s"); a cron line has five: "
                    + fields.map(\.name).joined(separator: ", "))
        }
        return words
    }

    private static func bits(of word: String, _ field: Field) throws(Refusal) -> UInt64 {
        var bits: UInt64 = 0
        for part in word.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let range = try range(of: pieces[0], field)
            var step = 1
            if pieces.count == 2 {
                guard range.isWide else {
                    throw Refusal(
                        reason: "has a step after a single \(field.name), \"\(part)\"; "
                            + "a step needs a range or *")
                }
                step = try self.step(pieces[1], field)
            }
            for value in stride(from: range.first, through: range.last, by: step) { bits |= 1 << value }
        }
        return bits
    }

    private static func step(_ text: Substring, _ field: Field) throws(Refusal) -> Int {
        if let step = number(text), (1...field.range.upperBound).contains(step) { return step }
        throw Refusal(
            reason: "has the step \"\(text)\" in the \(field.name); "
                + "it must be between 1 and \(field.range.upperBound)")
    }

    private static func range(
        of text: Substring, _ field: Field
    ) throws(Refusal) -> (first: Int, last: Int, isWide: Bool) {
        if text == "*" { return (field.range.lowerBound, field.range.upperBound, true) }
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let first = try value(ends[0], field)
        guard ends.count == 2 else { return (first, first, false) }
        var last = try value(ends[1], field)
        // A week may end on its Sunday.
        if field.range.upperBound == 7, last == 0, first > 0 { last = 7 }
        if first > last {
            throw Refusal(
                reason: "has the backward range \"\(text)\" in the \(field.name); "
                    + "write it as two, with a comma")
        }
        return (first, last, true)
    }

    private static func value(_ text: Substring, _ field: Field) throws(Refusal) -> Int {
        if let value = number(text), field.range.contains(value) { return value }
        if let index = field.names.firstIndex(of: String(text)) { return field.range.lowerBound + index }
        let names = field.names.isEmpty ? "" : " or \(field.names[0]) … \(field.names.last ?? "")"
        throw Refusal(
            reason: "has \"\(text)\" in the \(field.name); it must be between "
                + "\(field.range.lowerBound) and \(field.range.upperBound)\(names)")
    }

    private static func number(_ text: Substring) -> Int? {
        guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    /// Why no day fits; nil when some does. Every possible date falls on every weekday some year.
    private var impossibleDay: String? {
        if isEitherDay { return nil }
        let longest = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        let named = (1...12).filter { months >> $0 & 1 == 1 }
        let day: Int = (1...31).first { days >> $0 & 1 == 1 } ?? 32
        if named.contains(where: { day <= longest[$0 - 1] }) { return nil }
        let names = named.map { Self.fields[3].names[$0 - 1] }.joined(separator: ", ")
        return "there is no day \(day) in \(names)"
    }
}

extension CronLine {
    /// Whether a run is due on that day at all.
    package func isDue(on date: CalendarDate) -> Bool {
        guard months >> date.month & 1 == 1 else { return false }
        let isDay = days >> date.day & 1 == 1
        let isWeekday = weekdays >> date.weekday & 1 == 1
        return isEitherDay ? isDay || isWeekday : isDay && isWeekday
    }

    /// Minutes since midnight, in their order.
    package var minutesOfDay: [Int] {
        (0..<24).filter { hours >> $0 & 1 == 1 }.flatMap { hour in
            (0..<60).filter { minutes >> $0 & 1 == 1 }.map { hour * 60 + $0 }
        }
    }

    /// The weekdays a due day can be, bit 0 is Sunday.
    var possibleWeekdays: UInt8 { isEitherDay ? 0x7F : weekdays }
}
