import ArgumentParser

/// A length of time as operators write it: numbers with units, `45m`, `1h30m`; a bare number is refused.
struct OperatorDuration: Hashable, Sendable, ExpressibleByArgument {
    var duration: Duration

    /// Longest accepted; longer is a slip of the pen.
    private static let longest: Int64 = 365 * 86_400_000

    private static let units: [(name: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    /// Units must come from large to small, each at most once.
    init?(argument: String) {
        var rest = argument[...]
        var total: Int64 = 0
        var previous = Int64.max
        repeat {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            let name = rest.dropFirst(digits.count).prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(digits.count + name.count)
            guard let number = Int64(digits), let unit = Self.units.first(where: { $0.name == name }),
                unit.milliseconds < previous, number <= Self.longest / unit.milliseconds
            else { return nil }
            previous = unit.milliseconds
            total += number * unit.milliseconds
        } while !rest.isEmpty
        guard total <= Self.longest else { return nil }
        duration = .milliseconds(total)
    }

    /// The same as an option's value.
    ///
    /// - Throws: a sentence that says what is right.
    static func parse(_ text: String) throws -> OperatorDuration {
        if let value = OperatorDuration(argument: text) { return value }
        let isNegative = text.hasPrefix("-") && OperatorDuration(argument: String(text.dropFirst())) != nil
        throw ValidationError(
            (isNegative ? "it is negative; " : "")
                + "a duration is numbers with units, such as 45m or 1h30m (units: "
                + "d, h, m, s, ms), \(Self.text(.milliseconds(longest))) at most")
    }

    /// - Throws: a sentence that names the option when it is given and shorter or longer than makes sense.
    static func check(
        _ value: OperatorDuration?, of option: String, atLeast least: Duration = .milliseconds(1),
        atMost most: Duration? = nil, otherwise: String
    ) throws {
        guard let duration = value?.duration else { return }
        if duration < least {
            let bound = least <= .milliseconds(1) ? "longer than 0s" : "at least \(text(least))"
            throw ValidationError("\(option) must be \(bound): \(otherwise)")
        }
        if let most, duration > most {
            throw ValidationError("\(option) must be at most \(text(most)): \(otherwise)")
        }
    }

    init(_ duration: Duration) { self.duration = duration }

    var defaultValueDescription: String { Self.text(duration) }

    /// `1h30m`, `42m10s`, `250ms`; nothing smaller than a millisecond is shown.
    static func text(_ duration: Duration) -> String {
        // What a node tells may be of any length: a century is told as one.
        let (seconds, attoseconds) = min(max(duration, .zero), .seconds(100 * 366 * 86_400)).components
        var rest = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
        if rest <= 0 { return "0s" }
        var text = ""
        for unit in units.reversed() where rest >= unit.milliseconds {
            text += "\(rest / unit.milliseconds)\(unit.name)"
            rest %= unit.milliseconds
        }
        return text
    }
}
