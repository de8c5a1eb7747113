import ArgumentParser
import Cluster
import FoundationEssentials

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the cluster: nodes, seats, addresses, maintenance and DNS.")

    @OptionGroup var control: ControlOptions

    @Flag(help: "Redraw in place until interrupted.")
    var watch = false

    @Option(
        parsing: .unconditional, help: "Between two pictures of --watch (default: 1s).",
        transform: OperatorDuration.parse)
    var interval: OperatorDuration?

    @Option(help: "table for people, json for programs.")
    var format = TableFormat.table

    mutating func validate() throws {
        if interval != nil, !watch { throw ValidationError("--interval belongs to --watch") }
        try OperatorDuration.check(
            interval, of: "--interval", atLeast: .milliseconds(100), atMost: .seconds(3600),
            otherwise: "a picture is drawn so often")
    }

    mutating func run() throws {
        var client = control.client
        if !watch {
            Output.lines(lines(try client.status(), paint: .standard, width: Output.size?.columns))
            return
        }
        // The first answer decides whether there is anything to watch.
        var last = try client.status()
        var trouble: String?
        // A picture that is seconds old is to be called so soon.
        client.patience = .seconds(2)
        try Screen.watch(every: interval?.duration ?? .seconds(1)) { [client] first, width in
            if !first {
                do throws(CommandFailure) {
                    last = try client.status()
                    trouble = nil
                } catch {
                    trouble = error.lines.joined(separator: "; ")
                }
            }
            // A program must not take an old picture for one of now.
            if format == .json, let trouble {
                return JSONText.pretty(["unanswered": trouble]).split(separator: "\n").map(String.init)
            }
            let notice = trouble.map {
                [Paint.standard("Not answering, last picture below: \($0)", .bad), ""]
            }
            return (notice ?? []) + lines(last, paint: .standard, width: width)
        }
    }

    private func lines(_ report: StatusReport, paint: Paint, width: Int?) -> [String] {
        switch format {
        case .table: StatusText(paint: paint, width: width).lines(report)
        case .json:
            JSONText.pretty(StatusDocument(report, now: Date())).split(separator: "\n").map(String.init)
        }
    }
}

struct MembersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "members", abstract: "Show nodes, votes and quorum.")

    @OptionGroup var control: ControlOptions

    mutating func run() throws {
        let report = try control.client.status()
        Output.lines(MembersText(paint: .standard, width: Output.size?.columns).lines(report))
    }
}

struct RingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rings", abstract: "Show every heartbeat path of a node: loss, delay, faults.")

    @OptionGroup var control: ControlOptions

    mutating func run() throws {
        let report = try control.client.rings()
        Output.lines(RingsText(paint: .standard, width: Output.size?.columns).lines(report))
    }
}

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Print what the cluster saw and decided, and why.")

    @OptionGroup var control: ControlOptions

    @Flag(help: "Go on with each new event until interrupted.")
    var follow = false

    @Option(help: "Only events after this number of the node's own count.")
    var after: UInt64 = 0

    @Option(help: "text for people, json (one object a line) for programs.")
    var format = TextFormat.text

    mutating func run() throws {
        let format = format
        let paint = Paint.standard
        try control.client.events(follow: follow, after: after) { event in
            switch format {
            case .text: Output.line(EventText.line(event, paint: paint))
            case .json: Output.document(EventText.json(event))
            }
        }
    }
}
