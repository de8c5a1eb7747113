/// How far the clocks of one time zone are from UTC, at every instant past and future.
///
/// Up to the last of `transitions` the list holds; after it the footer's rule does (RFC 8536 §3.3).
package struct TimeZoneRules: Hashable, Sendable {
    /// What clocks show between two transitions.
    package struct Period: Hashable, Sendable {
        /// Seconds east of UTC.
        package var offset: Int
        package var isDaylight: Bool
        /// `CET`.
        package var abbreviation: String

        package init(offset: Int, isDaylight: Bool, abbreviation: String) {
            self.offset = offset
            self.isDaylight = isDaylight
            self.abbreviation = abbreviation
        }
    }

    package struct Transition: Hashable, Sendable {
        package var at: WallTime
        /// From then on.
        package var period: Period

        package init(at: WallTime, period: Period) {
            self.at = at
            self.period = period
        }
    }

    /// Seconds; RFC 8536 §3.2 advises −89999…93599, and readers refuse more.
    package static let offsetLimit = 26 * 3600
    package static let utc = TimeZoneRules(
        first: Period(offset: 0, isDaylight: false, abbreviation: "UTC"), transitions: [], footer: nil)

    /// Before the first transition.
    package var first: Period
    /// In the order of time.
    package var transitions: [Transition]
    /// Nil when the last period lasts.
    package var footer: DaylightRule?

    package init(first: Period, transitions: [Transition], footer: DaylightRule?) {
        precondition(
            zip(transitions, transitions.dropFirst()).allSatisfy { $0.at < $1.at }, "transitions out of order"
        )
        let periods = [first] + transitions.map(\.period)
        precondition(periods.allSatisfy { abs($0.offset) <= Self.offsetLimit }, "an offset beyond all zones")
        self.first = first
        self.transitions = transitions
        self.footer = footer
    }

    package func period(at time: WallTime) -> Period {
        let passed = transitionsPassed(by: time)
        if passed == transitions.count, let footer, transitions.last.map({ $0.at <= time }) ?? true {
            return footer.period(at: time)
        }
        return passed == 0 ? first : transitions[passed - 1].period
    }

    /// The first change after that instant, also one of a name only; nil when there is none any more.
    package func transition(after time: WallTime) -> Transition? {
        let passed = transitionsPassed(by: time)
        if passed < transitions.count { return transitions[passed] }
        return footer?.transition(after: time)
    }

    private func transitionsPassed(by time: WallTime) -> Int {
        var (low, high) = (0, transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle].at <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    package func local(_ time: WallTime) -> LocalTime {
        LocalTime(seconds: time.seconds + Int64(period(at: time).offset))
    }

    /// The first instant at which the zone's clocks show this time or a later one: of a time that comes twice
    /// the first, of a time that is skipped the instant of the skip. It never decreases with `local`.
    package func instant(of local: LocalTime) -> WallTime {
        var start = WallTime(seconds: local.seconds - Int64(Self.offsetLimit))
        // No clock shows it earlier, and two days on every clock has shown it.
        while true {
            let shown = WallTime(seconds: local.seconds - Int64(period(at: start).offset))
            let next = transition(after: start)
            let candidate = max(start, shown)
            guard let next, next.at <= candidate else { return candidate }
            start = next.at
        }
    }

    /// Whether the zone's clocks ever show this time.
    package func exists(_ local: LocalTime) -> Bool { self.local(instant(of: local)) == local }

    /// The later of the two instants at which clocks show this time; nil when there is at most one.
    package func secondInstant(of local: LocalTime) -> WallTime? {
        var start = instant(of: local)
        let end = WallTime(seconds: local.seconds + Int64(Self.offsetLimit))
        while let next = transition(after: start), next.at <= end {
            let shown = WallTime(seconds: local.seconds - Int64(next.period.offset))
            let until = transition(after: next.at)?.at
            if shown >= next.at, until.map({ shown < $0 }) ?? true { return shown }
            start = next.at
        }
        return nil
    }

    /// `2026-11-24 02:00 CET`.
    package func text(_ time: WallTime) -> String { "\(local(time).text) \(period(at: time).abbreviation)" }
}

/// The rule a zone follows every year: a POSIX `TZ` value (POSIX.1-2024 §8.3) with the times of RFC 8536 §3.3.1.
package struct DaylightRule: Hashable, Sendable {
    /// When clocks change: a day of the year and seconds after its midnight.
    package struct Change: Hashable, Sendable {
        package enum Day: Hashable, Sendable {
            /// `Jn`: 1…365, 29 February is never counted.
            case julian(Int)
            /// `n`: 0…365, leap days are counted.
            case ordinal(Int)
            /// `Mm.w.d`: the week's (5 is the last) weekday (0 is Sunday) of the month.
            case weekday(month: Int, week: Int, weekday: Int)
        }
        package var day: Day
        /// −167…167 hours, in seconds, by the clock that is changed.
        package var time: Int

        package init(day: Day, time: Int) {
            self.day = day
            self.time = time
        }

        /// As the clock shows it that is about to be changed.
        func local(in year: Int) -> LocalTime {
            LocalTime(seconds: dayNumber(in: year) * 86_400 + Int64(time))
        }

        private func dayNumber(in year: Int) -> Int64 {
            let newYear = CalendarDate.dayNumber(year, 1, 1)
            switch day {
            case .julian(let number):
                let isAfterLeapDay = CalendarDate.isLeap(year) && number >= 60
                return newYear + Int64(number - 1) + (isAfterLeapDay ? 1 : 0)
            case .ordinal(let number): return newYear + Int64(number)
            case .weekday(let month, let week, let weekday):
                let first = CalendarDate.dayNumber(year, month, 1)
                let lead = (weekday - CalendarDate.weekday(ofDay: first) + 7) % 7
                let length = CalendarDate.length(ofMonth: month, in: year)
                var offset = lead + 7 * (week - 1)
                while offset >= length { offset -= 7 }
                return first + Int64(offset)
            }
        }
    }

    package struct Daylight: Hashable, Sendable {
        package var period: TimeZoneRules.Period
        package var begins: Change
        package var ends: Change

        package init(period: TimeZoneRules.Period, begins: Change, ends: Change) {
            self.period = period
            self.begins = begins
            self.ends = ends
        }
    }

    package var standard: TimeZoneRules.Period
    package var daylight: Daylight?

    package init(standard: TimeZoneRules.Period, daylight: Daylight? = nil) {
        self.standard = standard
        self.daylight = daylight
    }

    func period(at time: WallTime) -> TimeZoneRules.Period {
        guard daylight != nil else { return standard }
        let passed = transitions(around: time).last { $0.at <= time }
        return passed?.period ?? standard
    }

    func transition(after time: WallTime) -> TimeZoneRules.Transition? {
        guard daylight != nil else { return nil }
        return transitions(around: time).first { $0.at > time }
    }

    /// Those of the years about it, in the order of time, one an instant: where daylight time ends as it begins
    /// again it does not end.
    private func transitions(around time: WallTime) -> [TimeZoneRules.Transition] {
        guard let daylight else { return [] }
        let year = LocalTime(seconds: time.seconds).date.year
        var found: [TimeZoneRules.Transition] = []
        for year in (year - 2)...(year + 2) {
            let begins = daylight.begins.local(in: year).seconds - Int64(standard.offset)
            let ends = daylight.ends.local(in: year).seconds - Int64(daylight.period.offset)
            found.append(.init(at: WallTime(seconds: begins), period: daylight.period))
            found.append(.init(at: WallTime(seconds: ends), period: standard))
        }
        found.sort { ($0.at, $0.period.isDaylight ? 1 : 0) < ($1.at, $1.period.isDaylight ? 1 : 0) }
        var single: [TimeZoneRules.Transition] = []
        for transition in found {
            if single.last?.at == transition.at { single.removeLast() }
            single.append(transition)
        }
        return single
    }
}
