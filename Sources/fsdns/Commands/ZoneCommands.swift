import ArgumentParser

struct ZoneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zone", abstract: "See, plan, apply, check or serve the cluster's DNS zone.",
        subcommands: [
            ZoneShowCommand.self, ZonePlanCommand.self, ZoneApplyCommand.self, ZoneCheckCommand.self,
            ZoneServeCommand.self,
        ])
}

struct ZoneShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print what every server answers; + is to come, - is to go.")

    @OptionGroup var control: ControlOptions

    @Option(help: "table for people, json for programs.")
    var format = TableFormat.table

    mutating func run() throws {
        let report = try control.client.zone()
        switch format {
        case .table:
            Output.lines(ZoneReportText(paint: .standard, width: Output.size?.columns).show(report))
        case .json: Output.document(JSONText.pretty(ZoneDocument(report)))
        }
    }
}

struct ZonePlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Print what would be changed now, each step with its reason.")

    @OptionGroup var control: ControlOptions

    @Flag(help: "Print a script that makes nsupdate do exactly the same.")
    var nsupdate = false

    @Option(help: "table for people, json for programs.")
    var format = TableFormat.table

    mutating func validate() throws {
        if nsupdate, format == .json { throw ValidationError("--nsupdate prints a script, never JSON") }
    }

    mutating func run() throws {
        let report = try control.client.zone()
        if nsupdate {
            Output.lines(try NSUpdateScript.lines(report))
            return
        }
        switch format {
        case .table: Output.lines(ZoneReportText(paint: .standard, width: nil).plan(report))
        case .json: Output.document(JSONText.pretty(ZoneDocument(report)))
        }
    }
}

struct ZoneApplyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Make the zone true now instead of with the next change, and tell what came of it.",
        discussion: "Exit 0 when every server serves what it should, 1 with the reasons when not.")

    /// Between two looks at the zone.
    private static let interval = Duration.milliseconds(200)

    @OptionGroup var control: ControlOptions

    @Flag(help: "Take over a zone that another life of this cluster wrote last.")
    var adopt = false

    @Option(
        parsing: .unconditional, help: "How long the result is waited for at most (default: 10s).",
        transform: OperatorDuration.parse)
    var timeout: OperatorDuration?

    mutating func validate() throws {
        try OperatorDuration.check(
            timeout, of: "--timeout", atMost: .seconds(3600),
            otherwise: "the servers need a moment to answer; leave it out for 10s")
    }

    mutating func run() throws {
        let client = control.client
        _ = try Answer.show(try client.ask(.zoneApply(adopt: adopt, who: Operator.name)), client: client)
        let clock = Stopwatch()
        while true {
            Stopwatch.sleep(Self.interval)
            let report = try client.zone()
            let faults = ZoneReportText.faults(report)
            if faults.isEmpty {
                Output.line("\(report.zone) is converged on \(report.readings.count) servers.")
                return
            }
            if clock.elapsed >= timeout?.duration ?? .seconds(10) { throw CommandFailure.refused(faults) }
        }
    }
}

struct ZoneCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract:
            "Exit 0 when every server answers what it should and would take updates, else 1 with the reasons."
    )

    @OptionGroup var control: ControlOptions

    mutating func run() throws {
        let report = try control.client.zone()
        for notice in report.notices ?? [] { Output.error("note: \(notice)") }
        let faults = ZoneReportText.faults(report)
        if !faults.isEmpty { throw CommandFailure.refused(faults) }
        Output.line("\(report.zone) is converged on \(report.readings.count) servers.")
    }
}
