import ArgumentParser
import Calendar
import Config
@preconcurrency import Glibc

/// A time to come as operators write it: `02:00`, `Tue 02:00` (the next one) or `2026-11-24 02:00`, by the clocks of a zone.
struct OperatorTime: Hashable, Sendable, ExpressibleByArgument {
    private enum Day: Hashable {
        /// The first minute that the line names.
        case next(CronLine)
        case date(LocalTime)
    }

    private static let weekdays = [
        "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
    ]
    private var day: Day
    private var text: String

    init?(argument: String) {
        var words = argument.lowercased().split(separator: " ")
        // As a playbook writes it: 2026-11-24T02:00
        if words.count == 1, words[0].utf8.count == 16 {
            words = words[0].split(separator: "t", maxSplits: 1)
        }
        guard let last = words.last, let (hour, minute) = Self.clock(last), words.count <= 2 else {
            return nil
        }
        text = argument
        if words.count == 1 {
            guard let line = try? CronLine(parsing: "\(minute) \(hour) * * *") else { return nil }
            day = .next(line)
        } else if let name = Self.weekdays.first(where: { words[0].count >= 3 && $0.hasPrefix(words[0]) }) {
            guard let line = try? CronLine(parsing: "\(minute) \(hour) * * \(name.prefix(3))") else {
                return nil
            }
            day = .next(line)
        } else if let date = Self.date(words[0]) {
            day = .date(LocalTime(date, hour: hour, minute: minute))
        } else {
            return nil
        }
    }

    /// - Throws: when it is over, or the clocks skip it.
    func instant(after now: WallTime, _ rules: TimeZoneRules) throws(CommandFailure) -> WallTime {
        switch day {
        case .next(let line):
            let schedule = PlaybookSchedule.cron(line, zone: "")
            // A time of day comes again.
            guard let due = schedule.nextDue(after: now, rules: rules) else {
                preconditionFailure("no day has \(text)")
            }
            return due
        case .date(let local):
            let instant = rules.instant(of: local)
            guard rules.exists(local) else {
                throw .invalid(["\(text) does not exist: the clocks go on to \(rules.text(instant)) there"])
            }
            guard instant > now else { throw .invalid(["\(text) is over: it is \(rules.text(now))"]) }
            return instant
        }
    }

    private static func clock(_ text: Substring) -> (hour: Int, minute: Int)? {
        let numbers = numbers(text, ":", lengths: [2, 2])
        guard let numbers, numbers[0] < 24, numbers[1] < 60 else { return nil }
        return (numbers[0], numbers[1])
    }

    private static func date(_ text: Substring) -> CalendarDate? {
        numbers(text, "-", lengths: [4, 2, 2]).flatMap { CalendarDate(year: $0[0], month: $0[1], day: $0[2]) }
    }

    private static func numbers(_ text: Substring, _ mark: Character, lengths: [Int]) -> [Int]? {
        let parts = text.split(separator: mark, omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == lengths else { return nil }
        let numbers = parts.compactMap { part in
            part.utf8.allSatisfy { (48...57).contains($0) } ? Int(part) : nil
        }
        return numbers.count == lengths.count ? numbers : nil
    }
}

extension ZoneInfo {
    /// The zone this machine's own clock is shown in: `TZ`, else what `/etc/localtime` leads to, else UTC.
    static var localName: String {
        if let named = getenv("TZ").map({ String(cString: $0) }) {
            let name = named.hasPrefix(":") ? String(named.dropFirst()) : named
            if (try? ZoneInfo.system.rules(of: name)) != nil { return name }
        }
        guard let target = realpath("/etc/localtime", nil) else { return "UTC" }
        defer { free(target) }
        let path = String(cString: target)
        guard let folder = path.firstRange(of: "/zoneinfo/") else { return "UTC" }
        return String(path[folder.upperBound...])
    }
}
