import Calendar
import Cluster
import Config

/// The time something pretended is meant for, and what the calendar of playbooks has about it.
struct PlannedMoment {
    struct Neighbour: Hashable {
        var name: String
        var due: WallTime
        /// In seconds from the time meant; negative before it.
        var distance: Int64
        /// Until when its window lets it run; nil when it has none.
        var closes: WallTime?
        /// Whether both may be under way at once.
        var isInTheWay: Bool
    }

    /// So far before and after the calendar is looked at.
    static let reach: Int64 = 12 * 3600
    /// Of one playbook, on each side: whoever is due every hour is told by those next to it.
    private static let told = 2
    /// A schedule is due once a minute at most.
    private static let dueLimit = 2 * Int(reach) / 60

    var at: WallTime
    var now: WallTime
    var rules: TimeZoneRules
    var neighbours: [Neighbour] = []
    /// Playbooks whose calendar cannot be read here.
    var unknown: [String] = []

    /// - Parameter lasting: how long what is pretended takes, in seconds.
    init(
        _ at: WallTime, now: WallTime, _ rules: TimeZoneRules, lasting: Int64,
        schedules: [PlaybookReport.Schedule], zones: ZoneInfo
    ) {
        self.at = at
        self.now = now
        self.rules = rules
        for line in schedules {
            guard let schedule = line.schedule else { continue }
            guard let own = Self.rules(schedule.zone, zones), let open = Self.rules(line.window?.zone, zones)
            else {
                unknown.append(line.name)
                continue
            }
            let after = max(at.seconds - Self.reach, now.seconds)
            // A due instant outside its window runs nothing.
            let dues = schedule.dues(
                after: WallTime(seconds: after), through: WallTime(seconds: at.seconds + Self.reach),
                rules: own, limit: Self.dueLimit
            ).filter { line.window?.isOpen(at: $0, rules: open) ?? true }
            let before = dues.filter { $0 < at }.suffix(Self.told)
            for due in before + dues.filter({ $0 >= at }).prefix(Self.told) {
                add(line, due, lasting: lasting, open)
            }
        }
        neighbours.sort { ($0.due, $0.name) < ($1.due, $1.name) }
    }

    private mutating func add(
        _ line: PlaybookReport.Schedule, _ due: WallTime, lasting: Int64, _ open: TimeZoneRules
    ) {
        let closes = line.window?.opening(at: due, rules: open)?.ends
        let distance = due.seconds - at.seconds
        let mayRunThen = closes.map { $0 > at } ?? true
        neighbours.append(
            Neighbour(
                name: line.name, due: due, distance: distance, closes: closes,
                isInTheWay: distance < 0 ? mayRunThen : distance <= lasting))
    }

    private static func rules(_ zone: String?, _ zones: ZoneInfo) -> TimeZoneRules? {
        zone.map { try? zones.rules(of: $0) } ?? .utc
    }

    func lines(paint: Paint, width: Int?) -> [String] {
        let ahead = OperatorDuration.text(.seconds((at.seconds - now.seconds) / 60 * 60))
        var lines = [
            "Meant for \(rules.text(at)) (\(at.text)), in \(ahead); calls are as many as now, for how many there are then "
                + "is not known."
        ]
        if neighbours.isEmpty { lines.append("No playbook is due within 12h of it.") }
        for neighbour in neighbours {
            let span = OperatorDuration.text(.seconds(abs(neighbour.distance)))
            var text = "\(neighbour.name) is due at \(rules.text(neighbour.due)), "
            text +=
                neighbour.distance < 0 ? "\(span) before" : neighbour.distance == 0 ? "then" : "\(span) after"
            if let closes = neighbour.closes { text += ", and may run until \(rules.text(closes))" }
            if neighbour.isInTheWay { text += ": they may be in each other's way" }
            lines.append(paint(cut(text, to: width), neighbour.isInTheWay ? .warn : .plain))
        }
        lines += unknown.map {
            paint(cut("When \($0) is due cannot be told here: its time zone is not known", to: width), .warn)
        }
        return lines
    }
}
