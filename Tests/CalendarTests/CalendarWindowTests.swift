import Calendar
import Testing

@Suite("A window")
struct CalendarWindowTests {
    private func window(
        _ from: Int, _ to: Int, weekdays: UInt8 = 0x7F
    ) -> PlaybookWindow {
        PlaybookWindow(from: from * 60, to: to * 60, weekdays: weekdays, zone: "x")
    }

    @Test("it is open from its first minute until before its last")
    func edges() {
        let window = window(2, 4)
        #expect(!window.isOpen(at: WallTime(seconds: time(2026, 6, 1, 2, 0).seconds - 1), rules: .utc))
        #expect(window.isOpen(at: time(2026, 6, 1, 2, 0), rules: .utc))
        #expect(window.isOpen(at: WallTime(seconds: time(2026, 6, 1, 4, 0).seconds - 1), rules: .utc))
        #expect(!window.isOpen(at: time(2026, 6, 1, 4, 0), rules: .utc))
        #expect(window.opening(at: time(2026, 6, 1, 3, 0), rules: .utc)?.ends == time(2026, 6, 1, 4, 0))
        #expect(
            window.nextOpening(after: time(2026, 6, 1, 2, 0), rules: .utc)
                == .init(begins: time(2026, 6, 2, 2, 0), ends: time(2026, 6, 2, 4, 0)))
    }

    @Test("over midnight it belongs to the day it begins on")
    func midnight() {
        // Friday 2026-11-20.
        let window = window(22, 2, weekdays: 1 << 5)
        #expect(!window.isOpen(at: time(2026, 11, 20, 1, 0), rules: .utc))
        #expect(window.isOpen(at: time(2026, 11, 20, 23, 0), rules: .utc))
        #expect(window.isOpen(at: time(2026, 11, 21, 1, 59), rules: .utc))
        #expect(!window.isOpen(at: time(2026, 11, 21, 23, 0), rules: .utc))
        #expect(
            window.nextOpening(after: time(2026, 11, 21, 0, 0), rules: .utc)?.begins
                == time(2026, 11, 27, 22, 0))
        #expect(window.length == .seconds(4 * 3600))
    }

    @Test("a day of 23 hours shortens it, one of 25 lengthens it")
    func length() throws {
        let night = window(1, 5)
        let spring = try #require(night.opening(at: time(2026, 3, 29, 0, 30), rules: Zones.berlin))
        #expect(spring == .init(begins: time(2026, 3, 29, 0, 0), ends: time(2026, 3, 29, 3, 0)))
        let autumn = try #require(night.opening(at: time(2026, 10, 25, 0, 30), rules: Zones.berlin))
        #expect(autumn == .init(begins: time(2026, 10, 24, 23, 0), ends: time(2026, 10, 25, 4, 0)))
    }

    @Test("one whose whole span is skipped does not open that day")
    func skipped() {
        let gap = window(2, 3)
        let next = gap.nextOpening(after: time(2026, 3, 28, 12, 0), rules: Zones.berlin)
        #expect(next == .init(begins: time(2026, 3, 30, 0, 0), ends: time(2026, 3, 30, 1, 0)))
    }

    @Test("an edge that comes twice is its first time")
    func twice() throws {
        let window = PlaybookWindow(from: 60, to: 150, zone: "x")
        let opening = try #require(window.opening(at: time(2026, 10, 25, 0, 0), rules: Zones.berlin))
        #expect(opening.ends == time(2026, 10, 25, 0, 30))
        #expect(!window.isOpen(at: time(2026, 10, 25, 1, 15), rules: Zones.berlin))
    }

    @Test("a window of a whole day is open at every instant", arguments: Zones.all)
    func wholeDay(_ name: String, _ rules: TimeZoneRules) {
        let window = PlaybookWindow(from: 0, to: 1440, zone: name)
        for hour in Int64(0)..<(366 * 24) {
            let at = WallTime(seconds: time(2026, 1, 1, 0, 0).seconds + hour * 3600)
            if !window.isOpen(at: at, rules: rules) { Issue.record("\(name) is closed at \(rules.text(at))") }
        }
    }

    @Test("openings and their gaps follow each other without overlap", arguments: Zones.all)
    func order(_ name: String, _ rules: TimeZoneRules) throws {
        for window in [window(22, 3), window(1, 3, weekdays: 1), window(0, 1), window(3, 2)] {
            var opening = try #require(window.nextOpening(after: time(2026, 1, 1, 0, 0), rules: rules))
            for _ in 0..<60 {
                #expect(window.isOpen(at: opening.begins, rules: rules))
                #expect(
                    window.opening(at: WallTime(seconds: opening.ends.seconds - 1), rules: rules) == opening)
                let next = try #require(window.nextOpening(after: opening.begins, rules: rules))
                #expect(opening.ends <= next.begins)
                if opening.ends < next.begins { #expect(!window.isOpen(at: opening.ends, rules: rules)) }
                opening = next
            }
        }
    }

    @Test("a schedule that is due only outside is not admitted")
    func admits() throws {
        #expect(window(22, 2, weekdays: 1 << 5).admits(try CronLine(parsing: "0 1 * * sat")))
        #expect(!window(22, 2, weekdays: 1 << 5).admits(try CronLine(parsing: "0 1 * * fri")))
        #expect(window(22, 2, weekdays: 1 << 6).admits(try CronLine(parsing: "0 1 * * sun")))
        #expect(!window(1, 3).admits(try CronLine(parsing: "0 3 * * *")))
        #expect(window(1, 3).admits(try CronLine(parsing: "59 2 * * *")))
        #expect(window(1, 3, weekdays: 1).admits(try CronLine(parsing: "0 1 1 * mon")))
    }
}
