import Calendar
import Primitives
import Testing

@Suite("A cron line")
struct CalendarCronTests {
    private func refusal(_ text: String) -> String? {
        do throws(CronLine.Refusal) {
            _ = try CronLine(parsing: text)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test("lists, ranges, steps and names mean what crontab(5) says")
    func syntax() throws {
        let line = try CronLine(parsing: "*/15 8-10,20 1,15 jan-mar,DEC mon-fri")
        #expect(line.minutes == 1 | 1 << 15 | 1 << 30 | 1 << 45)
        #expect(line.hours == 1 << 8 | 1 << 9 | 1 << 10 | 1 << 20)
        #expect(line.days == 1 << 1 | 1 << 15)
        #expect(line.months == 1 << 1 | 1 << 2 | 1 << 3 | 1 << 12)
        #expect(line.weekdays == 0b011_1110)
        #expect(line.isEitherDay)
        #expect(try CronLine(parsing: "0-30/10 0 * * *").minutes == 1 | 1 << 10 | 1 << 20 | 1 << 30)
        #expect(try CronLine(parsing: "@daily").minutesOfDay == [0])
    }

    @Test("7 and sun are Sunday, also at the end of a range")
    func sunday() throws {
        #expect(try CronLine(parsing: "0 0 * * 7").weekdays == 1)
        #expect(try CronLine(parsing: "0 0 * * sun").weekdays == 1)
        #expect(try CronLine(parsing: "0 0 * * fri-sun").weekdays == 0b110_0001)
        #expect(try CronLine(parsing: "0 0 * * 0-7").weekdays == 0x7F)
    }

    @Test("either day field is enough only when neither begins with a star")
    func eitherDay() throws {
        let either = try CronLine(parsing: "0 0 13 * fri")
        #expect(either.isEitherDay)
        #expect(either.isDue(on: try #require(CalendarDate(year: 2026, month: 11, day: 20))))
        let both = try CronLine(parsing: "0 0 */2 * fri")
        #expect(!both.isEitherDay)
        #expect(!both.isDue(on: try #require(CalendarDate(year: 2026, month: 11, day: 20))))
        #expect(both.isDue(on: try #require(CalendarDate(year: 2026, month: 11, day: 27))))
    }

    @Test("dates the calendar does not have are never")
    func never() {
        #expect(refusal("0 0 30 2 *") == "is never: there is no day 30 in feb")
        #expect(refusal("0 0 31 feb,apr,jun *") == "is never: there is no day 31 in feb, apr, jun")
        #expect(refusal("0 0 29 2 *") == nil)
        #expect(refusal("0 0 31 2,3 *") == nil)
        // Mondays in February exist.
        #expect(refusal("0 0 30 2 mon") == nil)
    }

    @Test(
        "a mistake is told with its field",
        arguments: [
            ("60 * * * *", "has \"60\" in the minute; it must be between 0 and 59"),
            ("* 24 * * *", "has \"24\" in the hour; it must be between 0 and 23"),
            ("* * 0 * *", "has \"0\" in the day of the month; it must be between 1 and 31"),
            ("* * * foo *", "has \"foo\" in the month; it must be between 1 and 12 or jan … dec"),
            ("* * * * 8", "has \"8\" in the day of the week; it must be between 0 and 7 or sun … sat"),
            ("* 22-2 * * *", "has the backward range \"22-2\" in the hour; write it as two, with a comma"),
            ("5/10 * * * *", "has a step after a single minute, \"5/10\"; a step needs a range or *"),
            ("*/0 * * * *", "has the step \"0\" in the minute; it must be between 1 and 59"),
            ("1,,2 * * * *", "has \"\" in the minute; it must be between 0 and 59"),
            ("-1 * * * *", "has \"\" in the minute; it must be between 0 and 59"),
            (
                "* * * *",
                "has 4 fields; a cron line has five: minute, hour, day of the month, month, day of the week"
            ),
            (
                "@reboot",
                "is no schedule; the short forms are @yearly, @annually, @monthly, @weekly, @daily, "
                    + "@midnight, @hourly"
            ),
        ])
    func mistakes(_ text: String, _ told: String) {
        #expect(refusal(text) == told)
    }

    @Test("an endless line is refused unread")
    func endless() {
        #expect(refusal(String(repeating: "1,", count: 200) + "1 * * * *") == "is longer than 200 bytes")
    }
}

@Suite("A schedule's due times")
struct CalendarDuesTests {
    private func schedule(_ line: String) throws -> PlaybookSchedule {
        .cron(try CronLine(parsing: line), zone: "made/up")
    }

    private func dues(
        _ line: String, _ rules: TimeZoneRules, after: WallTime, through: WallTime
    ) throws -> [WallTime] {
        try schedule(line).dues(after: after, through: through, rules: rules, limit: 10_000)
    }

    @Test("a run at a skipped time is due at the instant of the skip")
    func spring() throws {
        let found = try dues(
            "30 2 * * *", Zones.berlin, after: time(2026, 3, 28, 0, 0), through: time(2026, 3, 31, 0, 0))
        #expect(found == [time(2026, 3, 28, 1, 30), time(2026, 3, 29, 1, 0), time(2026, 3, 30, 0, 30)])
    }

    @Test("a run at a time that comes twice is due once")
    func autumn() throws {
        let found = try dues(
            "30 2 * * *", Zones.berlin, after: time(2026, 10, 24, 0, 0), through: time(2026, 10, 27, 0, 0))
        #expect(found == [time(2026, 10, 24, 0, 30), time(2026, 10, 25, 0, 30), time(2026, 10, 26, 1, 30)])
    }

    @Test("all minutes of a skipped hour are one due time, which can be another's too")
    func merged() throws {
        let found = try dues(
            "*/10 * * * *", Zones.berlin, after: time(2026, 3, 29, 0, 45), through: time(2026, 3, 29, 1, 10))
        #expect(found == [time(2026, 3, 29, 0, 50), time(2026, 3, 29, 1, 0), time(2026, 3, 29, 1, 10)])
    }

    @Test("a run on a skipped day is due at the skip")
    func skippedDay() throws {
        let found = try dues(
            "0 12 30 12 *", Zones.leap(of: 24), after: time(2011, 12, 1, 0, 0),
            through: time(2012, 1, 9, 0, 0))
        #expect(found == [time(2011, 12, 30, 10, 0)])
    }

    @Test("the bounds are open on the left and closed on the right")
    func bounds() throws {
        let two = time(2026, 6, 1, 2, 0)
        let before = WallTime(seconds: two.seconds - 1)
        #expect(try dues("0 2 * * *", .utc, after: before, through: two) == [two])
        #expect(try dues("0 2 * * *", .utc, after: two, through: two) == [])
        #expect(try dues("0 2 * * *", .utc, after: two, through: time(2026, 6, 2, 1, 59)) == [])
        #expect(PlaybookSchedule.once(two).dues(after: before, through: two, rules: .utc, limit: 1) == [two])
        #expect(PlaybookSchedule.once(two).dues(after: two, through: two, rules: .utc, limit: 1) == [])
        #expect(PlaybookSchedule.once(two).nextDue(after: two, rules: .utc) == nil)
    }

    @Test("the limit keeps the first ones")
    func limit() throws {
        let found = try schedule("* * * * *")
            .dues(after: time(2026, 1, 1, 0, 0), through: time(2036, 1, 1, 0, 0), rules: .utc, limit: 2)
        #expect(found == [time(2026, 1, 1, 0, 1), time(2026, 1, 1, 0, 2)])
    }

    @Test("29 February is found across a century without one, and so is one that is a Sunday")
    func leapDay() throws {
        let next = try schedule("0 2 29 2 *").nextDue(after: time(2096, 3, 1, 0, 0), rules: Zones.berlin)
        #expect(next == time(2104, 2, 29, 1, 0))
        // A star with a step restricts nothing by crontab(5)'s rule, so both fields must fit.
        let sunday = try schedule("0 2 29 2 */7").nextDue(after: time(2088, 3, 1, 0, 0), rules: .utc)
        let date = try #require(sunday.map { LocalTime(seconds: $0.seconds).date })
        #expect(date == CalendarDate(year: 2128, month: 2, day: 29))
    }

    /// Walks the minutes like a daemon that never sleeps: whatever clocks have passed for the first time is due.
    private func scanned(
        _ line: CronLine, _ rules: TimeZoneRules, after: WallTime, through: WallTime
    ) -> [WallTime] {
        var found: [WallTime] = []
        // Two days before, so that what was shown before is known.
        var shown = rules.local(WallTime(seconds: after.seconds - 2 * 86_400)).seconds / 60
        var minute = after.seconds / 60 - 2 * 1440 + 1
        while minute <= through.seconds / 60 {
            let now = rules.local(WallTime(seconds: minute * 60)).seconds / 60
            var isDue = false
            while shown < now {
                shown += 1
                let local = LocalTime(seconds: shown * 60)
                let (hour, inHour) = (local.secondOfDay / 3600, local.secondOfDay / 60 % 60)
                if line.hours >> hour & 1 == 1, line.minutes >> inHour & 1 == 1,
                    line.isDue(on: local.date)
                {
                    isDue = true
                }
            }
            if isDue, minute * 60 > after.seconds { found.append(WallTime(seconds: minute * 60)) }
            minute += 1
        }
        return found
    }

    private func field(_ range: ClosedRange<Int>, _ generator: inout SeededGenerator) -> String {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: return "*"
        case 1: return "*/\(Int.random(in: 2...7, using: &generator))"
        case 2:
            let first = Int.random(in: range, using: &generator)
            return "\(first)-\(Int.random(in: first...range.upperBound, using: &generator))"
        default:
            return (0...Int.random(in: 0...3, using: &generator))
                .map { _ in "\(Int.random(in: range, using: &generator))" }.joined(separator: ",")
        }
    }

    @Test("about every change of clocks due times are those of a minute by minute scan", arguments: Zones.all)
    func agreesWithScan(_ name: String, _ rules: TimeZoneRules) throws {
        var generator = SeededGenerator(seed: UInt64(name.utf8.count) * 7919)
        let changes = [time(2026, 3, 29, 1, 0), time(2026, 4, 4, 16, 0), time(2026, 10, 25, 1, 0)]
        let seasons = [
            rules.transition(after: time(2026, 1, 1, 0, 0)), rules.transition(after: time(2026, 7, 1, 0, 0)),
        ]
        for change in seasons.compactMap({ $0?.at }) + changes {
            for _ in 0..<25 {
                let text =
                    field(0...59, &generator) + " " + field(0...6, &generator) + " * * "
                    + field(0...6, &generator)
                let line = try CronLine(parsing: text)
                let offset = Int64.random(in: -7200...7200, using: &generator)
                let after = WallTime(seconds: change.seconds - 86_400 + offset)
                let through = WallTime(seconds: change.seconds + 86_400 + offset)
                let found = PlaybookSchedule.cron(line, zone: name)
                    .dues(after: after, through: through, rules: rules, limit: .max)
                #expect(found == scanned(line, rules, after: after, through: through), "\(name): \(text)")
                #expect(zip(found, found.dropFirst()).allSatisfy { $0 < $1 })
                // In pieces it is the same as at once, wherever the cut is.
                let cut = WallTime(
                    seconds: Int64.random(in: after.seconds...through.seconds, using: &generator))
                let schedule = PlaybookSchedule.cron(line, zone: name)
                #expect(
                    schedule.dues(after: after, through: cut, rules: rules, limit: .max)
                        + schedule.dues(after: cut, through: through, rules: rules, limit: .max) == found)
                #expect(schedule.nextDue(after: after, rules: rules) == found.first || found.isEmpty)
            }
        }
    }

    @Test("whole days that are skipped or come twice agree with the scan too", arguments: [24, -24])
    func wholeDays(_ hours: Int) throws {
        let rules = Zones.leap(of: hours)
        for text in ["0 2 * * *", "*/7 * * * *", "15 3 30 * *", "0 0 29-31 12 *", "59 23 * * fri"] {
            let line = try CronLine(parsing: text)
            let (after, through) = (time(2011, 12, 27, 0, 0), time(2012, 1, 3, 0, 0))
            let found = PlaybookSchedule.cron(line, zone: "x")
                .dues(after: after, through: through, rules: rules, limit: .max)
            #expect(found == scanned(line, rules, after: after, through: through), "\(text)")
        }
    }
}
