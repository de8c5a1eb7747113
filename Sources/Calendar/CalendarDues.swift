/// When a schedule is due, across every change of the clocks.
///
/// A local minute that is skipped in spring is due at the instant of the skip, one that comes twice in autumn the
/// first time only. That is what Debian's cron(8) does for jobs at fixed hours; here it holds for wildcards too,
/// so that every minute a line names is due exactly once, and two that fall on one instant are one due.
extension PlaybookSchedule {
    /// A cron line due on 29 February and one weekday can wait 40 years.
    private static let longestGap: Int64 = 41 * 366 * 86_400

    /// The due instants after `after`, up to and with `through`, sorted and unique, the first `limit` of them.
    ///
    /// - Parameter rules: of the schedule's own zone.
    package func dues(
        after: WallTime, through: WallTime, rules: TimeZoneRules, limit: Int
    ) -> [WallTime] {
        guard after < through, limit > 0 else { return [] }
        switch self {
        case .once(let time): return after < time && time <= through ? [time] : []
        case .cron(let line, _):
            return line.dues(after: after, through: through, rules: rules, limit: limit)
        }
    }

    /// Nil when nothing is due any more.
    package func nextDue(after: WallTime, rules: TimeZoneRules) -> WallTime? {
        if case .once(let time) = self { return after < time ? time : nil }
        let through = WallTime(seconds: after.seconds + Self.longestGap)
        return dues(after: after, through: through, rules: rules, limit: 1).first
    }

    /// The zone the schedule is written in; an instant has none.
    package var zone: String? {
        if case .cron(_, let zone) = self { return zone }
        return nil
    }
}

extension CronLine {
    fileprivate func dues(
        after: WallTime, through: WallTime, rules: TimeZoneRules, limit: Int
    ) -> [WallTime] {
        let minutes = minutesOfDay
        var found: [WallTime] = []
        // Whatever is not later than what clocks show at `after` was due by then.
        let shown = rules.local(after)
        let most = Int64(TimeZoneRules.offsetLimit)
        let lastDay = LocalTime(seconds: through.seconds + most).dayNumber
        var day = shown.dayNumber
        while day <= lastDay {
            if isDue(on: CalendarDate(dayNumber: day)) {
                for minute in minutes {
                    let local = LocalTime(day: day, minute: minute)
                    if local <= shown { continue }
                    let due = rules.instant(of: local)
                    if due > through { return found }
                    // Due instants never decrease, so twins stand side by side.
                    if due <= after || due == found.last { continue }
                    found.append(due)
                    if found.count == limit { return found }
                }
            }
            day += 1
        }
        return found
    }
}
