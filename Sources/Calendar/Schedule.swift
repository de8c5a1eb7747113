import Primitives

/// Seconds since 1970-01-01T00:00:00Z without leap seconds, as people's clocks show it.
package struct WallTime: Hashable, Comparable, Sendable, Codable {
    package var seconds: Int64
    package init(seconds: Int64) { self.seconds = seconds }
    package static func < (a: WallTime, b: WallTime) -> Bool { a.seconds < b.seconds }
    package static func + (a: WallTime, b: Duration) -> WallTime {
        WallTime(seconds: a.seconds.saturatingSum(b.nanoseconds / 1_000_000_000))
    }

    /// Some 34,000 years either way: all that the arithmetic of calendars bears.
    private static let bounds = -(1 << 40)...(1 << 40) as ClosedRange<Int64>

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        seconds = try container.decode(Int64.self, forKey: .seconds)
        guard Self.bounds.contains(seconds) else {
            throw DecodingError.dataCorruptedError(
                forKey: .seconds, in: container, debugDescription: "no calendar reaches there")
        }
    }
}

package enum PlaybookSchedule: Hashable, Sendable, Codable {
    /// The minutes a cron line names in that IANA time zone.
    case cron(CronLine, zone: String)
    case once(WallTime)
}

/// The five fields of crontab(5), each as a set of bits.
package struct CronLine: Hashable, Sendable, Codable {
    package var minutes: UInt64
    package var hours: UInt32
    /// Bit 1 is the first of the month.
    package var days: UInt32
    /// Bit 1 is January.
    package var months: UInt16
    /// Bit 0 is Sunday.
    package var weekdays: UInt8
    /// As it was written.
    package var text: String
    /// crontab(5): with both day fields given, either is enough.
    package var isEitherDay: Bool

    package init(
        minutes: UInt64, hours: UInt32, days: UInt32, months: UInt16, weekdays: UInt8, text: String,
        isEitherDay: Bool
    ) {
        self.minutes = minutes
        self.hours = hours
        self.days = days
        self.months = months
        self.weekdays = weekdays
        self.text = text
        self.isEitherDay = isEitherDay
    }
}

/// The hours of the day in which a run may be under way.
package struct PlaybookWindow: Hashable, Sendable, Codable {
    /// Minutes since midnight, local time of the zone.
    package var from: Int
    /// May be smaller than `from`: then the window goes over midnight.
    package var to: Int
    /// Bit 0 is Sunday; of the day the window begins on.
    package var weekdays: UInt8
    package var zone: String

    package init(from: Int, to: Int, weekdays: UInt8 = 0x7F, zone: String) {
        self.from = from
        self.to = to
        self.weekdays = weekdays
        self.zone = zone
    }
}

// MARK: - The JSON keys

// They are the format: a property or case with another name keeps its key.

extension WallTime {
    enum CodingKeys: String, CodingKey { case seconds }
}

extension PlaybookSchedule {
    enum CodingKeys: String, CodingKey { case cron, once }
    enum CronCodingKeys: String, CodingKey { case _0, zone }
    enum OnceCodingKeys: String, CodingKey { case _0 }
}

extension CronLine {
    enum CodingKeys: String, CodingKey { case minutes, hours, days, months, weekdays, text, isEitherDay }
}

extension PlaybookWindow {
    enum CodingKeys: String, CodingKey { case from, to, weekdays, zone }
}
