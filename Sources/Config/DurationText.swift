/// A length of time as the files write it: a number and a unit, `25ms`, `1.5s`, `45m`.
enum DurationText {
    /// A year; longer is a slip of the pen and would overflow sums elsewhere.
    private static let longest = Duration.seconds(365 * 86_400)

    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
        ("h", 3_600_000_000_000), ("d", 86_400_000_000_000),
    ]

    struct Refusal: Error {
        /// The rest of a sentence that starts with what was written.
        var reason: String
    }

    static func parse(_ text: String) throws(Refusal) -> Duration {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let suffix = text[number.endIndex...]
        let names = units.map(\.name).joined(separator: ", ")
        let parts = number.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
            throw Refusal(reason: "is no duration; write a number and a unit (\(names)), like 25ms")
        }
        if suffix.isEmpty { throw Refusal(reason: "has no unit; the units are \(names)") }
        guard let unit = units.first(where: { $0.name == suffix }) else {
            throw Refusal(reason: "has an unknown unit; the units are \(names)")
        }
        guard let nanoseconds = scaled(parts, by: unit.nanoseconds) else {
            throw Refusal(reason: "is too long or too fine; at most 365d, at least whole nanoseconds")
        }
        return .nanoseconds(nanoseconds)
    }

    private static func scaled(_ parts: [Substring], by unit: Int64) -> Int64? {
        guard let whole = Int64(parts[0]) else { return nil }
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
        if overflow || Duration.nanoseconds(product) > longest { return nil }
        guard parts.count == 2 else { return product }
        var divisor: Int64 = 1
        for _ in parts[1] {
            divisor *= 10
            if divisor > unit { return nil }
        }
        guard let digits = Int64(parts[1]) else { return nil }
        let (fraction, tooBig) = digits.multipliedReportingOverflow(by: unit)
        return tooBig || fraction % divisor != 0 ? nil : product + fraction / divisor
    }

    /// The shortest way to write a duration, for messages.
    static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        let unit = units.last { nanoseconds % $0.nanoseconds == 0 && nanoseconds >= $0.nanoseconds }
        if let unit { return "\(nanoseconds / unit.nanoseconds)\(unit.name)" }
        // Finer than the finest unit.
        var fraction = "\(1000 + nanoseconds % 1000)".dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return "\(nanoseconds / 1000)\(fraction.isEmpty ? "" : ".\(fraction)")us"
    }
}
