import Calendar
import Cluster
import Config
import Testing

@testable import fsdns

@Suite("The time a simulation is meant for") struct PlannedMomentTests {
    /// 2026-11-22 10:30 UTC, a Sunday.
    private static let now = WallTime(seconds: 1_795_343_400)
    private static let hour: Int64 = 3600
    /// An hour ahead of UTC, and two from 2026-11-24 01:00 UTC on.
    private static let rules = TimeZoneRules(
        first: .init(offset: 3600, isDaylight: false, abbreviation: "ONE"),
        transitions: [
            .init(
                at: WallTime(seconds: 1_795_482_000),
                period: .init(offset: 7200, isDaylight: true, abbreviation: "TWO"))
        ], footer: nil)

    private func local(_ text: String, _ rules: TimeZoneRules = .utc) throws -> String {
        rules.text(try #require(OperatorTime(argument: text)).instant(after: Self.now, rules))
    }

    @Test(
        "is the next of its kind",
        arguments: [
            ("02:00", "2026-11-23 02:00 UTC"), ("10:31", "2026-11-22 10:31 UTC"),
            ("10:30", "2026-11-23 10:30 UTC"), ("Tue 02:00", "2026-11-24 02:00 UTC"),
            ("sunday 10:00", "2026-11-29 10:00 UTC"), ("2026-11-24 02:00", "2026-11-24 02:00 UTC"),
            ("2027-01-01T23:59", "2027-01-01 23:59 UTC"),
        ])
    func next(text: String, local: String) throws {
        #expect(try self.local(text) == local)
    }

    @Test(
        "anything else is no time",
        arguments: [
            "", "02", "2:00", "24:00", "02:60", "Tu 02:00", "Tue", "Tue 02:00 UTC", "someday 02:00",
            "2026-02-30 02:00", "2026-11-24", "26-11-24 02:00", "0٢:00", "2026-11-24T02:00:00",
        ])
    func noTimes(text: String) {
        #expect(OperatorTime(argument: text) == nil)
    }

    @Test("is by the clocks of the zone, and not one they skip or have passed") func clocks() throws {
        #expect(try local("Tue 01:30", Self.rules) == "2026-11-24 01:30 ONE")
        #expect(try local("Tue 03:00", Self.rules) == "2026-11-24 03:00 TWO")
        let skipped = #expect(throws: CommandFailure.self) { try local("2026-11-24 02:30", Self.rules) }
        #expect(
            skipped?.lines == [
                "2026-11-24 02:30 does not exist: the clocks go on to 2026-11-24 03:00 TWO there"
            ])
        let over = #expect(throws: CommandFailure.self) { try local("2026-11-22 10:30") }
        #expect(over?.lines == ["2026-11-22 10:30 is over: it is 2026-11-22 10:30 UTC"])
    }

    // MARK: - The calendar

    private func schedule(
        _ name: String, _ line: String, window: PlaybookWindow? = nil, zone: String = "UTC"
    ) throws -> PlaybookReport.Schedule {
        PlaybookReport.Schedule(
            name: name, summary: "", who: "ann@ops", schedule: .cron(try CronLine(parsing: line), zone: zone),
            window: window)
    }

    /// Tuesday 02:00, for an hour and a half.
    private func moment(_ schedules: [PlaybookReport.Schedule]) -> PlannedMoment {
        PlannedMoment(
            WallTime(seconds: 1_795_485_600), now: Self.now, .utc, lasting: 5400, schedules: schedules,
            zones: ZoneInfo(folder: "/nonexistent"))
    }

    private func ways(_ schedules: [PlaybookReport.Schedule]) -> [String: Bool] {
        Dictionary(uniqueKeysWithValues: moment(schedules).neighbours.map { ($0.name, $0.isInTheWay) })
    }

    @Test("a playbook due within what is meant is in its way, and one due after it is not") func after()
        throws
    {
        let ways = try ways([
            schedule("then", "0 2 * * 2"), schedule("within", "30 3 * * *"), schedule("later", "31 3 * * *"),
            schedule("far", "1 14 * * 2"), schedule("wednesday", "0 2 * * 3"),
        ])
        #expect(ways == ["then": true, "within": true, "later": false])
    }

    @Test("one due before it is in its way while its window lets it run") func before() throws {
        func window(_ from: Int, _ to: Int) -> PlaybookWindow {
            PlaybookWindow(from: from, to: to, zone: "UTC")
        }
        let ways = try ways([
            schedule("endless", "0 1 * * *"), schedule("over", "0 1 * * *", window: window(60, 120)),
            schedule("open", "0 1 * * *", window: window(60, 121)),
            schedule("closed", "0 1 * * *", window: window(90, 300)),
        ])
        #expect(ways == ["endless": true, "over": false, "open": true])
    }

    @Test("of one that is due often, those next to the time are told") func often() throws {
        let told = try moment([schedule("hourly", "30 * * * *")]).neighbours
        #expect(told.map(\.distance) == [-5400, -1800, 1800, 5400])
        let night = PlaybookWindow(from: 0, to: 60, zone: "UTC")
        #expect(
            try moment([schedule("hourly", "30 * * * *", window: night)]).neighbours.map(\.distance) == [
                -5400
            ])
    }

    @Test("what is told names both clocks, the span and what is not known") func text() throws {
        let moment = moment([
            try schedule("rolling", "30 1 * * *"), try schedule("elsewhere", "0 2 * * *", zone: "Mars/Base"),
        ])
        #expect(moment.unknown == ["elsewhere"])
        let lines = moment.lines(paint: .off, width: nil)
        #expect(
            lines == [
                "Meant for 2026-11-24 02:00 UTC (2026-11-24T02:00:00Z), in 1d15h30m; calls are as many as now, for how "
                    + "many there are then is not known.",
                "rolling is due at 2026-11-24 01:30 UTC, 30m before: they may be in each other's way",
                "When elsewhere is due cannot be told here: its time zone is not known",
            ])
    }

    @Test("an empty calendar says so") func empty() {
        let lines = moment([]).lines(paint: .off, width: nil)
        #expect(lines.last == "No playbook is due within 12h of it.")
    }
}
