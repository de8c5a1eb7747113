import Calendar
import Testing

/// Zones made by hand, so that no test depends on the machine's data.
enum Zones {
    private static func change(_ month: Int, _ week: Int, _ weekday: Int, at seconds: Int)
        -> DaylightRule.Change
    {
        .init(day: .weekday(month: month, week: week, weekday: weekday), time: seconds)
    }

    private static func rules(
        _ standard: Int, _ daylight: Int, begins: DaylightRule.Change, ends: DaylightRule.Change
    ) -> TimeZoneRules {
        let first = TimeZoneRules.Period(offset: standard, isDaylight: false, abbreviation: "STD")
        let summer = TimeZoneRules.Period(offset: daylight, isDaylight: true, abbreviation: "DST")
        return TimeZoneRules(
            first: first, transitions: [],
            footer: DaylightRule(
                standard: first, daylight: .init(period: summer, begins: begins, ends: ends)))
    }

    static let berlin = rules(
        3600, 7200, begins: change(3, 5, 0, at: 7200), ends: change(10, 5, 0, at: 10_800))
    static let newYork = rules(
        -18_000, -14_400, begins: change(3, 2, 0, at: 7200), ends: change(11, 1, 0, at: 7200))
    /// The year ends in summer.
    static let sydney = rules(
        36_000, 39_600, begins: change(10, 1, 0, at: 7200), ends: change(4, 1, 0, at: 10_800))
    /// Half an hour.
    static let lordHowe = rules(
        37_800, 39_600, begins: change(10, 1, 0, at: 7200), ends: change(4, 1, 0, at: 7200))
    /// Winter is the exception by law: daylight time is an hour less.
    static let dublin = rules(
        3600, 0, begins: change(10, 5, 0, at: 7200), ends: change(3, 5, 0, at: 3600))
    /// Midnight does not exist on the last Sunday of March.
    static let beirut = rules(
        7200, 10_800, begins: change(3, 5, 0, at: 0), ends: change(10, 5, 0, at: 0))

    /// One change: on 2011-12-30 clocks went on by a day, or back by one.
    static func leap(of hours: Int) -> TimeZoneRules {
        let west = hours > 0 ? -10 : 14
        return TimeZoneRules(
            first: .init(offset: west * 3600, isDaylight: false, abbreviation: "OLD"),
            transitions: [
                .init(
                    at: time(2011, 12, 30, 10, 0),
                    period: .init(offset: (hours + west) * 3600, isDaylight: false, abbreviation: "NEW"))
            ], footer: nil)
    }

    static let all: [(name: String, rules: TimeZoneRules)] = [
        ("Berlin", berlin), ("New York", newYork), ("Sydney", sydney), ("Lord Howe", lordHowe),
        ("Dublin", dublin), ("Beirut", beirut), ("UTC", .utc),
    ]
}

func local(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int) -> LocalTime {
    guard let date = CalendarDate(year: year, month: month, day: day) else {
        preconditionFailure("no such day")
    }
    return LocalTime(date, hour: hour, minute: minute)
}

/// An instant by its UTC date.
func time(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int) -> WallTime {
    WallTime(seconds: local(year, month, day, hour, minute).seconds)
}

@Suite("The calendar")
struct CalendarTests {
    @Test("a day number and its date are each other's inverse over four centuries")
    func days() {
        var previous = CalendarDate(dayNumber: -200_000)
        for number in Int64(-199_999)...200_000 {
            let date = CalendarDate(dayNumber: number)
            if date.dayNumber != number || date <= previous || date.weekday != (previous.weekday + 1) % 7 {
                Issue.record("day \(number) is \(date)")
            }
            previous = date
        }
        #expect(CalendarDate(dayNumber: 0) == CalendarDate(year: 1970, month: 1, day: 1))
        // A Thursday.
        #expect(CalendarDate(dayNumber: 0).weekday == 4)
    }

    @Test("30 February, 31 April and 29 February of 2100 are no days")
    func impossible() {
        #expect(CalendarDate(year: 2026, month: 2, day: 30) == nil)
        #expect(CalendarDate(year: 2026, month: 4, day: 31) == nil)
        #expect(CalendarDate(year: 2100, month: 2, day: 29) == nil)
        #expect(CalendarDate(year: 2000, month: 2, day: 29) != nil)
        #expect(CalendarDate(year: 2026, month: 13, day: 1) == nil)
        #expect(CalendarDate(year: 2026, month: 1, day: 0) == nil)
    }

    @Test("times are told as people write them")
    func texts() {
        #expect(time(2026, 11, 24, 2, 0).text == "2026-11-24T02:00:00Z")
        #expect(Zones.berlin.text(time(2026, 11, 24, 1, 0)) == "2026-11-24 02:00 STD")
        #expect(WallTime(seconds: -1).text == "1969-12-31T23:59:59Z")
    }
}

@Suite("A time zone")
struct TimeZoneRulesTests {
    @Test("it changes its clocks in spring and autumn of any year", arguments: [2026, 2027, 2100, 2400])
    func europe(_ year: Int) throws {
        let spring = try #require(Zones.berlin.transition(after: time(year, 1, 1, 0, 0)))
        #expect(Zones.berlin.local(spring.at).date.month == 3)
        #expect(Zones.berlin.local(spring.at).date.weekday == 0)
        #expect(Zones.berlin.local(spring.at).secondOfDay == 3 * 3600)
        let autumn = try #require(Zones.berlin.transition(after: spring.at))
        #expect(Zones.berlin.local(autumn.at).date.month == 10)
        #expect(Zones.berlin.local(autumn.at).date.day > 24)
        #expect(Zones.berlin.local(autumn.at).secondOfDay == 2 * 3600)
        #expect(Zones.berlin.period(at: spring.at).offset == 7200)
        #expect(Zones.berlin.period(at: WallTime(seconds: spring.at.seconds - 1)).offset == 3600)
    }

    @Test("south of the equator the year begins and ends in summer")
    func south() {
        #expect(Zones.sydney.period(at: time(2026, 1, 1, 0, 0)).isDaylight)
        #expect(!Zones.sydney.period(at: time(2026, 7, 1, 0, 0)).isDaylight)
        #expect(Zones.sydney.period(at: time(2026, 12, 31, 0, 0)).isDaylight)
    }

    @Test("the first instant of a time that is skipped is that of the skip")
    func skipped() {
        let skip = time(2026, 3, 29, 1, 0)
        #expect(Zones.berlin.instant(of: local(2026, 3, 29, 2, 0)) == skip)
        #expect(Zones.berlin.instant(of: local(2026, 3, 29, 2, 59)) == skip)
        #expect(Zones.berlin.instant(of: local(2026, 3, 29, 3, 0)) == skip)
        #expect(Zones.berlin.exists(local(2026, 3, 29, 3, 0)))
        #expect(!Zones.berlin.exists(local(2026, 3, 29, 2, 30)))
    }

    @Test("of a time that comes twice the first counts")
    func twice() {
        #expect(Zones.berlin.instant(of: local(2026, 10, 25, 2, 30)) == time(2026, 10, 25, 0, 30))
        #expect(Zones.berlin.secondInstant(of: local(2026, 10, 25, 2, 30)) == time(2026, 10, 25, 1, 30))
        #expect(Zones.berlin.secondInstant(of: local(2026, 10, 25, 3, 0)) == nil)
        #expect(Zones.berlin.secondInstant(of: local(2026, 3, 29, 2, 30)) == nil)
    }

    @Test("a whole day can be skipped, or come twice")
    func wholeDay() {
        let skip = Zones.leap(of: 24)
        #expect(skip.instant(of: local(2011, 12, 30, 12, 0)) == time(2011, 12, 30, 10, 0))
        #expect(skip.local(time(2011, 12, 30, 10, 0)) == local(2011, 12, 31, 0, 0))
        let back = Zones.leap(of: -24)
        #expect(back.instant(of: local(2011, 12, 30, 12, 0)) == time(2011, 12, 29, 22, 0))
        #expect(back.secondInstant(of: local(2011, 12, 30, 12, 0)) == time(2011, 12, 30, 22, 0))
    }

    @Test("a zone whose daylight time never ends never changes its clocks")
    func perpetual() {
        // RFC 8536 §3.3.1's example, EST5EDT,0/0,J365/25.
        let standard = TimeZoneRules.Period(offset: -18_000, isDaylight: false, abbreviation: "EST")
        let daylight = TimeZoneRules.Period(offset: -14_400, isDaylight: true, abbreviation: "EDT")
        let rules = TimeZoneRules(
            first: standard, transitions: [],
            footer: DaylightRule(
                standard: standard,
                daylight: .init(
                    period: daylight, begins: .init(day: .ordinal(0), time: 0),
                    ends: .init(day: .julian(365), time: 25 * 3600))))
        for day in Int64(20_000)...20_800 {
            #expect(rules.period(at: WallTime(seconds: day * 86_400 + 18_000)).offset == -14_400)
        }
    }

    @Test("the first transition's past and the footer's future both hold")
    func edges() {
        var rules = Zones.leap(of: 24)
        rules.footer = DaylightRule(standard: .init(offset: 3600, isDaylight: false, abbreviation: "LATER"))
        #expect(rules.period(at: WallTime(seconds: -1 << 50)).abbreviation == "OLD")
        #expect(rules.period(at: WallTime(seconds: 1 << 50)).abbreviation == "LATER")
        #expect(TimeZoneRules.utc.transition(after: WallTime(seconds: 0)) == nil)
    }
}
