import ArgumentParser
import Calendar
import Cluster
import Config
@preconcurrency import Glibc
import Primitives
import Simulation

/// The running cluster, to be pretended.
struct SimulatedCluster: ParsableArguments {
    @OptionGroup var control: ControlOptions

    @Option(
        help: "Timing, policy and zone as in this cluster file; otherwise timing and policy are the defaults."
    )
    var config: String?

    @Option(
        help: ArgumentHelp(
            "When it is meant for, \"Tue 02:00\", 02:00 or \"2026-11-24 02:00\": playbooks due about that time are told.",
            valueName: "time"))
    var at: OperatorTime?

    @Option(help: "Whose clocks --at is read by, for example Europe/Berlin; otherwise this machine's.")
    var zone: String?

    @Option(help: "table for people, json for programs.")
    var format = TableFormat.table

    mutating func validate() throws {
        if zone != nil, at == nil {
            throw ValidationError("--zone is whose clocks --at is read by: give --at too")
        }
    }

    func run(_ question: WhatIf.Question) throws {
        let planned = try at.map { try readCalendar($0) }
        let report = try control.client.status()
        let file = try config.map { try ConfigCommand.load($0).settings }
        let site = try WhatIf(report, file: file)
        if case .fail(let names) = question {
            let known = report.nodes.map(\.name)
            let unknown = names.filter { !known.contains($0) }.map {
                "there is no node \($0); the nodes are \(known.joined(separator: ", "))"
            }
            if !unknown.isEmpty { throw CommandFailure.refused(unknown) }
        }
        let outcome = site.ask(question)
        if let violation = outcome.violation {
            throw CommandFailure.refused([
                "the pretended cluster broke a law, which is a fault of fsdns; please report it: \(violation)"
            ])
        }
        let text = WhatIfText(paint: .standard, width: Output.size?.columns, isFromFile: file != nil)
        let moment = try planned.map { at, now, rules in
            PlannedMoment(
                at, now: now, rules, lasting: length(of: question, in: site, outcome),
                schedules: try control.client.playbooks(.list).schedules, zones: .system)
        }
        switch format {
        case .table: Output.lines(text.lines(outcome, at: moment))
        case .json: Output.document(JSONText.pretty(WhatIfDocument(outcome, at: moment)))
        }
        if !outcome.refusals.isEmpty { throw CommandFailure.refused(outcome.refusals) }
        if let unrest = outcome.unrest {
            throw CommandFailure.refused(["the cluster does not come to rest: \(unrest)"])
        }
    }
}

extension SimulatedCluster {
    private func readCalendar(_ at: OperatorTime) throws(CommandFailure) -> (
        at: WallTime, now: WallTime, rules: TimeZoneRules
    ) {
        let name = zone ?? ZoneInfo.localName
        let rules: TimeZoneRules
        do {
            rules = try ZoneInfo.system.rules(of: name)
        } catch {
            throw .invalid(["--zone \(name) \(error.reason)"])
        }
        let now = WallTime(seconds: Int64(time(nil)))
        return (try at.instant(after: now, rules), now, rules)
    }

    /// In seconds; a drain may last until its deadline, and without one as long as people talk.
    private func length(of question: WhatIf.Question, in site: WhatIf, _ outcome: WhatIf.Outcome) -> Int64 {
        var longest = outcome.story.last?.after ?? .zero
        if case .drain(let request) = question {
            let talk: Duration = site.sites.contains { $0.calls > 0 } ? .seconds(PlannedMoment.reach) : .zero
            longest = max(longest, request.deadline ?? talk)
        }
        return longest.wholeSeconds + 1
    }
}

struct SimulateDrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Drain a pretended copy of the running cluster, and tell what happens.",
        discussion: """
            Nodes, seats, addresses, slaves and calls are those of the running cluster; its decisions are made by the very \
            code that makes them in a node. Calls that are waited for without a deadline end when everything else is done: \
            how long people talk is not known. Exit 1 when the drain would be refused, or would not end. Whether the real \
            cluster would begin it now is told by: fsdns drain TARGET --dry-run
            """)

    @Argument(help: "A seat (master2), or the node that holds it.")
    var target: String

    @Option(
        parsing: .unconditional,
        help: "How long calls are waited for, with units: 45m, 1h30m (at most an hour is followed).",
        transform: OperatorDuration.parse)
    var deadline: OperatorDuration?

    @Option(help: "What happens to calls left then.")
    var onDeadline: Drain.OnDeadline?

    @Flag(help: "Do not wait for calls: recover them on the new node.")
    var handover = false

    @OptionGroup var cluster: SimulatedCluster

    mutating func validate() throws {
        if handover, deadline != nil || onDeadline != nil {
            throw ValidationError("--handover says it all: leave out --deadline and --on-deadline")
        }
        if onDeadline != nil, onDeadline != .wait, deadline == nil {
            throw ValidationError("--on-deadline needs a --deadline, for example --deadline 45m")
        }
        if let deadline, deadline.duration == .zero, onDeadline ?? .wait == .wait {
            throw ValidationError(
                "--deadline 0s waits for no call: say what becomes of them, with --handover or --on-deadline")
        }
    }

    mutating func run() throws {
        try cluster.run(
            .drain(
                DrainRequest(
                    target: target, deadline: handover ? .zero : deadline?.duration,
                    onDeadline: handover ? .handover : onDeadline ?? .wait, reason: "", dryRun: false,
                    who: Operator.name)))
    }
}

struct SimulateFailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fail",
        abstract:
            "Cut the power of machines in a pretended copy of the running cluster, and tell what happens.",
        discussion: """
            All of them at the same moment. Exit 1 when the cluster would not come to rest without them, for example \
            because its quorum is lost.
            """)

    @Argument(help: ArgumentHelp("Which, with commas between.", valueName: "node[,node]"))
    var nodes: String

    @OptionGroup var cluster: SimulatedCluster

    mutating func validate() throws {
        guard NameList(nodes) != nil else {
            throw ValidationError("<node[,node]> must be a list of different nodes, such as fs1,fs2")
        }
    }

    mutating func run() throws {
        try cluster.run(.fail(NameList(nodes)?.names ?? []))
    }
}

extension WhatIf {
    /// - Throws: exit 1 when the cluster is in the middle of something, or is none yet.
    init(_ report: StatusReport, file: ClusterSettings?) throws(CommandFailure) {
        var reasons: [String] = []
        if let drain = report.maintenance.drain {
            reasons.append("a drain of \(drain.seat) is under way; ask again when it has ended")
        }
        if let run = report.playbook {
            reasons.append("playbook \(run.name) is running; ask again when it has ended")
        }
        if report.leader == nil || report.seats.isEmpty {
            reasons.append(
                "the cluster has no leader now, so that nobody knows how it stands; see: fsdns status")
        }
        if let moving = report.seats.first(where: { $0.state == .moving }) {
            reasons.append("\(moving.name) is moving; ask again in a moment")
        }
        guard reasons.isEmpty else { throw .refused(reasons) }
        let sites = report.nodes.map(Site.init)
        let slaves = report.nodes.filter { $0.position != nil }.sorted {
            ($0.position ?? 0) < ($1.position ?? 0)
        }
        var settings = file ?? ClusterSettings(running: report)
        // As long as it listens; nobody waits for it here.
        settings.timing.discovery = .milliseconds(300)
        settings.nodes = sites.map { NodeRule(name: $0.name, kind: $0.kind) }
        settings.expect = sites.count
        settings.addresses = Self.addresses(report)
        // One that failed stands for the holder that an uncovered seat does not have.
        var failed = sites.filter { $0.standing == .failed && $0.kind == .full }.map(\.name)[...]
        settings.seats = report.seats.map {
            SeatRule(
                name: $0.name, address: $0.addressName,
                prefer: $0.state == .uncovered && $0.isStateKnown != false ? failed.popFirst() : $0.holder)
        }
        settings.dns = Self.zone(report, file)
        self.init(settings: settings, sites: sites, slaves: slaves.map(\.name))
    }

    private static func addresses(_ report: StatusReport) -> [ServiceAddress] {
        var addresses = report.seats.map { ($0.addressName, $0.address) }
        let spare = report.maintenance
        addresses += zip(spare.names ?? spare.addresses.map { "spare-\($0)" }, spare.addresses)
        return addresses.compactMap { name, text in
            IPAddress(text).map { ip in
                ServiceAddress(name: name, ip: ip, prefixLength: ip.family == .v6 ? 64 : 24)
            }
        }
    }

    /// A pretended server for every one there is.
    private static func zone(_ report: StatusReport, _ file: ClusterSettings?) -> DNSSettings? {
        if let zone = file?.dns { return zone }
        guard let line = report.dns else { return nil }
        let servers = line.servers.enumerated().compactMap { place, server in
            Endpoint(server.address).map {
                DNSSettings.ServerSettings(endpoint: $0, keyName: place == 0 ? "fsdns." : nil)
            }
        }
        return DNSSettings(
            zone: line.zone, ttl: .seconds(line.ttl ?? 1), floor: 1, servers: servers, services: ["sip"],
            seatNames: true, srv: [])
    }
}

extension WhatIf.Site {
    init(_ line: StatusReport.NodeLine) {
        let standing: Standing =
            switch line.role {
            case .failed, .starting: .failed
            case .maintenance: .maintenance
            case .master, .slave, .witness: .serving
            }
        self.init(
            name: line.name, kind: line.role == .witness ? .witness : .full,
            health: line.freeswitch == .none ? .none : line.freeswitch == .unhealthy ? .unhealthy : .healthy,
            standing: standing, calls: line.calls)
    }
}
