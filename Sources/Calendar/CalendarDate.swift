/// A day of the Gregorian calendar, also before it was in use.
package struct CalendarDate: Hashable, Comparable, Sendable {
    package var year: Int
    /// 1 is January.
    package var month: Int
    /// 1 is the first of the month.
    package var day: Int

    /// Nil for a day the calendar does not have, such as 30 February; years are 1 to 9999.
    package init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.length(ofMonth: month, in: year)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    /// Days since 1970-01-01.
    package init(dayNumber: Int64) {
        // Eras of 400 years that begin on a 1 March, so that a leap day is the last of its year.
        let shifted = dayNumber + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * month + 2) / 5 + 1)
        self.month = Int(month < 10 ? month + 3 : month - 9)
        year = Int(yearOfEra + era * 400) + (self.month <= 2 ? 1 : 0)
    }

    /// Days since 1970-01-01.
    package var dayNumber: Int64 { Self.dayNumber(year, month, day) }

    /// Also of years outside the calendar of people: an instant can lie there.
    static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
        let shifted = Int64(month <= 2 ? year - 1 : year)
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// 0 is Sunday.
    package var weekday: Int { Self.weekday(ofDay: dayNumber) }

    static func weekday(ofDay number: Int64) -> Int { Int(((number + 4) % 7 + 7) % 7) }

    static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    static func length(ofMonth month: Int, in year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    package static func < (a: CalendarDate, b: CalendarDate) -> Bool {
        (a.year, a.month, a.day) < (b.year, b.month, b.day)
    }
}

/// What a clock on a wall shows: seconds since its own 1970-01-01 00:00, in no particular time zone.
package struct LocalTime: Hashable, Comparable, Sendable {
    package var seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    /// - Parameter minute: of the day; 1440 is the midnight at its end.
    package init(day number: Int64, minute: Int) { seconds = number * 86_400 + Int64(minute) * 60 }

    package init(_ date: CalendarDate, hour: Int, minute: Int, second: Int = 0) {
        seconds = date.dayNumber * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    }

    /// Days since 1970-01-01.
    package var dayNumber: Int64 { seconds >= 0 ? seconds / 86_400 : -((86_399 - seconds) / 86_400) }
    package var date: CalendarDate { CalendarDate(dayNumber: dayNumber) }
    package var secondOfDay: Int { Int(seconds - dayNumber * 86_400) }

    package static func < (a: LocalTime, b: LocalTime) -> Bool { a.seconds < b.seconds }

    /// `2026-11-24 02:00`, with seconds when there are any.
    package var text: String {
        let date = date
        let second = secondOfDay % 60
        return "\(Self.padded(date.year, 4))-\(Self.padded(date.month, 2))-\(Self.padded(date.day, 2)) "
            + "\(Self.padded(secondOfDay / 3600, 2)):\(Self.padded(secondOfDay / 60 % 60, 2))"
            + (second == 0 ? "" : ":" + Self.padded(second, 2))
    }

    package static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension WallTime {
    /// `2026-11-24T01:00:00Z` (RFC 3339).
    package var text: String {
        let local = LocalTime(seconds: seconds)
        let (date, second) = (local.date, local.secondOfDay)
        let padded = LocalTime.padded
        return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
            + "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))Z"
    }
}
