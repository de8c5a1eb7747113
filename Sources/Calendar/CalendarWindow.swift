/// When a window is open: from its first instant until just before its last, by the clocks of its zone.
///
/// An edge that the clocks skip is the instant of the skip, one that comes twice is its first time. A window whose
/// whole span is skipped does not open that day.
extension PlaybookWindow {
    package struct Opening: Hashable, Sendable {
        package var begins: WallTime
        /// The first instant at which it is closed again.
        package var ends: WallTime

        package init(begins: WallTime, ends: WallTime) {
            self.begins = begins
            self.ends = ends
        }
    }

    /// As its clocks show it on most days.
    package var length: Duration {
        let minutes = to > from ? to - from : to + 1440 - from
        return .seconds(minutes * 60)
    }

    /// Nil on a day the window does not begin on.
    private func opening(onDay day: Int64, _ rules: TimeZoneRules) -> Opening? {
        guard weekdays >> CalendarDate.weekday(ofDay: day) & 1 == 1 else { return nil }
        let begins = rules.instant(of: LocalTime(day: day, minute: from))
        let ends = rules.instant(of: LocalTime(day: to > from ? day : day + 1, minute: to))
        return begins < ends ? Opening(begins: begins, ends: ends) : nil
    }

    /// The opening that holds this instant; nil while the window is closed.
    package func opening(at time: WallTime, rules: TimeZoneRules) -> Opening? {
        let day = rules.local(time).dayNumber
        // Clocks were set back by a whole day at most.
        for day in (day - 3)...(day + 2) {
            if let opening = opening(onDay: day, rules), opening.begins <= time, time < opening.ends {
                return opening
            }
        }
        return nil
    }

    package func isOpen(at time: WallTime, rules: TimeZoneRules) -> Bool {
        opening(at: time, rules: rules) != nil
    }

    /// The first opening that begins after this instant; nil when the window has no weekdays.
    package func nextOpening(after time: WallTime, rules: TimeZoneRules) -> Opening? {
        let day = rules.local(time).dayNumber
        // Twice a week and some days: one opening can fall into a skip.
        for day in (day - 3)...(day + 17) {
            if let opening = opening(onDay: day, rules), opening.begins > time { return opening }
        }
        return nil
    }

    /// Whether a schedule by the clocks of the same zone can ever be due while the window is open.
    package func admits(_ line: CronLine) -> Bool {
        line.minutesOfDay.contains { minute in
            let isEvening = minute >= from && (to <= from || minute < to)
            let isMorning = to <= from && minute < to
            // The morning after Saturday belongs to the window of Saturday.
            let days = (isEvening ? weekdays : 0) | (isMorning ? weekdays << 1 | weekdays >> 6 : 0)
            return days & line.possibleWeekdays & 0x7F != 0
        }
    }
}
