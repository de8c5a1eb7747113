import Cluster
import Simulation

/// `fsdns simulate drain` and `fail` for people: the story, then how the cluster would stand.
struct WhatIfText {
    var paint: Paint
    var width: Int?
    /// Whether timing and policy are those of a cluster file.
    var isFromFile: Bool

    func lines(_ outcome: WhatIf.Outcome, at moment: PlannedMoment?) -> [String] {
        var lines = ["Pretended; nothing was changed."]
        if let moment { lines += moment.lines(paint: paint, width: width) }
        if !isFromFile {
            lines.append("Timing and policy are the defaults: --config CLUSTER-FILE takes yours.")
        }
        lines += outcome.differences.map { paint(cut("Not as it is: \($0)", to: width), .warn) }
        guard outcome.refusals.isEmpty else { return lines }
        if !outcome.plan.isEmpty {
            lines += ["", "The plan:"] + outcome.plan.map { cut("  \($0)", to: width) }
        }
        lines += ["", "What happens:"]
        if outcome.story.isEmpty { lines.append("  nothing") }
        for happening in outcome.story {
            let time = Self.text(happening.after)
            let blanks = String(repeating: " ", count: max(0, 10 - time.count))
            lines.append(cut("\(blanks)\(time)  \(happening.machine): \(happening.text)", to: width))
        }
        lines += ["", "In the end:"] + seats(outcome).lines(paint: paint, width: width)
        lines.append(Self.list("Slaves", outcome.slaves))
        if !outcome.maintenance.isEmpty { lines.append(Self.list("In maintenance", outcome.maintenance)) }
        if !outcome.published.isEmpty {
            lines.append(Self.list("DNS serves", outcome.published.map(\.description)))
        }
        return lines
    }

    private func seats(_ outcome: WhatIf.Outcome) -> Table {
        var table = Table([
            .init("SEAT"), .init("ADDRESS"), .init("WAS WITH"), .init("IS WITH"), .init("SILENT FOR", .right),
        ])
        for seat in outcome.seats {
            let style: Paint.Style = seat.holder == nil ? .bad : seat.holder == seat.before ? .plain : .warn
            table.add([
                .init(seat.name, .bold), .init(seat.address?.description ?? "-"), .init(seat.before ?? "-"),
                .init(seat.holder ?? "nobody", style), .init(seat.silence.map(Self.text) ?? "-"),
            ])
        }
        return table
    }

    private static func list(_ title: String, _ names: [String]) -> String {
        "\(title): \(names.isEmpty ? "none" : names.joined(separator: ", "))"
    }

    /// `312ms`, `4.250s`, `12m3s`.
    private static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        if seconds == 0 { return "\(milliseconds)ms" }
        if seconds >= 60 { return OperatorDuration.text(.seconds(seconds)) }
        let digits = String(1000 + milliseconds).dropFirst()
        return "\(seconds).\(digits)s"
    }
}

/// The keys of `fsdns simulate drain|fail --format json`.
struct WhatIfDocument: Encodable {
    typealias Nullable = StatusDocument.Nullable

    struct Happening: Encodable {
        var afterMs: Double
        var machine: String
        var text: String
    }

    struct Seat: Encodable {
        var name: String
        var address: Nullable<String>
        var before: Nullable<String>
        var holder: Nullable<String>
        var silenceMs: Nullable<Double>
    }

    /// What `--at` asked for.
    struct Planned: Encodable {
        struct Playbook: Encodable {
            var name: String
            var due: String
            var secondsAfter: Int64
            var windowCloses: Nullable<String>
            var isInTheWay: Bool
        }
        var at: String
        var local: String
        var playbooks: [Playbook]
        var unknown: [String]
    }

    var planned: Nullable<Planned>
    var refusals: [String]
    var plan: [String]
    var story: [Happening]
    var seats: [Seat]
    var slaves: [String]
    var maintenance: [String]
    var published: [String]
    var unrest: Nullable<String>
    var differences: [String]

    init(_ outcome: WhatIf.Outcome, at moment: PlannedMoment?) {
        planned = .init(moment.map(Planned.init))
        refusals = outcome.refusals
        plan = outcome.plan
        story = outcome.story.map {
            Happening(afterMs: Self.milliseconds($0.after), machine: $0.machine, text: $0.text)
        }
        seats = outcome.seats.map {
            Seat(
                name: $0.name, address: .init($0.address?.description), before: .init($0.before),
                holder: .init($0.holder), silenceMs: .init($0.silence.map(Self.milliseconds)))
        }
        slaves = outcome.slaves
        maintenance = outcome.maintenance
        published = outcome.published.map(\.description)
        unrest = .init(outcome.unrest)
        differences = outcome.differences
    }

    private static func milliseconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) * 1000 + Double(attoseconds) / 1_000_000_000_000_000
    }
}

extension WhatIfDocument.Planned {
    init(_ moment: PlannedMoment) {
        at = moment.at.text
        local = moment.rules.text(moment.at)
        unknown = moment.unknown
        playbooks = moment.neighbours.map {
            Playbook(
                name: $0.name, due: $0.due.text, secondsAfter: $0.distance,
                windowCloses: .init($0.closes?.text), isInTheWay: $0.isInTheWay)
        }
    }
}
