/// Wall-clock time in microseconds since 1970 UTC, which FreeSWITCH stamps everything with.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    package var seconds: Int64 { microseconds / 1_000_000 }

    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

    package static func + (at: Timestamp, span: Duration) -> Timestamp {
        Timestamp(microseconds: at.microseconds + span.wholeMicroseconds)
    }

    package static func - (a: Timestamp, b: Timestamp) -> Duration {
        .microseconds(a.microseconds - b.microseconds)
    }

    /// `2026-11-21 10:02:58`, as the switch writes local times; the simulator's zone is UTC.
    var local: String {
        let parts = calendar
        return "\(parts.year)-\(two(parts.month))-\(two(parts.day)) \(clock(parts))"
    }

    /// `Sat, 21 Nov 2026 10:02:58 GMT` (RFC 9110 §5.6.7).
    var gmt: String {
        let parts = calendar
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let weekday = weekdays[(parts.days % 7 + 7) % 7]
        return "\(weekday), \(two(parts.day)) \(months[parts.month - 1]) \(parts.year) \(clock(parts)) GMT"
    }

    private struct Calendar {
        var days: Int
        var year: Int
        var month: Int
        var day: Int
        var hour: Int
        var minute: Int
        var second: Int
    }

    /// The proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
    private var calendar: Calendar {
        let days = Int((Double(seconds) / 86400).rounded(.down))
        let rest = Int(seconds) - days * 86400
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let ofEra = shifted - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * ofYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return Calendar(
            days: days, year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: ofYear - (153 * shiftedMonth + 2) / 5 + 1, hour: rest / 3600, minute: rest / 60 % 60,
            second: rest % 60)
    }

    private func clock(_ parts: Calendar) -> String {
        "\(two(parts.hour)):\(two(parts.minute)):\(two(parts.second))"
    }

    private func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension Duration {
    /// Rounded towards zero.
    var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }

    var wholeSeconds: Int64 { components.seconds }

    /// `0 years, 0 days, 0 hours, 0 minutes, 35 seconds, 939 milliseconds, 241 microseconds`.
    var spelled: String {
        let total = max(0, wholeMicroseconds)
        let seconds = total / 1_000_000
        let parts: [(Int64, String)] = [
            (seconds / 86400 / 365, "year"), (seconds / 86400 % 365, "day"), (seconds / 3600 % 24, "hour"),
            (seconds / 60 % 60, "minute"), (seconds % 60, "second"), (total / 1000 % 1000, "millisecond"),
            (total % 1000, "microsecond"),
        ]
        return parts.map { "\($0.0) \($0.1)\($0.0 == 1 ? "" : "s")" }.joined(separator: ", ")
    }
}
