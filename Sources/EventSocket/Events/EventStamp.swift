/// The headers FreeSWITCH puts into every event: who fired it, when, and where in the program
/// (switch_event.c: switch_event_prep_for_delivery_detailed).
package struct EventStamp: Hashable, Sendable {
    /// Who fires events: the same for the life of a process.
    package struct Origin: Hashable, Sendable {
        package var coreUUID: String
        package var hostname: String
        package var switchname: String
        package var ipv4: String
        package var ipv6: String

        package init(
            coreUUID: String, hostname: String, switchname: String, ipv4: String = "127.0.0.1",
            ipv6: String = "::1"
        ) {
            self.coreUUID = coreUUID
            self.hostname = hostname
            self.switchname = switchname
            self.ipv4 = ipv4
            self.ipv6 = ipv6
        }
    }
    package var origin: Origin
    /// Microseconds since 1970 in UTC.
    package var microseconds: Int64
    /// Seconds to add for local time.
    package var utcOffset: Int
    package var file: String
    package var function: String
    package var line: Int
    /// Counts all events of the process.
    package var sequence: UInt64

    package init(
        origin: Origin, microseconds: Int64, utcOffset: Int = 0, file: String, function: String, line: Int,
        sequence: UInt64
    ) {
        self.origin = origin
        self.microseconds = microseconds
        self.utcOffset = utcOffset
        self.file = file
        self.function = function
        self.line = line
        self.sequence = sequence
    }

    /// The headers after `Event-Name`, in FreeSWITCH's order.
    package var fields: [Headers.Field] {
        let seconds = microseconds / 1_000_000
        let local = CivilTime(seconds: seconds + Int64(utcOffset))
        return [
            Headers.Field("Core-UUID", origin.coreUUID),
            Headers.Field("FreeSWITCH-Hostname", origin.hostname),
            Headers.Field("FreeSWITCH-Switchname", origin.switchname),
            Headers.Field("FreeSWITCH-IPv4", origin.ipv4),
            Headers.Field("FreeSWITCH-IPv6", origin.ipv6),
            Headers.Field("Event-Date-Local", local.date + " " + local.time),
            Headers.Field("Event-Date-GMT", CivilTime(seconds: seconds).internetDate),
            Headers.Field("Event-Date-Timestamp", String(microseconds)),
            Headers.Field("Event-Calling-File", file),
            Headers.Field("Event-Calling-Function", function),
            Headers.Field("Event-Calling-Line-Number", String(line)),
            Headers.Field("Event-Sequence", String(sequence)),
        ]
    }
}

extension SwitchEvent {
    /// The event with the stamp's headers after `Event-Name`, which is where FreeSWITCH has them; any it had before are gone.
    package func stamped(_ stamp: EventStamp) -> SwitchEvent {
        let fields = stamp.fields
        var kept: [Headers.Field] = []
        kept.reserveCapacity(headers.fields.count + fields.count)
        var isStamped = false
        for field in headers.fields where !fields.contains(where: { Headers.isSame($0.name, field.name) }) {
            kept.append(field)
            if !isStamped, Headers.isSame(field.name, "Event-Name") {
                kept.append(contentsOf: fields)
                isStamped = true
            }
        }
        return SwitchEvent(headers: Headers(isStamped ? kept : kept + fields), body: body)
    }
}

/// A moment as a calendar shows it (proleptic Gregorian; days counted as in Howard Hinnant's “chrono-compatible date algorithms”).
struct CivilTime {
    let year: Int64
    let month: Int
    let day: Int
    /// 0 is Sunday.
    let weekday: Int
    let secondOfDay: Int

    /// Seconds since 1970-01-01T00:00:00.
    init(seconds: Int64) {
        let days = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
        secondOfDay = Int(seconds - days * 86_400)
        weekday = Int(((days + 4) % 7 + 7) % 7)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

    var date: String { "\(year)-\(two(month))-\(two(day))" }
    var time: String { "\(two(secondOfDay / 3600)):\(two(secondOfDay / 60 % 60)):\(two(secondOfDay % 60))" }
    /// As in RFC 822, with a four-digit year and GMT.
    var internetDate: String {
        "\(Self.weekdays[weekday]), \(two(day)) \(Self.months[month - 1]) \(year) \(time) GMT"
    }

    private func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
